/** Checkpoints: found, downloaded, opened without loading, and made mappable. */
export {
  type CheckpointDescription,
  type CheckpointFile,
  describeCheckpoint,
  describeSource,
  listCheckpointFiles,
} from "./describe.js";
export { fetchHubFiles, type HubFiles, type HubFilesRequest, isHubId } from "./hub-files.js";
export { checkWeightNames, type ExpectedWeights } from "./names.js";
export { openCheckpoint, openSource, type SourceCheckpoint } from "./open.js";
export type { Checkpoint, CheckpointFormat, CheckpointOptions, HubOptions, PreparedWeights } from "./types.js";
