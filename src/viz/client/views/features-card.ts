/** One card: facts, histograms, tokens, and examples whose tokens can be pointed at. */
import { type Selection, select } from "d3-selection";
import { colorOf, cssColor, textColorOn } from "../../color.js";
import { numberAt } from "../../entries.js";
import { formatNumber } from "../../numbers.js";
import type { Theme } from "../../theme.js";
import { visibleToken } from "../../token-text.js";
import { shareScale, smallHistogram } from "../../views/features-draw.js";
import {
  cardFacts,
  type FeatureBins,
  type FeatureCard,
  type FeaturesSpec,
  type FeatureTokenValue,
} from "../../views/features-spec.js";
import { createStage } from "../mount.js";
import { createTooltip, type Tooltip } from "../tooltip.js";

/** What a card is filled from. */
export interface CardInput {
  readonly spec: FeaturesSpec;
  readonly card: FeatureCard;
  readonly theme: Theme;
  readonly choose: (feature: number) => void;
}

type Place = Selection<HTMLElement, unknown, null, undefined>;

/** Examples of a group that are shown before the rest is asked for. */
const shownExamples = 8;

/** Fills an empty place with a card. */
export function fillCard(input: CardInput, place: HTMLElement): void {
  const { spec, card } = input;
  const root = select(place);
  root.append("h4").text(`Feature ${card.index}`);
  root.append("p").text(cardFacts(card));
  const parts = root.append<HTMLElement>("div").attr("class", "parts");
  if (card.activations !== undefined) addHistogram(parts, card.activations, "Activations", input.theme);
  if (card.logits !== undefined) addHistogram(parts, card.logits, "Logits of all tokens", input.theme);
  addTokens(parts, "Raises", card.top);
  addTokens(parts, "Lowers", card.bottom);
  addTokens(parts, "Reads", card.reads);
  addAlike(parts, input);
  const examples = root.append<HTMLElement>("div").attr("class", "examples");
  const tooltip = createTooltip(examples.node() as HTMLElement, 0);
  let first = card.first;
  card.groups.forEach((_, g) => {
    addGroup(examples, input, { g, first, tooltip });
    first += card.groups[g]?.peaks.length ?? 0;
  });
  if (spec.help !== "") root.append("p").attr("class", "help").text(spec.help);
}

function addHistogram(parts: Place, bins: FeatureBins, title: string, theme: Theme): void {
  const drawing = smallHistogram(bins, title, theme);
  const total = bins.counts.reduce((sum, count) => sum + count, 0);
  const label = `${title}: ${total} values from ${formatNumber(bins.low)} to ${formatNumber(bins.high)}`;
  const place = parts.append("div").attr("class", "area small").attr("role", "img").attr("aria-label", label);
  createStage(place.node() as HTMLElement).draw(drawing, theme);
}

function addTokens(parts: Place, title: string, tokens: readonly FeatureTokenValue[]): void {
  if (tokens.length === 0) return;
  const table = parts.append("table").attr("class", "words");
  table.append("caption").text(title);
  for (const { token, value } of tokens) {
    const row = table.append("tr");
    row.append("td").attr("class", "token").text(visibleToken(token));
    row.append("td").attr("class", "number").text(formatNumber(value));
  }
}

/** Features alike; those with a card are buttons. */
function addAlike(parts: Place, { spec, card, choose }: CardInput): void {
  if (card.alike.length === 0) return;
  const table = parts.append("table").attr("class", "words");
  table.append("caption").text("Alike (cosine)");
  const known = new Set(spec.cards.map(({ index }) => index));
  for (const { feature, cosine } of card.alike) {
    const row = table.append("tr");
    const cell = row.append("td");
    if (known.has(feature))
      cell
        .append("button")
        .attr("type", "button")
        .text(String(feature))
        .on("click", () => choose(feature));
    else cell.text(String(feature));
    row.append("td").attr("class", "number").text(cosine.toFixed(2));
  }
}

interface GroupPlace {
  readonly g: number;
  /** The group's first row among all examples. */
  readonly first: number;
  readonly tooltip: Tooltip;
}

function addGroup(examples: Place, input: CardInput, { g, first, tooltip }: GroupPlace): void {
  const group = input.card.groups[g];
  if (group === undefined) return;
  const range = `${formatNumber(Number(group.low))} to ${formatNumber(Number(group.high))}`;
  const heading = examples.append("h5").text(group.title);
  heading.append("span").text(range);
  const show = (from: number, to: number): void => {
    for (let i = from; i < Math.min(to, group.peaks.length); i++) {
      const about = { row: first + i, center: group.centers[i] ?? 0, peak: Number(group.peaks[i] ?? "NaN") };
      addExample(list, input, { ...about, tooltip });
    }
  };
  const list = examples.append<HTMLElement>("div").attr("role", "list");
  show(0, shownExamples);
  const more = group.peaks.length - shownExamples;
  if (more <= 0) return;
  const button = examples.append("button").attr("type", "button").text(`${more} more`);
  button.on("click", () => {
    show(shownExamples, group.peaks.length);
    button.remove();
  });
}

interface ExamplePlace {
  readonly row: number;
  readonly center: number;
  readonly peak: number;
  readonly tooltip: Tooltip;
}

/** A line of tokens; arrow keys go through them when it has the focus. */
function addExample(list: Place, { spec, card, theme }: CardInput, { row, center, peak, tooltip }: ExamplePlace): void {
  const line = list.append<HTMLElement>("div").attr("class", "example").attr("tabindex", 0);
  const words = (spec.tokens[row] ?? []).filter((_, i) => numberAt(spec.shares[row], i) >= 0);
  line
    .attr("role", "listitem")
    .attr("aria-label", `${formatNumber(peak)} at ${visibleToken(words[center] ?? "")}: ${words.join("")}`);
  line.append("span").attr("class", "peak").text(formatNumber(peak));
  const text = line.append("span").attr("class", "text");
  const tokens = words.map((token, i) => {
    const share = numberAt(spec.shares[row], i);
    const box = text
      .append("span")
      .attr("class", i === center ? "token at" : "token")
      .text(visibleToken(token));
    if (token.includes("\n")) text.append("br");
    if (share > 0) {
      const color = colorOf(share, shareScale, theme);
      box.style("background", cssColor(color)).style("color", textColorOn(color));
    }
    const node = box.node() as HTMLElement;
    const tip = {
      title: `“${visibleToken(token)}”`,
      rows: [["activation", formatNumber(share * Number(card.maxActivation))]] as const,
    };
    box.on("pointerenter", () => tooltip.show(tip, boxIn(node, list.node()?.parentElement ?? node)));
    return { node, tip };
  });
  line.on("pointerleave blur", () => tooltip.hide());
  let at = center;
  line.on("keydown", (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    at = Math.min(tokens.length - 1, Math.max(0, at + step));
    const token = tokens[at];
    if (token !== undefined) tooltip.show(token.tip, boxIn(token.node, list.node()?.parentElement ?? token.node));
  });
}

/** Where an element lies inside another. */
function boxIn(node: HTMLElement, outer: HTMLElement) {
  const [own, frame] = [node.getBoundingClientRect(), outer.getBoundingClientRect()];
  return { x: own.left - frame.left, y: own.top - frame.top, width: own.width, height: own.height };
}
