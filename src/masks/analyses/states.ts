/** The residual stream in front of the first layer and behind every layer, with the embeddings of its tokens. */
import { InputError, type LongCallOptions, progressOf, throwIfAborted } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";

/** The stream of some rows, in float64. */
export interface StreamStates {
  /** State 0 is in front of layer 0, then one behind each layer; each `[token, dModel]`. */
  readonly states: readonly Tensor<"float64">[];
  /** The token at each place. */
  readonly ids: Int32Array;
  /** The embedding of each token, `[token, dModel]`, without positions. */
  readonly embedded: Tensor<"float64">;
}

/** Options of {@link streamStates}. */
export interface StateOptions extends LongCallOptions {
  /** Names the caller in messages. */
  readonly where: string;
  /** Fewest tokens. */
  readonly least: number;
}

async function embeddingsOf(model: Model, ids: Int32Array): Promise<Tensor<"float64">> {
  const width = model.config.dModel;
  const table = (await model.weights.W_E()).contiguous().data as ArrayLike<number>;
  const embedded = new Float64Array(ids.length * width);
  ids.forEach((id, i) => {
    for (let k = 0; k < width; k++) embedded[i * width + k] = table[id * width + k] ?? 0;
  });
  return Tensor.of(embedded, [ids.length, width], ["token", "dModel"]);
}

/**
 * Runs a model over rows and returns its stream.
 *
 * @throws InputError for fewer tokens than `least`; AbortedError.
 */
export async function streamStates(
  model: Model,
  rows: readonly ArrayLike<number>[],
  given: StateOptions,
): Promise<StreamStates> {
  const { where, least, ...options } = given;
  const { nLayers, dModel } = model.config;
  const ids = Int32Array.from(rows.flatMap((row) => Array.from(row)));
  if (ids.length < least)
    throw new InputError({
      where: `${where}: rows`,
      got: `${ids.length} tokens`,
      expected: `${least} or more, by the width of the stream`,
      fix: "Pass more text.",
    });
  const after = Array.from({ length: nLayers }, (_, layer) => `blocks.${layer}.hook_resid_post`);
  const hooks = ["blocks.0.hook_resid_pre", ...after];
  const parts = hooks.map(() => new Float64Array(ids.length * dModel));
  const report = progressOf(options);
  let filled = 0;
  for (const [done, row] of rows.entries()) {
    throwIfAborted(options.signal, where);
    report?.({ done, total: rows.length, label: "states of layers" });
    if (row.length === 0) continue;
    const { cache } = await model.run([Array.from(row)], { prependBos: false, capture: hooks, logits: "none" });
    hooks.forEach((hook, i) => parts[i]?.set(cache.get(hook).contiguous().data as Float32Array, filled));
    filled += row.length * dModel;
  }
  report?.({ done: rows.length, total: rows.length, label: "states of layers" });
  const states = parts.map((data) => Tensor.of(data, [ids.length, dModel], ["token", "dModel"]));
  return { states, ids, embedded: await embeddingsOf(model, ids) };
}
