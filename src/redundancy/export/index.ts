/** Pruned models as files. */
export { type ExportedModel, type ExportOptions, exportHuggingFace } from "./huggingface.js";
export { exportOnnx } from "./onnx.js";
