/** For every rule of the table, functions that use its op, made from a draw. A test fails when a rule has no case. */
import type { Differentiable } from "../../../src/autodiff/index.js";
import { type Dim, dimAdd, type OpName, type Ops, type Value } from "../../../src/graph/index.js";
import type { RuleCase } from "./batch.js";
import { Choices, type Draw } from "./draw.js";

/** Makes a case of one op. */
export type MakeCase = (choices: Choices) => Omit<RuleCase, "name">;

const one =
  (f: (ops: Ops, x: Value) => Value): Differentiable =>
  (ops, [x]) =>
    x === undefined ? [] : [f(ops, x)];

const two =
  (f: (ops: Ops, a: Value, b: Value) => Value): Differentiable =>
  (ops, [a, b]) =>
    a === undefined || b === undefined ? [] : [f(ops, a, b)];

function unary(f: (ops: Ops, x: Value) => Value, extra: Partial<RuleCase> = {}): MakeCase {
  return ({ shape }) => ({ shapes: [shape], f: one(f), ...extra });
}

/** Two operands that broadcast, in either order; sometimes one operand twice. */
function binary(f: (ops: Ops, a: Value, b: Value) => Value, extra: Partial<RuleCase> = {}): MakeCase {
  return (choices) => {
    const small = choices.smaller(choices.shape);
    const shapes = choices.yes() ? [choices.shape, small] : [small, choices.shape];
    return { shapes, f: two(f), ...extra };
  };
}

/** An op that the runtime has in float32 only, and its float64 form. */
function float32Only(f: (ops: Ops, x: Value) => Value, exact: (ops: Ops, x: Value) => Value): MakeCase {
  return ({ shape }) => ({ shapes: [shape], f: one(exact), float32: one(f), range: [-4, 4], tolerance: 5e-6 });
}

function reduction(op: string, extra: Partial<RuleCase> & { readonly isEmptyFine?: boolean } = {}): MakeCase {
  const { isEmptyFine = false, ...rest } = extra;
  return (choices) => {
    const shape = isEmptyFine ? choices.shape : choices.full;
    const axes = choices.order(shape.length).slice(0, choices.below(shape.length + 1));
    const keepdims = choices.below(2);
    // The kernels ignore negative axes of empty values.
    const signed = axes.map((axis) => (choices.yes() && !shape.includes(0) ? axis - shape.length : axis));
    const attributes = { keepdims, ...(choices.yes() ? { noop_with_empty_axes: 1 } : {}) };
    const f = one((ops, x) => ops.builder.op(op, signed.length === 0 ? [x] : [x, ops.ints(signed)], attributes));
    return { shapes: [shape], f, ...rest };
  };
}

function axisOf(choices: Choices): number {
  const { length } = choices.shape;
  return choices.below(2 * length) - length;
}

/** Shapes of a matrix product, vectors among them. */
function matmulShapes(choices: Choices): readonly (readonly number[])[] {
  const [m, k, n] = [choices.of([0, 1, 2, 3]), choices.of([1, 2, 4]), choices.of([1, 2, 3])];
  const batch = choices.of<readonly number[]>([[], [2], [3, 2], [1]]);
  const left = choices.of<readonly number[]>([[...batch, m, k], [m, k], [k], [...batch, m, k]]);
  const right = choices.of<readonly number[]>([[k, n], [...batch, k, n], [k], [...choices.smaller(batch), k, n]]);
  // The runtime refuses no rows times a vector.
  return left.includes(0) && right.length === 1 ? [left, [k, n]] : [left, right];
}

