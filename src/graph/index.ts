/** Immutable graphs of ONNX operations: build, infer shapes, print, cut, prune, encode and decode. */
export * from "./builder.js";
export * from "./cut.js";
export * from "./decode.js";
export * from "./describe.js";
export * from "./dims.js";
export * from "./dtypes.js";
export * from "./encode.js";
export * from "./fingerprint.js";
export * from "./flops.js";
export * from "./ir.js";
export * from "./ops.js";
export * from "./print.js";
export * from "./prune.js";
export * from "./reach.js";
export * from "./schema.js";
