/** A dashboard: cards of features on one page that needs no network. */
import { InputError, type LongCallOptions, printsItself, progressOf, throwIfAborted } from "../../core/index.js";
import type { InputOptions, Model } from "../../model/index.js";
import { type FeatureCardData, features as featureCards, type View } from "../../viz/index.js";
import type { Dictionary } from "../dictionary.js";
import type { FeatureExamples } from "../examples/feature-examples.js";
import type { FeatureExamplesOf } from "../examples/types.js";
import { type FeatureTest, testFeatures } from "./feature-test.js";
import { checkSize, type DictionaryOverview, dictionaryOverview } from "./overview.js";
import { type FeatureReadout, featureReadouts, type ReadoutOptions } from "./readouts.js";

/** Options of `featureDashboard`. */
export interface DashboardOptions extends ReadoutOptions, LongCallOptions {
  /** One feature or several; default a fair choice: those that fired, evenly spread by density. */
  readonly features?: number | readonly number[];
  /** How many features a fair choice has; default 40. */
  readonly cards?: number;
  /** Whether a map and a list of all features come first; default where `features` is left out. */
  readonly overview?: boolean;
  readonly title?: string;
}

interface DashboardParts {
  readonly model: Model;
  readonly dictionary: Dictionary;
  readonly examples: readonly FeatureExamplesOf[];
  readonly readouts: readonly FeatureReadout[];
  readonly overview: DictionaryOverview | undefined;
  readonly title: string;
}

/** Cards of features, live: it holds the model, so that you can test a text of your own. */
export class FeatureDashboard {
  static {
    printsItself(this.prototype);
  }

  /** Features that have a card, in their order. */
  readonly features: readonly number[];
  readonly readouts: readonly FeatureReadout[];
  readonly examples: readonly FeatureExamplesOf[];
  readonly overview: DictionaryOverview | undefined;
  readonly title: string;
  readonly #model: Model;
  readonly #dictionary: Dictionary;

  /** @internal */
  constructor({ model, dictionary, examples, readouts, overview, title }: DashboardParts) {
    this.#model = model;
    this.#dictionary = dictionary;
    this.features = examples.map(({ index }) => index);
    this.examples = examples;
    this.readouts = readouts;
    this.overview = overview;
    this.title = title;
  }

