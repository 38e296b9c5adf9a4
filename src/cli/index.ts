/** The `limpid` command. */
export type { CliIo } from "./context.js";
export { main } from "./main.js";
