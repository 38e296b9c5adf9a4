/** The command as its own process, from the sources. */
import { main } from "../../../src/cli/index.js";

process.exitCode = await main(process.argv.slice(2));
