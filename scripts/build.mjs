/** `npm run build`: compiles src/ to dist/. */
import { build } from "./lib/build.mjs";
import { runScript } from "./lib/process.mjs";

await runScript(build);
