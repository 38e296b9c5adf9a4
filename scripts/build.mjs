/** `npm run build`: compiles src/ to dist/. `node scripts/build.mjs client` makes anew only the browser code of views. */
import { join } from "node:path";
import { build } from "./lib/build.mjs";
import { writeClient } from "./lib/client.mjs";
import { root, runScript } from "./lib/process.mjs";

await runScript(() => (process.argv[2] === "client" ? writeClient(join(root, "dist")) : build()));
