/** Graphs against the model: interventions on their nodes. */
export type { Held, Intervention, InterventionOptions } from "./changed-runs.js";
export {
  type FaithfulnessOptions,
  type FaithfulnessPoint,
  GraphFaithfulness,
  graphFaithfulness,
} from "./faithfulness.js";
export { type Agreement, type CheckedEdge, type CheckedNode, GraphVerification } from "./verification.js";
export { type VerifyGraphOptions, verifyGraph } from "./verify.js";
