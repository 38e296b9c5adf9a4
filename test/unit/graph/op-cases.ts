/** One or more small cases for every row of the op table, with sizes that are distinct primes where that is possible. */
import type { GraphBuilder, GraphDType, OpAttributes, Value } from "../../../src/graph/index.js";

/** A graph of one op: makes its inputs in `builder` and says how to call it. */
export interface OpCase {
  readonly op: string;
  readonly attributes?: OpAttributes;
  readonly outputCount?: number;
  readonly inputs: (make: Make) => readonly (Value | undefined)[];
}

/** Shorthands for inputs of cases. */
export interface Make {
  readonly builder: GraphBuilder;
  /** A graph input of an element type and shape; small numbers. */
  x(shape: readonly number[], dtype?: GraphDType): Value;
  /** int64 constants, one-dimensional. */
  ints(...values: readonly number[]): Value;
  /** A scalar constant. */
  scalar(value: number, dtype?: GraphDType): Value;
}

const floats: readonly GraphDType[] = ["float32", "float64"];
const numbers: readonly GraphDType[] = [...floats, "int32", "int64"];
const every: readonly GraphDType[] = [...numbers, "bool"];

function unary(op: string, dtypes: readonly GraphDType[], attributes: OpAttributes = {}): OpCase[] {
  return dtypes.map((dtype) => ({ op, attributes, inputs: ({ x }) => [x([2, 3], dtype)] }));
}

function binary(op: string, dtypes: readonly GraphDType[], attributes: OpAttributes = {}): OpCase[] {
  return dtypes.flatMap((dtype) => [
    { op, attributes, inputs: ({ x }) => [x([2, 1, 5], dtype), x([3, 1], dtype)] },
    { op, attributes, inputs: ({ x }) => [x([3], dtype), x([], dtype)] },
  ]);
}

function reduce(op: string, dtypes: readonly GraphDType[]): OpCase[] {
  return dtypes.flatMap((dtype) => [
    { op, attributes: { keepdims: 1 }, inputs: ({ x, ints }) => [x([2, 3, 5], dtype), ints(-1)] },
    { op, attributes: { keepdims: 0 }, inputs: ({ x, ints }) => [x([2, 3, 5], dtype), ints(0, 2)] },
    { op, inputs: ({ x }) => [x([2, 3], dtype)] },
    { op, attributes: { noop_with_empty_axes: 1 }, inputs: ({ x, ints }) => [x([2, 3], dtype), ints()] },
  ]);
}

const elementwise: readonly OpCase[] = [
  ...["Add", "Sub", "Mul", "Div"].flatMap((op) => binary(op, numbers)),
  ...["Pow", "Min", "Max"].flatMap((op) => binary(op, numbers)),
  ...binary("Mod", ["int32", "int64"]),
  ...binary("Mod", floats, { fmod: 1 }),
  { op: "Max", inputs: ({ x }) => [x([2, 1]), x([3]), x([])] },
  ...binary("Equal", every),
  ...["Less", "LessOrEqual", "Greater", "GreaterOrEqual"].flatMap((op) => binary(op, numbers)),
  ...["And", "Or", "Xor"].flatMap((op) => binary(op, ["bool"])),
  ...unary("Not", ["bool"]),
  ...["Neg", "Abs", "Sign"].flatMap((op) => unary(op, numbers)),
  ...["Sqrt", "Reciprocal", "Exp", "Log", "Tanh", "Sigmoid", "Relu", "Sin", "Cos", "Floor", "Ceil", "Round"].flatMap(
    (op) => unary(op, floats),
  ),
  ...["Erf", "Softplus"].flatMap((op) => unary(op, ["float32"])),
  ...unary("Gelu", ["float32"], { approximate: "tanh" }),
  ...unary("Gelu", ["float32"]),
  ...unary("QuickGelu", ["float32"], { alpha: 1.702 }),
  ...["IsNaN", "IsInf"].flatMap((op) => unary(op, floats)),
  ...unary("Identity", every),
  ...numbers.map(
    (dtype): OpCase => ({ op: "Where", inputs: ({ x }) => [x([3, 1], "bool"), x([2, 1, 5], dtype), x([], dtype)] }),
  ),
  ...every.flatMap((dtype) => [1, 6, 7, 9, 11].flatMap((to) => unary("Cast", [dtype], { to }))),
  ...numbers.map(
    (dtype): OpCase => ({
      op: "Clip",
      inputs: ({ x, scalar }) => [x([2, 3], dtype), scalar(0, dtype), scalar(1, dtype)],
    }),
  ),
  ...numbers.map(
    (dtype): OpCase => ({ op: "Clip", inputs: ({ x, scalar }) => [x([2, 3], dtype), undefined, scalar(1, dtype)] }),
  ),
];

