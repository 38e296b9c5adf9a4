/** `npm run check`: everything that CI asks besides the tests. */
import { ensureBuilt } from "./lib/build.mjs";
import { runChecks } from "./lib/checks.mjs";
import { runScript } from "./lib/process.mjs";

await runScript(async () => {
  await ensureBuilt();
  const { passed, failed } = await runChecks();
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
});
