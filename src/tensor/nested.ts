/** Nested lists of numbers in and out of tensors. */
import { InputError, ShapeError } from "../core/index.js";
import type { NumericArray } from "./dtype.js";
import { compactData, numeric, rowMajor, type Strided } from "./strided.js";

/** A number, or lists of numbers nested as deep as the tensor has axes. */
export type NestedNumbers = number | readonly NestedNumbers[];

/** Numbers or booleans nested to any depth, for making tensors. */
export type NestedInput = number | boolean | readonly NestedInput[];

/** The shape and elements of a nested list. */
export interface Unnested {
  readonly shape: readonly number[];
  readonly values: readonly number[];
  readonly isBool: boolean;
}

/** Returns shape and elements of a nested list; a ragged one is a ShapeError that says where. */
export function unnest(nested: NestedInput, where: string): Unnested {
  const shape: number[] = [];
  for (let level: NestedInput | undefined = nested; isList(level); level = level[0]) shape.push(level.length);
  const values: number[] = [];
  const kinds = new Set<string>();
  const visit = (item: NestedInput, depth: number, path: string): void => {
    if (isList(item)) {
      if (depth >= shape.length || item.length !== shape[depth]) throw ragged(path, item.length, shape, where);
      item.forEach((child, i) => visit(child, depth + 1, `${path}[${i}]`));
      return;
    }
    if (depth !== shape.length) throw ragged(path, undefined, shape, where);
    values.push(checkedNumber(item, path, where));
    kinds.add(typeof item);
  };
  visit(nested, 0, "");
  return { shape, values, isBool: kinds.size === 1 && kinds.has("boolean") };
}

function isList(item: NestedInput | undefined): item is readonly NestedInput[] {
  return Array.isArray(item);
}

function checkedNumber(item: unknown, path: string, where: string): number {
  if (typeof item === "number" || typeof item === "boolean") return Number(item);
  throw new InputError({
    where: `${where}: data${path}`,
    got: item === null ? "null" : typeof item,
    expected: "a number or a boolean",
    fix: "Pass numbers, or Tensor.of(typedArray, shape).",
  });
}

function ragged(path: string, length: number | undefined, shape: readonly number[], where: string): ShapeError {
  return new ShapeError({
    where: `${where}: data${path}`,
    got: length === undefined ? "a number" : `a list of ${length}`,
    expected: `lists nested as [${shape.join(", ")}], like the first elements`,
    fix: "Make every list at one depth equally long.",
  });
}

/** Returns the elements as nested lists of numbers; bools are 0 and 1, int64 beyond ±2^53 is a NumericError. */
export function nest(view: Strided): NestedNumbers {
  const compact = rowMajor(view.dtype, compactData(view), view.shape, view.axes);
  return nestLevel(numeric(compact, "tensor.toArray").data, view.shape, 0, 0);
}

function nestLevel(data: NumericArray, shape: readonly number[], depth: number, start: number): NestedNumbers {
  const size = shape[depth];
  if (size === undefined) return data[start] as number;
  const step = shape.slice(depth + 1).reduce((product, n) => product * n, 1);
  return Array.from({ length: size }, (_, i) => nestLevel(data, shape, depth + 1, start + i * step));
}
