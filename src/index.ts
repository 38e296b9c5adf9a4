/** limpid: see-through transformers from TypeScript. */
export * from "./analysis/index.js";
export * from "./circuits/index.js";
export * from "./core/index.js";
export * from "./data/index.js";
export * from "./dictionary/index.js";
export * from "./linalg/index.js";
export * from "./masks/index.js";
export * from "./model/index.js";
export * from "./notebook/index.js";
export * from "./redundancy/index.js";
export {
  arange,
  concat,
  type DType,
  einsum,
  eye,
  full,
  ones,
  randn,
  stack,
  Tensor,
  tensor,
  where,
  zeros,
} from "./tensor/index.js";
export * from "./train/index.js";
export * as viz from "./viz/index.js";
export { View, type ViewSpec } from "./viz/index.js";
