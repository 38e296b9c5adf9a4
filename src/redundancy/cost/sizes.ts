/** How large each layer still is when parts are left out. */
import type { ModelConfig } from "../../model/index.js";
import type { Part } from "../parts.js";

/** Sizes of one layer. */
export interface LayerSizes {
  /** Query heads. */
  readonly heads: number;
  /** Key and value heads: those of which some query head is left. */
  readonly kvHeads: number;
  readonly neurons: number;
}

function indicesOf(parts: readonly Part[], kind: Part["kind"]): ReadonlySet<number> {
  return new Set(parts.filter((part) => part.kind === kind).map(({ index = 0 }) => index));
}

function sizesOf(config: ModelConfig, gone: readonly Part[]): LayerSizes {
  const has = (kind: Part["kind"]): boolean => gone.some((part) => part.kind === kind);
  const { nHeads, nKeyValueHeads, dMlp, attnOnly } = config;
  const goneHeads = indicesOf(gone, "head");
  const heads = Array.from({ length: nHeads }, (_, head) => head).filter((head) => !goneHeads.has(head));
  const groups = new Set(heads.map((head) => Math.floor((head * nKeyValueHeads) / nHeads)));
  const isGone = { attention: has("block") || has("attention"), mlp: attnOnly || has("block") || has("mlp") };
  return {
    heads: isGone.attention ? 0 : heads.length,
    kvHeads: isGone.attention ? 0 : groups.size,
    neurons: isGone.mlp ? 0 : dMlp - indicesOf(gone, "neuron").size,
  };
}

/** Sizes of every layer without some parts. */
export function layerSizes(config: ModelConfig, without: readonly Part[]): readonly LayerSizes[] {
  return Array.from({ length: config.nLayers }, (_, layer) =>
    sizesOf(
      config,
      without.filter((part) => part.layer === layer),
    ),
  );
}
