/** Similarity of every pair of layers, within a model or across two. */
import { InputError, printsItself, progressOf, throwIfAborted } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { heatmap, type View } from "../../viz/index.js";
import type { Prompts } from "../prompts.js";
import { type Collected, collect, type TokenOptions } from "./collect.js";
import { compareFeatures, findMeasure, type SimilarityMeasure } from "./measures.js";

/** Options of `similarity.layers`. */
export interface LayerSimilarityOptions extends TokenOptions {
  /** Where to read, by short name; default `resid_post`. */
  readonly site?: string;
  /** Default `"cka"`, the unbiased estimator. */
  readonly measure?: SimilarityMeasure;
  /** A second model, whose layers become the columns; it must read the texts as the same tokens. */
  readonly with?: Model;
}

/** What a {@link LayerSimilarity} is made from. */
interface LayerSimilarityParts {
  readonly measure: SimilarityMeasure;
  readonly site: string;
  readonly rows: Collected;
  readonly columns: Collected;
  readonly models: readonly [string, string];
  readonly values: Tensor;
}

/** How similar each layer is to each other one. */
export class LayerSimilarity {
  static {
    printsItself(this.prototype);
  }

  /** `[row, column]`; NaN where a side does not vary. */
  readonly values: Tensor;
  readonly measure: SimilarityMeasure;
  readonly site: string;
  /** Layers of the rows and of the columns. */
  readonly rowLayers: readonly number[];
  readonly columnLayers: readonly number[];
  /** The models of rows and columns, as they were named when loaded. */
  readonly models: readonly [string, string];
  /** How many tokens were compared. */
  readonly tokens: number;

  /** @internal */
  constructor({ measure, site, rows, columns, models, values }: LayerSimilarityParts) {
    this.values = values;
    this.measure = measure;
    this.site = site;
    this.rowLayers = rows.layers;
    this.columnLayers = columns.layers;
    this.models = models;
    this.tokens = rows.ids.length;
  }

  /** Returns the similarity of two layers, by their numbers. */
  at(row: number, column: number): number {
    const [i, j] = [this.rowLayers.indexOf(row), this.columnLayers.indexOf(column)];
    if (i >= 0 && j >= 0) return Number(this.values.data[i * this.columnLayers.length + j]);
    throw new InputError({
      where: "layerSimilarity.at",
      got: `layers ${row} and ${column}`,
      expected: `one of ${this.rowLayers.join(", ")} and one of ${this.columnLayers.join(", ")}`,
      fix: "Layers count from 0.",
    });
  }

  #grid(): readonly (readonly number[])[] {
    const width = this.columnLayers.length;
    const data = Array.from(this.values.data, Number);
    return this.rowLayers.map((_, i) => data.slice(i * width, (i + 1) * width));
  }

  /** Returns layers against layers. */
  toView(): View {
    const { title, range } = findMeasure(this.measure);
    const [left, right] = this.models;
    const name = (model: string): string => (left === right ? "layer" : `layer of ${model}`);
    return heatmap([...this.#grid()].reverse(), {
      title: `${title} of ${this.site}`,
      note: `${this.tokens} tokens`,
      y: { name: name(left), labels: this.rowLayers.map(String).reverse() },
      x: { name: name(right), labels: this.columnLayers.map(String) },
      range,
      cellText: this.rowLayers.length * this.columnLayers.length <= 200 ? "values" : [],
    });
  }

  /** The matrix as text. */
  toString(): string {
    const rows = this.#grid().map((row, i) => {
      const numbers = row.map((value) => value.toFixed(2).padStart(6)).join("");
      return `${String(this.rowLayers[i]).padStart(4)}${numbers}`;
    });
    const head = `${findMeasure(this.measure).title} of ${this.site}, ${this.models.join(" against ")}, ${this.tokens} tokens`;
    return [head, `    ${this.columnLayers.map((layer) => String(layer).padStart(6)).join("")}`, ...rows].join("\n");
  }
}

function checkSameTokens(rows: Collected, columns: Collected, where: string): void {
  const differs = rows.ids.length !== columns.ids.length || rows.ids.some((id, i) => id !== columns.ids[i]);
  if (!differs) return;
  throw new InputError({
    where,
    got: "two models that read the texts as different tokens",
    expected: "the same token ids, one activation of each model for each",
    fix: "Compare models of one tokenizer, under the same prependBos.",
  });
}

/**
 * Returns how similar the activations of every pair of layers are, over the same tokens.
 *
 * @throws InputError for too few tokens, which says how many are needed and why, and for models that read the texts as
 *   different tokens; UnsupportedError for a site that a model lacks; AbortedError.
 */
export async function layerSimilarity(
  model: Model,
  prompts: Prompts,
  options: LayerSimilarityOptions = {},
): Promise<LayerSimilarity> {
  const { site = "resid_post", measure = "cka", with: other = model } = options;
  const where = "similarity.layers";
  findMeasure(measure);
  const rows = await collect({ model, prompts, sites: [site], where }, options);
  const columns = other === model ? rows : await collect({ model: other, prompts, sites: [site], where }, options);
  checkSameTokens(rows, columns, where);
  const onProgress = progressOf(options);
  const values = new Float64Array(rows.features.length * columns.features.length);
  for (const [i, x] of rows.features.entries()) {
    throwIfAborted(options.signal, where);
    for (const [j, y] of columns.features.entries()) {
      const isKnown = rows === columns && j < i;
      values[i * columns.features.length + j] = isKnown
        ? (values[j * columns.features.length + i] ?? Number.NaN)
        : compareFeatures(x, y, measure);
    }
    onProgress?.({ done: i + 1, total: rows.features.length, label: measure });
    await new Promise((resolve) => setImmediate(resolve));
  }
  return new LayerSimilarity({
    measure,
    site,
    rows,
    columns,
    models: [model.id, other.id],
    values: Tensor.of(values, [rows.features.length, columns.features.length], ["row", "column"]),
  });
}