const layout: readonly OpCase[] = [
  ...every.map((dtype): OpCase => ({ op: "Reshape", inputs: ({ x, ints }) => [x([2, 3, 5], dtype), ints(0, -1)] })),
  { op: "Reshape", inputs: ({ x, ints }) => [x([2, 3, 4]), ints(3, 2, 2, 2)] },
  { op: "Reshape", inputs: ({ x, ints }) => [x([1]), ints()] },
  ...every.map(
    (dtype): OpCase => ({ op: "Transpose", attributes: { perm: [2, 0, 1] }, inputs: ({ x }) => [x([2, 3, 5], dtype)] }),
  ),
  { op: "Transpose", inputs: ({ x }) => [x([2, 3, 5])] },
  ...every.map((dtype): OpCase => ({ op: "Unsqueeze", inputs: ({ x, ints }) => [x([2, 3], dtype), ints(0, -1)] })),
  ...every.map((dtype): OpCase => ({ op: "Squeeze", inputs: ({ x, ints }) => [x([1, 2, 1], dtype), ints(-1)] })),
  { op: "Squeeze", inputs: ({ x }) => [x([1, 2, 1])] },
  ...every.map((dtype): OpCase => ({ op: "Expand", inputs: ({ x, ints }) => [x([3, 1], dtype), ints(2, 1, 5)] })),
  ...every.map(
    (dtype): OpCase => ({
      op: "Concat",
      attributes: { axis: -1 },
      inputs: ({ x }) => [x([2, 3], dtype), x([2, 5], dtype)],
    }),
  ),
  ...every.map(
    (dtype): OpCase => ({
      op: "Slice",
      inputs: ({ x, ints }) => [x([7, 5], dtype), ints(1, -2), ints(2 ** 31 - 1, -1), ints(0, 1), ints(2, 1)],
    }),
  ),
  { op: "Slice", inputs: ({ x, ints }) => [x([7, 5]), ints(-1), ints(-(2 ** 31)), ints(1), ints(-1)] },
  { op: "Slice", inputs: ({ x, ints }) => [x([7, 5]), ints(5), ints(1), ints(0), ints(-2)] },
  { op: "Slice", inputs: ({ x, ints }) => [x([7, 5]), ints(4), ints(2)] },
  ...every.map(
    (dtype): OpCase => ({
      op: "Split",
      attributes: { axis: 1 },
      outputCount: 2,
      inputs: ({ x, ints }) => [x([2, 5], dtype), ints(2, 3)],
    }),
  ),
  { op: "Split", attributes: { axis: 1, num_outputs: 2 }, outputCount: 2, inputs: ({ x }) => [x([2, 5])] },
  ...every.map((dtype): OpCase => ({ op: "Tile", inputs: ({ x, ints }) => [x([2, 3], dtype), ints(3, 2)] })),
  { op: "Shape", inputs: ({ x }) => [x([2, 3, 5])] },
  { op: "Shape", attributes: { start: -2 }, inputs: ({ x }) => [x([2, 3, 5])] },
  { op: "Shape", attributes: { start: 1, end: 2 }, inputs: ({ x }) => [x([2, 3, 5], "bool")] },
  { op: "Size", inputs: ({ x }) => [x([2, 3, 5])] },
  ...every.map(
    (dtype): OpCase => ({ op: "ConstantOfShape", attributes: { value: 1, dtype }, inputs: ({ ints }) => [ints(2, 3)] }),
  ),
  ...numbers.map(
    (dtype): OpCase => ({
      op: "Range",
      inputs: ({ scalar }) => [scalar(1, dtype), scalar(8, dtype), scalar(2, dtype)],
    }),
  ),
  { op: "Range", inputs: ({ scalar }) => [scalar(1, "int64"), scalar(8, "int64"), scalar(2, "int64")] },
  ...every.map(
    (dtype): OpCase => ({
      op: "Pad",
      attributes: { mode: "constant" },
      inputs: ({ x, ints, scalar }) => [x([2, 3], dtype), ints(1, 0, 0, 2), scalar(1, dtype)],
    }),
  ),
  { op: "Pad", attributes: { mode: "edge" }, inputs: ({ x, ints }) => [x([2, 3]), ints(1, -1), undefined, ints(-1)] },
  ...(["float32", "int64"] as const).map(
    (dtype): OpCase => ({
      op: "OneHot",
      attributes: { axis: -1 },
      inputs: ({ x, builder, scalar }) => [x([2, 3], "int64"), scalar(7, "int64"), builder.constant([0, 1], dtype)],
    }),
  ),
  ...[...floats, "int64" as const, "bool" as const].flatMap((dtype): OpCase[] => [
    { op: "Trilu", attributes: { upper: 0 }, inputs: ({ x }) => [x([3, 3], dtype)] },
    { op: "Trilu", attributes: { upper: 1 }, inputs: ({ x, scalar }) => [x([2, 3, 5], dtype), scalar(1, "int64")] },
  ]),
  ...numbers.map(
    (dtype): OpCase => ({
      op: "CumSum",
      attributes: { exclusive: 1, reverse: 1 },
      inputs: ({ x, scalar }) => [x([2, 3], dtype), scalar(-1, "int64")],
    }),
  ),
];

