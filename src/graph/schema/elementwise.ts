/** Operations that work element by element. The element types are those that the runtime has kernels for. */
import { broadcastShapes } from "../dims.js";
import { dtypeOfOnnx, floatDTypes, numberDTypes } from "../dtypes.js";
import {
  anyDType,
  broadcasting,
  intAttribute,
  likeFirst,
  one,
  problem,
  row,
  sameInputs,
  typedInput,
} from "./helpers.js";
import type { OpName } from "./names.js";
import type { InferContext, OpSchema, TypedShape } from "./types.js";

function inferWhere(context: InferContext): readonly TypedShape[] {
  const condition = typedInput(context, 0, ["bool"]);
  const [x, y] = [typedInput(context, 1, numberDTypes), typedInput(context, 2, numberDTypes)];
  if (x.dtype !== y.dtype) {
    const got = `branches of ${x.dtype} and ${y.dtype}`;
    throw problem(context, got, "one element type for both branches", "Cast one of them.");
  }
  return one(x.dtype, broadcastShapes(context.where, condition.shape, x.shape, y.shape));
}

function inferCast(context: InferContext): readonly TypedShape[] {
  const value = typedInput(context, 0, anyDType);
  const code = intAttribute(context, "to", 0);
  const dtype = dtypeOfOnnx(code);
  if (dtype !== undefined) return one(dtype, value.shape);
  throw problem(context, `to = ${code}`, "1, 6, 7, 9 or 11", "Use float32, int32, int64, bool or float64.");
}

function inferClip(context: InferContext): readonly TypedShape[] {
  const [value, ...bounds] = sameInputs(context, numberDTypes);
  if (value === undefined || bounds.some((bound) => bound.shape.length > 0)) {
    throw problem(context, "bounds that are not scalars", "scalar bounds", "Use minimum and maximum for arrays.");
  }
  return one(value.dtype, value.shape);
}

const unary = (op: OpName, infer: OpSchema["infer"]): OpSchema => row(op, [1, 1], infer);
const binary = (op: OpName, infer: OpSchema["infer"]): OpSchema => row(op, [2, 2], infer);
const float32Only = likeFirst(["float32"]);
const floats = likeFirst(floatDTypes);
const numbers = likeFirst(numberDTypes);

/** Rows of element-wise operations. */
export const elementwise: readonly OpSchema[] = [
  binary("Add", broadcasting(numberDTypes)),
  binary("Sub", broadcasting(numberDTypes)),
  binary("Mul", broadcasting(numberDTypes)),
  binary("Div", broadcasting(numberDTypes)),
  binary("Pow", broadcasting(numberDTypes)),
  row("Mod", [2, 2], broadcasting(numberDTypes), { attributes: { fmod: "int" } }),
  row("Min", [1, Infinity], broadcasting(numberDTypes)),
  row("Max", [1, Infinity], broadcasting(numberDTypes)),
  binary("Equal", broadcasting(anyDType, "bool")),
  binary("Less", broadcasting(numberDTypes, "bool")),
  binary("LessOrEqual", broadcasting(numberDTypes, "bool")),
  binary("Greater", broadcasting(numberDTypes, "bool")),
  binary("GreaterOrEqual", broadcasting(numberDTypes, "bool")),
  binary("And", broadcasting(["bool"])),
  binary("Or", broadcasting(["bool"])),
  binary("Xor", broadcasting(["bool"])),
  unary("Not", likeFirst(["bool"])),
  unary("Neg", numbers),
  unary("Abs", numbers),
  unary("Sign", numbers),
  unary("Sqrt", floats),
  unary("Reciprocal", floats),
  unary("Exp", floats),
  unary("Log", floats),
  unary("Tanh", floats),
  unary("Sigmoid", floats),
  unary("Relu", floats),
  unary("Sin", floats),
  unary("Cos", floats),
  unary("Floor", floats),
  unary("Ceil", floats),
  unary("Round", floats),
  unary("Erf", float32Only),
  unary("Softplus", float32Only),
  row("Gelu", [1, 1], float32Only, { attributes: { approximate: "string" } }),
  row("QuickGelu", [1, 1], float32Only, { domain: "com.microsoft", attributes: { alpha: "float" } }),
  unary("IsNaN", likeFirst(floatDTypes, "bool")),
  row("IsInf", [1, 1], likeFirst(floatDTypes, "bool"), {
    attributes: { detect_negative: "int", detect_positive: "int" },
  }),
  // "stop": no gradient passes; anything else only tells copies of one value apart (see autodiff/custom.ts).
  row("Identity", [1, 1], likeFirst(anyDType), { attributes: { gradient: "hidden" } }),
  row("Where", [3, 3], inferWhere),
  row("Cast", [1, 1], inferCast, { attributes: { to: "int" } }),
  row("Clip", [1, 3], inferClip),
];