const fusedMatmul: MakeCase = (choices) => {
  const [m, k, n] = [choices.of([1, 2, 3]), choices.of([1, 2, 4]), choices.of([1, 2, 3])];
  const [transA, transB, transBatchA, transBatchB] = [choices.yes(), choices.yes(), choices.yes(), choices.yes()];
  const isBatch = transBatchA || transBatchB;
  const batch = isBatch ? choices.of([[2], [3, 2]]) : choices.of<readonly number[]>([[], [2], [3, 2]]);
  const otherBatch = isBatch ? batch.map((size) => (choices.below(3) === 0 ? 1 : size)) : choices.of([batch, []]);
  const place = (
    own: readonly number[],
    [rows, columns]: readonly [number, number],
    trans: boolean,
    moved: boolean,
  ): number[] => {
    const [r, c] = trans ? [columns, rows] : [rows, columns];
    return moved ? [r, ...own, c] : [...own, r, c];
  };
  const alpha = choices.of([1, 0.5, -2]);
  return {
    shapes: [place(batch, [m, k], transA, transBatchA), place(otherBatch, [k, n], transB, transBatchB)],
    f: two((ops, a, b) => ops.fusedMatmul(a, b, { transA, transB, transBatchA, transBatchB, alpha })),
  };
};

const gemm: MakeCase = (choices) => {
  const [m, k, n] = [choices.of([1, 2, 3]), choices.of([1, 2, 4]), choices.of([1, 2, 3])];
  const [transA, transB] = [choices.below(2), choices.below(2)];
  const attributes = { transA, transB, alpha: choices.of([1, 0.5]), beta: choices.of([1, 2]) };
  const bias = choices.of([[n], [m, n], [m, 1], [], undefined]);
  const a = transA === 1 ? [k, m] : [m, k];
  const b = transB === 1 ? [n, k] : [k, n];
  return {
    shapes: [a, b, ...(bias === undefined ? [] : [bias])],
    f: (ops, inputs) => [ops.builder.op("Gemm", inputs, attributes)],
  };
};

// Letters of size 1 in one operand only are left out: the runtime's planner takes their result for too small.
const equations: readonly (readonly [string, ...(readonly number[])[]])[] = [
  ["bqhd,bkhd->bhqk", [2, 3, 2, 4], [2, 1, 2, 4]],
  ["ij,jk", [3, 2], [2, 4]],
  ["ij->", [3, 2]],
  ["ij->ji", [3, 2]],
  ["ij->i", [3, 2]],
  ["i,j->ij", [3], [2]],
  ["ij,ij->i", [3, 2], [3, 2]],
  ["ij,ij->ij", [1, 2], [1, 2]],
  ["ii->i", [3, 3]],
  ["ii->", [3, 3]],
  ["iji,j->i", [2, 3, 2], [3]],
  ["ij,jk,kl->il", [2, 3], [3, 2], [2, 3]],
  ["i,i->", [4], [4]],
];

const sliceCases: readonly (readonly [readonly number[], readonly number[], readonly number[], readonly number[]])[] = [
  [[1], [3], [0], [1]],
  [[-2], [2 ** 31 - 1], [0], [1]],
  [[0], [-1], [1], [1]],
  [[4], [0], [0], [-2]],
  [[-1], [-(2 ** 31)], [1], [-1]],
  [
    [0, 1],
    [5, 3],
    [0, 1],
    [2, 1],
  ],
  [
    [1, -3],
    [4, 2 ** 31 - 1],
    [-2, -1],
    [1, 1],
  ],
  [[2], [2], [0], [1]],
  [[-100], [3], [0], [1]],
];

function slice(choices: Choices): Omit<RuleCase, "name"> {
  const [starts, ends, axes, steps] = choices.of(choices.draw.symbolic ? sliceCases.slice(0, -1) : sliceCases);
  const dynamic = choices.yes();
  const f = one((ops, x) => {
    const list = (values: readonly number[]): Value => ops.ints(values);
    // A bound that is computed while the graph runs: its contents are not known before.
    const hidden = (values: readonly number[]): Value =>
      dynamic ? ops.cast(ops.cast(list(values), "float64"), "int64") : list(values);
    return ops.builder.op("Slice", [x, hidden(starts), hidden(ends), list(axes), list(steps)]);
  });
  // Bounds lie inside an axis whose size is a symbol.
  return { shapes: [[5, 4, choices.of(choices.draw.symbolic ? [1, 3] : [1, 2, 0])]], f };
}

