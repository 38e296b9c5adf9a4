/** Running text with one coloured box a token; several channels of values are drawn one below the other. */
import { checkedScale, checkLength, nothingToDraw } from "../checks.js";
import { type ColorOptions, colorOf, cssColor, textColorOn } from "../color.js";
import { type Entry, largestLines, largestText, numberAt, rangeText } from "../entries.js";
import type { DrawContext, TableData, ViewKind } from "../kind.js";
import { horizontalLegend } from "../legend.js";
import { type Box, type Drawing, type Mark, place, rectMark, textMark, textWidth } from "../marks.js";
import { encodeCell, formatNumber } from "../numbers.js";
import { type Cell, type ColorScale, header, type ViewHeader, type ViewOptions } from "../spec.js";
import type { Theme } from "../theme.js";
import { visibleToken } from "../token-text.js";

const lineWidth = 820;
const fontSize = 14;
/** Pictures show at most this many channels; the interactive view offers them all. */
const drawnChannels = 4;

/** One value a token. */
export interface TokenChannel {
  /** Empty when there is only one. */
  readonly name: string;
  readonly values: readonly Cell[];
  readonly color: ColorScale;
}

/** Running text whose tokens are coloured by values. */
export interface TokensSpec extends ViewHeader {
  readonly view: "tokens";
  readonly tokens: readonly string[];
  readonly channels: readonly TokenChannel[];
  readonly unit: string;
  /** Whether each value is also written under its token. */
  readonly showValues: boolean;
}

/** Values of `viz.tokens`: one a token, or several lists by name. */
export type TokenValues = ArrayLike<number> | Readonly<Record<string, ArrayLike<number>>>;

/** Options of `viz.tokens`. */
export interface TokensOptions extends ViewOptions, ColorOptions {
  readonly unit?: string;
  /** Whether values are written under their tokens; default: up to 40 tokens. */
  readonly showValues?: boolean;
  /** `all`: channels share one colour scale; default `each` has its own. */
  readonly scaleBy?: "all" | "each";
}

/** Returns the spec of coloured tokens; see `viz.tokens`. */
export function tokensSpec(tokens: readonly string[], values: TokenValues, options: TokensOptions): TokensSpec {
  const where = "viz.tokens";
  const lists = isList(values) ? [["", values] as const] : Object.entries(values);
  if (tokens.length === 0 || lists.length === 0) throw nothingToDraw(where);
  for (const [name, list] of lists) {
    checkLength(`${where}: values${name === "" ? "" : `.${name}`}`, list.length, tokens.length);
  }
  const everything = lists.flatMap(([, list]) => Array.from(list));
  const channels = lists.map(([name, list]) => {
    const color = checkedScale(where, options.scaleBy === "all" ? everything : Array.from(list), options);
    return { name, values: Array.from(list, encodeCell), color };
  });
  const { unit = "", showValues = tokens.length <= 40 } = options;
  return { ...header("tokens", options), tokens: [...tokens], channels, unit, showValues };
}

function isList(values: TokenValues): values is ArrayLike<number> {
  return "length" in values && typeof values.length === "number";
}

/** Returns the boxes of the tokens in running text; a newline token also breaks the line. */
export function flowTokens(spec: TokensSpec, channel: TokenChannel): readonly Box[] {
  const lineHeight = lineHeightOf(spec);
  let [x, y] = [0, 0];
  return spec.tokens.map((token, i) => {
    const caption = spec.showValues ? textWidth(formatNumber(numberAt(channel.values, i)), 10) : 0;
    const width = Math.max(textWidth(visibleToken(token), fontSize, true) + 6, caption + 4);
    if (x > 0 && x + width > lineWidth) [x, y] = [0, y + lineHeight];
    const box = { x, y, width, height: 24 };
    x += width + 2;
    if (token.endsWith("\n")) [x, y] = [0, y + lineHeight];
    return box;
  });
}

function lineHeightOf(spec: TokensSpec): number {
  return spec.showValues ? 44 : 30;
}

