/** Which heads an attribution graph runs through, and why they looked where they did. */
export {
  type AttentionCause,
  AttentionCauses,
  type AttentionCausesOptions,
  attentionCauses,
  type HeadCause,
} from "./causes.js";
export { type GraphHeadsOptions, graphHeads } from "./flow.js";
export { GraphHeads, type HeadFlow, type HeadMove } from "./result.js";