const pads: readonly (readonly [string, readonly number[], readonly number[], readonly number[] | undefined])[] = [
  ["constant", [3, 2], [1, 0, 0, 2], undefined],
  ["constant", [3, 4], [-1, 1, 0, -2], undefined],
  ["constant", [3, 4], [2, 1], [-1]],
  ["edge", [3, 2], [1, 2, 0, 3], undefined],
  ["reflect", [4, 3], [2, 0, 1, 2], undefined],
  ["edge", [3, 4], [1, 1], [1]],
];

function pad(choices: Choices): Omit<RuleCase, "name"> {
  const [mode, shape, sizes, axes] = choices.of(pads);
  const list = (ops: Ops, values: readonly number[] | undefined): Value | undefined =>
    values === undefined ? undefined : ops.ints(values);
  if (mode !== "constant") {
    return {
      shapes: [shape],
      f: one((ops, x) => ops.builder.op("Pad", [x, ops.ints(sizes), undefined, list(ops, axes)], { mode })),
    };
  }
  return {
    shapes: [shape, []],
    f: two((ops, x, c) => ops.builder.op("Pad", [x, ops.ints(sizes), c, list(ops, axes)])),
  };
}

function gather(choices: Choices): Omit<RuleCase, "name"> {
  const shape = [3, 4, 2];
  const axis = choices.below(6) - 3;
  const [dims, list] = choices.of<readonly [readonly number[], readonly number[]]>([
    [
      [2, 2],
      [0, 1, 1, -1],
    ],
    [[], [1]],
    [[], [-1]],
    [[5], [0, 0, 1, 0, -2]],
    [[0], []],
    [[1], [1]],
  ]);
  const dtype = choices.of(["int64", "int32"] as const);
  return { shapes: [shape], f: one((ops, x) => ops.gather(x, ops.builder.constant([...list], dtype, dims), axis)) };
}

function gatherElements(choices: Choices): Omit<RuleCase, "name"> {
  const axis = choices.of([0, 1, -1]);
  return {
    shapes: [[3, 4]],
    f: one((ops, x) => ops.gatherElements(x, ops.builder.constant([0, 1, 2, -1, 1, 1], "int64", [2, 3]), axis)),
  };
}

function gatherND(choices: Choices): Omit<RuleCase, "name"> {
  const [batch, dims, list] = choices.of<readonly [number, readonly number[], readonly number[]]>([
    [0, [2, 2], [0, 1, 2, -1]],
    [0, [3, 1], [1, 1, 0]],
    [1, [3, 2, 1], [0, 3, 1, 1, -1, 2]],
    [1, [3, 1, 2], [0, 1, 1, 0, 3, -1]],
    [2, [3, 4, 1], [0, 1, 1, 0, 0, 0, 1, 1, -1, 1, 0, 1]],
    [0, [1, 3], [2, 3, 1]],
  ]);
  return {
    shapes: [[3, 4, 2]],
    dims: batch > 0 ? [[3, 4, "n2"]] : [["n3", "n4", "n2"]],
    f: one((ops, x) => ops.gatherND(x, ops.builder.constant([...list], "int64", dims), batch)),
  };
}

function scatterND(choices: Choices): Omit<RuleCase, "name"> {
  const reduction = choices.of(["none", "add"] as const);
  const [dims, list, shape] = choices.of<readonly [readonly number[], readonly number[], readonly number[]]>([
    [
      [2, 1],
      [2, 0],
      [2, 4],
    ],
    [[2, 2], [0, 1, -1, 3], [2]],
    [[0, 1], [], [0, 4]],
  ]);
  return {
    shapes: [[3, 4], shape],
    dims: [["n3", 4], shape],
    f: two((ops, x, u) => ops.scatterND(x, ops.builder.constant([...list], "int64", dims), u, reduction)),
  };
}

