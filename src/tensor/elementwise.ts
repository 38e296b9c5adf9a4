/** Elementwise operations: one table of unary and one of binary functions, applied over views. */
import { sizeOf } from "./axes.js";
import { arithmeticLoops, type BinaryRun, loopOf } from "./binary-runs.js";
import { align, alignedStrides } from "./broadcast.js";
import { type ComputeDType, type DType, floatOf, promote, promoteScalar } from "./dtype.js";
import { finish, type ResultDType, scratch } from "./result.js";
import { type NumericStrided, numeric, type Strided } from "./strided.js";
import { walk } from "./walk.js";

/** How the element type of a result follows from the operand's: kept, floating, or bool. */
type Kind = "same" | "float" | "bool";

interface UnaryRow {
  readonly kind: Kind;
  readonly apply: (x: number) => number;
}

/** The name of a unary operation. */
export type UnaryOp =
  | "neg"
  | "abs"
  | "sign"
  | "relu"
  | "square"
  | "floor"
  | "ceil"
  | "round"
  | "exp"
  | "log"
  | "sqrt"
  | "sin"
  | "cos"
  | "tanh"
  | "sigmoid"
  | "reciprocal"
  | "isNaN"
  | "isFinite"
  | "not";

const unaryOps: { readonly [Op in UnaryOp]: UnaryRow } = {
  neg: { kind: "same", apply: (x) => -x },
  abs: { kind: "same", apply: Math.abs },
  sign: { kind: "same", apply: Math.sign },
  relu: { kind: "same", apply: (x) => (x > 0 || Number.isNaN(x) ? x : 0) },
  square: { kind: "same", apply: (x) => x * x },
  floor: { kind: "same", apply: Math.floor },
  ceil: { kind: "same", apply: Math.ceil },
  round: { kind: "same", apply: roundHalfEven },
  exp: { kind: "float", apply: Math.exp },
  log: { kind: "float", apply: Math.log },
  sqrt: { kind: "float", apply: Math.sqrt },
  sin: { kind: "float", apply: Math.sin },
  cos: { kind: "float", apply: Math.cos },
  tanh: { kind: "float", apply: Math.tanh },
  sigmoid: { kind: "float", apply: sigmoid },
  reciprocal: { kind: "float", apply: (x) => 1 / x },
  isNaN: { kind: "bool", apply: (x) => (Number.isNaN(x) ? 1 : 0) },
  isFinite: { kind: "bool", apply: (x) => (Number.isFinite(x) ? 1 : 0) },
  not: { kind: "bool", apply: (x) => (x === 0 ? 1 : 0) },
};

interface BinaryRow {
  readonly kind: Kind;
  readonly apply: (x: number, y: number) => number;
}

/** The name of a binary operation. */
export type BinaryOp =
  | "add"
  | "sub"
  | "mul"
  | "maximum"
  | "minimum"
  | "div"
  | "pow"
  | "eq"
  | "ne"
  | "lt"
  | "le"
  | "gt"
  | "ge"
  | "and"
  | "or";

const binaryOps: { readonly [Op in BinaryOp]: BinaryRow } = {
  add: { kind: "same", apply: (x, y) => x + y },
  sub: { kind: "same", apply: (x, y) => x - y },
  mul: { kind: "same", apply: (x, y) => x * y },
  maximum: { kind: "same", apply: Math.max },
  minimum: { kind: "same", apply: Math.min },
  div: { kind: "float", apply: (x, y) => x / y },
  pow: { kind: "float", apply: (x, y) => x ** y },
  eq: { kind: "bool", apply: (x, y) => (x === y ? 1 : 0) },
  ne: { kind: "bool", apply: (x, y) => (x !== y ? 1 : 0) },
  lt: { kind: "bool", apply: (x, y) => (x < y ? 1 : 0) },
  le: { kind: "bool", apply: (x, y) => (x <= y ? 1 : 0) },
  gt: { kind: "bool", apply: (x, y) => (x > y ? 1 : 0) },
  ge: { kind: "bool", apply: (x, y) => (x >= y ? 1 : 0) },
  and: { kind: "bool", apply: (x, y) => (x !== 0 && y !== 0 ? 1 : 0) },
  or: { kind: "bool", apply: (x, y) => (x !== 0 || y !== 0 ? 1 : 0) },
};

/** A tensor's view, or a plain number. */
export type Operand = Strided | number;

