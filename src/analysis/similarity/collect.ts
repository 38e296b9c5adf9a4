/** Activations of a few thousand tokens at many layers. */
import { InputError, type LongCallOptions, progressOf, throwIfAborted, UnsupportedError } from "../../core/index.js";
import type { InputOptions, Model, Run } from "../../model/index.js";
import { groupByLength, type Prompts, pickInput, readPrompts } from "../prompts.js";
import type { Features } from "./features.js";

/** Which tokens are compared. */
export interface TokenOptions extends InputOptions, LongCallOptions {
  /** Most tokens that are compared, spread evenly over all; default 2,000. */
  readonly tokens?: number;
  /** Leaves out the first token of each text, whose activations are unlike any other's. Default true. */
  readonly excludeFirst?: boolean;
}

/** Activations by layer, all over the same tokens. */
export interface Collected {
  readonly layers: readonly number[];
  /** Hook names that the layers were read at. */
  readonly hooks: readonly string[];
  readonly features: readonly Features[];
  /** Token ids of the rows. */
  readonly ids: Int32Array;
}

/** Layers that have a hook point, in order, with its full name. */
function layersOf(model: Model, site: string, where: string): readonly (readonly [layer: number, hook: string])[] {
  const ending = site.startsWith("hook_") || site.includes(".") ? site : `hook_${site}`;
  const found = [...model.hookNames()].flatMap((hook) => {
    const match = /^blocks\.(\d+)\.(.*)$/.exec(hook);
    const isHere = match?.[2] === ending || match?.[2] === `attn.${ending}` || match?.[2] === `mlp.${ending}`;
    return isHere ? [[Number(match[1]), hook] as const] : [];
  });
  if (found.length > 0) return found;
  throw new UnsupportedError({
    where: `${where}: site`,
    got: JSON.stringify(site),
    expected: `a hook point in the blocks of "${model.id}", such as resid_post, attn_out or mlp_out`,
    fix: "See model.hookNames().",
  });
}

/** Which of `count` tokens are kept: all, or evenly spread ones. */
function chosen(count: number, limit: number): readonly number[] {
  const kept = Math.min(count, limit);
  return Array.from({ length: kept }, (_, i) => Math.floor((i * count) / kept));
}

/** Where one kept token is. */
interface Place {
  readonly prompt: number;
  readonly pos: number;
}

function placesOf(lengths: readonly number[], options: TokenOptions, where: string): readonly Place[] {
  const { tokens = 2000, excludeFirst = true } = options;
  const all = lengths.flatMap((length, prompt) =>
    Array.from({ length: Math.max(0, length - (excludeFirst ? 1 : 0)) }, (_, i) => ({
      prompt,
      pos: i + (excludeFirst ? 1 : 0),
    })),
  );
  const places = chosen(all.length, tokens).flatMap((i) => all[i] ?? []);
  if (places.length > 0) return places;
  throw new InputError({
    where,
    got: "no token to compare",
    expected: "texts of two tokens or more",
    fix: "Pass more text.",
  });
}

/** Bytes of captured activations in one run. */
const runBytes = 64e6;

/** Rows of features that runs fill in, whatever order prompts run in. */
class FeatureRows {
  readonly #hooks: readonly string[];
  readonly #rows: number;
  /** Rows of each prompt, and the positions that they are read from. */
  readonly #byPrompt = new Map<number, (readonly [row: number, pos: number])[]>();
  readonly #features: Features[] = [];

  constructor(hooks: readonly string[], places: readonly Place[]) {
    this.#hooks = hooks;
    this.#rows = places.length;
    places.forEach(({ prompt, pos }, row) => {
      this.#byPrompt.set(prompt, [...(this.#byPrompt.get(prompt) ?? []), [row, pos]]);
    });
  }

  /** Reads a run over some prompts of one length. */
  add({ cache }: Run, prompts: readonly number[], length: number): void {
    this.#hooks.forEach((hook, i) => {
      const tensor = cache.get(hook).contiguous();
      const width = tensor.size / (prompts.length * length);
      const { data } = (this.#features[i] ??= { data: new Float64Array(this.#rows * width), rows: this.#rows, width });
      const source = tensor.data as Float32Array;
      prompts.forEach((prompt, batch) => {
        for (const [row, pos] of this.#byPrompt.get(prompt) ?? []) {
          const start = (batch * length + pos) * width;
          data.set(source.subarray(start, start + width), row * width);
        }
      });
    });
  }

  get features(): readonly Features[] {
    return this.#features;
  }
}

/** What is read from a model. */
export interface CollectRequest {
  readonly model: Model;
  readonly prompts: Prompts;
  /** Sites by short or hook name; each is read at every layer that has it. */
  readonly sites: readonly string[];
  /** Who asks, for messages. */
  readonly where: string;
}

/** Runs the texts and keeps the activations of the chosen tokens. */
export async function collect(request: CollectRequest, options: TokenOptions): Promise<Collected> {
  const { model, where } = request;
  const found = request.sites.flatMap((site) => layersOf(model, site, where));
  const hooks = found.map(([, hook]) => hook);
  const read = readPrompts(model, request.prompts, options, where);
  const lengths = read.map(({ ids }) => ids.length);
  const places = placesOf(lengths, options, where);
  const rows = new FeatureRows(hooks, places);
  const onProgress = progressOf(options);
  let done = 0;
  for (const group of groupByLength(read)) {
    const size = Math.max(1, Math.floor(runBytes / (4 * group.length * model.config.dModel * hooks.length)));
    for (let from = 0; from < group.rows.length; from += size) {
      throwIfAborted(options.signal, where);
      const some = group.rows.slice(from, from + size);
      const run = await model.run(some, { ...pickInput(options), capture: hooks, logits: "none" });
      rows.add(run, group.places.slice(from, from + size), group.length);
      run.release();
      done += some.length;
      onProgress?.({ done, total: read.length, label: "activations" });
    }
  }
  const ids = Int32Array.from(places, ({ prompt, pos }) => read[prompt]?.ids[pos] ?? -1);
  return { layers: found.map(([layer]) => layer), hooks, features: rows.features, ids };
}
