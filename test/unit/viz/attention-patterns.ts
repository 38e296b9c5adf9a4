/** Attention patterns for tests, made from a seed. */

/** Returns numbers in [0, 1): a linear congruential generator, the same everywhere. */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** How peaked the rows of a made pattern are. */
export type Peakedness = "diffuse" | "like a model";

/**
 * Returns a causal pattern, `[head, pos, pos]` in one row.
 *
 * `like a model`: each head prefers the first token, near tokens or some tokens, as trained ones do; `diffuse`: a
 * softmax of standard normal scores.
 */
export function madePattern(heads: number, pos: number, kind: Peakedness = "like a model"): Float32Array {
  const random = generator(7);
  const normal = (): number => Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());
  const data = new Float32Array(heads * pos * pos);
  for (let head = 0; head < heads; head++) {
    const [sink, decay, spread] = kind === "diffuse" ? [0, 0, 1] : [random() * 6, random() * 0.5, 0.5 + random() * 2];
    for (let query = 0; query < pos; query++) {
      const row = Array.from({ length: query + 1 }, (_, key) =>
        Math.exp((key === 0 ? sink : 0) - decay * (query - key) + spread * normal()),
      );
      const total = row.reduce((sum, value) => sum + value, 0);
      row.forEach((value, key) => {
        data[(head * pos + query) * pos + key] = value / total;
      });
    }
  }
  return data;
}

const words = ["<bos>", " When", " Mary", " and", " John", " went", " to", " the", " store", ",", " gave", "\n", " a"];

/** Returns `count` tokens. */
export function madeTokens(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => words[(i * 5) % words.length] ?? "");
}
