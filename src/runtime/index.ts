/** Compiles graphs to onnxruntime sessions and runs them in a worker thread. The only folder that imports onnxruntime-node. */
export { Engine } from "./engine.js";
export type { Sizes } from "./feeds.js";
export type {
  EngineOptions,
  EngineStats,
  Feeds,
  Program,
  ProgramInfo,
  Provider,
  RawTensor,
  ResidentBinding,
  RunOptions,
} from "./types.js";
