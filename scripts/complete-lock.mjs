/**
 * Adds to package-lock.json the binaries for other platforms that a partial registry mirror left out.
 *
 * `npm ci` refuses a lock file in which an optional dependency has no entry, even one for another operating system.
 * Entries written here name version and platform; npm skips them on every other platform. Run after
 * `npm install` when `npm ci` says "Missing: … from lock file".
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./lib/process.mjs";

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const processors = ["arm64", "arm", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"];

/** Returns what npm needs to know to skip or fetch a platform's package, read from its name; `undefined` if unclear. */
function platformOf(name) {
  const words = name.split("/").at(-1).split("-");
  const os = systems.find((system) => words.includes(system));
  const cpu = processors.find((processor) => words.includes(processor));
  if (os === undefined || cpu === undefined) return undefined;
  const libc = words.some((word) => word.startsWith("musl"))
    ? "musl"
    : words.some((word) => word.startsWith("gnu"))
      ? "glibc"
      : undefined;
  return { os: [os], cpu: [cpu], ...(libc === undefined ? {} : { libc: [libc] }) };
}

function isPresent(packages, from, name) {
  const places = [`${from}/node_modules/${name}`, `node_modules/${name}`];
  return places.some((place) => packages[place] !== undefined);
}

const path = join(root, "package-lock.json");
const lock = JSON.parse(readFileSync(path, "utf8"));
const added = [];
for (const [from, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const platform = platformOf(name);
    if (isPresent(lock.packages, from, name) || platform === undefined || !/^\d/.test(version)) continue;
    lock.packages[`node_modules/${name}`] = {
      version,
      ...platform,
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
    };
    added.push(`${name}@${version}`);
  }
}
const head = Object.entries(lock.packages).filter(([key]) => key === "");
const rest = Object.entries(lock.packages).filter(([key]) => key !== "");
rest.sort(([a], [b]) => (a < b ? -1 : 1));
lock.packages = Object.fromEntries([...head, ...rest]);
if (added.length > 0) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(added.length === 0 ? "Nothing to add.\n" : `Added ${added.join(", ")}\n`);
