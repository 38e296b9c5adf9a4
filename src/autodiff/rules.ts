/** The rule table: one entry for every op of the op table. It does not compile when one is missing. */
import type { Node, OpName } from "../graph/index.js";
import type { RuleEntry } from "./rule.js";
import { refused, zero } from "./rule.js";
import * as activation from "./rules/activation.js";
import { attention } from "./rules/attention.js";
import { einsum } from "./rules/einsum.js";
import * as elementwise from "./rules/elementwise.js";
import * as indexing from "./rules/indexing.js";
import * as layout from "./rules/layout.js";
import { fusedMatMul, gemm, matMul } from "./rules/matmul.js";
import { layerNorm, rmsNorm } from "./rules/norm.js";
import * as piecewise from "./rules/piecewise.js";
import * as reduction from "./rules/reduction.js";
import { rotary } from "./rules/rotary.js";
import { slice } from "./rules/slice.js";
import { logSoftmax, softmax } from "./rules/softmax.js";

const truth = zero("it makes truth values");
const integers = zero("it makes whole numbers");
const steps = zero("it is constant between its steps");

/** How each op passes gradients. */
export const ruleTable: Readonly<Record<OpName, RuleEntry>> = {
  Add: elementwise.pass,
  Sub: elementwise.sub,
  Mul: elementwise.mul,
  Div: elementwise.div,
  Pow: elementwise.pow,
  Mod: elementwise.mod,
  Min: piecewise.extreme,
  Max: piecewise.extreme,
  Equal: truth,
  Less: truth,
  LessOrEqual: truth,
  Greater: truth,
  GreaterOrEqual: truth,
  And: truth,
  Or: truth,
  Xor: truth,
  Not: truth,
  Neg: elementwise.neg,
  Abs: piecewise.abs,
  Sign: steps,
  Sqrt: elementwise.sqrt,
  Reciprocal: elementwise.reciprocal,
  Exp: elementwise.exp,
  Log: elementwise.log,
  Tanh: activation.tanh,
  Sigmoid: activation.sigmoid,
  Relu: activation.relu,
  Sin: elementwise.sin,
  Cos: elementwise.cos,
  Floor: steps,
  Ceil: steps,
  Round: steps,
  Erf: activation.erf,
  Softplus: activation.softplus,
  Gelu: activation.gelu,
  QuickGelu: activation.quickGelu,
  IsNaN: truth,
  IsInf: truth,
  Identity: elementwise.pass,
  Where: piecewise.where,
  Cast: elementwise.cast,
  Clip: piecewise.clip,
  Gather: indexing.gather,
  GatherElements: indexing.gatherElements,
  GatherND: indexing.gatherND,
  ScatterND: indexing.scatterND,
  ScatterElements: indexing.scatterElements,
  TopK: indexing.topK,
  ArgMax: integers,
  ArgMin: integers,
  Reshape: layout.reshape,
  Transpose: layout.transpose,
  Unsqueeze: layout.reshape,
  Squeeze: layout.reshape,
  Expand: layout.expand,
  Concat: layout.concat,
  Slice: slice,
  Split: layout.split,
  Tile: layout.tile,
  Shape: integers,
  Size: integers,
  ConstantOfShape: zero("it depends on a shape only"),
  Range: layout.range,
  Pad: layout.pad,
  OneHot: layout.oneHot,
  Trilu: layout.trilu,
  CumSum: layout.cumSum,
  Callback: refused(
    "a JavaScript function decides what it returns",
    "Write the function with traced operations, or give its output a rule with customGradient.",
  ),
  MatMul: matMul,
  FusedMatMul: fusedMatMul,
  Gemm: gemm,
  Einsum: einsum,
  LayerNormalization: layerNorm,
  RMSNormalization: rmsNorm,
  Attention: attention,
  RotaryEmbedding: rotary,
  ReduceSum: reduction.reduceSum,
  ReduceMean: reduction.reduceMean,
  ReduceMax: reduction.reduceExtreme,
  ReduceMin: reduction.reduceExtreme,
  ReduceProd: reduction.reduceProd,
  ReduceSumSquare: reduction.reduceSumSquare,
  ReduceL1: reduction.reduceL1,
  ReduceL2: reduction.reduceL2,
  ReduceLogSumExp: reduction.reduceLogSumExp,
  Softmax: softmax,
  LogSoftmax: logSoftmax,
};

const stopped = zero("it was stopped there");
const unknown = refused("the rule table does not have it", "Add a rule for it.");

/** Scatters that combine by products or extremes would need to know which update won. */
const combining = refused(
  "it combines updates by a product or an extreme",
  'Use the reduction "none" or "add", or give its output a rule with customGradient.',
);

/** Returns how a node passes gradients. */
export function ruleOf(node: Node): RuleEntry {
  if (node.op === "Identity" && node.attributes["gradient"] === "stop") return stopped;
  const { reduction: kind = "none" } = node.attributes;
  if (node.op.startsWith("Scatter") && kind !== "none" && kind !== "add") return combining;
  const entries: Readonly<Record<string, RuleEntry>> = ruleTable;
  return (Object.hasOwn(entries, node.op) ? entries[node.op] : undefined) ?? unknown;
}
