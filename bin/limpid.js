#!/usr/bin/env node
/** The `limpid` command: runs the built code in dist/. */
import { existsSync } from "node:fs";

const entry = new URL("../dist/cli/index.js", import.meta.url);
if (existsSync(entry)) {
  const { main } = await import(entry.href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  process.stderr.write("limpid: this copy has no built command (dist/cli). In a checkout, run: npm run build\n");
  process.exitCode = 1;
}
