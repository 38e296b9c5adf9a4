/** Axis names of every kind of hook point, as values and as types. */

const stream = ["batch", "pos", "dModel"] as const;
const perHead = ["batch", "pos", "head", "dHead"] as const;
const perHeadStream = ["batch", "pos", "head", "dModel"] as const;
const pattern = ["batch", "head", "queryPos", "keyPos"] as const;
const neurons = ["batch", "pos", "dMlp"] as const;

/**
 * Short names of the hook points of a block, where they live and their axes.
 *
 * The short names and their places are TransformerLens's `get_act_name`.
 */
export const blockPoints = {
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
} as const;

/** Hook points outside the blocks. */
export const outerPoints = {
  tokens: { name: "hook_tokens", axes: ["batch", "pos"] as const },
  embed: { name: "hook_embed", axes: stream },
  pos_embed: { name: "hook_pos_embed", axes: stream },
} as const;

/** Short name of a hook point in a block, such as `"resid_post"` or `"pattern"`. */
export type BlockPoint = keyof typeof blockPoints;

/** Short name of a hook point outside the blocks. */
export type OuterPoint = keyof typeof outerPoints;

/** Axis names of a short name, as a type. */
export type AxesOf<P extends BlockPoint | OuterPoint> = P extends BlockPoint
  ? (typeof blockPoints)[P]["axes"]
  : P extends OuterPoint
    ? (typeof outerPoints)[P]["axes"]
    : readonly string[];