const indexing: readonly OpCase[] = [
  ...every.map(
    (dtype): OpCase => ({
      op: "Gather",
      attributes: { axis: 1 },
      inputs: ({ x, builder }) => [x([2, 5, 3], dtype), builder.constant([0, 4, 1, 2], "int64", [2, 2])],
    }),
  ),
  { op: "Gather", attributes: { axis: 0 }, inputs: ({ x, scalar }) => [x([2, 5]), scalar(-1, "int64")] },
  { op: "Gather", attributes: { axis: 0 }, inputs: ({ x, builder }) => [x([2, 5]), builder.constant([1, 0], "int32")] },
  ...every.map(
    (dtype): OpCase => ({
      op: "GatherElements",
      attributes: { axis: 1 },
      inputs: ({ x, builder }) => [x([2, 5], dtype), builder.constant([0, 4, 1, 2], "int64", [2, 2])],
    }),
  ),
  ...every.map(
    (dtype): OpCase => ({
      op: "GatherND",
      inputs: ({ x, builder }) => [x([2, 5, 3], dtype), builder.constant([0, 4, 1, 2], "int64", [2, 2])],
    }),
  ),
  {
    op: "GatherND",
    attributes: { batch_dims: 1 },
    inputs: ({ x, builder }) => [x([2, 5, 3]), builder.constant([4, 1], "int64", [2, 1])],
  },
  ...every.map(
    (dtype): OpCase => ({
      op: "ScatterND",
      inputs: ({ x, builder }) => [
        x([2, 5, 3], dtype),
        builder.constant([0, 4, 1, 2], "int64", [2, 2]),
        x([2, 3], dtype),
      ],
    }),
  ),
  ...floats.map(
    (dtype): OpCase => ({
      op: "ScatterND",
      attributes: { reduction: "add" },
      inputs: ({ x, builder }) => [x([5, 3], dtype), builder.constant([4, 4], "int64", [2, 1]), x([2, 3], dtype)],
    }),
  ),
  ...every.map(
    (dtype): OpCase => ({
      op: "ScatterElements",
      attributes: { axis: 1 },
      inputs: ({ x, builder }) => [x([2, 5], dtype), builder.constant([0, 4, 1, 2], "int64", [2, 2]), x([2, 2], dtype)],
    }),
  ),
  ...floats.map(
    (dtype): OpCase => ({
      op: "ScatterElements",
      attributes: { axis: 1, reduction: "add" },
      inputs: ({ x, builder }) => [x([2, 5], dtype), builder.constant([0, 4, 1, 2], "int64", [2, 2]), x([2, 2], dtype)],
    }),
  ),
  ...numbers.map(
    (dtype): OpCase => ({
      op: "TopK",
      attributes: { axis: -1, largest: 1, sorted: 1 },
      outputCount: 2,
      inputs: ({ x, ints }) => [x([2, 5], dtype), ints(3)],
    }),
  ),
  ...["ArgMax", "ArgMin"].flatMap((op) =>
    numbers.flatMap((dtype): OpCase[] => [
      { op, attributes: { axis: -1, keepdims: 0 }, inputs: ({ x }) => [x([2, 5], dtype)] },
      { op, attributes: { axis: 0 }, inputs: ({ x }) => [x([2, 5], dtype)] },
    ]),
  ),
];

