/** Features of a sparse dictionary: a card for each, and a map of all of them. */
import { InputError } from "../../core/index.js";
import type { BinnedCounts } from "../bins.js";
import { checkLength, nothingToDraw } from "../checks.js";
import { numberAt } from "../entries.js";
import type { TableData, ViewKind } from "../kind.js";
import { encodeCell, formatNumber } from "../numbers.js";
import { type Cell, header } from "../spec.js";
import { visibleToken } from "../token-text.js";
import { drawFeatures } from "./features-draw.js";
import {
  cardFacts,
  type FeatureBins,
  type FeatureCard,
  type FeatureCardData,
  type FeatureExampleData,
  type FeatureOverview,
  type FeatureOverviewData,
  type FeaturesOptions,
  type FeaturesSpec,
  type FeatureTokenValue,
  overviewFacts,
} from "./features-spec.js";

const where = "viz.features";

/** Returns the spec of feature cards; see `viz.features`. */
export function featuresSpec(cards: readonly FeatureCardData[], options: FeaturesOptions): FeaturesSpec {
  const { overview, help = "" } = options;
  if (cards.length === 0 && overview === undefined) throw nothingToDraw(where);
  const examples = cards.flatMap((card) =>
    card.groups.flatMap((group) => group.examples.map((example) => ({ example, card }))),
  );
  for (const { example, card } of examples) checkExample(example, card.index);
  const width = examples.reduce((most, { example }) => Math.max(most, example.tokens.length), 0);
  let first = 0;
  const made = cards.map((card) => {
    const one = cardOf(card, first);
    first += card.groups.reduce((count, group) => count + group.examples.length, 0);
    return one;
  });
  return {
    ...header("features", options),
    cards: made,
    tokens: examples.map(({ example }) => Array.from({ length: width }, (_, i) => example.tokens[i] ?? "")),
    shares: examples.map(({ example, card }) => sharesOf(example, card.maxActivation, width)),
    ...(overview === undefined ? {} : { overview: overviewOf(overview) }),
    help,
  };
}

function checkExample({ tokens, values, center }: FeatureExampleData, feature: number): void {
  checkLength(`${where}: values of feature ${feature}`, values.length, tokens.length);
  if (center >= 0 && center < tokens.length) return;
  throw new InputError({
    where: `${where}: feature ${feature}`,
    got: `an example around token ${center}`,
    expected: `one of its ${tokens.length} tokens`,
    fix: "Count the tokens of an example from 0.",
  });
}

function sharesOf({ values, tokens }: FeatureExampleData, most: number, width: number): Cell[] {
  const share = (i: number): number => (most > 0 ? (values[i] ?? 0) / most : 0);
  return Array.from({ length: width }, (_, i) => (i < tokens.length ? encodeCell(share(i)) : "NaN"));
}

function binsOf({ counts, edges }: BinnedCounts): FeatureBins {
  return { counts: Array.from(counts), low: edges[0] ?? 0, high: edges[edges.length - 1] ?? 1 };
}

function cardOf(card: FeatureCardData, first: number): FeatureCard {
  const { index, density, meanActivation, maxActivation, activations, logits } = card;
  const { top = [], bottom = [], reads = [], alike = [], groups } = card;
  return {
    index,
    density: encodeCell(density),
    meanActivation: encodeCell(meanActivation),
    maxActivation: encodeCell(maxActivation),
    ...(activations === undefined ? {} : { activations: binsOf(activations) }),
    ...(logits === undefined ? {} : { logits: binsOf(logits) }),
    top,
    bottom,
    reads,
    alike,
    groups: groups.map(({ title, low, high, examples }) => ({
      title,
      low: encodeCell(low),
      high: encodeCell(high),
      peaks: examples.map(({ values, center }) => encodeCell(values[center] ?? Number.NaN)),
      centers: examples.map(({ center }) => center),
    })),
    first,
  };
}

function overviewOf({ density, maxActivation, tokens, labels = [] }: FeatureOverviewData): FeatureOverview {
  checkLength(`${where}: overview.maxActivation`, maxActivation.length, density.length);
  if (labels.length > 0) checkLength(`${where}: overview.labels`, labels.length, density.length);
  return {
    logDensity: Array.from(density, (one) => encodeCell(Math.log10(one))),
    maxActivation: Array.from(maxActivation, encodeCell),
    tokens,
    labels: [...labels],
  };
}

/** Returns the tokens of an example as text, the one in question in brackets. */
function exampleText(spec: FeaturesSpec, row: number, center: number): string {
  const tokens = (spec.tokens[row] ?? []).map((token, i) => (numberAt(spec.shares[row], i) >= 0 ? token : ""));
  return tokens.map((token, i) => (i === center ? `[${visibleToken(token)}]` : token.replace(/\s/g, " "))).join("");
}

function cardLines(spec: FeaturesSpec, card: FeatureCard): readonly string[] {
  const list = (tokens: readonly FeatureTokenValue[]): string =>
    tokens
      .slice(0, 5)
      .map(({ token, value }) => `${visibleToken(token)} ${formatNumber(value)}`)
      .join(", ");
  const [group] = card.groups;
  const examples = (group?.peaks ?? []).slice(0, 3).map((peak, i) => {
    const text = exampleText(spec, card.first + i, group?.centers[i] ?? 0);
    return `    ${formatNumber(Number(peak)).padStart(6)}  ${text}`;
  });
  return [
    `  feature ${card.index}: ${cardFacts(card)}`,
    ...(card.top.length > 0 ? [`    raises ${list(card.top)}`] : []),
    ...(card.bottom.length > 0 ? [`    lowers ${list(card.bottom)}`] : []),
    ...examples,
  ];
}

/** Cards written in full as text. */
const textCards = 5;

function table(spec: FeaturesSpec): TableData {
  const first = (tokens: readonly FeatureTokenValue[]): string =>
    tokens
      .slice(0, 5)
      .map(({ token }) => visibleToken(token))
      .join(" ");
  const rows = spec.cards.map((card) => [
    String(card.index),
    formatNumber(Number(card.density)),
    formatNumber(Number(card.maxActivation)),
    first(card.top),
    first(card.bottom),
  ]);
  return { columns: ["feature", "density", "maximum", "raises", "lowers"], rows };
}

/** How feature cards are drawn and said. */
export const featuresKind: ViewKind<FeaturesSpec> = {
  draw: (spec, { theme }) => drawFeatures(spec, theme),
  table,
  text: (spec) => [
    ...(spec.overview === undefined ? [] : [overviewFacts(spec.overview)]),
    ...spec.cards.slice(0, textCards).flatMap((card) => cardLines(spec, card)),
    ...(spec.cards.length > textCards ? [`  and ${spec.cards.length - textCards} more cards`] : []),
  ],
  summary: (spec) => {
    const [card] = spec.cards;
    const parts = [
      ...(spec.overview === undefined ? [] : [overviewFacts(spec.overview)]),
      ...(spec.cards.length > 1 ? [`cards of ${spec.cards.length} features`] : []),
      ...(card === undefined ? [] : [`feature ${card.index}: ${cardFacts(card)}`]),
    ];
    return parts.join("; ");
  },
};
