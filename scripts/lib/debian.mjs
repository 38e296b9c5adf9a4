/** Installs what Node's packages cannot bring, where Debian's can. */
import { existsSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { hasCommand, run, Stop } from "./process.mjs";

/**
 * Installs Debian packages for `what`.
 *
 * As root they are installed by apt; in a terminal the user is asked first; otherwise, and on other systems, the script
 * stops with `advice`.
 */
export async function ensureDebianPackages(what, packages, advice) {
  if (!existsSync("/etc/debian_version") || !hasCommand("apt-get")) throw new Stop(advice);
  const isRoot = process.getuid?.() === 0;
  const question = `${what} is missing. Install it with sudo apt-get install ${packages.join(" ")}?`;
  if (!isRoot && !(await agrees(question))) throw new Stop(advice);
  await installByApt(packages, { prefix: isRoot ? [] : ["sudo"], advice });
}

async function installByApt(packages, { prefix, advice }) {
  process.stdout.write(`Installing ${packages.join(", ")} …\n`);
  const apt = (args) => {
    const [command = "apt-get", ...rest] = [...prefix, "apt-get", ...args];
    return run(command, rest, { env: { DEBIAN_FRONTEND: "noninteractive" } });
  };
  const install = () => apt(["install", "-y", "--no-install-recommends", ...packages]);
  const first = await install();
  if (first.code === 0) return;
  const update = await apt(["update"]);
  const second = update.code === 0 ? await install() : update;
  if (second.code !== 0)
    throw new Stop(`apt-get failed:\n${second.output.trim().split("\n").slice(-8).join("\n")}\n\n${advice}`);
}

async function agrees(question) {
  if (!process.stdin.isTTY || process.env.CI) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`${question} [y/N] `);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}
