/** What one attention score is made of. */
import { InputError, printsItself } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import { heatmap, type View } from "../../viz/index.js";

/** Which score. */
export interface ScorePlace {
  readonly layer: number;
  readonly head: number;
  readonly queryPos: number;
  readonly keyPos: number;
}

/** One product of a part on the query's side and one on the key's. */
export interface ScorePart {
  readonly query: string;
  readonly key: string;
  readonly value: number;
}

/** One attention score as the sum of products of what writes the query and what writes the key. */
export class QkAttribution {
  static {
    printsItself(this.prototype);
  }

  readonly place: ScorePlace;
  /** Parts of the stream below the layer, such as `"embed"`, `"L0H1"`, `"0_mlp_out"`, `"bias"`, and `"b_Q"`. */
  readonly queries: readonly string[];
  /** The same on the key's side, with `"b_K"`. */
  readonly keys: readonly string[];
  /** `[query, key]`, in units of the score; the sum is {@link QkAttribution.score}. */
  readonly values: Tensor;
  /**
   * The score before any soft cap and mask: `q·k / attnScale`, as the model computed it; with `above: "mean"`, less the mean
   * over the keys that the query may look at.
   */
  readonly score: number;
  /** Token texts of the two positions, where the model has a tokenizer. */
  readonly tokens: readonly [query: string, key: string];

  /** @internal */
  constructor(fields: Readonly<Omit<QkAttribution, "get" | "sum" | "top" | "toView" | "toString">>) {
    this.place = fields.place;
    this.queries = fields.queries;
    this.keys = fields.keys;
    this.values = fields.values;
    this.score = fields.score;
    this.tokens = fields.tokens;
  }

  /** The sum of all products. */
  get sum(): number {
    return (this.values.data as Float64Array).reduce((a, b) => a + b, 0);
  }

  /**
   * Returns one product.
   *
   * @throws InputError when there is no such part.
   */
  get(query: string, key: string): number {
    const [q, k] = [this.queries.indexOf(query), this.keys.indexOf(key)];
    if (q >= 0 && k >= 0) return Number(this.values.data[q * this.keys.length + k]);
    throw new InputError({
      where: "qk.get",
      got: `${query} × ${key}`,
      expected: `parts such as ${this.queries.slice(0, 4).join(", ")}`,
      fix: "Read them from queries and keys.",
    });
  }

  /** Returns the largest products by magnitude. */
  top(count = 10): readonly ScorePart[] {
    const parts = this.queries.flatMap((query, q) =>
      this.keys.map((key, k) => ({ query, key, value: Number(this.values.data[q * this.keys.length + k]) })),
    );
    return parts.sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, count);
  }

  /** Returns a heatmap of queries' parts by keys' parts. */
  toView(): View {
    const { layer, head, queryPos, keyPos } = this.place;
    const width = this.keys.length;
    const rows = this.queries.map((_, q) => Array.from(this.values.data.slice(q * width, (q + 1) * width), Number));
    return heatmap(rows, {
      title: `Why L${layer}H${head} at ${this.tokens[0]} (${queryPos}) scores ${this.tokens[1]} (${keyPos})`,
      note: `score ${this.score.toPrecision(4)}`,
      unit: "score",
      scale: "diverging",
      x: { name: "key", labels: this.keys },
      y: { name: "query", labels: this.queries },
    });
  }

  /** A few lines: the score and its largest products. */
  toString(): string {
    const { layer, head, queryPos, keyPos } = this.place;
    return [
      `Score ${this.score.toPrecision(4)} of L${layer}H${head} from ${queryPos} to ${keyPos}`,
      ...this.top(8).map(({ query, key, value }) => `  ${query} × ${key}: ${value.toPrecision(3)}`),
    ].join("\n");
  }
}
