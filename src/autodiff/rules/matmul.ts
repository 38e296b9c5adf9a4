/**
 * Rules of matrix products. With `A' = op(a)` and `B' = op(b)` of shapes `[m, k]` and `[k, n]`:
 * `dA' = g B'^T`, `dB' = A'^T g`, each written so that the product itself transposes and no operand is copied.
 */
import {
  type Dim,
  dimProduct,
  type FusedMatmulOptions,
  type OpAttributes,
  type Ops,
  type Value,
} from "../../graph/index.js";
import { each, type Rule, type RuleContext } from "../rule.js";
import { reshapeTo, sumTo } from "../shapes.js";

/** How a product reads its operands. */
interface Flags {
  readonly transA: boolean;
  readonly transB: boolean;
  readonly transBatchA: boolean;
  readonly transBatchB: boolean;
  readonly alpha: number;
}

/** One operand: its value for shapes, and for use in the backward part (perhaps computed again). */
interface Operand {
  readonly value: Value;
  readonly shape: readonly Dim[];
  readonly read: () => Value;
}

/** A product of two matrices (or batches of them) to differentiate. */
interface Product {
  readonly a: Operand;
  readonly b: Operand;
  readonly g: Value;
  readonly flags: Flags;
}

/** All leading axes as one: `[…, k] -> [rows, k]`. */
function asMatrix(ops: Ops, x: Value): Value {
  return reshapeTo(ops, x, [dimProduct(x.shape.slice(0, -1)), x.shape.at(-1) ?? 1]);
}

function multiply(ops: Ops, a: Value, b: Value, options: FusedMatmulOptions): Value {
  const attributes = attributesOf(options);
  const isPlain = Object.keys(attributes).length === 0;
  const product = isPlain ? ops.matmul(a, b) : ops.builder.op("FusedMatMul", [a, b], attributes);
  // The float64 kernel leaves a sum over nothing as it found the memory.
  return innerSize(a, options) === 0 ? ops.where(ops.builder.constant([1], "bool", []), 0, product) : product;
}

/** Length of the axis that a product sums over. */
function innerSize(a: Value, { transA, transBatchA }: FusedMatmulOptions): Dim | undefined {
  if (transA !== true) return a.shape.at(-1);
  return a.shape.at(transBatchA === true ? 0 : -2);
}

/** The factor is the one of the op, which is a float32 already: it needs no product of its own. */
function attributesOf({ transA, transB, transBatchA, transBatchB, alpha = 1 }: FusedMatmulOptions): OpAttributes {
  const flags = Object.entries({ transA, transB, transBatchA, transBatchB }).filter(([, value]) => value === true);
  return { ...Object.fromEntries(flags.map(([name]) => [name, 1])), ...(alpha === 1 ? {} : { alpha }) };
}

/** A batch transposition undone: `[h, m, k]` to the `[m, h, k]` that was read, after summing what was broadcast. */
function finish(ops: Ops, gradient: Value, operand: Operand, isBatched: boolean): Value {
  if (!isBatched) return gradient;
  const [first = 1, ...others] = operand.shape;
  const shape = others.toSpliced(others.length - 1, 0, first);
  const summed = sumTo(ops, gradient, { shape, like: operand.value });
  const rank = shape.length;
  return ops.transpose(summed, [rank - 2, ...shape.slice(2).map((_, axis) => axis), rank - 1]);
}

/** `g B'^T`, or `B' g^T` where `a` is read transposed. */
function leftGradient(ops: Ops, { a, b, g, flags }: Product): Value {
  const { transA, transB, transBatchA, transBatchB, alpha } = flags;
  const product = transA
    ? multiply(ops, b.read(), g, { transA: transB, transB: true, transBatchA: transBatchB, alpha })
    : multiply(ops, g, b.read(), { transB: !transB, transBatchB, alpha });
  return finish(ops, product, a, transBatchA);
}

