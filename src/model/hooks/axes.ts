/** Axis names of every kind of hook point, as values and as types. */

/** Axes of the residual stream and of what is added to it. */
export type StreamAxes = readonly ["batch", "pos", "dModel"];
/** Axes of queries, keys, values and z. */
export type PerHeadAxes = readonly ["batch", "pos", "head", "dHead"];
/** Axes of a stream per head. */
export type PerHeadStreamAxes = readonly ["batch", "pos", "head", "dModel"];
/** Axes of scores and patterns. */
export type PatternAxes = readonly ["batch", "head", "queryPos", "keyPos"];
/** Axes of MLP activations. */
export type NeuronAxes = readonly ["batch", "pos", "dMlp"];

const stream: StreamAxes = ["batch", "pos", "dModel"];
const perHead: PerHeadAxes = ["batch", "pos", "head", "dHead"];
const perHeadStream: PerHeadStreamAxes = ["batch", "pos", "head", "dModel"];
const pattern: PatternAxes = ["batch", "head", "queryPos", "keyPos"];
const neurons: NeuronAxes = ["batch", "pos", "dMlp"];

/** Folder of a hook point within its block (`""`, `"attn."`, `"mlp."`) and its axes. */
export interface PointPlace<A extends readonly string[]> {
  readonly place: string;
  readonly axes: A;
}

/** Where each short name lives in a block and which axes it has. */
export interface BlockPoints {
  readonly resid_pre: PointPlace<StreamAxes>;
  readonly resid_mid: PointPlace<StreamAxes>;
  readonly resid_post: PointPlace<StreamAxes>;
  readonly attn_out: PointPlace<StreamAxes>;
  readonly mlp_out: PointPlace<StreamAxes>;
  readonly mlp_in: PointPlace<StreamAxes>;
  readonly attn_in: PointPlace<PerHeadStreamAxes>;
  readonly q_input: PointPlace<PerHeadStreamAxes>;
  readonly k_input: PointPlace<PerHeadStreamAxes>;
  readonly v_input: PointPlace<PerHeadStreamAxes>;
  readonly q: PointPlace<PerHeadAxes>;
  readonly k: PointPlace<PerHeadAxes>;
  readonly v: PointPlace<PerHeadAxes>;
  readonly rot_q: PointPlace<PerHeadAxes>;
  readonly rot_k: PointPlace<PerHeadAxes>;
  readonly z: PointPlace<PerHeadAxes>;
  readonly result: PointPlace<PerHeadStreamAxes>;
  readonly attn_scores: PointPlace<PatternAxes>;
  readonly pattern: PointPlace<PatternAxes>;
  readonly pre: PointPlace<NeuronAxes>;
  readonly pre_linear: PointPlace<NeuronAxes>;
  readonly post: PointPlace<NeuronAxes>;
}

/**
 * Short names of the hook points of a block, where they live and their axes.
 *
 * The short names and their places are TransformerLens's `get_act_name`.
 */
export const blockPoints: BlockPoints = {
  resid_pre: { place: "", axes: stream },
  resid_mid: { place: "", axes: stream },
  resid_post: { place: "", axes: stream },
  attn_out: { place: "", axes: stream },
  mlp_out: { place: "", axes: stream },
  mlp_in: { place: "", axes: stream },
  attn_in: { place: "", axes: perHeadStream },
  q_input: { place: "", axes: perHeadStream },
  k_input: { place: "", axes: perHeadStream },
  v_input: { place: "", axes: perHeadStream },
  q: { place: "attn.", axes: perHead },
  k: { place: "attn.", axes: perHead },
  v: { place: "attn.", axes: perHead },
  rot_q: { place: "attn.", axes: perHead },
  rot_k: { place: "attn.", axes: perHead },
  z: { place: "attn.", axes: perHead },
  result: { place: "attn.", axes: perHeadStream },
  attn_scores: { place: "attn.", axes: pattern },
  pattern: { place: "attn.", axes: pattern },
  pre: { place: "mlp.", axes: neurons },
  pre_linear: { place: "mlp.", axes: neurons },
  post: { place: "mlp.", axes: neurons },
};

/** Name and axes of the hook points outside the blocks. */
export interface OuterPoints {
  readonly tokens: OuterPlace<readonly ["batch", "pos"]>;
  readonly embed: OuterPlace<StreamAxes>;
  readonly pos_embed: OuterPlace<StreamAxes>;
}

/** Full name and axes of a hook point outside the blocks. */
export interface OuterPlace<A extends readonly string[]> {
  readonly name: string;
  readonly axes: A;
}

/** Hook points outside the blocks. */
export const outerPoints: OuterPoints = {
  tokens: { name: "hook_tokens", axes: ["batch", "pos"] },
  embed: { name: "hook_embed", axes: stream },
  pos_embed: { name: "hook_pos_embed", axes: stream },
};

/** Short name of a hook point in a block, such as `"resid_post"` or `"pattern"`. */
export type BlockPoint = keyof BlockPoints;

/** Short name of a hook point outside the blocks. */
export type OuterPoint = keyof OuterPoints;

/** Axis names of a short name, as a type. */
export type AxesOf<P extends BlockPoint | OuterPoint> = P extends BlockPoint
  ? BlockPoints[P]["axes"]
  : P extends OuterPoint
    ? OuterPoints[P]["axes"]
    : readonly string[];
