/** Running text coloured by how surprising each token was, with what the model expected in its place. */
import { InputError, ShapeError } from "../../core/index.js";
import { checkedScale, nothingToDraw } from "../checks.js";
import { colorTable, type Rgb } from "../color.js";
import { largestLines, numberAt } from "../entries.js";
import { drawFlow, flowBoxes, flowSize } from "../flow.js";
import type { DrawContext, TableData, ViewKind } from "../kind.js";
import { horizontalLegend } from "../legend.js";
import { type Box, type Drawing, element, type Mark, place, round, textWidth } from "../marks.js";
import { encodeCell, formatNumber } from "../numbers.js";
import { type Cell, type ColorScale, header, type ViewHeader, type ViewOptions } from "../spec.js";
import { shorten, visibleToken } from "../token-text.js";

const where = "viz.tokenLogProbs";
const textLineWidth = 820;
const captionSize = 10;

/** A token that might have come, and how likely it was. */
export interface TokenAlternative {
  readonly token: string;
  /** Log-probability in nats: natural logarithm, at most 0. */
  readonly logProb: number;
}

/** What a model expected at one position. */
export interface TokenPrediction {
  /** Log-probability of the token that came, in nats; absent after the last token. */
  readonly logProb?: number;
  /** Place of the token that came among all tokens of the vocabulary, 1 for the most likely; absent when not known. */
  readonly rank?: number;
  /** The most likely tokens, best first. */
  readonly top: readonly TokenAlternative[];
}

/** What the colours of the tokens stand for. */
export type SurprisalMeasure = "probability" | "surprisal";

/** Tokens with the log-probability of each and the alternatives to it. */
export interface TokenLogProbsSpec extends ViewHeader {
  readonly view: "tokenLogProbs";
  readonly tokens: readonly string[];
  /**
   * `[prediction]`: of the token after the prediction's position, in nats. One prediction less than tokens, or as many:
   * then the last one, NaN here, is what the model expects next.
   */
  readonly logProbs: readonly Cell[];
  /** `[prediction]`: 1 for the most likely token, 0 when not known. */
  readonly ranks: readonly number[];
  /** `[prediction, rank]`: the most likely tokens, best first. */
  readonly topTokens: readonly (readonly string[])[];
  /** `[prediction, rank]`, nats. */
  readonly topLogProbs: readonly (readonly Cell[])[];
  /** Of surprisal, nats. */
  readonly color: ColorScale;
  /** Whether the value is also written under each token. */
  readonly showValues: boolean;
}

/** Options of `viz.tokenLogProbs`. */
export interface TokenLogProbsOptions extends ViewOptions {
  /** Alternatives kept at each position; default 10. */
  readonly topK?: number;
  /** Surprisals drawn in the end colours, nats; default: from 0 to the largest. */
  readonly range?: readonly [number, number];
  /** Whether values are written under their tokens; default: up to 40 tokens. */
  readonly showValues?: boolean;
}

/** Returns the spec of token log-probabilities; see `viz.tokenLogProbs`. */
export function tokenLogProbsSpec(
  tokens: readonly string[],
  predictions: readonly TokenPrediction[],
  options: TokenLogProbsOptions,
): TokenLogProbsSpec {
  if (tokens.length === 0 || predictions.length === 0) throw nothingToDraw(where);
  checkCount(predictions.length, tokens.length);
  const topK = checkedTopK(where, options.topK ?? 10);
  const checked = predictions.map((prediction, i) => checkedPrediction(prediction, i, tokens[i + 1]));
  const kept = checked.map(({ top }) => top.slice(0, topK));
  const surprisals = checked.map(({ logProb = Number.NaN }) => 0 - logProb);
  const { showValues = tokens.length <= 40 } = options;
  return {
    ...header("tokenLogProbs", { title: "Token log-probabilities", ...options }),
    tokens: [...tokens],
    logProbs: checked.map(({ logProb = Number.NaN }) => toCell(logProb)),
    ranks: checked.map((prediction, i) => rankOf(prediction, tokens[i + 1])),
    topTokens: kept.map((top) => top.map(({ token }) => token)),
    topLogProbs: kept.map((top) => top.map(({ logProb }) => toCell(logProb))),
    color: checkedScale(where, [0, ...surprisals], { ...options, scale: "sequential" }),
    showValues,
  };
}

