/** Gemma Scope (Gemma 2): `params.npz` in folders whose names say the layer; the repository's name says the place. */
import { join } from "node:path";
import type { Dictionary } from "../dictionary.js";
import { assemble, mapWeight, takeWeights, type WeightMap } from "./assemble.js";
import { type DictionaryFormat, type DictionaryPlace, fileLike, hooksOf } from "./types.js";
import { readArrays, renamed } from "./weights.js";

interface Found {
  readonly readHook: string | undefined;
  readonly writeHook?: string;
}

/** What a path such as `google/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71` says. */
export function gemmaScopeHooks(words: string): Found {
  const kind = /gemma-scope-[\w.-]*?-(res|mlp|att|transcoders)(?![a-z])/.exec(words)?.[1];
  if (kind === "res" && /(?:^|\/)embedding(?:\/|$)/.test(words)) return { readHook: "hook_embed" };
  const layer = /(?:^|\/)layer_(\d+)(?:\/|$)/.exec(words)?.[1];
  if (kind === undefined || layer === undefined) return { readHook: undefined };
  const block = `blocks.${layer}`;
  if (kind === "res") return { readHook: `${block}.hook_resid_post` };
  if (kind === "mlp") return { readHook: `${block}.hook_mlp_out` };
  if (kind === "att") return { readHook: `${block}.attn.hook_z` };
  return { readHook: `${block}.ln2.hook_normalized`, writeHook: `${block}.hook_mlp_out` };
}

function modelName(words: string): string | undefined {
  const size = /gemma-scope-(\d+b)-(pt|it)/.exec(words);
  if (size === null) return undefined;
  return size[2] === "it" ? `google/gemma-2-${size[1]}-it` : `google/gemma-2-${size[1]}`;
}

/**
 * The embedding dictionaries were trained on rows of `W_E`; the stream at `hook_embed` is those times √d.
 *
 * So the encoder takes 1/√d, and everything that is written takes √d.
 */
async function rescaled(weights: WeightMap): Promise<WeightMap> {
  const scale = Math.sqrt(weights.get("W_enc")?.shape[0] ?? 1);
  const out: WeightMap = new Map(weights);
  for (const [name, weight] of weights) {
    const factor = name === "W_enc" ? 1 / scale : name === "W_dec" || name === "b_dec" ? scale : 1;
    if (factor !== 1) out.set(name, await mapWeight(weight, (value) => value * factor));
  }
  return out;
}

async function read(place: DictionaryPlace): Promise<Dictionary> {
  const path = join(place.folder, fileLike(place, /\.npz$/) ?? "params.npz");
  const file = renamed(await readArrays(path), (name) => name.replace(/^w_/, "W_"));
  const hooks = hooksOf(place, path, gemmaScopeHooks(place.words));
  const names = { W_enc: "W_enc", b_enc: "b_enc", W_dec: "W_dec", b_dec: "b_dec", threshold: "threshold" } as const;
  const weights = await takeWeights(file, names);
  const name = modelName(place.words);
  return assemble(place, {
    format: "Gemma Scope",
    architecture: "jumprelu",
    activation: { kind: "jumprelu" },
    ...hooks,
    subtractsDecoderBias: false,
    prependBos: true,
    contextSize: 1024,
    ...(name === undefined ? {} : { model: { name } }),
    weights: hooks.readHook === "hook_embed" ? await rescaled(weights) : weights,
  });
}

/** Gemma Scope. */
export const gemmaScopeFormat: DictionaryFormat = {
  name: "Gemma Scope",
  signs: "params.npz",
  detects: (place) => fileLike(place, /\.npz$/) !== undefined,
  read,
};