function scatterElements(choices: Choices): Omit<RuleCase, "name"> {
  const reduction = choices.of(["none", "add"] as const);
  const axis = choices.of([0, 1]);
  const list = reduction === "add" ? [0, 0, 1, 1, -1, 0] : [0, 1, 2, 1, 2, 0];
  return {
    shapes: [
      [3, 4],
      [2, 3],
    ],
    dims: [
      ["n3", "n4"],
      [2, 3],
    ],
    f: two((ops, x, u) => ops.scatterElements(x, ops.builder.constant(list, "int64", [2, 3]), u, { axis, reduction })),
  };
}

function topK(choices: Choices): Omit<RuleCase, "name"> {
  const shape = choices.full;
  const axis = axisOf(choices);
  const k = choices.below((shape.at(axis) ?? 1) + 1);
  const options = { axis, largest: choices.yes(), sorted: choices.yes() };
  return { shapes: [shape], f: one((ops, x) => ops.topk(x, k, options).values) };
}

function norm(op: "LayerNormalization" | "RMSNormalization"): MakeCase {
  return (choices) => {
    const shape = choices.shape.map((size, axis) => (axis === choices.shape.length - 1 ? Math.max(size, 2) : size));
    const axis = choices.below(3) === 0 && shape.length > 1 && !shape.includes(0) ? -2 : -1;
    const gain = choices.yes() ? shape.slice(axis) : shape.slice(-1);
    const hasBias = op === "LayerNormalization" && choices.yes();
    return {
      shapes: [shape, gain, ...(hasBias ? [gain] : [])],
      f: (ops, inputs) => [ops.builder.op(op, inputs, { axis, epsilon: 1e-3 })],
    };
  };
}

/** Rotation in elementary ops: `[batch, head, pos, dHead]`, angles `[batch, pos, pairs]`. */
function rotated(ops: Ops, x: Value, [cos, sin]: readonly [Value, Value], interleaved: boolean): Value {
  const half = Number(cos.shape.at(-1));
  const width = Number(x.shape[3]);
  const [c, s] = [ops.unsqueeze(cos, [1]), ops.unsqueeze(sin, [1])];
  const turning = ops.slice(x, 3, 0, 2 * half);
  const a = interleaved ? ops.stride(turning, 3, { start: 0, step: 2 }) : ops.slice(x, 3, 0, half);
  const b = interleaved ? ops.stride(turning, 3, { start: 1, step: 2 }) : ops.slice(x, 3, half, 2 * half);
  const first = ops.sub(ops.mul(a, c), ops.mul(b, s));
  const second = ops.add(ops.mul(a, s), ops.mul(b, c));
  const rest = width > 2 * half ? [ops.slice(x, 3, 2 * half)] : [];
  if (!interleaved) return ops.concat([first, second, ...rest], 3);
  const pairs = ops.concat([ops.unsqueeze(first, [4]), ops.unsqueeze(second, [4])], 4);
  return ops.concat([ops.reshape(pairs, [...x.shape.slice(0, 3), 2 * half]), ...rest], 3);
}

function rotary(choices: Choices): Omit<RuleCase, "name"> {
  const [batch, heads, pos, width] = [choices.of([1, 2]), choices.of([1, 3]), choices.of([1, 3]), 6];
  const interleaved = choices.yes();
  const half = choices.of([2, 3]);
  const hasTable = choices.yes();
  const list = Array.from({ length: batch * pos }, (_, index) => (index * 3) % 4);
  const table = hasTable ? [5, half] : [batch, pos, half];
  const positions = (ops: Ops): Value => ops.builder.constant(list, "int64", [batch, pos]);
  return {
    shapes: [[batch, heads, pos, width], table, table],
    dims: false,
    f: (ops, [x, cos, sin]) => {
      if (x === undefined || cos === undefined || sin === undefined) return [];
      const read = (values: Value): Value => (hasTable ? ops.gather(values, positions(ops), 0) : values);
      return [rotated(ops, x, [read(cos), read(sin)], interleaved)];
    },
    float32: (ops, [x, cos, sin]) => {
      if (x === undefined || cos === undefined || sin === undefined) return [];
      const own = hasTable ? { positions: positions(ops) } : {};
      return [ops.rotary(x, cos, sin, { ...own, rotaryDim: 2 * half, interleaved })];
    },
  };
}

