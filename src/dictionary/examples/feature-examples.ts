/** An index of examples: what each feature of a dictionary fires on, from memory or from a folder. */
import { InputError, printsItself } from "../../core/index.js";
import { readStored, readStoredRows, type StoredTensor } from "../../io/index.js";
import { Tensor } from "../../tensor/index.js";
import type { FeatureStatistics } from "../config.js";
import type { IndexTensorName } from "./select.js";
import type { ExampleGroup, ExamplesHeader, FeatureExample, FeatureExamplesOf } from "./types.js";

/** The tensors of an index, in memory or in a file. */
export type IndexTensors = Readonly<Record<IndexTensorName, StoredTensor | Tensor>>;

/** The small columns of an index, read when it is opened. */
type Columns = Readonly<Record<"bounds" | "exponents" | "fired" | "max" | "offsets" | "sums", ArrayLike<number>>>;

/** What an index is made from. */
export interface ExamplesParts {
  readonly header: ExamplesHeader;
  readonly tensors: IndexTensors;
  /** Texts of the token ids that occur. */
  readonly pieces: ReadonlyMap<number, string>;
}

const columnNames = ["bounds", "exponents", "fired", "max", "offsets", "sums"] as const;

async function whole(tensor: StoredTensor | Tensor): Promise<ArrayLike<number>> {
  return (tensor instanceof Tensor ? tensor : await readStored(tensor)).data as ArrayLike<number>;
}

async function rowsOfTensor(tensor: StoredTensor | Tensor, from: number, to: number): Promise<ArrayLike<number>> {
  if (!(tensor instanceof Tensor)) return (await readStoredRows(tensor, from, to)).data as ArrayLike<number>;
  const width = tensor.shape.slice(1).reduce((product, size) => product * size, 1);
  return (tensor.data as Float32Array).subarray(from * width, to * width);
}

/** Opens an index of these parts. */
export async function makeExamples(parts: ExamplesParts): Promise<FeatureExamples> {
  const columns: Record<string, ArrayLike<number>> = {};
  for (const name of columnNames) columns[name] = await whole(parts.tensors[name]);
  return new FeatureExamples(parts, columns as Columns);
}

/** What the features of a dictionary fire on in a corpus. Examples are read when asked for. */
export class FeatureExamples {
  static {
    printsItself(this.prototype);
  }

  /** What it was made from. */
  readonly header: ExamplesHeader;
  readonly #tensors: IndexTensors;
  readonly #pieces: ReadonlyMap<number, string>;
  readonly #columns: Columns;

  /** @internal Use {@link collectExamples} or {@link openExamples}. */
  constructor({ header, tensors, pieces }: ExamplesParts, columns: Columns) {
    this.header = header;
    this.#tensors = tensors;
    this.#pieces = pieces;
    this.#columns = columns;
  }

  /** Features of the dictionary. */
  get nFeatures(): number {
    return this.header.dictionary.nFeatures;
  }

  /** Tokens that were counted. */
  get tokens(): number {
    return this.header.provenance.tokens;
  }

  /** Density and activations of every feature: `dictionary.withStatistics(examples.statistics)`. */
  get statistics(): FeatureStatistics {
    const { fired, sums, max } = this.#columns;
    return {
      tokens: this.tokens,
      density: Float32Array.from(fired, (count) => count / this.tokens),
      meanActivation: Float32Array.from(fired, (count, i) => (count > 0 ? (sums[i] ?? 0) / count : 0)),
      maxActivation: Float32Array.from(max),
    };
  }

  /** Features that fired on no token. */
  get dead(): readonly number[] {
    return Array.from(this.#columns.fired).flatMap((count, i) => (count === 0 ? [i] : []));
  }

  /**
   * Returns what is known of one feature.
   *
   * @throws InputError for an index outside the dictionary.
   */
  async feature(index: number): Promise<FeatureExamplesOf> {
    if (!Number.isInteger(index) || index < 0 || index >= this.nFeatures) throw noFeature(index, this.nFeatures);
    const { fired, sums, max, exponents } = this.#columns;
    const count = fired[index] ?? 0;
    return {
      index,
      density: count / this.tokens,
      meanActivation: count > 0 ? (sums[index] ?? 0) / count : 0,
      maxActivation: max[index] ?? 0,
      histogram: Array.from(await rowsOfTensor(this.#tensors.bins, index, index + 1)),
      histogramMax: count > 0 ? 2 ** (exponents[index] ?? 0) : 0,
      groups: count > 0 ? await this.#groups(index) : [],
    };
  }

  async #groups(index: number): Promise<readonly ExampleGroup[]> {
    const { offsets, bounds } = this.#columns;
    const [from, to] = [offsets[index] ?? 0, offsets[index + 1] ?? 0];
    const rows = (name: IndexTensorName): Promise<ArrayLike<number>> => rowsOfTensor(this.#tensors[name], from, to);
    const [group, value, row, position] = await Promise.all([
      rows("group"),
      rows("value"),
      rows("row"),
      rows("position"),
    ]);
    const [tokens, acts] = await Promise.all([rows("tokens"), rows("acts")]);
    const examples = Array.from({ length: to - from }, (_, i) =>
      this.#example({ value: value[i] ?? 0, row: row[i] ?? -1, position: position[i] ?? -1 }, { tokens, acts, i }),
    );
    const { quantiles } = this.header;
    return Array.from({ length: quantiles + 1 }, (_, g): ExampleGroup => {
      const at = 2 * (index * (quantiles + 1) + g);
      return {
        title: groupTitle(g, quantiles),
        low: bounds[at] ?? Number.NaN,
        high: bounds[at + 1] ?? Number.NaN,
        examples: examples.filter((_one, i) => group[i] === g),
      };
    }).filter((one) => one.examples.length > 0);
  }

  #example(
    place: Pick<FeatureExample, "position" | "row" | "value">,
    { tokens, acts, i }: { tokens: ArrayLike<number>; acts: ArrayLike<number>; i: number },
  ): FeatureExample {
    const { context } = this.header;
    const width = 2 * context + 1;
    const slots = Array.from({ length: width }, (_, slot) => i * width + slot).filter((at) => (tokens[at] ?? -1) >= 0);
    const ids = slots.map((at) => tokens[at] ?? -1);
    return {
      ...place,
      ids,
      tokens: ids.map((id) => this.#pieces.get(id) ?? String(id)),
      activations: Float32Array.from(slots, (at) => acts[at] ?? 0),
      center: slots.indexOf(i * width + context),
    };
  }

  /** Returns two lines. */
  toString(): string {
    const { dictionary, provenance, top, quantiles, perQuantile } = this.header;
    const tokens = this.tokens.toLocaleString("en-US");
    return [
      `Examples of ${dictionary.name}: ${this.nFeatures} features on ${tokens} tokens of ${provenance.model}, ${this.dead.length} dead`,
      `  up to ${top} greatest and ${quantiles} × ${perQuantile} by quantile for each; .feature(i)`,
    ].join("\n");
  }
}

function groupTitle(group: number, quantiles: number): string {
  if (group === 0) return "greatest";
  const percent = (part: number): string => String(Math.round((100 * part) / quantiles));
  return `${percent(quantiles - group)}–${percent(quantiles - group + 1)} % of firings`;
}

function noFeature(index: number, nFeatures: number): InputError {
  return new InputError({
    where: "examples.feature",
    got: String(index),
    expected: `a whole number from 0 to ${nFeatures - 1}`,
    fix: "Pick one from an overview.",
  });
}
