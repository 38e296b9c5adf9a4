/** Builders of hook names that compile: `at.residPost(5)`, `at.pattern("all")`. */
import { type AxesOf, type BlockPoint, blockPoints, outerPoints, type StreamAxes } from "./axes.js";

/** A layer, several, or every layer. */
export type Layers = number | readonly number[] | "all";

/**
 * A reference to one hook point, or to the same point in several layers.
 *
 * `A` names the axes of what it holds, so that a cache returns a typed tensor for it.
 */
export interface HookRef<A extends readonly string[] = readonly string[]> {
  readonly kind: "hook";
  /** Name inside a block, such as `attn.hook_z`, or the full name outside the blocks. */
  readonly point: string;
  /** Layers for points in blocks; absent outside. */
  readonly layers?: Layers;
  readonly axes: A;
}

function inBlock<P extends BlockPoint>(point: P): (layers: Layers) => HookRef<AxesOf<P>> {
  const { place, axes } = blockPoints[point];
  return (layers) => ({ kind: "hook", point: `${place}hook_${point}`, layers, axes: axes as AxesOf<P> });
}

function normPoint(norm: string, point: "scale" | "normalized"): (layers: Layers) => HookRef<StreamAxes> {
  return (layers) => ({ kind: "hook", point: `${norm}.hook_${point}`, layers, axes: ["batch", "pos", "dModel"] });
}

/** Builds a reference to a block's hook point. */
export type AtBlock<P extends BlockPoint> = (layers: Layers) => HookRef<AxesOf<P>>;
/** Builds a reference to a norm's hook point. */
export type AtNorm = (layers: Layers) => HookRef<StreamAxes>;

/** Builders of references to hook points, one per kind; each takes a layer, a list of layers, or `"all"`. */
export interface At {
  readonly residPre: AtBlock<"resid_pre">;
  readonly residMid: AtBlock<"resid_mid">;
  readonly residPost: AtBlock<"resid_post">;
  readonly attnOut: AtBlock<"attn_out">;
  readonly mlpOut: AtBlock<"mlp_out">;
  readonly mlpIn: AtBlock<"mlp_in">;
  readonly attnIn: AtBlock<"attn_in">;
  readonly qInput: AtBlock<"q_input">;
  readonly kInput: AtBlock<"k_input">;
  readonly vInput: AtBlock<"v_input">;
  readonly q: AtBlock<"q">;
  readonly k: AtBlock<"k">;
  readonly v: AtBlock<"v">;
  readonly rotQ: AtBlock<"rot_q">;
  readonly rotK: AtBlock<"rot_k">;
  readonly z: AtBlock<"z">;
  readonly result: AtBlock<"result">;
  readonly attnScores: AtBlock<"attn_scores">;
  readonly pattern: AtBlock<"pattern">;
  readonly pre: AtBlock<"pre">;
  readonly preLinear: AtBlock<"pre_linear">;
  readonly post: AtBlock<"post">;
  readonly ln1Scale: AtNorm;
  readonly ln1Normalized: AtNorm;
  readonly ln2Scale: AtNorm;
  readonly ln2Normalized: AtNorm;
  readonly embed: () => HookRef<AxesOf<"embed">>;
  readonly posEmbed: () => HookRef<AxesOf<"pos_embed">>;
  readonly lnFinalScale: () => HookRef<StreamAxes>;
  readonly lnFinalNormalized: () => HookRef<StreamAxes>;
}

/** Builders of references to hook points: `at.z(5)`, `at.residPost("all")`, `at.embed()`. */
export const at: At = {
  residPre: inBlock("resid_pre"),
  residMid: inBlock("resid_mid"),
  residPost: inBlock("resid_post"),
  attnOut: inBlock("attn_out"),
  mlpOut: inBlock("mlp_out"),
  mlpIn: inBlock("mlp_in"),
  attnIn: inBlock("attn_in"),
  qInput: inBlock("q_input"),
  kInput: inBlock("k_input"),
  vInput: inBlock("v_input"),
  q: inBlock("q"),
  k: inBlock("k"),
  v: inBlock("v"),
  rotQ: inBlock("rot_q"),
  rotK: inBlock("rot_k"),
  z: inBlock("z"),
  result: inBlock("result"),
  attnScores: inBlock("attn_scores"),
  pattern: inBlock("pattern"),
  pre: inBlock("pre"),
  preLinear: inBlock("pre_linear"),
  post: inBlock("post"),
  ln1Scale: normPoint("ln1", "scale"),
  ln1Normalized: normPoint("ln1", "normalized"),
  ln2Scale: normPoint("ln2", "scale"),
  ln2Normalized: normPoint("ln2", "normalized"),
  embed: () => ({ kind: "hook", point: outerPoints.embed.name, axes: outerPoints.embed.axes }),
  posEmbed: () => ({ kind: "hook", point: outerPoints.pos_embed.name, axes: outerPoints.pos_embed.axes }),
  lnFinalScale: () => ({ kind: "hook", point: "ln_final.hook_scale", axes: ["batch", "pos", "dModel"] }),
  lnFinalNormalized: () => ({ kind: "hook", point: "ln_final.hook_normalized", axes: ["batch", "pos", "dModel"] }),
};
