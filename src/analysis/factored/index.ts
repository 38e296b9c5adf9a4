/** Weights as circuits: low-rank products, composition of heads, singular vectors as tokens. */
export { type Circuits, circuits } from "./circuits.js";
export { type CompositionOptions, composition } from "./composition.js";
export {
  type CompositionKind,
  type CompositionPair,
  CompositionScores,
  type CompositionTensor,
} from "./composition-result.js";
export { copyingScores, eigenvalueScore } from "./copying.js";
export { FactoredMatrix } from "./factored-matrix.js";
export {
  SingularReadout,
  type SingularTokens,
  type SingularTokensOptions,
  singularTokens,
  type TokenScore,
} from "./readout.js";