/** JSON has no -0. */
function toCell(logProb: number): Cell {
  return encodeCell(logProb + 0);
}

function checkCount(predictions: number, tokens: number): void {
  if (predictions === tokens || predictions === tokens - 1) return;
  throw new ShapeError({
    where: `${where}: logProbs`,
    got: `length ${predictions}`,
    expected: `length ${tokens - 1}, or ${tokens} with what comes next`,
    fix: "Give the prediction made at each position: the first is about the second token.",
  });
}

/** Returns `topK` when it is a count. */
export function checkedTopK(place: string, topK: number): number {
  if (Number.isInteger(topK) && topK >= 0) return topK;
  const fix = "Choose how many alternatives to keep at each position.";
  throw new InputError({ where: `${place}: topK`, got: String(topK), expected: "a whole number from 0", fix });
}

/** Refuses probabilities given as log-probabilities, alternatives out of order, and a token without its value. */
function checkedPrediction(prediction: TokenPrediction, i: number, came: string | undefined): TokenPrediction {
  const place = `${where}: logProbs[${i}]`;
  const { logProb, top } = prediction;
  if (came !== undefined && logProb === undefined) {
    const fix = "Only what comes after the last token is not known.";
    throw new InputError({ where: place, got: "no logProb", expected: `that of ${JSON.stringify(came)}`, fix });
  }
  const all = [...(logProb === undefined ? [] : [logProb]), ...top.map((alternative) => alternative.logProb)];
  const positive = all.find((value) => value > 1e-4);
  if (positive !== undefined) {
    const fix = "Give log-probabilities; viz.tokenPredictions makes them from logits.";
    throw new InputError({ where: place, got: formatNumber(positive), expected: "natural logarithms, at most 0", fix });
  }
  const unsorted = top.findIndex((alternative, rank) => alternative.logProb > (top[rank - 1]?.logProb ?? 1));
  if (unsorted >= 0) {
    const got = `${formatNumber(top[unsorted]?.logProb ?? 0)} after ${formatNumber(top[unsorted - 1]?.logProb ?? 0)}`;
    throw new InputError({ where: `${place}.top[${unsorted}]`, got, expected: "the best first", fix: "Sort them." });
  }
  return prediction;
}

/** The given rank, else the place among the alternatives. */
function rankOf({ rank, top }: TokenPrediction, came: string | undefined): number {
  if (came === undefined) return 0;
  return rank ?? top.findIndex(({ token }) => token === came) + 1;
}

/** Stands where the token to come would. */
const nextToken = "?";

/** Returns the tokens as they are drawn: with `?` after the last one when it was predicted. */
export function drawnTokens(spec: TokenLogProbsSpec): readonly string[] {
  return hasNext(spec) ? [...spec.tokens, nextToken] : spec.tokens;
}

/** Tells whether the spec says what the model expects after the last token. */
export function hasNext(spec: TokenLogProbsSpec): boolean {
  return spec.logProbs.length === spec.tokens.length;
}

/** Returns the log-probability of a token; NaN for the first one and for the one to come. */
export function logProbOf(spec: TokenLogProbsSpec, token: number): number {
  return token === 0 ? Number.NaN : numberAt(spec.logProbs, token - 1);
}

/** Tells whether a token was predicted at all: not the first one, nor the one to come. */
export function isPredicted(spec: TokenLogProbsSpec, token: number): boolean {
  return token > 0 && token < spec.tokens.length;
}

/** Returns a probability as percent: `62.1%`, `<0.01%`. */
export function percent(logProb: number): string {
  const value = 100 * Math.exp(logProb);
  if (Number.isNaN(value)) return "NaN";
  if (value > 0 && value < 0.01) return "<0.01%";
  return `${value >= 9.995 ? value.toFixed(1) : value.toFixed(2)}%`.replace(/\.0+%/, "%");
}