/** Draws one attention: layout, groups, masks, past, cap, and which outputs are used. */
function attention(choices: Choices): Omit<RuleCase, "name"> {
  const [batch, pos, width, valueWidth] = [choices.of([1, 2]), choices.of([1, 3]), 4, choices.of([4, 2])];
  const [heads, groups] = choices.of([
    [2, 2],
    [4, 2],
    [3, 1],
  ] as const);
  const past = choices.of([undefined, undefined, 0, 2]);
  const isFlat = choices.yes();
  const isCausal = choices.yes();
  // With past keys, the kernel and the steps disagree on what is causal unless there is one new key for each query.
  const keys = choices.yes() || (isCausal && past !== undefined) ? pos : pos + 1;
  const total = keys + (past ?? 0);
  const mask = choices.of(["none", "bool", "float", "rows"] as const);
  const mode = choices.of([undefined, undefined, 3, 1] as const);
  const softcap = choices.of([0, 0, 3]);
  const scale = choices.of([0.5, 0.7]);
  const lay = (count: number, length: number, size: number): readonly number[] =>
    isFlat ? [batch, length, count * size] : [batch, count, length, size];
  const pastShapes = <D extends Dim>(rows: D, length: D | undefined): readonly (readonly (D | number)[])[] =>
    length === undefined ? [] : [width, valueWidth].map((size) => [rows, groups, length, size]);
  const shapes = [
    lay(heads, pos, width),
    lay(groups, keys, width),
    lay(groups, keys, valueWidth),
    ...pastShapes(batch, past),
    ...(mask === "float" ? [[heads, pos, total]] : []),
  ];
  // The head count and widths are numbers in every model.
  const [b, p, keyDim, pastDim] = [`b${batch}`, `p${pos}`, `p${keys}`, `past${past ?? 0}`];
  const totalDim = dimAdd(keyDim, past === undefined ? 0 : pastDim);
  const layDims = (count: number, length: string, size: number): readonly (number | string)[] =>
    isFlat ? [b, length, count * size] : [b, count, length, size];
  const dims = [
    layDims(heads, p, width),
    layDims(groups, keyDim, width),
    layDims(groups, keyDim, valueWidth),
    ...pastShapes(b, past === undefined ? undefined : pastDim),
    ...(mask === "float" ? [[heads, p, totalDim]] : []),
  ];
  const maskOf = (ops: Ops, others: readonly Value[]): Value | undefined =>
    mask === "float" ? others.at(-1) : hiddenKeys(ops, mask, [pos, total]);
  const f: Differentiable = (ops, [q, k, v, ...others]) => {
    if (q === undefined || k === undefined || v === undefined) return [];
    const [pastKey, pastValue] = past === undefined ? [] : others;
    const own = maskOf(ops, others);
    const { output, presentKey, presentValue, qk } = ops.attention({
      q,
      k,
      v,
      isCausal,
      scale,
      softcap,
      ...(own === undefined ? {} : { mask: own }),
      ...(pastKey === undefined || pastValue === undefined ? {} : { pastKey, pastValue }),
      ...(isFlat ? { qHeads: heads, kvHeads: groups } : {}),
      ...(mode === undefined ? {} : { qkMatmulOutputMode: mode }),
    });
    return [output, presentKey, presentValue, qk].filter((value) => value !== undefined);
  };
  // A mask of known size does not fit symbolic sizes.
  const isSymbolic = mask === "none" || mask === "float";
  return { shapes, ...(isSymbolic ? { dims } : { dims: false }), f, float32: f, tolerance: 3e-6 };
}

/** A mask of truth values, if any. */
function hiddenKeys(
  ops: Ops,
  mask: "none" | "bool" | "rows",
  [pos, total]: readonly [number, number],
): Value | undefined {
  return mask === "none" ? undefined : boolMask(ops, pos, total, mask === "rows");
}

