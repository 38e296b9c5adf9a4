/**
 * `npm test`: sets up what a fresh clone lacks, builds, runs the checks and every test.
 *
 * The last line of output is `N passed, N failed`; each check counts as one.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "./lib/build.mjs";
import { runChecks } from "./lib/checks.mjs";
import { ensureChromium } from "./lib/chromium.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { ensureJupyter } from "./lib/jupyter.mjs";
import { root, run, Stop, since } from "./lib/process.mjs";

const counts = { passed: 0, failed: 0, skipped: 0 };

/** Runs one step that counts as one test; a {@link Stop} in it is a failure that says what to do. */
async function step(name, action) {
  const start = performance.now();
  let failure;
  try {
    failure = (await action()) ? "" : undefined;
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    failure = error.message;
  }
  counts[failure === undefined ? "passed" : "failed"] += 1;
  process.stdout.write(
    `${failure === undefined ? "ok  " : "FAIL"} ${name} (${since(start)})\n${failure ? `${failure}\n` : ""}`,
  );
  return failure === undefined;
}

/** Runs vitest and adds its counts; a test file that does not load counts as one failure. */
async function runTests() {
  const report = join(root, "out", "vitest.json");
  mkdirSync(join(root, "out"), { recursive: true });
  rmSync(report, { force: true });
  const args = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const { code } = await run(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), ...args], {
    show: true,
    env: { FORCE_COLOR: process.stdout.isTTY ? "1" : "0" },
  });
  if (!existsSync(report)) {
    counts.failed += 1;
    process.stdout.write("FAIL vitest ended without a report\n");
    return;
  }
  const results = JSON.parse(readFileSync(report, "utf8"));
  const broken = results.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((t) => t.status === "failed"),
  );
  counts.passed += results.numPassedTests;
  counts.failed += results.numFailedTests + broken.length;
  counts.skipped += results.numPendingTests + results.numTodoTests;
  // An error outside every test, such as an unhandled rejection, fails the run although no test does.
  if (code !== 0 && results.numFailedTests + broken.length === 0) counts.failed += 1;
}

/** Everything in order; without packages nothing else can run. */
async function main() {
  const start = performance.now();
  if (await step("packages installed", ensureInstalled)) {
    await step("Jupyter found", ensureJupyter);
    await step("browser found", ensureChromium);
    await step("build", build);
    const checks = await runChecks();
    counts.passed += checks.passed;
    counts.failed += checks.failed;
    await runTests();
  }
  const skipped = counts.skipped > 0 ? `${counts.skipped} skipped; ` : "";
  process.stdout.write(`\n${skipped}${since(start)} in all\n${counts.passed} passed, ${counts.failed} failed\n`);
  process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
}

await main();
