/** Heads to pick, weights and tokens to point at: a token shows what it looks at and what looks at it. */
import {
  type AttentionChoice,
  blankText,
  drawAttention,
  drawLooks,
  strongestOf,
  thumbPicture,
} from "../../attention/draw.js";
import { type AttentionLayout, layOutAttention, thumbBox } from "../../attention/layout.js";
import type { HeadBlock } from "../../attention/read.js";
import { visibleKeys } from "../../attention/shape.js";
import {
  type AttentionSpec,
  countHeads,
  headName,
  placeOf,
  queryToken,
  shapeOf,
  weightText,
} from "../../attention/spec.js";
import { decodeHead, roundingOf } from "../../attention/weights.js";
import { type Box, type Mark, outlineMark, type PictureMark, rectMark } from "../../marks.js";
import { formatNumber } from "../../numbers.js";
import type { Theme } from "../../theme.js";
import { topKeys } from "../../views/attention.js";
import { boxAt, flowMove, gridMove } from "../moves.js";
import type { MoveKey, SceneView, Targets, Tip } from "../view.js";

/** Small heads that were painted before: another head is picked without painting them again. */
const painted = new WeakMap<AttentionSpec, Partial<Record<Theme, PictureMark>>>();

/** Interactive attention patterns. */
export const attentionClient: SceneView<AttentionSpec> = {
  scene(spec, { theme, state }) {
    const head = Number(state["head"] ?? spec.large);
    const drawing = drawAttention(spec, { theme, head, thumbs: thumbsOf(spec, theme) });
    return { drawing, targets: targetsOf(spec, { theme, head }) };
  },
};

function thumbsOf(spec: AttentionSpec, theme: Theme): PictureMark | undefined {
  const { thumbs } = layOutAttention(spec);
  if (thumbs === undefined) return undefined;
  const known = painted.get(spec) ?? {};
  known[theme] ??= thumbPicture(spec, thumbs, theme);
  painted.set(spec, known);
  return known[theme];
}

/** What a target is. Targets count heads first (when there are several), then weights, then tokens. */
type Target =
  | { readonly kind: "head"; readonly head: number }
  | { readonly kind: "weight"; readonly query: number; readonly key: number }
  | { readonly kind: "token"; readonly token: number };

/** The large head and how targets are counted. */
interface Board {
  readonly spec: AttentionSpec;
  readonly layout: AttentionLayout;
  readonly theme: Theme;
  readonly head: number;
  readonly block: HeadBlock;
  /** Heads that can be picked. */
  readonly heads: number;
}

function targetsOf(spec: AttentionSpec, { theme, head }: AttentionChoice): Targets {
  const count = countHeads(spec);
  const block = decodeHead(spec.weights, shapeOf(spec), head);
  const board = { spec, theme, head, block, layout: layOutAttention(spec), heads: count > 1 ? count : 0 };
  return {
    at: (x, y) => numberOf(board, targetAt(board, x, y)),
    move: (from, key) => numberOf(board, moved(board, targetOf(board, from), key)) ?? from,
    box: (target) => boxOf(board, targetOf(board, target)),
    tip: (target) => tipOf(board, targetOf(board, target)),
    overlay: (target) => overlayOf(board, targetOf(board, target)),
    press(number) {
      const target = targetOf(board, number);
      return target.kind === "head" && target.head !== head ? { head: String(target.head) } : undefined;
    },
  };
}

function numberOf({ spec, heads }: Board, target: Target | undefined): number | undefined {
  if (target === undefined) return undefined;
  if (target.kind === "head") return target.head;
  const keys = spec.tokens.length;
  if (target.kind === "weight") return heads + target.query * keys + target.key;
  return heads + spec.queries * keys + target.token;
}

function targetOf({ spec, heads }: Board, number: number): Target {
  if (number < heads) return { kind: "head", head: number };
  const keys = spec.tokens.length;
  const rest = number - heads;
  if (rest >= spec.queries * keys) return { kind: "token", token: rest - spec.queries * keys };
  return { kind: "weight", query: Math.floor(rest / keys), key: rest % keys };
}