const matrix: readonly OpCase[] = [
  ...numbers.flatMap((dtype): OpCase[] => [
    { op: "MatMul", inputs: ({ x }) => [x([2, 3, 5], dtype), x([5, 7], dtype)] },
    { op: "MatMul", inputs: ({ x }) => [x([5], dtype), x([2, 5, 7], dtype)] },
    { op: "MatMul", inputs: ({ x }) => [x([2, 1, 3, 5], dtype), x([7, 5, 2], dtype)] },
    { op: "MatMul", inputs: ({ x }) => [x([3, 5], dtype), x([5], dtype)] },
  ]),
  ...floats.flatMap((dtype): OpCase[] => [
    {
      op: "FusedMatMul",
      attributes: { transB: 1, alpha: 2 },
      inputs: ({ x }) => [x([2, 3, 5], dtype), x([7, 5], dtype)],
    },
    { op: "FusedMatMul", attributes: { transA: 1 }, inputs: ({ x }) => [x([2, 5, 3], dtype), x([2, 5, 7], dtype)] },
    {
      op: "FusedMatMul",
      attributes: { transBatchA: 1, transBatchB: 1, transB: 1 },
      inputs: ({ x }) => [x([3, 2, 5], dtype), x([7, 2, 5], dtype)],
    },
    {
      op: "FusedMatMul",
      attributes: { transA: 1, transBatchA: 1, transBatchB: 1 },
      inputs: ({ x }) => [x([5, 2, 3], dtype), x([5, 2, 7], dtype)],
    },
    {
      op: "Gemm",
      attributes: { transB: 1, alpha: 0.5, beta: 2 },
      inputs: ({ x }) => [x([3, 5], dtype), x([7, 5], dtype), x([7], dtype)],
    },
    { op: "Gemm", attributes: { transA: 1 }, inputs: ({ x }) => [x([5, 3], dtype), x([5, 7], dtype)] },
  ]),
  ...numbers.flatMap((dtype): OpCase[] => [
    {
      op: "Einsum",
      attributes: { equation: "bqhd,bkhd->bhqk" },
      inputs: ({ x }) => [x([2, 3, 2, 5], dtype), x([2, 7, 2, 5], dtype)],
    },
    { op: "Einsum", attributes: { equation: "ij,jk" }, inputs: ({ x }) => [x([3, 5], dtype), x([5, 2], dtype)] },
  ]),
  { op: "Einsum", attributes: { equation: "ab->" }, inputs: ({ x }) => [x([3, 5])] },
];

const network: readonly OpCase[] = [
  ...["Softmax", "LogSoftmax"].flatMap((op) => unary(op, floats, { axis: -1 })),
  ...unary("Softmax", floats, { axis: 0 }),
  ...floats.flatMap((dtype): OpCase[] => [
    {
      op: "LayerNormalization",
      attributes: { axis: -1, epsilon: 1e-5 },
      inputs: ({ x }) => [x([2, 3, 5], dtype), x([5], dtype), x([5], dtype)],
    },
    {
      op: "LayerNormalization",
      attributes: { axis: -2, epsilon: 1e-5 },
      inputs: ({ x }) => [x([2, 3, 5], dtype), x([3, 5], dtype)],
    },
    {
      op: "RMSNormalization",
      attributes: { axis: -1, epsilon: 1e-5 },
      inputs: ({ x }) => [x([2, 3, 5], dtype), x([5], dtype)],
    },
  ]),
  {
    op: "Attention",
    attributes: { is_causal: 1, scale: 0.5 },
    inputs: ({ x }) => [x([2, 4, 3, 5]), x([2, 2, 3, 5]), x([2, 2, 3, 7])],
  },
  {
    op: "Attention",
    attributes: { is_causal: 1, q_num_heads: 4, kv_num_heads: 2, qk_matmul_output_mode: 3 },
    outputCount: 4,
    inputs: ({ x }) => [x([2, 3, 20]), x([2, 3, 10]), x([2, 3, 14]), x([3, 5]), x([2, 2, 2, 5]), x([2, 2, 2, 7])],
  },
  {
    op: "Attention",
    attributes: { softcap: 5 },
    outputCount: 3,
    inputs: ({ x }) => [x([2, 4, 3, 5]), x([2, 2, 7, 5]), x([2, 2, 7, 5]), x([3, 7], "bool")],
  },
  {
    op: "RotaryEmbedding",
    attributes: { interleaved: 0 },
    inputs: ({ x, builder }) => [
      x([2, 4, 3, 6]),
      x([11, 3]),
      x([11, 3]),
      builder.constant([0, 1, 2, 5, 6, 7], "int64", [2, 3]),
    ],
  },
  {
    op: "RotaryEmbedding",
    attributes: { interleaved: 1, rotary_embedding_dim: 4 },
    inputs: ({ x }) => [x([2, 4, 3, 6]), x([2, 3, 2]), x([2, 3, 2])],
  },
  ...["ReduceSum", "ReduceMax", "ReduceMin"].flatMap((op) => reduce(op, numbers)),
  ...["ReduceMean", "ReduceProd", "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceLogSumExp"].flatMap((op) =>
    reduce(op, floats),
  ),
];

/** Every case; `Callback` is no op of the runtime and is tested with the cuts. */
export const opCases: readonly OpCase[] = [...elementwise, ...layout, ...indexing, ...matrix, ...network];