  /**
   * Runs a text of yours and shows the dashboard's features on it, or those you name.
   *
   * @throws InputError for a feature outside the dictionary.
   */
  test(
    text: string,
    options: { readonly features?: readonly number[] } & Pick<InputOptions, "prependBos"> = {},
  ): Promise<FeatureTest> {
    const features = this.features.length <= 8 ? this.features : [];
    return testFeatures(this.#model, this.#dictionary, text, { features, ...options });
  }

  /** Returns the cards, after the overview where there is one. */
  toView(): View {
    const cards = this.examples.map((one, i) => cardOf(one, this.readouts[i]));
    const first = this.features[0] ?? 0;
    return featureCards(cards, {
      title: this.title,
      note: `${this.#dictionary.readHook}${this.#dictionary.kind === "sae" ? "" : ` → ${this.#dictionary.writeHook}`} of ${this.#model.id}`,
      help: `Your own text: a page holds no model. In a notebook: await show(await dashboard.test("your text", { features: [${first}] }));`,
      ...(this.overview === undefined ? {} : { overview: this.overview.data }),
    });
  }

  /** Writes the dashboard as one page that opens offline, and returns its absolute path. */
  save(path: string): Promise<string> {
    return this.toView().save(path, { force: true });
  }

  /** Returns a few lines. */
  toString(): string {
    return this.toView().toText();
  }
}

/** Examples and readouts of one feature as a card. */
function cardOf(examples: FeatureExamplesOf, readout: FeatureReadout | undefined): FeatureCardData {
  const { index, density, meanActivation, maxActivation, histogram, histogramMax, groups } = examples;
  const width = histogramMax / histogram.length;
  // Bins above the greatest activation are empty by construction.
  const used = histogram.slice(0, Math.max(1, Math.ceil(maxActivation / width)));
  const edges = Array.from({ length: used.length + 1 }, (_, i) => i * width);
  return {
    index,
    density,
    meanActivation,
    maxActivation,
    ...(density > 0 ? { activations: { counts: used, edges } } : {}),
    ...(readout === undefined ? {} : readoutParts(readout)),
    groups: groups.map(({ title, low, high, examples: own }) => ({
      title,
      low,
      high,
      examples: own.map(({ tokens, activations, center }) => ({ tokens, values: activations, center })),
    })),
  };
}

function readoutParts({ top, bottom, reads, neighbours, counts, edges }: FeatureReadout): Partial<FeatureCardData> {
  return {
    ...(counts.length > 0 ? { logits: { counts, edges } } : {}),
    top: plain(top),
    bottom: plain(bottom),
    ...(reads === undefined ? {} : { reads: plain(reads) }),
    alike: neighbours,
  };
}

function plain(tokens: FeatureReadout["top"]): { readonly token: string; readonly value: number }[] {
  return tokens.map(({ token, value }) => ({ token, value }));
}

/** Features that fired, evenly spread by density. */
function fairChoice(examples: FeatureExamples, count: number): readonly number[] {
  const { density } = examples.statistics;
  const alive = Array.from(density.keys())
    .filter((i) => (density[i] ?? 0) > 0)
    .sort((a, b) => (density[b] ?? 0) - (density[a] ?? 0));
  const shown = Math.min(count, alive.length);
  return Array.from({ length: shown }, (_, i) => alive[Math.floor(((i + 0.5) * alive.length) / shown)] ?? 0);
}

function featuresOf(examples: FeatureExamples, { features, cards = 40 }: DashboardOptions): readonly number[] {
  const chosen =
    features === undefined ? fairChoice(examples, cards) : typeof features === "number" ? [features] : features;
  if (chosen.length > 0) return [...new Set(chosen)];
  throw new InputError({
    where: "featureDashboard: features",
    got: "no feature",
    expected: features === undefined ? "a dictionary of which some feature fired" : "at least one",
    fix: "Name features, or collect examples on more text.",
  });
}

/**
 * Makes a dashboard of features: for each how often and how strongly it fires, what it writes to the logits and reads from
 * embeddings, features alike, and examples by quantile whose tokens are coloured by its activation.
 *
 * `show(dashboard)` draws it; `dashboard.save("page.html")` writes one offline page; `dashboard.test(text)` runs a text.
 *
 * @param examples - What `collectExamples` or `openExamples` returned for this dictionary.
 * @throws InputError for features outside the dictionary, or examples of another one; AbortedError.
 */
export async function featureDashboard(
  model: Model,
  dictionary: Dictionary,
  examples: FeatureExamples,
  options: DashboardOptions = {},
): Promise<FeatureDashboard> {
  checkSize(dictionary, examples.nFeatures);
  const chosen = featuresOf(examples, options);
  const { tokens, neighbours, bins } = options;
  const given = Object.fromEntries(
    Object.entries({ tokens, neighbours, bins }).filter(([, value]) => value !== undefined),
  );
  const readouts = await featureReadouts(model, dictionary, chosen, given);
  const onProgress = progressOf(options);
  const cards: FeatureExamplesOf[] = [];
  for (const feature of chosen) {
    throwIfAborted(options.signal, "featureDashboard");
    cards.push(await examples.feature(feature));
    onProgress?.({ done: cards.length, total: chosen.length, label: "dashboard: features" });
  }
  const hasOverview = options.overview ?? options.features === undefined;
  const overview = hasOverview ? await dictionaryOverview(model, dictionary, examples.statistics) : undefined;
  const title =
    options.title ??
    (chosen.length === 1 ? `Feature ${chosen[0]} of ${dictionary.name}` : `Features of ${dictionary.name}`);
  return new FeatureDashboard({ model, dictionary, examples: cards, readouts, overview, title });
}
