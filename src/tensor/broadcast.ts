/**
 * Alignment of operands by axis name.
 *
 * 1. The result has every axis of either operand. Its order is that of the operand that has them all; when neither
 *    has, it is the left operand's order followed by the right operand's new axes in their order.
 * 2. An axis that an operand lacks, or has with size 1, is repeated; any other difference of sizes is an error.
 */
import { ShapeError } from "../core/index.js";
import { formatNamed, type Named } from "./axes.js";
import type { Walked } from "./walk.js";

/** The common axes of some operands. */
export interface Alignment {
  readonly axes: readonly string[];
  readonly shape: readonly number[];
}

/** Returns the common axes and sizes of operands, or throws a ShapeError that lists all of them. */
export function align(operands: readonly Named[], where: string): Alignment {
  const axes = operands.map((operand) => operand.axes).reduce(unionOfAxes, []);
  return { axes, shape: axes.map((axis) => commonSize(axis, operands, where)) };
}

/** Returns the strides of an operand over aligned axes: 0 where it repeats. */
export function alignedStrides(operand: Named & Walked, alignment: Alignment): Walked {
  const strides = alignment.axes.map((axis) => {
    const position = operand.axes.indexOf(axis);
    return position < 0 || operand.shape[position] === 1 ? 0 : (operand.strides[position] ?? 0);
  });
  return { strides, offset: operand.offset };
}

function unionOfAxes(left: readonly string[], right: readonly string[]): readonly string[] {
  if (left.every((axis) => right.includes(axis))) return left.length === right.length ? left : right;
  return [...left, ...right.filter((axis) => !left.includes(axis))];
}

function commonSize(axis: string, operands: readonly Named[], where: string): number {
  let common = 1;
  for (const operand of operands) {
    const position = operand.axes.indexOf(axis);
    const size = position < 0 ? 1 : (operand.shape[position] ?? 1);
    if (size === 1) continue;
    if (common !== 1 && common !== size) throw clash(axis, operands, where);
    common = size;
  }
  return common;
}

function clash(axis: string, operands: readonly Named[], where: string): ShapeError {
  return new ShapeError({
    where,
    got: `${operands.map(formatNamed).join(" and ")}, which differ in axis "${axis}"`,
    expected: "one size for each axis name (size 1 repeats)",
    fix: "Select with at(), or rename() an axis that means something else: axes align by name.",
  });
}
