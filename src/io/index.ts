/** Files in and out: safetensors, npy and npz, restricted pickles and PyTorch files, JSON, atomic writes. */
export {
  type AtomicFile,
  type AtomicFolderOptions,
  cleanStaleTemporary,
  temporaryPath,
  temporaryPrefix,
  withAtomicFile,
  withAtomicFolder,
  writeFileAtomic,
} from "./atomic.js";
export { isJsonObject, type JsonLine, parseJson, readJson, readJsonLines, readJsonObject, readLines } from "./json.js";
export { JsonFields } from "./json-fields.js";
export { loadNpy, openNpy, parseNpy, writeNpy } from "./npy.js";
export { loadNpz, type NpzFile, openNpz, type WriteNpzOptions, writeNpz } from "./npz.js";
export { type Unpickled, type UnpickleOptions, unpickle } from "./pickle.js";
export { type InertOptions, openPickle, type PickleFile } from "./pickle-file.js";
export type {
  PickleArray,
  PickleGlobal,
  PickleGlobals,
  PickleInert,
  PickleNumpyDType,
  PickleObject,
  PickleStorage,
  PickleTensor,
  PickleValue,
} from "./pickle-values.js";
export { isPickleDict, isPickleList, isPickleObject } from "./pickle-values.js";
export {
  readAsFloat32,
  readFloat32Row,
  readStored,
  readStoredRows,
  rowsOf,
  type StreamOptions,
  streamAsFloat32,
  transposeStored,
} from "./read-stored.js";
export { loadSafetensors, loadStored, openSafetensors, type SafetensorsFile } from "./safetensors.js";
export { axesKey, type TensorPlan } from "./safetensors-header.js";
export {
  type NamedTensors,
  planOf,
  type TensorSource,
  type WriteSafetensorsOptions,
  writeSafetensors,
  writeSafetensorsStream,
} from "./safetensors-writer.js";
export { openSharded, type ShardedCheckpoint } from "./sharded.js";
export { bitsOf, isMappable, type StoredDType, type StoredTensor, sizeOf } from "./stored.js";
export { loadTorch, openTorch, stateDictOf, type TorchFile } from "./torch.js";
