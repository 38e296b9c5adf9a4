/** What training came to: dictionaries and curves. */
import { printsItself } from "../../core/index.js";
import type { MetricViewOptions, TrainingResult } from "../../train/index.js";
import type { View } from "../../viz/index.js";
import type { Dictionary } from "../dictionary.js";
import { DictionarySet } from "../set.js";

/** What a run over activations was. */
export interface TrainingSummary {
  /** Tokens trained on, repetitions counted. */
  readonly tokens: number;
  /** Tokens of one pass over the data. */
  readonly tokensPerPass: number;
  /** Tokens that were shuffled at a time. */
  readonly bufferTokens: number;
  readonly seconds: number;
}

/** Dictionaries that were trained together. */
export class DictionaryTraining implements Iterable<Dictionary> {
  static {
    printsItself(this.prototype);
  }

  /** In the order in which they were asked for. */
  readonly dictionaries: readonly Dictionary[];
  readonly training: TrainingResult;
  readonly summary: TrainingSummary;

  constructor(dictionaries: readonly Dictionary[], training: TrainingResult, summary: TrainingSummary) {
    this.dictionaries = dictionaries;
    this.training = training;
    this.summary = summary;
  }

  /**
   * Returns the dictionaries as a set, one for each layer.
   *
   * @throws InputError when two write to the same hook point.
   */
  set(name: string = "trained"): DictionarySet {
    return new DictionarySet(name, this.dictionaries);
  }

  /** Yields the dictionaries. */
  [Symbol.iterator](): Iterator<Dictionary> {
    return this.dictionaries[Symbol.iterator]();
  }

  /** Draws metrics over the steps; by default the loss and the fraction of variance unexplained. */
  toView(options: MetricViewOptions = {}): View {
    const names = Object.keys(this.training.metrics.last ?? {});
    const metrics = names.filter((name) => name === "fvu" || name.endsWith("/fvu"));
    return this.training.toView({ metrics, log: true, title: "Fraction of variance unexplained", ...options });
  }

  /** Returns a line for the run and two for each dictionary. */
  toString(): string {
    const { steps, resumedAt, metrics } = this.training;
    const { tokens, seconds } = this.summary;
    const resumed = resumedAt > 0 ? `, continued from ${resumedAt}` : "";
    const rate =
      seconds > 0 ? `, ${Math.round(((steps - resumedAt) * (tokens / steps)) / seconds)} tokens a second` : "";
    const head = `DictionaryTraining: ${steps} steps, ${tokens} tokens${resumed}${rate}`;
    const many = this.dictionaries.length > 1;
    const lines = this.dictionaries.flatMap((one) => [
      one.toString(),
      `  ${lastOf(metrics.last ?? {}, many ? `${one.name}/` : "")}`,
    ]);
    return [head, ...lines].join("\n");
  }
}

/** One trained dictionary, with how its training went. */
export class TrainedDictionary {
  static {
    printsItself(this.prototype);
  }

  readonly dictionary: Dictionary;
  readonly training: TrainingResult;
  readonly summary: TrainingSummary;

  constructor(dictionary: Dictionary, training: TrainingResult, summary: TrainingSummary) {
    this.dictionary = dictionary;
    this.training = training;
    this.summary = summary;
  }

  /** Draws metrics over the steps; by default the fraction of variance unexplained. */
  toView(options: MetricViewOptions = {}): View {
    return new DictionaryTraining([this.dictionary], this.training, this.summary).toView(options);
  }

  /** Returns a line for the run and three for the dictionary. */
  toString(): string {
    return new DictionaryTraining([this.dictionary], this.training, this.summary).toString();
  }
}

function lastOf(row: Readonly<Record<string, number>>, prefix: string): string {
  const parts = ["l0", "fvu", "dead"].flatMap((name) => {
    const value = row[`${prefix}${name}`];
    return value === undefined ? [] : [`${name} ${Number(value.toPrecision(3))}`];
  });
  return parts.join(", ");
}
