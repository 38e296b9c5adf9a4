/**
 * A bigram table in MLP 0: the logits after a token are the logarithms of its row of the table, and nothing else.
 *
 * 1. The embedding is one-hot. There are no positions.
 * 2. Neuron a of MLP 0 has the pre-activation 2·[token = a] − 1, so ReLU gives 1 for the token's own neuron and 0 else.
 * 3. Its output weights are row a of the table; the unembedding reads them as they are.
 * 4. All attention heads, and MLP 1, are zero.
 *
 * The table: after token a, token b has the probability (1 / (1 + r)) / H with r = (b − 3a − 1) mod 32 and
 * H = 1 + 1/2 + … + 1/32.
 */
import { type Construction, configOf, layOut, type Sizes, Sketch } from "./sketch.js";

/** Tokens; also neurons of each MLP. */
export const bigramVocabulary = 32;

/** Returns the probability of `next` after `token`. */
export function bigramProbability(token: number, next: number): number {
  const vocabulary = bigramVocabulary;
  const rank = (((next - 3 * token - 1) % vocabulary) + vocabulary) % vocabulary;
  const harmonic = Array.from({ length: vocabulary }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b, 0);
  return 1 / (rank + 1) / harmonic;
}

/** Returns the model. */
export function bigramMlp(): Construction {
  const vocabulary = bigramVocabulary;
  const { from, size } = layOut({ token: vocabulary, out: vocabulary });
  const { token = 0, out = 0 } = from;
  const sizes: Sizes = { layers: 2, heads: 2, model: size, head: 8, mlp: vocabulary, vocabulary, context: 0 };
  const sketch = new Sketch(sizes);
  sketch.identity("embed.W_E", [], [0, token, vocabulary]);
  sketch.identity("blocks.0.mlp.W_in", [], [token, 0, vocabulary], 2);
  for (let a = 0; a < vocabulary; a++) {
    sketch.set("blocks.0.mlp.b_in", [a], -1);
    for (let b = 0; b < vocabulary; b++)
      sketch.set("blocks.0.mlp.W_out", [a, out + b], Math.log(bigramProbability(a, b)));
  }
  sketch.identity("unembed.W_U", [], [out, 0, vocabulary]);
  return {
    name: "bigram-mlp",
    config: configOf(sizes, { model_name: "bigram-mlp" }),
    weights: sketch.weights(),
    circuit: {
      components: [
        { name: "embed", kind: "circuit", does: "one-hot token" },
        { name: "a0.h0", kind: "zero", does: "nothing" },
        { name: "a0.h1", kind: "zero", does: "nothing" },
        { name: "m0", kind: "circuit", does: "looks the token's row of the table up" },
        { name: "a1.h0", kind: "zero", does: "nothing" },
        { name: "a1.h1", kind: "zero", does: "nothing" },
        { name: "m1", kind: "zero", does: "nothing" },
      ],
      edges: [
        { from: "embed", to: "m0", input: "in" },
        { from: "m0", to: "logits", input: "logits" },
      ],
    },
  };
}
