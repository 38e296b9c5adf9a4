/** Opens a checkpoint in a process of its own and prints how that ended; run by prepare.test.ts under a limit. */
import { isLimpidError } from "../../../src/core/index.js";
import { openCheckpoint } from "../../../src/model/checkpoint/index.js";

const [folder = "", cacheFolder = ""] = process.argv.slice(2);
openCheckpoint(folder, { cacheFolder }).then(
  ({ prepared }) => {
    console.log("opened", prepared?.bytes);
  },
  (error: unknown) => {
    console.log(isLimpidError(error) ? `${error.code} ${error.message}` : error);
  },
);
