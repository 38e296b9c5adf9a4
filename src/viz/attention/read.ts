/** Attention patterns as callers have them, brought to one form: a list of heads, each `[queryPos, keyPos]`. */
import { AxisError, DTypeError, ShapeError } from "../../core/index.js";
import { nothingToDraw } from "../checks.js";

const where = "viz.attention: pattern";
const expectedAxes = "[queryPos, keyPos], [head, queryPos, keyPos] or [layer, head, queryPos, keyPos]";
const axisNames = ["layer", "head", "queryPos", "keyPos"];

/** A tensor, or any flat list with a shape. */
export interface AttentionTensor {
  /** Default: read from the number of axes. An axis `batch` of size 1 is dropped. */
  readonly axes?: readonly string[];
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: ArrayLike<bigint | number>;
  readonly dtype?: string;
}

/** One head as nested lists, `[queryPos, keyPos]`. */
export type AttentionRows = readonly ArrayLike<number>[];

/**
 * Attention weights: `[queryPos, keyPos]`, `[head, queryPos, keyPos]` or `[layer, head, queryPos, keyPos]`.
 *
 * Nested lists, a tensor, or a list with one tensor for each layer.
 */
export type AttentionPattern =
  | AttentionTensor
  | AttentionRows
  | readonly AttentionRows[]
  | readonly (readonly AttentionRows[])[]
  | readonly AttentionTensor[];

/** One head's weights. */
export interface HeadBlock {
  readonly at: (query: number, key: number) => number;
}

/** Heads in one order: layer by layer. */
export interface ReadPattern {
  /** `undefined` when the pattern has no such axis. */
  readonly layers: number | undefined;
  readonly heads: number | undefined;
  readonly queries: number;
  readonly keys: number;
  readonly blocks: readonly HeadBlock[];
}

/**
 * Returns the heads of `pattern`.
 *
 * @throws ShapeError for ragged lists or another number of axes; AxisError for other axes; DTypeError for raw bits.
 */
export function readPattern(pattern: AttentionPattern): ReadPattern {
  if (isTensor(pattern)) return readTensor(pattern, where);
  if (isTensorList(pattern)) return joinLayers(pattern.map((tensor, i) => readTensor(tensor, `${where}[${i}]`)));
  return readNested(pattern);
}

function isTensor(value: unknown): value is AttentionTensor {
  return typeof value === "object" && value !== null && "shape" in value && "data" in value;
}

function isTensorList(value: readonly unknown[]): value is readonly AttentionTensor[] {
  return value.length > 0 && value.every(isTensor);
}

function readTensor(tensor: AttentionTensor, place: string): ReadPattern {
  const axes = checkedAxes(tensor, place);
  checkData(tensor, place);
  const sizes = Object.fromEntries(axes.map(({ name, size }) => [name, size]));
  const [queries, keys] = [sizes["queryPos"] ?? 0, sizes["keyPos"] ?? 0];
  const [layers, heads] = [sizes["layer"], sizes["head"]];
  const { data } = tensor;
  const blocks = Array.from({ length: (layers ?? 1) * (heads ?? 1) }, (_, i): HeadBlock => {
    const start = i * queries * keys;
    return { at: (query, key) => Number(data[start + query * keys + key]) };
  });
  return checkedSizes({ layers, heads, queries, keys, blocks }, place);
}

interface NamedAxis {
  readonly name: string;
  readonly size: number;
}

/** Returns the axes without a batch of one, or refuses any that a pattern does not have, in its order. */
function checkedAxes({ axes, shape }: AttentionTensor, place: string): readonly NamedAxis[] {
  if (axes === undefined) return unnamedAxes(shape, place);
  const named = axes.map((name, i) => ({ name, size: shape[i] ?? 0 }));
  const kept = named.filter(({ name, size }) => name !== "batch" || size !== 1);
  const order = kept.map(({ name }) => axisNames.indexOf(name));
  const isOrdered = order.every((position, i) => position > (order[i - 1] ?? -1));
  const [last, beforeLast] = [kept.at(-1)?.name, kept.at(-2)?.name];
  if (isOrdered && last === "keyPos" && beforeLast === "queryPos") return kept;
  throw new AxisError({
    where: place,
    got: `axes [${named.map(({ name, size }) => `${name}=${size}`).join(", ")}]`,
    expected: expectedAxes,
    fix: axisAdvice(kept),
  });
}

