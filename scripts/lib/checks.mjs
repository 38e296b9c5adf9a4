/** The checks that need no test runner: each is one command that must succeed. */

import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { root, run, since } from "./process.mjs";

/** Returns the command that runs a development tool through Node, without a shell. */
function tool(path, ...args) {
  return [process.execPath, [join(root, "node_modules", path), ...args]];
}

/** Name and command of every check, cheapest first. */
const checks = {
  format: tool("@biomejs/biome/bin/biome", "check", "--linter-enabled=false", "--max-diagnostics=20", "."),
  types: tool("typescript/bin/tsc", "-p", "tsconfig.json"),
  "types (browser code)": tool("typescript/bin/tsc", "-p", "src/viz/client/tsconfig.json"),
  layers: tool(
    "dependency-cruiser/bin/dependency-cruise.mjs",
    "src",
    "--config",
    ".dependency-cruiser.cjs",
    "--output-type",
    "err",
  ),
  lint: tool("eslint/bin/eslint.js", ".", "--max-warnings", "0"),
  "dead code": tool("knip/bin/knip.js", "--no-progress"),
  "package (publint)": tool("publint/src/cli.js", "--strict"),
  "package types (attw)": tool("@arethetypeswrong/cli/dist/index.js", "--pack", ".", "--profile", "esm-only"),
};

/** Runs every check, prints one line for each and the output of those that fail; returns how many passed and failed. */
export async function runChecks() {
  let failed = 0;
  for (const [name, [command, args]] of Object.entries(checks)) {
    const start = performance.now();
    const { code, output } = await run(command, args);
    if (code !== 0) failed += 1;
    process.stdout.write(`${code === 0 ? "ok  " : "FAIL"} ${name} (${since(start)})\n`);
    if (code !== 0) process.stdout.write(`${output.trim().replace(/^/gm, "     ")}\n`);
  }
  return { passed: Object.keys(checks).length - failed, failed };
}