/** Returns the boxes of {@link drawnTokens}. */
export function flowLogProbs(spec: TokenLogProbsSpec): readonly Box[] {
  const caption = (i: number): number => textWidth(captionOf(spec, i), captionSize) + 4;
  return flowBoxes(drawnTokens(spec), {
    width: textLineWidth,
    lineHeight: lineHeightOf(spec),
    ...(spec.showValues ? { least: caption } : {}),
  });
}

function captionOf(spec: TokenLogProbsSpec, token: number): string {
  return isPredicted(spec, token) ? percent(logProbOf(spec, token)) : "";
}

function lineHeightOf(spec: TokenLogProbsSpec): number {
  return spec.showValues ? 40 : 27;
}

/** Returns the coloured text and its colour bar. */
export function drawLogProbs(spec: TokenLogProbsSpec, { theme, measure }: DrawChoice): Drawing {
  const boxes = flowLogProbs(spec);
  const color = measure === "surprisal" ? spec.color : probabilityScale;
  const colors = colorTable(color, theme);
  const fill = (token: number): Rgb | undefined => {
    const logProb = logProbOf(spec, token);
    if (!isPredicted(spec, token)) return undefined;
    return colors(measure === "surprisal" ? -logProb : Math.exp(logProb));
  };
  const plain = boxes.flatMap((box, i) => (fill(i) === undefined ? [frameOf(box)] : []));
  const legend = horizontalLegend({ color, unit: measure === "surprisal" ? "surprisal, nats" : measure, theme });
  const size = flowSize(boxes);
  const top = size.height + (spec.showValues ? 16 : 0) + 12;
  return {
    width: Math.max(size.width, legend.width),
    height: top + legend.height,
    marks: [...plain, ...drawFlow(drawnTokens(spec), boxes, fill), ...captions(spec, boxes), place(legend, 0, top)],
  };
}

/** What is drawn besides the spec. */
export type DrawChoice = Pick<DrawContext, "theme"> & { readonly measure: SurprisalMeasure };

const probabilityScale: ColorScale = { kind: "sequential", min: 0, max: 1 };

/** Tokens that were not predicted have a frame in place of a colour. */
function frameOf({ x, y, width, height }: Box): Mark {
  const size = { x: x + 0.5, y: y + 0.5, width: round(width - 1), height: height - 1 };
  return element("rect", { ...size, rx: 3, fill: "none", stroke: "rule" });
}

function captions(spec: TokenLogProbsSpec, boxes: readonly Box[]): readonly Mark[] {
  if (!spec.showValues) return [];
  const texts = boxes.flatMap((box, i) => {
    const caption = captionOf(spec, i);
    return caption === "" ? [] : [element("text", { x: round(box.x + box.width / 2), y: box.y + 32 }, [caption])];
  });
  return [element("g", { "font-size": captionSize, "text-anchor": "middle", fill: "quiet" }, texts)];
}

/** Returns a prediction's alternatives as they are written: rank and token, probability and log-probability. */
export function alternativeRows(spec: TokenLogProbsSpec, token: number): readonly (readonly [string, string])[] {
  const [i, came] = [token - 1, spec.tokens[token]];
  const rank = spec.ranks[i] ?? 0;
  const names = spec.topTokens[i] ?? [];
  // Tokens of different ids may share a text: where the rank is known, it decides.
  const isIt = (name: string, at: number): boolean =>
    came !== undefined && (rank > 0 ? at + 1 === rank : name === came && names.indexOf(name) === at);
  const line = (at: string, name: string, isTrue: boolean, logProb: number): readonly [string, string] => [
    `${at} ${shorten(visibleToken(name), 24)}${isTrue ? " ◀ came" : ""}`,
    `${column(percent(logProb))}${column(formatNumber(logProb))}`,
  ];
  const rows = names.map((name, at) => line(String(at + 1), name, isIt(name, at), numberAt(spec.topLogProbs[i], at)));
  if (came === undefined || i < 0 || names.some(isIt)) return rows;
  return [...rows, line(rank > 0 ? String(rank) : `>${names.length}`, came, true, logProbOf(spec, token))];
}

