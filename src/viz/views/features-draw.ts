/** Parts of feature cards as drawings, for pictures and for the page. */
import { colorOf, cssColor, textColorOn } from "../color.js";
import { numberAt } from "../entries.js";
import {
  type Drawing,
  element,
  lineMark,
  type Mark,
  type Point,
  place,
  rectMark,
  round,
  textMark,
  textWidth,
} from "../marks.js";
import { formatNumber } from "../numbers.js";
import { drawPlane, layOutPlane, numberAxis, type Plane, type PlaneSpec } from "../plane.js";
import { seriesStyle } from "../series.js";
import type { Theme } from "../theme.js";
import { shorten, visibleToken } from "../token-text.js";
import {
  cardFacts,
  type FeatureBins,
  type FeatureCard,
  type FeatureOverview,
  type FeaturesSpec,
  type FeatureTokenValue,
  overviewFacts,
} from "./features-spec.js";

/** Width of pictures. */
const pictureWidth = 820;
/** Examples in a picture. */
const drawnExamples = 8;

/** Activations are coloured by their share of the feature's maximum. */
export const shareScale = { kind: "sequential", min: 0, max: 1 } as const;

/** Bars between two numbers, with a title. */
export function smallHistogram(bins: FeatureBins, title: string, theme: Theme): Drawing {
  const [width, height, top] = [300, 84, 20];
  const most = Math.max(1, ...bins.counts);
  const step = width / bins.counts.length;
  const fill = seriesStyle(0, 1, theme).color;
  const bars = bins.counts.flatMap((count, i) => {
    // Rare bins stay visible.
    const tall = count > 0 ? Math.max(1, (count / most) * height) : 0;
    const box = { x: i * step, y: top + height - tall, width: Math.max(1, step - 1), height: tall };
    return tall > 0 ? [rectMark(box, fill)] : [];
  });
  const foot = top + height;
  const zero = bins.low < 0 && bins.high > 0 ? ((0 - bins.low) / (bins.high - bins.low)) * width : undefined;
  const style = { size: 11, fill: "quiet" } as const;
  const marks: Mark[] = [
    textMark(0, 12, title, { bold: true }),
    ...bars,
    lineMark([0, foot], [width, foot], "quiet"),
    ...(zero === undefined ? [] : [lineMark([zero, top], [zero, foot], "rule")]),
    textMark(0, foot + 14, formatNumber(bins.low), style),
    textMark(width, foot + 14, formatNumber(bins.high), { ...style, anchor: "end" }),
  ];
  return { width: width + 2, height: foot + 20, marks };
}

/** The map of features: where each lies, and its drawing. */
export interface OverviewDrawing {
  readonly drawing: Drawing;
  readonly plane: Plane;
  /** Of each feature; NaN for those that never fired. */
  readonly places: readonly Point[];
}

/** Draws density against the greatest activation, both logarithmic. */
export function drawOverview({ logDensity, maxActivation }: FeatureOverview, theme: Theme): OverviewDrawing {
  const xs = logDensity.map((one) => 10 ** Number(one));
  const ys = maxActivation.map(Number);
  const alive = xs.flatMap((x, i) => (x > 0 && numberAt(maxActivation, i) > 0 ? [i] : []));
  const axis = (name: string, values: readonly number[]) =>
    numberAxis("viz.features", alive.length === 0 ? [1] : alive.map((i) => values[i] ?? 1), {
      name,
      log: true,
      defaultName: "",
      ends: "padded",
    });
  const spec: PlaneSpec = { x: axis("density: fraction of tokens", xs), y: axis("greatest activation", ys) };
  const plane = layOutPlane(spec, 560, 260);
  const isAlive = new Set(alive);
  const places = xs.map(
    (x, i): Point => (isAlive.has(i) ? [plane.x.at(x), plane.y.at(ys[i] ?? 1)] : [Number.NaN, Number.NaN]),
  );
  // One path for all points, however many: each a line of length 0 with round ends.
  const d = alive.map((i) => `M${round(places[i]?.[0] ?? 0)},${round(places[i]?.[1] ?? 0)}h0`).join("");
  const stroke = { stroke: seriesStyle(0, 1, theme).color, "stroke-width": 4.5, "stroke-linecap": "round" } as const;
  const points = element("path", { d, fill: "none", "stroke-opacity": alive.length > 500 ? 0.45 : 0.8, ...stroke });
  const marks = [...drawPlane(spec, plane), ...(alive.length > 0 ? [points] : [])];
  return { drawing: { width: plane.width, height: plane.height, marks }, plane, places };
}

/** Tokens in a column, the numbers on their right. */
function drawTokens(tokens: readonly FeatureTokenValue[], title: string): Drawing {
  if (tokens.length === 0) return { width: 0, height: 0, marks: [] };
  const rows = tokens.slice(0, 6).flatMap(({ token, value }, i) => {
    const y = 32 + i * 17;
    return [
      textMark(0, y, shorten(visibleToken(token), 14), { mono: true }),
      textMark(150, y, formatNumber(value), { anchor: "end", fill: "quiet" }),
    ];
  });
  return {
    width: 174,
    height: 36 + Math.min(6, tokens.length) * 17,
    marks: [textMark(0, 12, title, { bold: true }), ...rows],
  };
}

