/** Features of a sparse dictionary as data: what cards are made from, and what a spec holds; and the words for them. */
import type { BinnedCounts } from "../bins.js";
import { formatNumber } from "../numbers.js";
import type { Cell, ViewHeader, ViewOptions } from "../spec.js";

/** A token and a number. */
export interface FeatureTokenValue {
  readonly token: string;
  readonly value: number;
}

/** A feature and how alike it is. */
export interface FeatureAlike {
  readonly feature: number;
  readonly cosine: number;
}

/** Tokens with the feature's activation on each; the one in question is `center`. */
export interface FeatureExampleData {
  readonly tokens: readonly string[];
  readonly values: ArrayLike<number>;
  readonly center: number;
}

/** Examples of a range of activations. */
export interface FeatureGroupData {
  readonly title: string;
  readonly low: number;
  readonly high: number;
  readonly examples: readonly FeatureExampleData[];
}

/** Everything that a card shows. */
export interface FeatureCardData {
  readonly index: number;
  /** Fraction of tokens on which it fires. */
  readonly density: number;
  readonly meanActivation: number;
  readonly maxActivation: number;
  /** Counts of activations above 0. */
  readonly activations?: BinnedCounts;
  /** Counts of what it adds to the logits of all tokens. */
  readonly logits?: BinnedCounts;
  /** Tokens whose logits it raises and lowers most. */
  readonly top?: readonly FeatureTokenValue[];
  readonly bottom?: readonly FeatureTokenValue[];
  /** Tokens whose embeddings excite it most. */
  readonly reads?: readonly FeatureTokenValue[];
  readonly alike?: readonly FeatureAlike[];
  readonly groups: readonly FeatureGroupData[];
}

/** All features of a dictionary in a plane. */
export interface FeatureOverviewData {
  readonly density: ArrayLike<number>;
  readonly maxActivation: ArrayLike<number>;
  /** Tokens that were counted. */
  readonly tokens: number;
  /** Words for each feature, which a search finds; empty texts where there are none. */
  readonly labels?: readonly string[];
}

/** Options of `viz.features`. */
export interface FeaturesOptions extends ViewOptions {
  readonly overview?: FeatureOverviewData;
  /** A line at the end of each card. */
  readonly help?: string;
}

/** Counts of bins, as a spec holds them. */
export interface FeatureBins {
  readonly counts: readonly number[];
  readonly low: number;
  readonly high: number;
}

/** A group of a card; its examples lie in the spec's common lists. */
export interface FeatureGroup {
  readonly title: string;
  readonly low: Cell;
  readonly high: Cell;
  /** Activation of each example, and its place among the tokens of its row. */
  readonly peaks: readonly Cell[];
  readonly centers: readonly number[];
}

/** A card, as a spec holds it. */
export interface FeatureCard {
  readonly index: number;
  readonly density: Cell;
  readonly meanActivation: Cell;
  readonly maxActivation: Cell;
  readonly activations?: FeatureBins;
  readonly logits?: FeatureBins;
  readonly top: readonly FeatureTokenValue[];
  readonly bottom: readonly FeatureTokenValue[];
  readonly reads: readonly FeatureTokenValue[];
  readonly alike: readonly FeatureAlike[];
  readonly groups: readonly FeatureGroup[];
  /** Where its examples begin in the common lists. */
  readonly first: number;
}

/** The map of all features, as a spec holds it. */
export interface FeatureOverview {
  /** log10 of each feature's density; −∞ where it never fired. */
  readonly logDensity: readonly Cell[];
  readonly maxActivation: readonly Cell[];
  readonly tokens: number;
  readonly labels: readonly string[];
}

/** Cards of features. */
export interface FeaturesSpec extends ViewHeader {
  readonly view: "features";
  readonly cards: readonly FeatureCard[];
  /** Tokens of all examples, one row each, and the activation on each as a share of its feature's maximum; NaN beyond. */
  readonly tokens: readonly (readonly string[])[];
  readonly shares: readonly (readonly Cell[])[];
  readonly overview?: FeatureOverview;
  readonly help: string;
}

/** Returns a density as people read it: `0.12 % of tokens`. */
export function densityText(density: number): string {
  return density > 0 ? `${formatNumber(100 * density)} % of tokens` : "no token";
}

/** Returns the facts of a card in a line. */
export function cardFacts({ density, meanActivation, maxActivation }: FeatureCard): string {
  if (!(Number(density) > 0)) return "fired on no token";
  const [mean, most] = [formatNumber(Number(meanActivation)), formatNumber(Number(maxActivation))];
  return `fires on ${densityText(Number(density))} · mean ${mean} · maximum ${most}`;
}

/** Returns the words for how many features there are, and how many of them fired. */
export function overviewFacts({ logDensity, tokens }: FeatureOverview): string {
  const dead = logDensity.filter((one) => Number(one) === Number.NEGATIVE_INFINITY).length;
  return `${logDensity.length} features; ${dead} dead on ${tokens} tokens`;
}
