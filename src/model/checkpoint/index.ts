/** Checkpoints: found, downloaded, opened without loading, and made mappable. */
export {
  type CheckpointDescription,
  type CheckpointFile,
  describeCheckpoint,
  listCheckpointFiles,
} from "./describe.js";
export { checkWeightNames, type ExpectedWeights } from "./names.js";
export { openCheckpoint } from "./open.js";
export type { Checkpoint, CheckpointFormat, CheckpointOptions, HubOptions, PreparedWeights } from "./types.js";