function axisAdvice(axes: readonly NamedAxis[]): string {
  const other = axes.find(({ name }) => !axisNames.includes(name));
  if (other?.name === "batch") return "Pick one prompt: pattern.at({ batch: 0 }).";
  if (other !== undefined) return `Pick one index of ${other.name}: pattern.at({ ${other.name}: 0 }).`;
  return 'Give the weights after the softmax: run.cache.get("pattern", layer).at({ batch: 0 }).';
}

function unnamedAxes(shape: readonly number[], place: string): readonly NamedAxis[] {
  const names = axisNames.slice(-shape.length);
  if (shape.length >= 2 && shape.length <= 4) return shape.map((size, i) => ({ name: names[i] ?? "", size }));
  throw new ShapeError({
    where: place,
    got: `${shape.length} axes of sizes [${shape.join(", ")}]`,
    expected: expectedAxes,
    fix: "Leave out the batch axis: give the pattern of one prompt.",
  });
}

function checkData({ data, shape, dtype }: AttentionTensor, place: string): void {
  if (dtype === "float16" || dtype === "bfloat16") {
    const fix = 'Turn it into numbers first: pattern.cast("float32").';
    throw new DTypeError({ where: place, got: dtype, expected: "float32 or float64", fix });
  }
  const size = shape.reduce((product, length) => product * length, 1);
  if (data.length === size) return;
  const got = `${data.length} numbers for shape [${shape.join(", ")}]`;
  throw new ShapeError({ where: place, got, expected: `${size} numbers`, fix: "Give data and shape of one array." });
}

function checkedSizes(read: ReadPattern, place: string): ReadPattern {
  if (read.blocks.length === 0 || read.queries * read.keys === 0) throw nothingToDraw(place);
  return read;
}

/** One tensor a layer becomes one pattern with a layer axis. */
function joinLayers(parts: readonly ReadPattern[]): ReadPattern {
  const shapes = parts.map(({ layers, heads, queries, keys }) => shapeText([layers, heads, queries, keys]));
  const [first = shapeText([])] = shapes;
  const other = shapes.findIndex((shape) => shape !== first);
  if (other < 0 && parts.every((part) => part.layers === undefined)) {
    const { heads = 1, queries = 0, keys = 0 } = parts[0] ?? {};
    return { layers: parts.length, heads, queries, keys, blocks: parts.flatMap((part) => part.blocks) };
  }
  throw new ShapeError({
    where: other < 0 ? where : `${where}[${other}]`,
    got: `shape ${shapes[Math.max(other, 0)] ?? ""}`,
    expected: other < 0 ? "one tensor [head, queryPos, keyPos] for each layer" : `shape ${first}, like the first layer`,
    fix: "Give the patterns of one prompt, one tensor for each layer.",
  });
}

function shapeText(sizes: readonly (number | undefined)[]): string {
  return `[${sizes.filter((size) => size !== undefined).join(", ")}]`;
}

function readNested(pattern: readonly unknown[]): ReadPattern {
  const shape: number[] = [];
  for (let level: unknown = pattern; isList(level); level = level[0]) shape.push(level.length);
  if (shape.includes(0)) throw nothingToDraw(where);
  const [keys = 0, queries = 0, heads, layers] = unnamedAxes(shape, where)
    .map(({ size }) => size)
    .reverse();
  let matrices: readonly (readonly [string, unknown])[] = [["", pattern]];
  for (const size of shape.slice(0, -2)) {
    matrices = matrices.flatMap(([path, list]) =>
      checkedList(list, size, path).map((item, i) => [`${path}[${i}]`, item] as const),
    );
  }
  const blocks = matrices.map(([path, matrix]) => readRows(matrix, [queries, keys], path));
  return { layers, heads, queries, keys, blocks };
}

function readRows(matrix: unknown, [queries, keys]: readonly [number, number], path: string): HeadBlock {
  const rows = checkedList(matrix, queries, path).map((row, q) => checkedList(row, keys, `${path}[${q}]`));
  return { at: (query, key) => Number(rows[query]?.[key]) };
}

function checkedList(value: unknown, length: number, path: string): readonly unknown[] {
  if (isList(value) && value.length === length) return Array.isArray(value) ? value : Array.from(value);
  throw new ShapeError({
    where: `${where}${path}`,
    got: isList(value) ? `a list of ${value.length}` : typeof value,
    expected: `a list of ${length}, like the first`,
    fix: "Make every list at one depth equally long.",
  });
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && "length" in value);
}
