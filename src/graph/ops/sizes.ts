/** Finds symbolic sizes in the shapes of values, so that shapes can be made while the graph runs. */
import { GraphError } from "../../core/index.js";
import type { GraphBuilder } from "../builder.js";
import { describeValue } from "../describe.js";
import { dimEquals, dimSymbols, dimTerms } from "../dims.js";
import type { Dim, Value } from "../ir.js";

/** A value and one of its axes. */
interface AxisOfValue {
  readonly source: Value;
  readonly axis: number;
}

/** Looks at the inputs of the graph first: what is read there is shared by everyone who needs the size. */
function findAxis(builder: GraphBuilder, dim: Dim, sources: readonly Value[]): AxisOfValue | undefined {
  for (const source of [...builder.inputs, ...sources]) {
    const axis = source.shape.findIndex((own) => dimEquals(own, dim));
    if (axis >= 0) return { source, axis };
  }
  return undefined;
}

function readAxis(builder: GraphBuilder, { source, axis }: AxisOfValue): Value {
  return builder.op("Shape", [source], { start: axis, end: axis + 1 });
}

function missing(symbol: string, dim: Dim, sources: readonly Value[]): GraphError {
  return new GraphError({
    where: `size "${dim}"`,
    got: `no axis of size "${symbol}" in the graph's inputs and ${sources.map(describeValue).join(", ") || "nothing else"}`,
    expected: "a value with that axis to read the size from",
    fix: "Pass such a value as `like`.",
  });
}

/**
 * Returns a size as an int64 value of shape `[1]`, read from an axis of a graph input or of `sources`, or computed
 * from such axes; a constant where the size is a number.
 *
 * @throws GraphError when a symbol of `dim` occurs in no shape of the inputs and `sources`.
 */
export function sizeValue(builder: GraphBuilder, dim: Dim, sources: readonly Value[]): Value {
  if (typeof dim === "number") return builder.constant([dim], "int64");
  const whole = findAxis(builder, dim, sources);
  if (whole !== undefined) return readAxis(builder, whole);
  const terms = dimTerms(dim).map(({ symbols, coefficient }) => {
    const factors = symbols.map((symbol) => {
      const found = findAxis(builder, symbol, sources);
      if (found === undefined) throw missing(symbol, dim, sources);
      return readAxis(builder, found);
    });
    if (coefficient !== 1 || factors.length === 0) factors.push(builder.constant([coefficient], "int64"));
    return factors.reduce((product, factor) => builder.op("Mul", [product, factor]));
  });
  return terms.reduce((sum, term) => builder.op("Add", [sum, term]));
}

/** Returns a list of sizes as one int64 value; a constant where all are numbers. */
export function shapeValue(builder: GraphBuilder, dims: readonly Dim[], sources: readonly Value[]): Value {
  const numbers = dims.filter((dim) => typeof dim === "number");
  if (numbers.length === dims.length) return builder.constant(numbers, "int64");
  const parts = dims.map((dim) => sizeValue(builder, dim, sources));
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : builder.op("Concat", parts, { axis: 0 });
}

/** Tells whether every name in a size can be read from an input of the graph or from `sources`. */
function isReadable(builder: GraphBuilder, dim: Dim, sources: readonly Value[]): boolean {
  if (findAxis(builder, dim, sources) !== undefined) return true;
  return dimSymbols(dim).every((symbol) => findAxis(builder, symbol, sources) !== undefined);
}

/** Encodes the target of a reshape: 0 copies an axis of `x`; the only size, or the only one not to be read, is -1. */
export function reshapeDims(
  builder: GraphBuilder,
  x: Value,
  dims: readonly Dim[],
  like: readonly Value[],
): readonly Dim[] {
  const copied = dims.map((dim, axis) => copiedDim(dim, x.shape[axis]));
  const symbolic = copied.filter((dim) => typeof dim === "string");
  if (copied.includes(-1) || symbolic.length === 0) return copied;
  const unreadable = symbolic.find((dim) => !isReadable(builder, dim, [x, ...like]));
  const free = copied.indexOf(symbolic.length === 1 ? (symbolic[0] ?? -1) : (unreadable ?? -1));
  return copied.map((dim, axis) => (axis === free ? -1 : dim));
}

function copiedDim(dim: Dim, own: Dim | undefined): Dim {
  return typeof dim === "string" && own !== undefined && dimEquals(dim, own) ? 0 : dim;
}
