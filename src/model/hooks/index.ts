/** Hook points: names, references, axes, and how a user's words become names. */
export { type At, at, type HookRef, type Layers } from "./at.js";
export type {
  AxesOf,
  BlockPoint,
  BlockPoints,
  NeuronAxes,
  OuterPlace,
  OuterPoint,
  OuterPoints,
  PatternAxes,
  PerHeadAxes,
  PerHeadStreamAxes,
  PointPlace,
  StreamAxes,
} from "./axes.js";
export { type HookSpec, type HookSpecs, printSpec, resolveHooks } from "./match.js";
export { getActName, type LayerType } from "./names.js";
