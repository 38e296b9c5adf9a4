/** Stacks of matrices: leading axes by name, and a matrix for each combination of their indices. */
import { formatShape, ShapeError } from "../../core/index.js";
import { stack, type Tensor } from "../../tensor/index.js";

/** Leading axes and their sizes. */
export type LeadingAxes = readonly (readonly [string, number])[];

/** The leading axes of two stacks together; an axis that one lacks repeats there. */
export function leadingAxes(where: string, a: Tensor, b: Tensor): LeadingAxes {
  const sizes = new Map<string, number>();
  for (const tensor of [a, b])
    for (const axis of tensor.axes.slice(0, -2)) {
      const size = tensor.sizeOf(axis);
      if ((sizes.get(axis) ?? size) !== size) throw unequal(where, a, b);
      sizes.set(axis, size);
    }
  return [...sizes];
}

function unequal(where: string, a: Tensor, b: Tensor): ShapeError {
  return new ShapeError({
    where,
    got: `${formatShape(a.shape, a.axes)} and ${formatShape(b.shape, b.axes)}`,
    expected: "leading axes of equal names and sizes",
    fix: "Select with at(), or rename() an axis that means something else.",
  });
}

/** The part of a stack at some indices; axes that it lacks are the same everywhere. */
export function matrixAt(tensor: Tensor, index: Readonly<Record<string, number>>): Tensor {
  const own = Object.entries(index).filter(([axis]) => tensor.axes.includes(axis));
  return own.length === 0 ? tensor : tensor.at(Object.fromEntries(own));
}

/** Makes a tensor for each combination of indices and joins them, leading axes in front. */
export function mapMatrices(
  leading: LeadingAxes,
  make: (index: Readonly<Record<string, number>>) => readonly Tensor<"float64">[],
): readonly Tensor<"float64">[] {
  const [first, ...rest] = leading;
  if (first === undefined) return make({});
  const [axis, size] = first;
  const parts = Array.from({ length: size }, (_, i) => mapMatrices(rest, (index) => make({ [axis]: i, ...index })));
  return (parts[0] ?? []).map((_, which) =>
    stack(
      parts.flatMap((part) => part[which] ?? []),
      axis,
    ),
  );
}

/** Returns a stack of matrices transposed. */
export function transposed(tensor: Tensor): Tensor {
  return tensor.transpose([...tensor.axes.slice(0, -2), ...tensor.axes.slice(-2).reverse()]);
}
