/**
 * Exact induction: a previous-token head feeds an induction head.
 *
 * 1. Head 0.0 at position i looks at position i − 1 (query: position i shifted by one; key: position) and writes the token
 *    there into the subspace `prev`.
 * 2. Head 1.1 looks where `prev` is the present token (query: token; key: `prev`) and writes the token it finds there
 *    into `next`: the token that followed last time.
 * 3. The unembedding reads `next` alone.
 *
 * Position 0 has nobody before it: head 0.0 can only look at itself and writes a wrong `prev` there. Head 1.1's key takes
 * 1 off every token's match at position 0, so that the wrong entry never matches.
 */
import { type Construction, configOf, layOut, type Sizes, Sketch } from "./sketch.js";

/** Tokens, and positions. */
export const inductionVocabulary = 24;
/** The longest input. */
export const inductionContext = 24;
/** The attention score of a match; of everything else 0. */
export const inductionScore = 100;
/** The logit of a token that head 1.1 finds with full attention. */
export const inductionLogit = 20;

/** Returns the model. */
export function induction(): Construction {
  const [vocabulary, context] = [inductionVocabulary, inductionContext];
  const { from, size } = layOut({ pos: context, token: vocabulary, prev: vocabulary, next: vocabulary });
  const { pos = 0, token = 0, prev = 0, next = 0 } = from;
  const sizes: Sizes = { layers: 2, heads: 2, model: size, head: vocabulary, mlp: 0, vocabulary, context };
  const sketch = new Sketch(sizes);
  sketch.identity("embed.W_E", [], [0, token, vocabulary]);
  sketch.identity("pos_embed.W_pos", [], [0, pos, context]);

  sketch.identity("blocks.0.attn.W_Q", [0], [pos + 1, 0, context - 1], inductionScore);
  sketch.identity("blocks.0.attn.W_K", [0], [pos, 0, context]);
  sketch.identity("blocks.0.attn.W_V", [0], [token, 0, vocabulary]);
  sketch.identity("blocks.0.attn.W_O", [0], [0, prev, vocabulary]);

  sketch.identity("blocks.1.attn.W_Q", [1], [token, 0, vocabulary], inductionScore);
  sketch.identity("blocks.1.attn.W_K", [1], [prev, 0, vocabulary]);
  for (let id = 0; id < vocabulary; id++) sketch.set("blocks.1.attn.W_K", [1, pos, id], -1);
  sketch.identity("blocks.1.attn.W_V", [1], [token, 0, vocabulary]);
  sketch.identity("blocks.1.attn.W_O", [1], [0, next, vocabulary]);

  sketch.identity("unembed.W_U", [], [next, 0, vocabulary], inductionLogit);
  return {
    name: "induction",
    config: configOf(sizes, { model_name: "induction" }),
    weights: sketch.weights(),
    circuit: {
      components: [
        { name: "embed", kind: "circuit", does: "one-hot token" },
        { name: "pos_embed", kind: "circuit", does: "one-hot position" },
        { name: "a0.h0", kind: "circuit", does: "writes the previous token into `prev`" },
        { name: "a0.h1", kind: "zero", does: "nothing" },
        { name: "a1.h0", kind: "zero", does: "nothing" },
        { name: "a1.h1", kind: "circuit", does: "finds `prev` = present token, writes the token there into `next`" },
      ],
      edges: [
        { from: "pos_embed", to: "a0.h0", input: "q" },
        { from: "pos_embed", to: "a0.h0", input: "k" },
        { from: "embed", to: "a0.h0", input: "v" },
        { from: "embed", to: "a1.h1", input: "q" },
        { from: "pos_embed", to: "a1.h1", input: "k" },
        { from: "a0.h0", to: "a1.h1", input: "k" },
        { from: "embed", to: "a1.h1", input: "v" },
        { from: "a1.h1", to: "logits", input: "logits" },
      ],
    },
  };
}