/** Hides some keys; with `rows`, every key from the first query. */
function boolMask(ops: Ops, pos: number, total: number, rows: boolean): Value {
  const data = Uint8Array.from({ length: pos * total }, (_, index) =>
    rows && index < total ? 0 : index % 4 === 1 ? 0 : 1,
  );
  return ops.builder.constant(data, "bool", [pos, total]);
}

const split: MakeCase = (choices) => {
  const shape = choices.shape;
  const axis = choices.below(shape.length);
  const size = shape[axis] ?? 0;
  const sizes = [choices.below(size + 1), 0];
  sizes[1] = size - (sizes[0] ?? 0);
  const used = choices.of([[0, 1], [0], [1]]);
  return {
    shapes: [shape],
    dims: [shape.map((own, at) => (at === axis || own === 1 ? own : `n${own}`))],
    f: one((ops, x) => {
      const parts = ops.split(x, axis, sizes).filter((_, index) => used.includes(index));
      return ops.concat(parts, axis);
    }),
  };
};

const concat: MakeCase = (choices) => {
  const axis = choices.below(choices.shape.length);
  const shapes = [
    choices.shape,
    ...Array.from({ length: choices.below(3) }, () => choices.shape.with(axis, choices.below(4))),
  ];
  return {
    shapes,
    f: (ops, inputs) => [ops.concat(inputs, choices.draw.symbolic ? axis : axis - choices.shape.length)],
  };
};

const squareThenMean = (ops: Ops, x: Value): Value => ops.reduceMean(ops.mul(x, x));