/** Returns `op(view)`. */
export function unary(op: UnaryOp, view: Strided): Strided {
  const { kind, apply } = unaryOps[op];
  const dtype = kind === "bool" ? "bool" : kind === "float" ? floatOf(view.dtype) : promote(view.dtype, view.dtype);
  return mapUnary(view, dtype, apply, `tensor.${op}`);
}

/** Returns `apply` of every element, as `dtype`. */
export function mapUnary(view: Strided, dtype: ResultDType, apply: (x: number) => number, where: string): Strided {
  const source = numeric(view, where);
  const out = scratch(dtype, sizeOf(view.shape));
  let done = 0;
  walk(source.shape, [source], ([start = 0], length, [stride = 0]) => {
    const { data } = source;
    for (let k = 0, i = start; k < length; k++, i += stride) out[done++] = apply(data[i] as number);
  });
  return finish(out, dtype, view, where);
}

/** Returns `op(left, right)`, broadcast by axis name. */
export function binary(op: BinaryOp, left: Operand, right: Operand): Strided {
  const { kind, apply } = binaryOps[op];
  const where = `tensor.${op}`;
  const dtype = kind === "bool" ? "bool" : binaryDType(kind, left, right);
  const [a, b] = [operandView(left, where), operandView(right, where)];
  const alignment = align([a, b], where);
  const operands = [alignedStrides(a, alignment), alignedStrides(b, alignment)];
  const out = scratch(dtype, sizeOf(alignment.shape));
  const run: BinaryRun = { out, x: a.data, y: b.data, at: 0, i: 0, j: 0, di: 0, dj: 0, length: 0 };
  const loop = arithmeticLoops[op] ?? loopOf(apply);
  walk(alignment.shape, operands, ([i = 0, j = 0], length, [di = 0, dj = 0]) => {
    run.i = i;
    run.j = j;
    run.di = di;
    run.dj = dj;
    run.length = length;
    loop(run);
    run.at += length;
  });
  return finish(out, dtype, alignment, where);
}

/** Returns `whenTrue` where `condition` is not zero, else `whenFalse`; all three broadcast by axis name. */
export function select(condition: Strided, whenTrue: Operand, whenFalse: Operand): Strided {
  const where = "where";
  const dtype = selectDType(whenTrue, whenFalse);
  const views = [condition, whenTrue, whenFalse].map((operand) => operandView(operand, where));
  const alignment = align(views, where);
  const operands = views.map((view) => alignedStrides(view, alignment));
  const out = scratch(dtype, sizeOf(alignment.shape));
  const [c, x, y] = views.map((view) => view.data) as [
    NumericStrided["data"],
    NumericStrided["data"],
    NumericStrided["data"],
  ];
  let done = 0;
  walk(alignment.shape, operands, ([h = 0, i = 0, j = 0], length, [dh = 0, di = 0, dj = 0]) => {
    for (let k = 0; k < length; k++) {
      out[done++] = (c[h + k * dh] !== 0 ? x[i + k * di] : y[j + k * dj]) as number;
    }
  });
  return finish(out, dtype, alignment, where);
}

function selectDType(whenTrue: Operand, whenFalse: Operand): ResultDType {
  const areBool = [whenTrue, whenFalse].every((operand) => typeof operand !== "number" && operand.dtype === "bool");
  return areBool ? "bool" : binaryDType("same", whenTrue, whenFalse);
}

function binaryDType(kind: "same" | "float", left: Operand, right: Operand): ComputeDType {
  const dtype = commonDType(left, right);
  return kind === "float" ? floatOf(dtype) : dtype;
}

function commonDType(left: Operand, right: Operand): ComputeDType {
  if (typeof left !== "number") {
    return typeof right === "number" ? promoteScalar(left.dtype, right) : promote(left.dtype, right.dtype);
  }
  return typeof right === "number" ? promoteNumbers(left, right) : promoteScalar(right.dtype, left);
}

function promoteNumbers(left: number, right: number): ComputeDType {
  const dtype: DType = Number.isInteger(left) && Number.isInteger(right) ? "int32" : "float32";
  return dtype;
}

function operandView(operand: Operand, where: string): NumericStrided {
  if (typeof operand !== "number") return numeric(operand, where);
  return { data: Float64Array.of(operand), axes: [], shape: [], strides: [], offset: 0 };
}

/** Rounds to the nearest integer, ties to even, as numpy, PyTorch and ONNX do; keeps the sign of zero. */
function roundHalfEven(x: number): number {
  return x - Math.floor(x) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);
}

/** Returns 1 / (1 + exp(-x)) without overflow. */
function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}
