/** All features of a dictionary: how often and how strongly each fires. */
import { InputError, printsItself } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { type FeatureOverviewData, features, type View } from "../../viz/index.js";
import type { FeatureStatistics } from "../config.js";
import type { Dictionary } from "../dictionary.js";
import { featureWords } from "./words.js";

/** All features of a dictionary at a glance. */
export class DictionaryOverview {
  static {
    printsItself(this.prototype);
  }

  readonly name: string;
  readonly statistics: FeatureStatistics;
  /** The tokens that each feature raises most, as one text. */
  readonly words: readonly string[];

  /** @internal */
  constructor(name: string, statistics: FeatureStatistics, words: readonly string[]) {
    this.name = name;
    this.statistics = statistics;
    this.words = words;
  }

  /** Features that fired on no token. */
  get dead(): readonly number[] {
    return Array.from(this.statistics.density).flatMap((one, i) => (one === 0 ? [i] : []));
  }

  /** What `viz.features` takes. */
  get data(): FeatureOverviewData {
    const { density, maxActivation, tokens } = this.statistics;
    return { density, maxActivation, tokens, labels: this.words };
  }

  /** Returns a map of density against greatest activation, and a list to search. */
  toView(): View {
    return features([], { title: `Features of ${this.name}`, overview: this.data });
  }

  /** Returns two lines. */
  toString(): string {
    const { density, tokens } = this.statistics;
    const alive = Array.from(density)
      .filter((one) => one > 0)
      .sort((a, b) => a - b);
    const median = alive[Math.floor(alive.length / 2)] ?? 0;
    return [
      `${this.name}: ${density.length} features on ${tokens.toLocaleString("en-US")} tokens, ${this.dead.length} dead`,
      `  median density of the others ${(100 * median).toPrecision(3)} %`,
    ].join("\n");
  }
}

/**
 * Returns an overview of a dictionary's features.
 *
 * @param statistics - Of an evaluation or of collected examples; default the dictionary's own.
 * @throws InputError when nobody has measured them, or for another dictionary's.
 */
export async function dictionaryOverview(
  model: Model,
  dictionary: Dictionary,
  statistics: FeatureStatistics | undefined = dictionary.statistics,
): Promise<DictionaryOverview> {
  if (statistics === undefined) {
    throw new InputError({
      where: `dictionaryOverview: ${dictionary.name}`,
      got: "a dictionary without statistics of its features",
      expected: "density and activations of each feature",
      fix: "Pass those of collectExamples or evaluateDictionary: (await evaluateDictionary(model, dictionary, texts)).statistics.",
    });
  }
  checkSize(dictionary, statistics.density.length);
  return new DictionaryOverview(dictionary.name, statistics, await featureWords(model, dictionary));
}

/** Refuses numbers of another dictionary. */
export function checkSize({ name, nFeatures }: Dictionary, found: number): void {
  if (found === nFeatures) return;
  throw new InputError({
    where: `dictionary ${name}`,
    got: `numbers of ${found} features`,
    expected: `of its own ${nFeatures}`,
    fix: "Collect them with this dictionary.",
  });
}