/** Returns one channel: the text and its colour bar. */
export function drawChannel(spec: TokensSpec, channel: TokenChannel, theme: Theme): Drawing {
  const boxes = flowTokens(spec, channel);
  const marks = boxes.flatMap((box, i) => drawToken(spec, { box, i, channel, theme }));
  const bottom = Math.max(0, ...boxes.map((box) => box.y)) + lineHeightOf(spec);
  const legend = horizontalLegend({ color: channel.color, unit: spec.unit, theme });
  const width = Math.max(legend.width, ...boxes.map((box) => box.x + box.width));
  return { width, height: bottom + 6 + legend.height, marks: [...marks, place(legend, 0, bottom + 6)] };
}

interface TokenPlace {
  readonly box: Box;
  readonly i: number;
  readonly channel: TokenChannel;
  readonly theme: Theme;
}

function drawToken(spec: TokensSpec, { box, i, channel, theme }: TokenPlace): readonly Mark[] {
  const value = numberAt(channel.values, i);
  const color = colorOf(value, channel.color, theme);
  const middle = box.x + box.width / 2;
  const style = { size: fontSize, mono: true, anchor: "middle", fill: textColorOn(color) } as const;
  const token = [
    rectMark(box, cssColor(color), 3),
    textMark(middle, box.y + 17, visibleToken(spec.tokens[i] ?? ""), style),
  ];
  if (!spec.showValues) return token;
  const caption = { size: 10, anchor: "middle", fill: "quiet" } as const;
  return [...token, textMark(middle, box.y + 36, formatNumber(value), caption)];
}

function draw(spec: TokensSpec, { theme }: DrawContext): Drawing {
  const marks: Mark[] = [];
  let [y, width] = [0, 0];
  for (const channel of spec.channels.slice(0, drawnChannels)) {
    if (y > 0) y += 20;
    if (channel.name !== "") {
      marks.push(textMark(0, y + 12, channel.name, { bold: true }));
      y += 20;
    }
    const drawing = drawChannel(spec, channel, theme);
    marks.push(place(drawing, 0, y));
    [y, width] = [y + drawing.height, Math.max(width, drawing.width)];
  }
  const hidden = spec.channels.slice(drawnChannels).map((channel) => channel.name);
  if (hidden.length === 0) return { width, height: y, marks };
  const line = textMark(0, y + 24, `not drawn here: ${hidden.length} more channels`, { fill: "quiet" });
  return { width, height: y + 30, marks: [...marks, line] };
}

function entriesOf(spec: TokensSpec, channel: TokenChannel): readonly Entry[] {
  return spec.tokens.map((token, i) => ({
    where: `${i} “${visibleToken(token)}”`,
    value: numberAt(channel.values, i),
  }));
}

function channelText(spec: TokensSpec, channel: TokenChannel): { range: string; entries: readonly Entry[] } {
  const entries = entriesOf(spec, channel);
  const range = rangeText(
    entries.map((entry) => entry.value),
    spec.unit,
  );
  return { range: channel.name === "" ? range : `${channel.name} ${range}`, entries };
}

function table(spec: TokensSpec): TableData {
  const names = spec.channels.map(({ name }) => (name === "" ? spec.unit || "value" : name));
  const rows = spec.tokens.map((token, i) => [
    String(i),
    visibleToken(token),
    ...spec.channels.map((channel) => formatNumber(numberAt(channel.values, i))),
  ]);
  return { columns: ["position", "token", ...names], rows };
}

/** How coloured tokens are drawn and said. */
export const tokensKind: ViewKind<TokensSpec> = {
  draw,
  table,
  text: (spec) => {
    const parts = spec.channels.map((channel) => channelText(spec, channel));
    const [first, ...others] = parts.map(({ range, entries }) => [range, ...largestLines(entries)]);
    const [range = "", ...lines] = first ?? [];
    return [`${spec.tokens.length} tokens; ${range}`, ...lines, ...others.flat()];
  },
  summary: (spec) => {
    const parts = spec.channels.map((channel) => channelText(spec, channel));
    return `${spec.tokens.length} tokens; ${parts.map((part) => part.range + largestText(part.entries)).join("; ")}`;
  },
};
