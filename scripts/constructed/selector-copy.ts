/**
 * Selector copy: four features and a selector; the selected feature is copied to the last position.
 *
 * 1. Input `[f0, f1, f2, f3, SEL_k]`: features are tokens 0 to 7, selectors tokens 8 to 11.
 * 2. Head 1.0 at the last position looks at position k (query: selector k; key: position) and writes the feature there
 *    into the subspace `out`, which the unembedding reads.
 * 3. Head 0.0 is a decoy: it looks at the previous position and copies its feature into a subspace that nothing reads.
 * 4. Heads 0.1 and 1.1 and both MLPs are zero.
 */
import { type Construction, configOf, layOut, type Sizes, Sketch } from "./sketch.js";

/** Feature tokens: ids 0 to 7. */
export const selectorFeatures = 8;
/** Positions to choose from; their selectors are the ids from 8 on. */
export const selectorSlots = 4;
/** The attention score of the chosen position; of the others 0. */
export const selectorScore = 100;
/** The logit of a feature that head 1.0 finds with full attention. */
export const selectorLogit = 20;

/** Returns the model. */
export function selectorCopy(): Construction {
  const [features, slots] = [selectorFeatures, selectorSlots];
  const context = slots + 1;
  const { from, size } = layOut({ pos: context, feature: features, selector: slots, out: features, decoy: features });
  const { pos = 0, feature = 0, selector = 0, out = 0, decoy = 0 } = from;
  const vocabulary = features + slots;
  const sizes: Sizes = { layers: 2, heads: 2, model: size, head: features, mlp: 4, vocabulary, context };
  const sketch = new Sketch(sizes);
  sketch.identity("embed.W_E", [], [0, feature, features]);
  sketch.identity("embed.W_E", [], [features, selector, slots]);
  sketch.identity("pos_embed.W_pos", [], [0, pos, context]);

  sketch.identity("blocks.0.attn.W_Q", [0], [pos + 1, 0, slots], selectorScore);
  sketch.identity("blocks.0.attn.W_K", [0], [pos, 0, context]);
  sketch.identity("blocks.0.attn.W_V", [0], [feature, 0, features]);
  sketch.identity("blocks.0.attn.W_O", [0], [0, decoy, features]);

  sketch.identity("blocks.1.attn.W_Q", [0], [selector, 0, slots], selectorScore);
  sketch.identity("blocks.1.attn.W_K", [0], [pos, 0, slots]);
  sketch.identity("blocks.1.attn.W_V", [0], [feature, 0, features]);
  sketch.identity("blocks.1.attn.W_O", [0], [0, out, features]);

  sketch.identity("unembed.W_U", [], [out, 0, features], selectorLogit);
  return {
    name: "selector-copy",
    config: configOf(sizes, { model_name: "selector-copy" }),
    weights: sketch.weights(),
    circuit: {
      components: [
        { name: "embed", kind: "circuit", does: "one-hot feature or selector" },
        { name: "pos_embed", kind: "circuit", does: "one-hot position" },
        { name: "a0.h0", kind: "decoy", does: "copies the previous feature where nothing reads it" },
        { name: "a0.h1", kind: "zero", does: "nothing" },
        { name: "m0", kind: "zero", does: "nothing" },
        { name: "a1.h0", kind: "circuit", does: "copies the selected feature into `out`" },
        { name: "a1.h1", kind: "zero", does: "nothing" },
        { name: "m1", kind: "zero", does: "nothing" },
      ],
      edges: [
        { from: "embed", to: "a1.h0", input: "q" },
        { from: "pos_embed", to: "a1.h0", input: "k" },
        { from: "embed", to: "a1.h0", input: "v" },
        { from: "a1.h0", to: "logits", input: "logits" },
      ],
    },
  };
}
