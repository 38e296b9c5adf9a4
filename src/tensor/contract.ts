/**
 * Contractions over named axes: matmul, einsum and outer products, with float64 accumulators.
 *
 * 1. Axes of two operands fall in four groups: batch (in both, kept), contracted (in both, not kept), and the free
 *    axes of the left and of the right operand. Axes of one operand alone that are not kept are summed first.
 * 2. Both operands are packed to float64 as `[batch, m, k]` and `[batch, k, n]`, multiplied in blocks, and the result
 *    `[batch…, left…, right…]` is brought into the order asked for.
 * 3. Several operands are contracted from left to right; an axis is summed as soon as nothing later needs it.
 */
import { AxisError, formatList, InputError, ShapeError } from "../core/index.js";
import { axisPosition, checkDistinct, formatNamed, sizeOf } from "./axes.js";
import { cast } from "./cast.js";
import { type DType, promote } from "./dtype.js";
import { multiplyInto } from "./gemm.js";
import { reduce } from "./reduce.js";
import { permute, transpose } from "./reshape.js";
import { finish, scratch } from "./result.js";
import { compactData, rowMajor, type Strided } from "./strided.js";

/** Returns the sum of products over `axis`, batched over the other shared axes, then the right operand's new axes. */
export function matmul(left: Strided, right: Strided, axis: string | readonly string[]): Strided {
  const where = "tensor.matmul";
  const contracted = typeof axis === "string" ? [axis] : axis;
  for (const name of contracted) {
    axisPosition(left, name, `${where}: left operand`);
    axisPosition(right, name, `${where}: right operand`);
  }
  const kept = left.axes.filter((name) => !contracted.includes(name));
  const added = right.axes.filter((name) => !contracted.includes(name) && !left.axes.includes(name));
  return contractAll([left, right], [...kept, ...added], where);
}

/** Returns the sum of products of operands over every axis that `output` does not name, in the order of `output`. */
export function einsum(operands: readonly Strided[], output: readonly string[]): Strided {
  const where = "einsum";
  checkDistinct(output, where);
  if (operands.length === 0) {
    throw new InputError({ where, got: "no operands", expected: "one or more tensors", fix: "Pass [a, b]." });
  }
  const known = operands.flatMap((operand) => operand.axes);
  const unknown = output.find((axis) => !known.includes(axis));
  if (unknown === undefined) return contractAll(operands, output, where);
  throw new AxisError({
    where: `${where}: output`,
    got: `axis ${JSON.stringify(unknown)}`,
    expected: `axes among ${formatList([...new Set(known)])}`,
    fix: `The operands are ${operands.map(formatNamed).join(" and ")}.`,
  });
}

function contractAll(operands: readonly Strided[], output: readonly string[], where: string): Strided {
  checkSizes(operands, where);
  const one: Wide = rowMajor("float64", Float64Array.of(1), [], []);
  let product = operands[0] === undefined ? one : cast(operands[0], "float64");
  operands.slice(1).forEach((operand, i) => {
    const needed = new Set([...output, ...operands.slice(i + 2).flatMap((later) => later.axes)]);
    product = contractPair(product, cast(operand, "float64"), needed);
  });
  const dtype = operands.map((operand) => operand.dtype).reduce<DType>(promote, "bool");
  const ordered = transpose(sumAlone(product, one, new Set(output)), output);
  const values = scratch(promote(dtype, dtype), sizeOf(ordered.shape));
  values.set(compactData(ordered));
  return finish(values, promote(dtype, dtype), ordered, where);
}

function checkSizes(operands: readonly Strided[], where: string): void {
  const sizes = new Map<string, number>();
  for (const operand of operands) {
    operand.axes.forEach((axis, i) => {
      const size = operand.shape[i] ?? 1;
      const known = sizes.get(axis) ?? size;
      sizes.set(axis, known);
      if (known !== size) throw clash(axis, operands, where);
    });
  }
}

function clash(axis: string, operands: readonly Strided[], where: string): ShapeError {
  return new ShapeError({
    where,
    got: `${operands.map(formatNamed).join(" and ")}, which differ in axis "${axis}"`,
    expected: "one size for each axis name",
    fix: "Select with at(), or rename() an axis that means something else: axes are matched by name.",
  });
}

/** Partial products keep float64. */
type Wide = Strided<"float64">;

/** Sums the axes of one operand that neither the other operand nor the result needs. */
function sumAlone(view: Wide, other: Wide, needed: ReadonlySet<string>): Wide {
  const alone = view.axes.filter((axis) => !needed.has(axis) && !other.axes.includes(axis));
  return alone.length === 0 ? view : cast(reduce("sum", view, alone), "float64");
}

function contractPair(first: Wide, second: Wide, needed: ReadonlySet<string>): Wide {
  const [left, right] = [sumAlone(first, second, needed), sumAlone(second, first, needed)];
  const shared = left.axes.filter((axis) => right.axes.includes(axis));
  const groups = {
    batch: shared.filter((axis) => needed.has(axis)),
    contracted: shared.filter((axis) => !needed.has(axis)),
    leftFree: left.axes.filter((axis) => !shared.includes(axis)),
    rightFree: right.axes.filter((axis) => !shared.includes(axis)),
  };
  const [m, n] = [sizeAlong(left, groups.leftFree), sizeAlong(right, groups.rightFree)];
  const isNarrow = n < 8 && n < m;
  if (!isNarrow) return multiply(left, right, groups);
  return multiply(right, left, { ...groups, leftFree: groups.rightFree, rightFree: groups.leftFree });
}

interface Groups {
  readonly batch: readonly string[];
  readonly contracted: readonly string[];
  readonly leftFree: readonly string[];
  readonly rightFree: readonly string[];
}

function multiply(left: Wide, right: Wide, groups: Groups): Wide {
  const { batch, contracted, leftFree, rightFree } = groups;
  const [m, k, n] = [sizeAlong(left, leftFree), sizeAlong(left, contracted), sizeAlong(right, rightFree)];
  const a = packed(left, [...batch, ...leftFree, ...contracted]);
  const b = packed(right, [...batch, ...contracted, ...rightFree]);
  const count = sizeAlong(left, batch);
  const out = new Float64Array(count * m * n);
  for (let i = 0; i < count; i++) {
    const [x, y] = [a.subarray(i * m * k, (i + 1) * m * k), b.subarray(i * k * n, (i + 1) * k * n)];
    multiplyInto(out.subarray(i * m * n, (i + 1) * m * n), x, y, { m, k, n });
  }
  const shape = [...sizes(left, batch), ...sizes(left, leftFree), ...sizes(right, rightFree)];
  return rowMajor("float64", out, shape, [...batch, ...leftFree, ...rightFree]);
}

/** Returns the elements in row-major order of `axes`. */
function packed(view: Wide, axes: readonly string[]): Float64Array {
  return compactData(
    permute(
      view,
      axes.map((axis) => view.axes.indexOf(axis)),
    ),
  );
}

function sizes(view: Wide, axes: readonly string[]): number[] {
  return axes.map((axis) => view.shape[view.axes.indexOf(axis)] ?? 1);
}

function sizeAlong(view: Wide, axes: readonly string[]): number {
  return sizeOf(sizes(view, axes));
}
