/** TransformerLens's patching functions: the same names in camelCase, the same shapes, the metric as it is. */
import { UnsupportedError } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { stack, type Tensor } from "../../tensor/index.js";
import type { PatchAxis, PatchSite } from "./sites.js";
import { type PatchingOptions, type SweepOptions, sweep } from "./sweep.js";

/**
 * Patches one kind of activation everywhere and returns the metric of each patched run, mean over prompts.
 *
 * In TransformerLens's words `into` is the corrupted tokens, and the clean cache is that of `from`.
 */
export type ActPatch = (model: Model, options: PatchingOptions) => Promise<Tensor>;

/** TransformerLens's `get_act_patch_*`. */
export interface ActPatches {
  /** `[layer, pos]`. */
  getActPatchResidPre: ActPatch;
  /** `[layer, pos]`. */
  getActPatchResidMid: ActPatch;
  /** `[layer, pos]`. */
  getActPatchAttnOut: ActPatch;
  /** `[layer, pos]`. */
  getActPatchMlpOut: ActPatch;
  /** `[layer, pos, head]`; patches `hook_z`. */
  getActPatchAttnHeadOutByPos: ActPatch;
  /** `[layer, pos, head]`. */
  getActPatchAttnHeadQByPos: ActPatch;
  /** `[layer, pos, head]` with key/value heads. */
  getActPatchAttnHeadKByPos: ActPatch;
  /** `[layer, pos, head]` with key/value heads. */
  getActPatchAttnHeadVByPos: ActPatch;
  /** `[layer, head, pos]` over destination positions. */
  getActPatchAttnHeadPatternByPos: ActPatch;
  /** `[layer, head, pos, keyPos]`: destination, source. */
  getActPatchAttnHeadPatternDestSrcPos: ActPatch;
  /** `[layer, head]`; patches `hook_z`. */
  getActPatchAttnHeadOutAllPos: ActPatch;
  /** `[layer, head]`. */
  getActPatchAttnHeadQAllPos: ActPatch;
  /** `[layer, head]` with key/value heads. */
  getActPatchAttnHeadKAllPos: ActPatch;
  /** `[layer, head]` with key/value heads. */
  getActPatchAttnHeadVAllPos: ActPatch;
  /** `[layer, head]`. */
  getActPatchAttnHeadPatternAllPos: ActPatch;
  /** `[patchType, layer, head]`: output, query, key, value, pattern. */
  getActPatchAttnHeadAllPosEvery: ActPatch;
  /** `[patchType, layer, pos, head]`: output, query, key, value, pattern. */
  getActPatchAttnHeadByPosEvery: ActPatch;
  /** `[patchType, layer, pos]`: stream before the layer, attention's write, MLP's write. */
  getActPatchBlockEvery: ActPatch;
}

function one(site: PatchSite, by: readonly PatchAxis[]): ActPatch {
  return async (model, options) => (await sweep(model, { ...options, sites: [site], by })).get(site).raw;
}

type Every = Pick<SweepOptions, "sites" | "by">;

async function stacked(model: Model, options: PatchingOptions, every: Every): Promise<Tensor> {
  const { sites } = await sweep(model, { ...options, ...every });
  return stack(
    sites.map(({ raw }) => raw),
    "patchType",
  );
}

/** TransformerLens fills the missing heads of grouped keys and values with 0, which reads as a metric of 0. */
function checkUngrouped({ config }: Model, where: string): void {
  if (config.nHeads === config.nKeyValueHeads) return;
  throw new UnsupportedError({
    where: `patching.${where}`,
    got: `a model of ${config.nHeads} heads with ${config.nKeyValueHeads} keys and values`,
    expected: "as many keys and values as heads, to stack them",
    fix: "Ask for outputs, queries, keys, values and patterns one by one.",
  });
}

const headSites: readonly PatchSite[] = ["z", "q", "k", "v"];

async function everyHeadAllPos(model: Model, options: PatchingOptions): Promise<Tensor> {
  checkUngrouped(model, "getActPatchAttnHeadAllPosEvery");
  return stacked(model, options, { sites: [...headSites, "pattern"], by: ["head"] });
}

async function everyHeadByPos(model: Model, options: PatchingOptions): Promise<Tensor> {
  checkUngrouped(model, "getActPatchAttnHeadByPosEvery");
  return stacked(model, options, { sites: [...headSites, "pattern"], by: ["pos", "head"] });
}

/** TransformerLens's `get_act_patch_*`, each a call of `patching.sweep`. */
export const actPatches: ActPatches = {
  getActPatchResidPre: one("resid_pre", ["pos"]),
  getActPatchResidMid: one("resid_mid", ["pos"]),
  getActPatchAttnOut: one("attn_out", ["pos"]),
  getActPatchMlpOut: one("mlp_out", ["pos"]),
  getActPatchAttnHeadOutByPos: one("z", ["pos", "head"]),
  getActPatchAttnHeadQByPos: one("q", ["pos", "head"]),
  getActPatchAttnHeadKByPos: one("k", ["pos", "head"]),
  getActPatchAttnHeadVByPos: one("v", ["pos", "head"]),
  getActPatchAttnHeadPatternByPos: one("pattern", ["head", "pos"]),
  getActPatchAttnHeadPatternDestSrcPos: one("pattern", ["head", "pos", "keyPos"]),
  getActPatchAttnHeadOutAllPos: one("z", ["head"]),
  getActPatchAttnHeadQAllPos: one("q", ["head"]),
  getActPatchAttnHeadKAllPos: one("k", ["head"]),
  getActPatchAttnHeadVAllPos: one("v", ["head"]),
  getActPatchAttnHeadPatternAllPos: one("pattern", ["head"]),
  getActPatchAttnHeadAllPosEvery: everyHeadAllPos,
  getActPatchAttnHeadByPosEvery: everyHeadByPos,
  getActPatchBlockEvery: (model, options) =>
    stacked(model, options, { sites: ["resid_pre", "attn_out", "mlp_out"], by: ["pos"] }),
};
