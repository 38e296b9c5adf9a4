/** Matrix products. */
import { broadcastDim, broadcastShapes, dimEquals } from "../dims.js";
import { floatDTypes, numberDTypes } from "../dtypes.js";
import type { Dim, GraphDType, Value } from "../ir.js";
import { intAttribute, one, problem, row, sameInputs } from "./helpers.js";
import type { InferContext, OpSchema, TypedShape } from "./types.js";

/** Returns the two operands of a product after checking their element types. */
function operands(context: InferContext, dtypes: readonly GraphDType[]): { readonly a: Value; readonly b: Value } {
  const [a, b] = sameInputs(context, dtypes);
  if (a === undefined || b === undefined) throw problem(context, "one operand", "two", "Pass both.");
  return { a, b };
}

function mismatch(context: InferContext, a: readonly Dim[], b: readonly Dim[]): Error {
  const got = `[${a.join(", ")}] times [${b.join(", ")}]`;
  return problem(context, got, "equal inner sizes", "Transpose one operand or check the sizes.");
}

/** Infers numpy's matmul of two shapes of rank 1 or more. */
export function matmulShape(context: InferContext, left: readonly Dim[], right: readonly Dim[]): readonly Dim[] {
  if (left.length === 0 || right.length === 0) throw mismatch(context, left, right);
  const a = left.length === 1 ? [1, ...left] : left;
  const b = right.length === 1 ? [...right, 1] : right;
  if (!dimEquals(a.at(-1) ?? -1, b.at(-2) ?? -2)) throw mismatch(context, left, right);
  const batch = broadcastShapes(context.where, a.slice(0, -2), b.slice(0, -2));
  const rows = left.length === 1 ? [] : a.slice(-2, -1);
  const columns = right.length === 1 ? [] : b.slice(-1);
  return [...batch, ...rows, ...columns];
}

function inferMatMul(context: InferContext): readonly TypedShape[] {
  const { a, b } = operands(context, numberDTypes);
  return one(a.dtype, matmulShape(context, a.shape, b.shape));
}

/**
 * Applies the two transpositions of `FusedMatMul` to a shape.
 *
 * `batch` moves axis 0 to the second last place (`[m, h, k]` -> `[h, m, k]`); `trans` swaps the last two axes after that.
 */
function fusedOperand(shape: readonly Dim[], trans: boolean, batch: boolean): readonly Dim[] {
  const [first = 1, ...others] = shape;
  const moved = batch ? others.toSpliced(others.length - 1, 0, first) : shape;
  const [rows = 1, columns = 1] = moved.slice(-2);
  return trans ? [...moved.slice(0, -2), columns, rows] : moved;
}

/** The kernel ignores `trans` on vectors (a wrong result) and fails when ranks differ under a batch transposition. */
function checkFusedRanks(context: InferContext, a: readonly Dim[], b: readonly Dim[], batch: boolean): void {
  const got = `ranks ${a.length} and ${b.length}`;
  if (Math.min(a.length, b.length) < 2) {
    throw problem(context, got, "matrices or batches of them", "Use MatMul for vectors, or unsqueeze.");
  }
  if (!batch || (a.length === b.length && a.length >= 3)) return;
  throw problem(context, got, "one rank of 3 or more under a batch transposition", "Unsqueeze the smaller operand.");
}

function inferFusedMatMul(context: InferContext): readonly TypedShape[] {
  const { a, b } = operands(context, floatDTypes);
  const flag = (name: string): boolean => intAttribute(context, name, 0) === 1;
  checkFusedRanks(context, a.shape, b.shape, flag("transBatchA") || flag("transBatchB"));
  const left = fusedOperand(a.shape, flag("transA"), flag("transBatchA"));
  const right = fusedOperand(b.shape, flag("transB"), flag("transBatchB"));
  return one(a.dtype, matmulShape(context, left, right));
}

function inferGemm(context: InferContext): readonly TypedShape[] {
  const { a, b } = operands(context, floatDTypes);
  if (a.shape.length !== 2 || b.shape.length !== 2) throw mismatch(context, a.shape, b.shape);
  const swap = (shape: readonly Dim[], name: string): readonly Dim[] =>
    intAttribute(context, name, 0) === 1 ? shape.toReversed() : shape;
  const shape = matmulShape(context, swap(a.shape, "transA"), swap(b.shape, "transB"));
  const bias = context.inputs[2];
  if (bias !== undefined) broadcastShapes(context.where, shape, bias.shape);
  return one(a.dtype, shape);
}

/** The letters of an einsum equation: of each operand, and of the result. */
export interface EinsumEquation {
  readonly operands: readonly string[];
  readonly result: string;
}

/** Splits an einsum equation with an explicit or implicit result; undefined when it is malformed. */
export function parseEinsum(equation: string): EinsumEquation | undefined {
  const match = /^([A-Za-z,]*)(?:->([A-Za-z]*))?$/.exec(equation.replaceAll(" ", ""));
  const left = match?.[1];
  if (left === undefined) return undefined;
  const letters = left.replaceAll(",", "");
  const once = [...new Set(letters)].filter((letter) => letters.split(letter).length === 2).sort();
  const result = match?.[2] ?? once.join("");
  const valid =
    new Set(result).size === result.length && Array.from(result).every((letter) => letters.includes(letter));
  return valid ? { operands: left.split(","), result } : undefined;
}

/** Returns the size of each letter. */
function einsumSizes(context: InferContext, values: readonly Value[], subscripts: readonly string[]): Map<string, Dim> {
  const sizes = new Map<string, Dim>();
  subscripts.forEach((letters, index) => {
    const shape = values[index]?.shape ?? [];
    if (shape.length !== letters.length) {
      const got = `"${letters}" for [${shape.join(", ")}]`;
      throw problem(context, got, "one letter for each axis", "Check the equation.");
    }
    Array.from(letters).forEach((letter, axis) => {
      const size = broadcastDim(sizes.get(letter) ?? 1, shape[axis] ?? 1);
      if (size === undefined) {
        const got = `sizes ${sizes.get(letter)} and ${shape[axis]} for "${letter}"`;
        throw problem(context, got, "one size for each letter", "Check the equation.");
      }
      sizes.set(letter, size);
    });
  });
  return sizes;
}

function inferEinsum(context: InferContext): readonly TypedShape[] {
  const values = sameInputs(context, numberDTypes);
  const equation = context.attributes["equation"];
  const parsed = typeof equation === "string" ? parseEinsum(equation) : undefined;
  if (parsed === undefined || parsed.operands.length !== values.length) {
    const got = `equation ${JSON.stringify(equation ?? "")} for ${values.length} inputs`;
    throw problem(context, got, 'one such as "bqhd,bkhd->bhqk"', "Write one group of letters for each input.");
  }
  const sizes = einsumSizes(context, values, parsed.operands);
  const shape = Array.from(parsed.result, (letter) => sizes.get(letter) ?? 1);
  return one(values[0]?.dtype ?? "float32", shape);
}

/** Rows of matrix products. */
export const matrix: readonly OpSchema[] = [
  row("MatMul", [2, 2], inferMatMul),
  row("FusedMatMul", [2, 2], inferFusedMatMul, {
    domain: "com.microsoft",
    attributes: { transA: "int", transB: "int", transBatchA: "int", transBatchB: "int", alpha: "float" },
  }),
  row("Gemm", [2, 3], inferGemm, { attributes: { alpha: "float", beta: "float", transA: "int", transB: "int" } }),
  row("Einsum", [1, Infinity], inferEinsum, { attributes: { equation: "string" } }),
];