function targetAt({ spec, layout, heads }: Board, x: number, y: number): Target | undefined {
  const { thumbs, field, grid, text } = layout;
  if (thumbs !== undefined) {
    const [column, row] = [
      (x - thumbs.box.x) / thumbs.cell / thumbs.stepX,
      (y - thumbs.box.y) / thumbs.cell / thumbs.stepY,
    ];
    const head = Math.floor(row) * thumbs.columns + Math.floor(column);
    if (column >= 0 && row >= 0 && column < thumbs.columns && head < heads) return { kind: "head", head };
  }
  const token = text === undefined ? undefined : boxAt(text.boxes, x, y);
  if (token !== undefined) return { kind: "token", token };
  const [key, query] = [Math.floor((x - field.x) / grid.cellWidth), Math.floor((y - field.y) / grid.cellHeight)];
  const [isColumn, isRow] = [key >= 0 && key < grid.nx, query >= 0 && query < grid.ny];
  // The names of tokens along both sides stand for their tokens.
  if (isColumn && y >= field.y + field.height && y < field.y + field.height + 60) return { kind: "token", token: key };
  if (isRow && x < field.x && x > field.x - 150) return { kind: "token", token: queryToken(spec, query) };
  return isColumn && isRow && key < visibleKeys(shapeOf(spec), query) ? { kind: "weight", query, key } : undefined;
}

function boxOf({ spec, layout }: Board, target: Target): Box {
  const { thumbs, field, grid, text } = layout;
  if (target.kind === "head" && thumbs !== undefined) return thumbBox(thumbs, target.head);
  if (target.kind === "token") {
    const own = text?.boxes[target.token];
    if (own !== undefined) return own;
  }
  const { query, key } = target.kind === "weight" ? target : onDiagonal(spec, target);
  const size = { width: grid.cellWidth, height: grid.cellHeight };
  return { x: field.x + key * size.width, y: field.y + query * size.height, ...size };
}

function onDiagonal(spec: AttentionSpec, target: Target): { readonly query: number; readonly key: number } {
  const token = target.kind === "token" ? target.token : 0;
  return { query: Math.max(0, token - spec.tokens.length + spec.queries), key: token };
}

/** Heads lead to the right into the large one, weights up and down to the text, and back. */
function moved(board: Board, from: Target, key: MoveKey): Target {
  if (from.kind === "head") return moveHead(board, from.head, key);
  return from.kind === "weight" ? moveWeight(board, from, key) : moveToken(board, from.token, key);
}

function moveHead(board: Board, head: number, key: MoveKey): Target {
  const { columns = 1, rows = 1 } = board.layout.thumbs ?? {};
  const next = Math.min(board.heads - 1, gridMove(columns, rows)(head, key));
  const leaves = (key === "ArrowRight" || key === "ArrowDown") && next === head;
  return leaves ? strongestWeight(board) : { kind: "head", head: next };
}

function strongestWeight({ spec, head, block }: Board): Target {
  const pair = strongestOf(spec, head, block);
  if (pair === undefined) return { kind: "weight", query: 0, key: 0 };
  return { kind: "weight", query: pair.query - queryToken(spec, 0), key: pair.key };
}

function moveWeight(board: Board, from: { readonly query: number; readonly key: number }, key: MoveKey): Target {
  const { spec, heads, head } = board;
  const { queries, tokens } = spec;
  if (key === "ArrowLeft" && from.key === 0 && heads > 0) return { kind: "head", head };
  if (key === "ArrowDown" && from.query === queries - 1 && board.layout.text !== undefined) {
    return { kind: "token", token: queryToken(spec, from.query) };
  }
  const next = gridMove(tokens.length, queries)(from.query * tokens.length + from.key, key);
  const query = Math.floor(next / tokens.length);
  return { kind: "weight", query, key: Math.min(next % tokens.length, visibleKeys(shapeOf(spec), query) - 1) };
}

function moveToken(board: Board, token: number, key: MoveKey): Target {
  const boxes = board.layout.text?.boxes ?? [];
  const next = flowMove(boxes)(token, key);
  return key === "ArrowUp" && next === token ? strongestWeight(board) : { kind: "token", token: next };
}

function tipOf(board: Board, target: Target): Tip {
  if (target.kind === "head") return headTip(board, target.head);
  return target.kind === "weight" ? weightTip(board, target) : tokenTip(board, target.token);
}

