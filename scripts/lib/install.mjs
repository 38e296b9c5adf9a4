/** Brings node_modules to what package-lock.json says. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root, run, Stop } from "./process.mjs";

/** Returns why node_modules must be installed anew, or `undefined` when it is as the lock file says. */
export function staleReason(folder = root) {
  const installed = join(folder, "node_modules", ".package-lock.json");
  if (!existsSync(installed)) return "node_modules is missing";
  const wanted = packagesOf(join(folder, "package-lock.json"));
  const found = packagesOf(installed);
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || entry.optional || entry.devOptional || entry.link) continue;
    if (found[path]?.version !== entry.version)
      return `${path} is ${found[path]?.version ?? "missing"}, not ${entry.version}`;
  }
  return undefined;
}

function packagesOf(path) {
  return JSON.parse(readFileSync(path, "utf8")).packages ?? {};
}

/** Runs `npm ci` when something is missing or of another version. Needs only the npm registry. */
export async function ensureInstalled() {
  const reason = staleReason();
  if (reason === undefined) return;
  process.stdout.write(`Installing packages (${reason}) …\n`);
  const { code } = await run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { show: true });
  if (code !== 0) throw new Stop("npm ci failed; see above. It needs the npm registry and nothing else.");
}