/** Figures of different lengths stand below each other: spaces as wide as a figure, which no page collapses. */
function column(text: string): string {
  return text.padStart(8, "\u2007");
}

interface Surprise {
  readonly token: number;
  readonly surprisal: number;
}

function surprises(spec: TokenLogProbsSpec): readonly Surprise[] {
  return spec.tokens.slice(1).map((_, i) => ({ token: i + 1, surprisal: -logProbOf(spec, i + 1) }));
}

function overview(spec: TokenLogProbsSpec): string {
  const all = surprises(spec);
  const mean = all.reduce((sum, { surprisal }) => sum + surprisal, 0) / all.length;
  const first = spec.ranks.filter((rank) => rank === 1).length;
  const loss = `; mean ${formatNumber(mean)} nats, perplexity ${formatNumber(Math.exp(mean))}`;
  const next = hasNext(spec) ? nextText(spec) : "";
  const seen = all.length === 0 ? "" : `${loss}; the best guess came ${first} of ${all.length} times`;
  return `${countText(spec.tokens.length)}${seen}${next}`;
}

function countText(count: number): string {
  return `${count} token${count === 1 ? "" : "s"}`;
}

function nextText(spec: TokenLogProbsSpec): string {
  const i = spec.tokens.length - 1;
  const [best] = spec.topTokens[i] ?? [];
  return best === undefined ? "" : `; next “${visibleToken(best)}” ${percent(numberAt(spec.topLogProbs[i], 0))}`;
}

/** `4 “·John”, rank 137, expected “·Mary” 62%`. */
function surpriseText(spec: TokenLogProbsSpec, token: number): string {
  const i = token - 1;
  const [rank, best] = [spec.ranks[i] ?? 0, spec.topTokens[i]?.[0]];
  const own = `${token} “${visibleToken(spec.tokens[token] ?? "")}”`;
  const parts = [own, ...(rank > 0 ? [`rank ${rank}`] : [])];
  if (best === undefined || rank === 1) return parts.join(", ");
  return [...parts, `expected “${visibleToken(best)}” ${percent(numberAt(spec.topLogProbs[i], 0))}`].join(", ");
}

function text(spec: TokenLogProbsSpec): readonly string[] {
  const entries = surprises(spec).map(({ token, surprisal }) => ({
    where: surpriseText(spec, token),
    value: surprisal,
  }));
  return [overview(spec), ...largestLines(entries)];
}

function summary(spec: TokenLogProbsSpec): string {
  const finite = surprises(spec).filter(({ surprisal }) => !Number.isNaN(surprisal));
  const [most] = finite.sort((a, b) => b.surprisal - a.surprisal);
  if (most === undefined) return overview(spec);
  return `${overview(spec)}; most surprising ${surpriseText(spec, most.token)}: ${formatNumber(most.surprisal)} nats`;
}

function table(spec: TokenLogProbsSpec): TableData {
  const rows = drawnTokens(spec).map((token, i) => {
    const logProb = logProbOf(spec, i);
    const rank = spec.ranks[i - 1] ?? 0;
    const top = spec.topTokens[i - 1] ?? [];
    const expected = top.map((name, at) => `${visibleToken(name)} ${percent(numberAt(spec.topLogProbs[i - 1], at))}`);
    const numbers = isPredicted(spec, i) ? [formatNumber(logProb), percent(logProb)] : ["", ""];
    return [String(i), visibleToken(token), ...numbers, rank > 0 ? String(rank) : "", expected.join(", ")];
  });
  return { columns: ["position", "token", "log-prob", "probability", "rank", "expected"], rows };
}

/** How token log-probabilities are drawn and said. */
export const tokenLogProbsKind: ViewKind<TokenLogProbsSpec> = {
  draw: (spec, { theme }) => drawLogProbs(spec, { theme, measure: "surprisal" }),
  text,
  summary,
  table,
};