function headTip({ spec, head: picked }: Board, head: number): Tip {
  const pair = strongestOf(spec, head, decodeHead(spec.weights, shapeOf(spec), head));
  const bits = spec.entropy[head];
  return {
    title: headName(spec, head),
    rows: [
      ...(pair === undefined
        ? []
        : [
            [
              `${placeOf(spec, pair.query)} → ${placeOf(spec, pair.key)}`,
              weightText(spec, Number(pair.weight)),
            ] as const,
          ]),
      ...(bits === undefined ? [] : [["mean entropy", `${formatNumber(Number(bits))} bits`] as const]),
      ...(head === picked ? [] : [["click or Enter", "shows it large"] as const]),
    ],
  };
}

function weightTip({ spec, block }: Board, { query, key }: { readonly query: number; readonly key: number }): Tip {
  const size = Math.abs(block.at(query, key));
  const visible = visibleKeys(shapeOf(spec), query);
  let [larger, equal] = [0, 0];
  for (let other = 0; other < visible; other++) {
    const otherSize = Math.abs(block.at(query, other));
    if (otherSize > size) larger += 1;
    else if (otherSize === size) equal += 1;
  }
  const rank = equal > 1 ? `${larger + 1} to ${larger + equal}` : String(larger + 1);
  return {
    title: `${placeOf(spec, queryToken(spec, query))} → ${placeOf(spec, key)}`,
    rows: [
      [spec.unit, weightText(spec, block.at(query, key))],
      ["rank", `${rank} of ${visible}`],
      ...roundingRow(spec),
    ],
  };
}

function tokenTip({ spec, block }: Board, token: number): Tip {
  const shape = shapeOf(spec);
  const query = token - spec.tokens.length + spec.queries;
  const looks = query < 0 ? [] : topKeys(spec, (key) => block.at(query, key), visibleKeys(shape, query));
  const seen = topKeys(spec, (other) => (token < visibleKeys(shape, other) ? block.at(other, token) : 0), spec.queries);
  const row = (index: number, weight: number): readonly [string, string] => [
    placeOf(spec, index),
    weightText(spec, weight),
  ];
  return {
    title: placeOf(spec, token),
    rows: [
      ["looks at", spec.unit],
      ...looks.map(({ index, weight }) => row(index, weight)),
      ["is looked at by", spec.unit],
      ...seen.map(({ index, weight }) => row(queryToken(spec, index), weight)),
      ...roundingRow(spec),
    ],
  };
}

function roundingRow(spec: AttentionSpec): readonly (readonly [string, string])[] {
  const rounding = roundingOf(spec.weights);
  return rounding > 0 ? [["rounded to", formatNumber(rounding)]] : [];
}

/** A weight shows its row and column; a token its row as query and its column as key. */
function overlayOf(board: Board, target: Target): readonly Mark[] {
  if (target.kind === "head") return [outlineMark(boxOf(board, target))];
  const { spec, layout, theme, block } = board;
  const token = target.kind === "token" ? target.token : undefined;
  const query = target.kind === "weight" ? target.query : (token ?? 0) - spec.tokens.length + spec.queries;
  const key = target.kind === "weight" ? target.key : target.token;
  return [
    ...(query < 0 ? [] : [band(rowBox(board, query))]),
    band(columnBox(board, key)),
    ...(target.kind === "weight" ? [outlineMark(boxOf(board, target))] : []),
    ...(query < 0 ? [] : [...blankText(layout), ...drawLooks(spec, layout, { theme, block, query })]),
    ...keyMark(board, key),
  ];
}

function rowBox({ spec, layout: { field, grid } }: Board, query: number): Box {
  const width = visibleKeys(shapeOf(spec), query) * grid.cellWidth;
  return { x: field.x, y: field.y + query * grid.cellHeight, width, height: grid.cellHeight };
}

function columnBox({ spec, layout: { field, grid } }: Board, key: number): Box {
  const first = spec.isCausal ? Math.max(0, key - spec.tokens.length + spec.queries) : 0;
  const [x, y] = [field.x + key * grid.cellWidth, field.y + first * grid.cellHeight];
  return { x, y, width: grid.cellWidth, height: field.y + field.height - y };
}

/** The frame of a row or column, thin enough for cells of few pixels. */
function band(box: Box): Mark {
  return outlineMark({ x: box.x + 0.5, y: box.y + 0.5, width: box.width - 1, height: box.height - 1 }, "quiet");
}

/** The key's token in the text is underlined. */
function keyMark({ layout: { text } }: Board, key: number): readonly Mark[] {
  const box = text?.boxes[key];
  if (box === undefined) return [];
  return [rectMark({ x: box.x, y: box.y + box.height + 1, width: box.width, height: 2 }, "accent")];
}