/** An example of a card in a picture. */
interface ExampleLine {
  readonly row: number;
  readonly center: number;
  readonly peak: number;
}

const lineSize = 13;

/** Tokens `[from, to)` around the one in question, as many as fit. */
function fitting(widths: readonly number[], center: number, limit: number): readonly [from: number, to: number] {
  let [from, to, used] = [center, center + 1, widths[center] ?? 0];
  const take = (at: number): boolean => {
    const width = widths[at] ?? 0;
    if (width === 0 || used + width > limit) return false;
    used += width;
    return true;
  };
  let [isOpenLeft, isOpenRight] = [true, true];
  while (isOpenLeft || isOpenRight) {
    isOpenLeft &&= take(from - 1);
    if (isOpenLeft) from -= 1;
    isOpenRight &&= take(to);
    if (isOpenRight) to += 1;
  }
  return [from, to];
}

/** An example in one line around its token, as far as it fits. */
function drawExample(spec: FeaturesSpec, { row, center, peak }: ExampleLine, theme: Theme): readonly Mark[] {
  const tokens = spec.tokens[row] ?? [];
  const share = (i: number): number => numberAt(spec.shares[row], i);
  const widths = tokens.map((token, i) => (share(i) >= 0 ? textWidth(visibleToken(token), lineSize, true) + 3 : 0));
  const [from, to] = fitting(widths, center, pictureWidth - 70);
  const marks: Mark[] = [textMark(54, 16, formatNumber(peak), { anchor: "end", fill: "quiet", size: 12 })];
  let x = 64;
  for (let i = from; i < to; i++) {
    const color = colorOf(share(i), shareScale, theme);
    const width = widths[i] ?? 0;
    if (share(i) > 0) marks.push(rectMark({ x, y: 2, width: width - 1, height: 19 }, cssColor(color), 3));
    const fill = share(i) > 0 ? textColorOn(color) : "ink";
    marks.push(
      textMark(x + 1, 16, visibleToken(tokens[i] ?? ""), { size: lineSize, mono: true, fill, bold: i === center }),
    );
    x += width;
  }
  return marks;
}

/** Draws a card: facts, histograms, tokens, the greatest examples. */
export function drawCard(spec: FeaturesSpec, card: FeatureCard, theme: Theme): Drawing {
  const marks: Mark[] = [
    textMark(0, 14, `Feature ${card.index}`, { bold: true, size: 14 }),
    textMark(0, 34, cardFacts(card), { fill: "quiet" }),
  ];
  let [x, y, tall] = [0, 48, 0];
  const put = (drawing: Drawing): void => {
    if (drawing.width === 0) return;
    if (x > 0 && x + drawing.width > pictureWidth) [x, y, tall] = [0, y + tall + 12, 0];
    marks.push(place(drawing, x, y));
    [x, tall] = [x + drawing.width + 36, Math.max(tall, drawing.height)];
  };
  if (card.activations !== undefined) put(smallHistogram(card.activations, "Activations", theme));
  if (card.logits !== undefined) put(smallHistogram(card.logits, "Logits of all tokens", theme));
  put(drawTokens(card.top, "Raises"));
  put(drawTokens(card.bottom, "Lowers"));
  put(drawTokens(card.reads, "Reads"));
  y += tall + (tall > 0 ? 16 : 0);
  const [group] = card.groups;
  (group?.peaks ?? []).slice(0, drawnExamples).forEach((peak, i) => {
    const line = { row: card.first + i, center: group?.centers[i] ?? 0, peak: Number(peak) };
    marks.push(place({ marks: drawExample(spec, line, theme) }, 0, y));
    y += 24;
  });
  return { width: pictureWidth, height: y, marks };
}

/** Draws the map of features where there is one, and the first card. */
export function drawFeatures(spec: FeaturesSpec, theme: Theme): Drawing {
  const marks: Mark[] = [];
  let [y, width] = [0, 0];
  const put = (drawing: Drawing): void => {
    marks.push(place(drawing, 0, y));
    [y, width] = [y + drawing.height + 14, Math.max(width, drawing.width)];
  };
  if (spec.overview !== undefined) {
    const facts = overviewFacts(spec.overview);
    put({ width: textWidth(facts, 12), height: 10, marks: [textMark(0, 12, facts, { fill: "quiet" })] });
    put(drawOverview(spec.overview, theme).drawing);
  }
  const [card] = spec.cards;
  if (card !== undefined) put(drawCard(spec, card, theme));
  const rest = spec.cards.length - 1;
  if (rest > 0) put({ width: 0, height: 14, marks: [textMark(0, 12, `and ${rest} more cards`, { fill: "quiet" })] });
  return { width, height: Math.max(0, y - 14), marks };
}
