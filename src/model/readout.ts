/** The last steps of a model as part of any graph: final norm, unembedding, soft cap. */
import type { Ops, Value } from "../graph/index.js";
import { storedWeight } from "./cache/vectors.js";
import type { BuildContext } from "./components/context.js";
import { unembed } from "./components/decoder.js";
import type { Model } from "./model.js";
import type { ModelView } from "./view.js";
import { mappedWeight } from "./weights/store.js";

/** Surroundings in which nothing is captured and nothing edited. */
function readoutContext(ops: Ops, view: ModelView, stream: Value): BuildContext {
  const { core, processing, precision } = view;
  return {
    ops,
    config: core.config,
    processing,
    precision,
    inputs: { positions: stream, needsAllLogits: false },
    weight: (name, part) => {
      const mapped = mappedWeight(ops.builder, storedWeight(view, name), part);
      return precision === "float64" ? ops.cast(mapped, "float64") : mapped;
    },
    once: (_key, make) => make(),
    hook: (_name, value) => value,
    offer: () => undefined,
    isEdited: () => false,
    isWanted: () => false,
    output: () => undefined,
  };
}

/**
 * Adds what a model does with its final stream to a graph, and returns logits `[…, …, dVocabOut]`.
 *
 * The final norm takes its statistics from the stream it is given; processing, biases and the soft cap are the view's.
 * Edits of the view do not act here. Weights stay mapped.
 *
 * @param stream - `[…, …, dModel]` in the view's precision.
 */
export function readout(ops: Ops, { view }: Model, stream: Value): Value {
  return unembed(readoutContext(ops, view, stream), view.core.map, stream).logits;
}
