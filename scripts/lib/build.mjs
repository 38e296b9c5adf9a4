/** Compiles src/ to dist/ and lets the checkout import itself by name. */
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { writeClient } from "./client.mjs";
import { root, run, Stop } from "./process.mjs";

const stampPath = join(root, "dist", ".stamp");

/** Returns a digest of names, sizes and times of everything that the build reads. */
function sourceState() {
  const hash = createHash("sha256");
  const visit = (path) => {
    const state = statSync(path);
    if (state.isDirectory()) for (const name of readdirSync(path).sort()) visit(join(path, name));
    else hash.update(`${path} ${state.size} ${state.mtimeMs}\n`);
  };
  for (const name of ["src", "package.json", "tsconfig.json", "tsconfig.build.json"]) visit(join(root, name));
  return hash.digest("hex");
}

/** Tells whether dist/ was built from src/ as it is now. */
export function isBuilt() {
  return existsSync(stampPath) && readFileSync(stampPath, "utf8") === sourceState();
}

/**
 * Builds dist/ from nothing; returns the compiler's exit code.
 *
 * The new files are made beside the old ones and put in their place at once, so that what runs meanwhile finds a dist/.
 */
export async function build() {
  const state = sourceState();
  const [target, fresh, old] = ["dist", `.dist-new-${process.pid}`, `.dist-old-${process.pid}`].map((name) =>
    join(root, name),
  );
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  try {
    const { code } = await run(process.execPath, [compiler, "-p", "tsconfig.build.json", "--outDir", fresh], {
      show: true,
    });
    if (!existsSync(fresh)) return code || 1;
    await writeClient(fresh);
    if (code === 0) writeFileSync(join(fresh, ".stamp"), state);
    if (existsSync(target)) renameSync(target, old);
    renameSync(fresh, target);
    linkSelf();
    return code;
  } finally {
    for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
  }
}

/** Builds when dist/ is older than src/. */
export async function ensureBuilt() {
  linkSelf();
  if (isBuilt()) return;
  process.stdout.write("Building …\n");
  if ((await build()) !== 0) throw new Stop("The build failed; see the compiler's messages above.");
}

/**
 * Makes node_modules/limpid a link to this folder.
 *
 * Node finds a package by its own name, but the TypeScript of notebook cells (5.0.4, old resolution) looks for the
 * types in node_modules only.
 */
export function linkSelf() {
  const link = join(root, "node_modules", "limpid");
  if (lstatSync(link, { throwIfNoEntry: false }) === undefined)
    symlinkSync(process.platform === "win32" ? root : "..", link, "junction");
  const bin = join(root, "node_modules", ".bin", "limpid");
  if (process.platform === "win32" || lstatSync(bin, { throwIfNoEntry: false }) !== undefined) return;
  mkdirSync(join(root, "node_modules", ".bin"), { recursive: true });
  symlinkSync("../limpid/bin/limpid.js", bin);
}
