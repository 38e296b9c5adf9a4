/** `npm run check`: everything that CI asks besides the tests. */
import { build, isBuilt, linkSelf } from "./lib/build.mjs";
import { runChecks } from "./lib/checks.mjs";
import { runScript } from "./lib/process.mjs";

await runScript(async () => {
  linkSelf();
  const isFresh = isBuilt() || (await build()) === 0;
  process.stdout.write(`${isFresh ? "ok  " : "FAIL"} build\n`);
  const { passed, failed } = await runChecks();
  const all = { passed: passed + (isFresh ? 1 : 0), failed: failed + (isFresh ? 0 : 1) };
  process.stdout.write(`${all.passed} passed, ${all.failed} failed\n`);
  return all.failed === 0 ? 0 : 1;
});
