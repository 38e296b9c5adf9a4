/** Differentiates graphs into graphs: reverse mode over a table of rules, one for each op. */
export * from "./check.js";
export * from "./custom.js";
export * from "./grad.js";
export type { GradientEdit, GradientOptions } from "./options.js";
export * from "./vjp.js";