/** Cases of every rule. */
export const ruleCases: Readonly<Partial<Record<OpName, MakeCase>>> = {
  Add: binary((ops, a, b) => ops.add(a, b)),
  Sub: binary((ops, a, b) => ops.sub(a, b)),
  Mul: binary((ops, a, b) => ops.mul(a, b)),
  Div: binary((ops, a, b) => ops.div(a, b), { range: [0.5, 3] }),
  Pow: (choices) => {
    if (choices.yes()) return binary((ops, a, b) => ops.pow(a, b), { range: [0.4, 2.5] })(choices);
    const exponent = choices.of([2, 3, 1, 0, -1, 0.5]);
    return unary((ops, x) => ops.pow(x, exponent), { range: [0.4, 2.5] })(choices);
  },
  // Quotients near 2 and -2, away from their jumps.
  Mod: binary((ops, a, b) => ops.mod(a, b), {
    values: (input, count) =>
      Array.from({ length: count }, (_, index) => {
        const wave = Math.abs(Math.sin(1 + 3 * index));
        return input === 1 ? 2.2 + 0.2 * wave : (index % 2 === 0 ? 1 : -1) * (5 + 0.4 * wave);
      }),
  }),
  Min: (choices) =>
    choices.below(3) === 0
      ? unary((ops, x) => ops.minimum(x))(choices)
      : binary((ops, a, b) => ops.minimum(a, b, 0.05))(choices),
  Max: binary((ops, a, b) => ops.maximum(a, b)),
  Neg: unary((ops, x) => ops.neg(x)),
  Abs: unary((ops, x) => ops.abs(x)),
  Sqrt: unary((ops, x) => ops.sqrt(x), { range: [0.3, 3] }),
  Reciprocal: unary((ops, x) => ops.reciprocal(x), { range: [0.4, 3] }),
  Exp: unary((ops, x) => ops.exp(x)),
  Log: unary((ops, x) => ops.log(x), { range: [0.3, 3] }),
  Tanh: unary((ops, x) => ops.tanh(x)),
  Sigmoid: unary((ops, x) => ops.sigmoid(x)),
  Relu: unary((ops, x) => ops.relu(x)),
  Sin: unary((ops, x) => ops.sin(x)),
  Cos: unary((ops, x) => ops.cos(x)),
  Erf: float32Only(
    (ops, x) => ops.erf(x),
    (ops, x) => ops.erf(x),
  ),
  Softplus: float32Only(
    (ops, x) => ops.softplus(x),
    (ops, x) => ops.softplus(x),
  ),
  Gelu: (choices) => {
    const approximate = choices.of(["none", "tanh"] as const);
    const f = (ops: Ops, x: Value): Value => ops.gelu(x, { approximate });
    return float32Only(f, f)(choices);
  },
  QuickGelu: (choices) => {
    const alpha = Math.fround(choices.of([1, 1.702]));
    return float32Only(
      (ops, x) => ops.builder.op("QuickGelu", [x], { alpha }),
      (ops, x) => ops.mul(x, ops.sigmoid(ops.mul(x, alpha))),
    )(choices);
  },
  Identity: unary((ops, x) => ops.identity(x)),
  Cast: unary((ops, x) => ops.cast(ops.cast(x, "float32"), "float64"), { step: 0.25, smooth: false }),
  Where: binary((ops, a, b) => {
    const mark = ops.less(ops.sin(ops.mul(ops.cast(ops.range(0, Number(a.shape.at(-1)) || 1), "float64"), 2)), 0.3);
    const condition =
      a.shape.length === 0 || typeof a.shape.at(-1) !== "number" ? ops.equal(ops.scalar(1, "int64"), 1) : mark;
    return ops.where(condition, a, b);
  }),
  Clip: (choices) => {
    const kind = choices.below(3);
    return {
      shapes: [choices.shape, [], []],
      values: (input) => (input === 0 ? undefined : [input === 1 ? -0.513 : 0.621]),
      f: (ops, [x, low, high]) => [
        ops.builder.op("Clip", [x, kind === 1 ? undefined : low, kind === 2 ? undefined : high]),
        ...(low === undefined || high === undefined ? [] : [low, high]),
      ],
    };
  },
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  ScatterND: scatterND,
  ScatterElements: scatterElements,
  TopK: topK,
  Reshape: (choices) => ({
    shapes: [choices.shape],
    f: one((ops, x) =>
      ops.builder.op("Reshape", [x, ops.sizes([...choices.shape.map((_, axis) => x.shape[axis] ?? 1), 1], x)], {
        allowzero: 1,
      }),
    ),
  }),
  Transpose: (choices) => {
    const perm = choices.order(choices.shape.length);
    const isReversed = choices.below(4) === 0;
    return {
      shapes: [choices.shape],
      f: one((ops, x) => (isReversed ? ops.builder.op("Transpose", [x]) : ops.transpose(x, perm))),
    };
  },
  Unsqueeze: (choices) => {
    const axis = choices.below(choices.shape.length + 1);
    return { shapes: [choices.shape], f: one((ops, x) => ops.unsqueeze(x, [axis, -1])) };
  },
  Squeeze: (choices) => {
    const shape = [1, ...choices.shape, 1];
    const isListed = choices.yes();
    return {
      shapes: [shape],
      f: one((ops, x) => (isListed ? ops.squeeze(x, [0, -1]) : ops.builder.op("Squeeze", [x]))),
    };
  },
  Expand: (choices) => ({
    shapes: [choices.smaller(choices.full), choices.full],
    f: two((ops, a, b) => ops.mul(ops.expandLike(a, b), b)),
  }),
  Concat: concat,
  Slice: slice,
  Split: split,
  Tile: (choices) => {
    const repeats = choices.shape.map(() => choices.below(4));
    return { shapes: [choices.shape], f: one((ops, x) => ops.tile(x, repeats)) };
  },
  Range: (choices) => ({
    shapes: [[], []],
    values: (input) => [input === 0 ? 0.3 + choices.below(3) : 0.21],
    f: two((ops, start, delta) => ops.range(start, ops.scalar(5, "float64"), delta)),
  }),
  Pad: pad,
  OneHot: (choices) => {
    const axis = choices.of([-1, 0]);
    const hot = (ops: Ops, values: Value): Value => {
      const indices = ops.builder.constant([0, 2, 1], "int64");
      return ops.builder.op("OneHot", [indices, ops.scalar(4, "int64"), values], { axis });
    };
    const exact = (ops: Ops, values: Value): Value => {
      const mask = ops.cast(hot(ops, ops.builder.constant([0, 1], "float32")), "float64");
      const [off, on] = ops.split(values, 0, [1, 1]);
      return off === undefined || on === undefined ? mask : ops.add(ops.mul(mask, on), ops.mul(ops.sub(1, mask), off));
    };
    return { shapes: [[2]], f: one(exact), float32: one(hot) };
  },
  Trilu: (choices) => {
    const options = { upper: choices.yes(), k: choices.below(4) - 2 };
    return { shapes: [[...choices.shape, 3, 4]], f: one((ops, x) => ops.trilu(x, options)) };
  },
  CumSum: (choices) => {
    const axis = axisOf(choices);
    const options = { exclusive: choices.yes(), reverse: choices.yes() };
    return { shapes: [choices.full], f: one((ops, x) => ops.cumsum(x, axis, options)) };
  },
  MatMul: (choices) => {
    const shapes = matmulShapes(choices);
    // A sum over an axis that turns out empty while the graph runs is not defined in the runtime's float64 kernel.
    const isEmpty = shapes.some((shape) => shape.includes(0));
    return { shapes, ...(isEmpty ? { dims: false } : {}), f: two((ops, a, b) => ops.matmul(a, b)) };
  },
  FusedMatMul: fusedMatmul,
  Gemm: gemm,
  Einsum: (choices) => {
    const [equation, ...shapes] = choices.of(equations);
    return { shapes, f: (ops, inputs) => [ops.einsum(equation, ...inputs)] };
  },
  LayerNormalization: norm("LayerNormalization"),
  RMSNormalization: norm("RMSNormalization"),
  Attention: attention,
  RotaryEmbedding: rotary,
  ReduceSum: reduction("ReduceSum", { isEmptyFine: true }),
  ReduceMean: reduction("ReduceMean"),
  ReduceMax: reduction("ReduceMax"),
  ReduceMin: reduction("ReduceMin"),
  ReduceProd: reduction("ReduceProd", { range: [-1.9, 1.7] }),
  ReduceSumSquare: reduction("ReduceSumSquare", { isEmptyFine: true }),
  ReduceL1: reduction("ReduceL1", { isEmptyFine: true }),
  ReduceL2: reduction("ReduceL2"),
  ReduceLogSumExp: reduction("ReduceLogSumExp"),
  Softmax: (choices) => {
    const axis = axisOf(choices);
    const gap = choices.of([1, 1, 300]);
    return {
      shapes: [choices.shape],
      f: one((ops, x) => ops.softmax(ops.mul(x, gap), axis)),
      ...(gap > 1 ? { step: 1e-7, tolerance: 1e-4, smooth: false } : {}),
    };
  },
  LogSoftmax: (choices) => {
    const axis = axisOf(choices);
    const gap = choices.of([1, 1, 300]);
    return {
      shapes: [choices.shape],
      f: one((ops, x) => ops.logSoftmax(ops.mul(x, gap), axis)),
      ...(gap > 1 ? { step: 1e-7, tolerance: 1e-4, smooth: false } : {}),
    };
  },
};

/** Functions of several ops, where rules meet. */
export const composed: Readonly<Record<string, MakeCase>> = {
  "a mean of squares used twice": ({ full }) => ({
    shapes: [full],
    f: one((ops, x) => ops.add(squareThenMean(ops, x), ops.mul(squareThenMean(ops, ops.sin(x)), 2))),
  }),
  "masked softmax with dead rows": (choices) => ({
    shapes: [[...choices.shape, 3, 4]],
    dims: [[...choices.shape.map((size) => (size === 1 ? 1 : `n${size}`)), 3, 4]],
    f: one((ops, x) => {
      const hidden = boolMask(ops, 3, 4, choices.draw.seed % 2 === 0);
      const masked = ops.where(hidden, x, -Infinity);
      const pattern = ops.softmax(masked);
      return ops.where(ops.isNaN(pattern), 0, pattern);
    }),
  }),
};

/** The case of an op for a draw. */
export function caseOf(name: string, make: MakeCase, draw: Draw): RuleCase {
  return { name, ...make(new Choices(draw)) };
}
