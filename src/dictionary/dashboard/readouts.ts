/** What features say by their weights alone: tokens they write, tokens they read, features alike. */
import { InputError, printsItself } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { bars, histogram, panels, type View } from "../../viz/index.js";
import type { Dictionary } from "../dictionary.js";
import { weightData } from "../metrics/geometry.js";
import { logitsOf, type Matrix, readsOf, writesToStream } from "./spaces.js";

/** A token and how much a feature writes to it, or reads from it. */
export interface FeatureToken {
  readonly token: string;
  readonly id: number;
  readonly value: number;
}

/** A feature and how alike its decoder row is. */
export interface FeatureNeighbour {
  readonly feature: number;
  readonly cosine: number;
}

/** Options of `featureReadouts`. */
export interface ReadoutOptions {
  /** Tokens at each end; default 10. */
  readonly tokens?: number;
  /** Features alike; default 8. */
  readonly neighbours?: number;
  /** Bins of the logit histogram; default 40. */
  readonly bins?: number;
}

interface ReadoutParts {
  readonly index: number;
  readonly top: readonly FeatureToken[];
  readonly bottom: readonly FeatureToken[];
  readonly counts: readonly number[];
  readonly edges: readonly number[];
  readonly reads: readonly FeatureToken[] | undefined;
  readonly neighbours: readonly FeatureNeighbour[];
}

/** What one feature says by its weights alone. */
export class FeatureReadout {
  static {
    printsItself(this.prototype);
  }

  readonly index: number;
  /** Tokens that its decoder row raises and lowers most, in logits for one unit of activation, before the norm's scale. */
  readonly top: readonly FeatureToken[];
  readonly bottom: readonly FeatureToken[];
  /** Counts of the whole vocabulary, and the edges of their bins; empty where it does not write to the stream. */
  readonly counts: readonly number[];
  readonly edges: readonly number[];
  /** Tokens whose embedding alone excites it most; absent where it does not read the stream. */
  readonly reads: readonly FeatureToken[] | undefined;
  /** Features with the most similar decoder rows. */
  readonly neighbours: readonly FeatureNeighbour[];

  /** @internal */
  constructor({ index, top, bottom, counts, edges, reads, neighbours }: ReadoutParts) {
    this.index = index;
    this.top = top;
    this.bottom = bottom;
    this.counts = counts;
    this.edges = edges;
    this.reads = reads;
    this.neighbours = neighbours;
  }

  /** Returns bars of the most raised and lowered tokens beside the histogram of all. */
  toView(): View {
    if (this.counts.length === 0) return this.#noLogits();
    const ends = [...this.top, ...[...this.bottom].reverse()];
    const written = bars(
      ends.map(({ value }) => value),
      {
        title: `Feature ${this.index}: tokens it writes`,
        axis: { name: "token", labels: ends.map(({ token }) => token), kind: "tokens" },
        unit: "logits",
      },
    );
    const all = histogram(
      { counts: this.counts, edges: this.edges },
      { title: "All tokens", name: "logits for one unit of activation" },
    );
    return panels([written, all]);
  }

  #noLogits(): View {
    const [values, labels] = [
      this.neighbours.map(({ cosine }) => cosine),
      this.neighbours.map(({ feature }) => `${feature}`),
    ];
    return bars(values, {
      title: `Feature ${this.index}: features alike`,
      axis: { name: "feature", labels },
      unit: "cosine",
    });
  }

  /** Returns a line for each list. */
  toString(): string {
    const words = (list: readonly FeatureToken[]): string => list.map(({ token }) => JSON.stringify(token)).join(" ");
    const alike = this.neighbours.map(({ feature, cosine }) => `${feature} (${cosine.toFixed(2)})`).join(", ");
    return [
      `feature ${this.index}`,
      ...(this.counts.length === 0 ? [] : [`  raises  ${words(this.top)}`, `  lowers  ${words(this.bottom)}`]),
      ...(this.reads === undefined ? [] : [`  reads   ${words(this.reads)}`]),
      `  alike   ${alike}`,
    ].join("\n");
  }
}

/** The `count` greatest of a row, or the least with `sign` −1, the most extreme first. */
function extremes(row: ArrayLike<number>, count: number, sign: 1 | -1): readonly number[] {
  const best: number[] = [];
  for (let id = 0; id < row.length; id++) {
    const value = sign * (row[id] as number);
    if (best.length === count && value <= sign * (row[best.at(-1) ?? 0] as number)) continue;
    let at = best.length;
    while (at > 0 && value > sign * (row[best[at - 1] ?? 0] as number)) at -= 1;
    best.splice(at, 0, id);
    if (best.length > count) best.pop();
  }
  return best;
}

