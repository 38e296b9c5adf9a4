/** limpid: see-through transformers from TypeScript. */
export * from "./analysis/index.js";
export * from "./core/index.js";
export * from "./data/index.js";
export * from "./dictionary/index.js";
export * from "./model/index.js";
export * from "./notebook/index.js";
export * from "./redundancy/index.js";
export * as viz from "./viz/index.js";
export { View, type ViewSpec } from "./viz/index.js";
