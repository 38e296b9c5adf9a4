/** Scores that need no removal: of heads, neurons, channels, and of attention. */
export { type AttentionRankOptions, attentionRank } from "./attention-rank.js";
export { type DepthEffectOptions, DepthEffects, depthEffects, type EffectMatrix } from "./depth-effects.js";
export { type UnitScores, unitScores } from "./unit-scores.js";