function binned(row: ArrayLike<number>, bins: number): Pick<ReadoutParts, "counts" | "edges"> {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < row.length; i++) {
    low = Math.min(low, row[i] as number);
    high = Math.max(high, row[i] as number);
  }
  if (!(high > low)) [low, high] = [low - 1, low + 1];
  const counts = Array.from({ length: bins }, () => 0);
  for (let i = 0; i < row.length; i++) {
    const bin = Math.min(bins - 1, Math.floor((((row[i] as number) - low) / (high - low)) * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { counts, edges: Array.from({ length: bins + 1 }, (_, i) => low + ((high - low) * i) / bins) };
}

function rowOf({ columns, data }: Matrix, row: number): ArrayLike<number> {
  return (data as Float64Array).subarray(row * columns, (row + 1) * columns);
}

/** Cosines of one decoder row with all others. */
function neighboursOf(feature: number, decoder: Matrix, norms: Float64Array, count: number): FeatureNeighbour[] {
  const { rows, columns, data } = decoder;
  const cosines = Float64Array.from({ length: rows }, (_, other) => {
    if (other === feature) return Number.NEGATIVE_INFINITY;
    let dot = 0;
    for (let i = 0; i < columns; i++)
      dot += (data[feature * columns + i] as number) * (data[other * columns + i] as number);
    return dot / Math.max(1e-30, (norms[feature] ?? 0) * (norms[other] ?? 0));
  });
  return extremes(cosines, Math.min(count, rows - 1), 1).map((other) => ({
    feature: other,
    cosine: cosines[other] ?? 0,
  }));
}

function checkFeatures({ name, nFeatures }: Dictionary, features: readonly number[]): void {
  const wrong = features.find((one) => !Number.isInteger(one) || one < 0 || one >= nFeatures);
  if (wrong === undefined && features.length > 0) return;
  throw new InputError({
    where: `dictionary ${name}: features`,
    got: wrong === undefined ? "an empty list" : String(wrong),
    expected: `whole numbers from 0 to ${nFeatures - 1}`,
    fix: "Pick some from an overview.",
  });
}

/** Text of a token. */
function pieceOf({ view }: Model, id: number): string {
  return view.core.tokenizer?.piece(id) ?? `‹${id}›`;
}

/** Rows computed at once: a row of logits is as long as the vocabulary. */
const chunk = 64;

/**
 * Reads features by their weights alone: the tokens that decoder rows write to the logits (`W_dec W_U`), the tokens whose
 * embeddings encoder columns read (`W_E W_enc`), and the features with similar decoder rows.
 *
 * Norms are respected: the final norm's gain and centring on the way out, and on the way in the norm that the dictionary
 * reads behind.
 *
 * A dictionary that does not write to the stream, by itself or through W_O or W_out, has no tokens to write.
 *
 * @throws InputError for features outside the dictionary.
 */
export async function featureReadouts(
  model: Model,
  dictionary: Dictionary,
  features: readonly number[],
  { tokens = 10, neighbours = 8, bins = 40 }: ReadoutOptions = {},
): Promise<readonly FeatureReadout[]> {
  checkFeatures(dictionary, features);
  const { dIn, dOut, nFeatures } = dictionary.config;
  const decoder: Matrix = { rows: nFeatures, columns: dOut, data: await weightData(dictionary, "W_dec") };
  const encoder = await weightData(dictionary, "W_enc");
  const norms = Float64Array.from({ length: nFeatures }, (_, f) =>
    Math.sqrt(
      (decoder.data as Float32Array).subarray(f * dOut, (f + 1) * dOut).reduce((sum, one) => sum + one * one, 0),
    ),
  );
  const found: FeatureReadout[] = [];
  for (let from = 0; from < features.length; from += chunk) {
    const own = features.slice(from, from + chunk);
    const pick = (columns: number, at: (feature: number, i: number) => number): Matrix => {
      const data = new Float64Array(own.length * columns);
      own.forEach((feature, row) => {
        for (let i = 0; i < columns; i++) data[row * columns + i] = at(feature, i);
      });
      return { rows: own.length, columns, data };
    };
    const written = pick(dOut, (f, i) => decoder.data[f * dOut + i] as number);
    const logits = writesToStream(model, dictionary) ? await logitsOf(model, dictionary, written) : undefined;
    const reads = await readsOf(
      model,
      dictionary,
      pick(dIn, (f, i) => encoder[i * nFeatures + f] as number),
    );
    own.forEach((index, row) => {
      const list = (matrix: Matrix | undefined, sign: 1 | -1): readonly FeatureToken[] => {
        if (matrix === undefined) return [];
        const values = rowOf(matrix, row);
        return extremes(values, tokens, sign).map((id) => ({ id, token: pieceOf(model, id), value: values[id] ?? 0 }));
      };
      found.push(
        new FeatureReadout({
          index,
          top: list(logits, 1),
          bottom: list(logits, -1),
          ...(logits === undefined ? { counts: [], edges: [] } : binned(rowOf(logits, row), bins)),
          reads: reads === undefined ? undefined : list(reads, 1),
          neighbours: neighboursOf(index, decoder, norms, neighbours),
        }),
      );
    });
  }
  return found;
}
