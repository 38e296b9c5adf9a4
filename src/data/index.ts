/** Texts, tables and generated tasks. */
export type { ModelLike } from "./model-like.js";
export { type PromptPairs, type TaskOptions, type Tasks, tasks } from "./tasks.js";