/** A matrix that every batch shares gets its gradient from one product over all rows. */
function sharedGradient(ops: Ops, { a, g, flags: { transB, alpha } }: Product): Value {
  const [rows, gradients] = [asMatrix(ops, a.read()), asMatrix(ops, g)];
  return transB
    ? multiply(ops, gradients, rows, { transA: true, alpha })
    : multiply(ops, rows, gradients, { transA: true, alpha });
}

/** `A'^T g`, or `g^T A'` where `b` is read transposed. */
function rightGradient(ops: Ops, parts: Product): Value {
  const { a, b, g, flags } = parts;
  const { transA, transB, transBatchA, transBatchB, alpha } = flags;
  const isShared = b.shape.length === 2 && a.shape.length > 2 && !transA && !transBatchA;
  if (isShared) return sharedGradient(ops, parts);
  const product = transB
    ? multiply(ops, g, a.read(), { transA: true, transB: transA, transBatchB: transBatchA, alpha })
    : multiply(ops, a.read(), g, { transA: !transA, transBatchA, alpha });
  return finish(ops, product, b, transBatchB);
}

/** Both gradients of a product of matrices, where they are wanted. */
function productGradients(context: RuleContext, parts: Product): readonly (Value | undefined)[] {
  const { ops } = context;
  return [
    context.wants(0) ? leftGradient(ops, parts) : undefined,
    context.wants(1) ? rightGradient(ops, parts) : undefined,
  ];
}

/** Operand `index`; a vector gets an axis at `axis`, so that it is a row or a column. */
function operandOf(context: RuleContext, index: number, axis = 0): Operand {
  const value = context.node.inputs[index] ?? context.input(index);
  if (value.shape.length !== 1) return { value, shape: value.shape, read: () => context.input(index) };
  const shape = value.shape.toSpliced(axis, 0, 1);
  return { value, shape, read: () => context.ops.unsqueeze(context.input(index), [axis]) };
}

/** Takes the axis of a vector out again after summing what it was broadcast along. */
function demoted(ops: Ops, gradient: Value | undefined, { value, shape }: Operand, axis: number): Value | undefined {
  if (gradient === undefined || value.shape.length !== 1) return gradient;
  return ops.squeeze(sumTo(ops, gradient, { shape, like: value }), [axis]);
}

const plain: Flags = { transA: false, transB: false, transBatchA: false, transBatchB: false, alpha: 1 };

/** numpy's matrix product: vectors are read as a row and as a column. */
export const matMul: Rule = (context) => {
  const { ops, node } = context;
  const [a, b] = [operandOf(context, 0, 0), operandOf(context, 1, 1)];
  const isVector = node.inputs.map((value) => value?.shape.length === 1);
  const row = isVector[0] === true ? [isVector[1] === true ? -1 : -2] : [];
  const missing = [...row, ...(isVector[1] === true ? [-1 - row.length] : [])];
  const g = missing.length === 0 ? context.gradient() : ops.unsqueeze(context.gradient(), missing);
  const [da, db] = productGradients(context, { a, b, g, flags: plain });
  return [demoted(ops, da, a, 0), demoted(ops, db, b, 1)];
};

/** The product with transpositions and a factor. */
export const fusedMatMul: Rule = (context) => {
  const flag = (name: string): boolean => context.number(name, 0) === 1;
  const flags = {
    transA: flag("transA"),
    transB: flag("transB"),
    transBatchA: flag("transBatchA"),
    transBatchB: flag("transBatchB"),
    alpha: context.number("alpha", 1),
  };
  return productGradients(context, {
    a: operandOf(context, 0),
    b: operandOf(context, 1),
    g: context.gradient(),
    flags,
  });
};

/** `alpha A' B' + beta c`. */
export const gemm: Rule = (context) => {
  const { ops } = context;
  const beta = context.number("beta", 1);
  const [da, db] = fusedMatMul(context);
  return each(
    context,
    () => da,
    () => db,
    () => (beta === 1 ? context.gradient() : ops.mul(context.gradient(), beta)),
  );
};
