/** Finds or installs Jupyter, and runs notebooks with the project's own kernel and no global state. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { hasCommand, root, run, Stop } from "./process.mjs";

const debianPackages = ["jupyter-nbconvert", "jupyter-client", "jupyter-core"];
const aptInstall = ["install", "-y", "--no-install-recommends", ...debianPackages];

const advice = `Jupyter (nbconvert) is needed to run notebooks. Install it in one of these ways, then run the command again:
  Debian, Ubuntu   sudo apt-get install --no-install-recommends ${debianPackages.join(" ")}
  pip              python3 -m pip install --user nbconvert jupyter-client
  uv               uv tool install jupyter-core --with nbconvert --with jupyter-client
  VS Code          open notebooks/ with the Jupyter extension; it needs no command-line Jupyter`;

/** Tells whether `jupyter nbconvert` is there; looking for the files saves the seconds that starting it takes. */
function hasNbconvert() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const endings = process.platform === "win32" ? [".exe", ".cmd", ".bat"] : [""];
  return ["jupyter", "jupyter-nbconvert"].every((name) =>
    folders.some((folder) => endings.some((ending) => existsSync(join(folder, name + ending)))),
  );
}

/**
 * Makes sure that `jupyter nbconvert` is installed.
 *
 * As root on Debian it is installed by apt; in a terminal the user is asked first; otherwise the script stops and says
 * what to install.
 */
export async function ensureJupyter() {
  if (hasNbconvert()) return;
  const canApt = existsSync("/etc/debian_version") && hasCommand("apt-get");
  const isRoot = process.getuid?.() === 0;
  if (!canApt) throw new Stop(advice);
  if (
    !isRoot &&
    !(await agrees(`Jupyter is missing. Install it with sudo apt-get install ${debianPackages.join(" ")}?`))
  ) {
    throw new Stop(advice);
  }
  await installByApt(isRoot ? [] : ["sudo"]);
  if (!hasNbconvert()) throw new Stop(`apt-get finished, but "jupyter nbconvert" is still missing.\n${advice}`);
}

async function installByApt(prefix) {
  process.stdout.write(`Installing ${debianPackages.join(", ")} …\n`);
  const apt = (args) => {
    const [command = "apt-get", ...rest] = [...prefix, "apt-get", ...args];
    return run(command, rest, { env: { DEBIAN_FRONTEND: "noninteractive" } });
  };
  const first = await apt(aptInstall);
  if (first.code === 0) return;
  const update = await apt(["update"]);
  const second = update.code === 0 ? await apt(aptInstall) : update;
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

/** Runs `body` with the environment in which Jupyter sees the project's kernel and writes nothing to the home folder. */
export async function withJupyterEnv(body) {
  const scratch = mkdtempSync(join(tmpdir(), "limpid-jupyter-"));
  try {
    const folders = Object.fromEntries(
      ["JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"].map((name) => [
        name,
        join(scratch, name),
      ]),
    );
    for (const folder of Object.values(folders)) mkdirSync(folder);
    return await body({ ...folders, JUPYTER_PATH: join(root, "jupyter"), JUPYTER_NO_CONFIG: "1" });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Executes a notebook with the project's kernel and writes the result to `target`.
 *
 * Returns nbconvert's exit code and output; with `allowErrors`, failing cells do not stop the rest.
 */
export function executeNotebook(source, target, { allowErrors = false, timeoutS = 600, env: extra = {} } = {}) {
  const errors = allowErrors ? ["--allow-errors"] : [];
  const options = ["--to", "notebook", "--execute", `--ExecutePreprocessor.timeout=${timeoutS}`, ...errors];
  return withJupyterEnv((env) =>
    run("jupyter", ["nbconvert", ...options, "--output", target, source], { env: { ...env, ...extra } }),
  );
}
