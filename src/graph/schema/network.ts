/** Fused operations of neural networks: norms, attention, rotary embedding. */
import { describeValue } from "../describe.js";
import { broadcastShapes, dimAdd, dimDivide, dimEquals, dimMul, sameShape } from "../dims.js";
import { floatDTypes } from "../dtypes.js";
import type { Dim, Value } from "../ir.js";
import { axisOf, input, intAttribute, one, problem, row, sameInputs, typedInput } from "./helpers.js";
import type { InferContext, OpSchema, TypedShape } from "./types.js";

function inferNorm(context: InferContext): readonly TypedShape[] {
  const [value, ...gains] = sameInputs(context, floatDTypes);
  if (value === undefined) throw problem(context, "no input", "a value", "Pass one.");
  const axis = axisOf(context, intAttribute(context, "axis", -1), value.shape.length);
  const normalized = value.shape.slice(axis);
  const wrong = gains.find((gain) => !sameShape(broadcastShapes(context.where, normalized, gain.shape), normalized));
  if (wrong === undefined) return one(value.dtype, value.shape);
  const got = `%${wrong.name} of shape [${wrong.shape.join(", ")}]`;
  throw problem(context, got, `a shape that broadcasts to [${normalized.join(", ")}]`, "Check the gain and bias.");
}

/** Sizes of one attention operand, whichever layout it has. */
interface HeadSizes {
  readonly batch: Dim;
  readonly heads: Dim;
  readonly pos: Dim;
  readonly width: Dim;
}

/** Reads `[batch, head, pos, dHead]`, or `[batch, pos, head*dHead]` with the head count from an attribute. */
function headSizes(context: InferContext, value: Value, countAttribute: string): HeadSizes {
  const [first = 1, second = 1, third = 1, fourth = 1] = value.shape;
  if (value.shape.length === 4) return { batch: first, heads: second, pos: third, width: fourth };
  const heads = intAttribute(context, countAttribute, 0);
  const width = heads > 0 ? dimDivide(third, heads) : undefined;
  if (value.shape.length === 3 && width !== undefined) return { batch: first, heads, pos: second, width };
  const got = `%${value.name} of shape [${value.shape.join(", ")}] with ${countAttribute} = ${heads}`;
  const expected = "[batch, head, pos, dHead], or [batch, pos, head*dHead] with the number of heads";
  throw problem(context, got, expected, "Reshape it or pass the number of heads.");
}

function checkAttention(context: InferContext, q: HeadSizes, k: HeadSizes, v: HeadSizes): void {
  const grouped = typeof q.heads === "number" && typeof k.heads === "number" && q.heads % k.heads === 0;
  const agrees = dimEquals(k.heads, v.heads) && dimEquals(k.pos, v.pos) && dimEquals(q.width, k.width);
  if (agrees && (grouped || dimEquals(q.heads, k.heads)) && dimEquals(q.batch, k.batch)) return;
  const show = (own: HeadSizes): string =>
    `[batch=${own.batch}, head=${own.heads}, pos=${own.pos}, dHead=${own.width}]`;
  const got = `q ${show(q)}, k ${show(k)}, v ${show(v)}`;
  const expected = "equal batch, equal q and k widths, equal k and v positions, q heads a multiple of k heads";
  throw problem(context, got, expected, "Check the projections.");
}

/** The runtime refuses past keys without an output for the present ones. */
function pastSize(context: InferContext): Dim {
  if (context.inputs[4] === undefined && context.inputs[5] === undefined) return 0;
  const [key, value] = [input(context, 4), input(context, 5)];
  if (context.outputCount >= 3 && dimEquals(key.shape[2] ?? 0, value.shape[2] ?? 0)) return key.shape[2] ?? 0;
  const got = `past keys ${describeValue(key)}, past values ${describeValue(value)}, ${context.outputCount} outputs`;
  throw problem(context, got, "equal past sizes and at least 3 outputs", "Ask for the present keys and values too.");
}

/** The kernel is float32 only; the runtime expands the op for float64 with a float32 scale, so it is refused here. */
function inferAttention(context: InferContext): readonly TypedShape[] {
  const query = typedInput(context, 0, ["float32"]);
  const [key, value] = [typedInput(context, 1, [query.dtype]), typedInput(context, 2, [query.dtype])];
  const q = headSizes(context, query, "q_num_heads");
  const k = headSizes(context, key, "kv_num_heads");
  const v = headSizes(context, value, "kv_num_heads");
  checkAttention(context, q, k, v);
  const past = pastSize(context);
  const total = dimAdd(past, k.pos);
  const mask = context.inputs[3];
  if (mask !== undefined) broadcastShapes(context.where, [q.batch, q.heads, q.pos, total], mask.shape);
  const output =
    query.shape.length === 4 ? [q.batch, q.heads, q.pos, v.width] : [q.batch, q.pos, dimMul(q.heads, v.width)];
  const { dtype } = query;
  const all: readonly TypedShape[] = [
    { dtype, shape: output },
    { dtype, shape: [q.batch, k.heads, total, k.width] },
    { dtype, shape: [q.batch, v.heads, total, v.width] },
    { dtype, shape: [q.batch, q.heads, q.pos, total] },
  ];
  return all.slice(0, context.outputCount);
}

function inferRotary(context: InferContext): readonly TypedShape[] {
  const value = typedInput(context, 0, ["float32"]);
  typedInput(context, 1, [value.dtype]);
  typedInput(context, 2, [value.dtype]);
  if (context.inputs[3] !== undefined) typedInput(context, 3, ["int64"]);
  headSizes(context, value, "num_heads");
  return one(value.dtype, value.shape);
}

const normAttributes = { axis: "int", epsilon: "float", stash_type: "int" } as const;

/** Rows of fused network operations. */
export const network: readonly OpSchema[] = [
  row("LayerNormalization", [2, 3], inferNorm, { attributes: normAttributes }),
  row("RMSNormalization", [2, 2], inferNorm, { attributes: normAttributes }),
  row("Attention", [3, 6], inferAttention, {
    attributes: {
      is_causal: "int",
      kv_num_heads: "int",
      q_num_heads: "int",
      qk_matmul_output_mode: "int",
      scale: "float",
      softcap: "float",
      softmax_precision: "int",
    },
    outputs: [1, 4],
    optionalOutput: (index, inputs) => index === 3 || (index > 0 && inputs[4] === undefined),
  }),
  row("RotaryEmbedding", [3, 4], inferRotary, {
    attributes: { interleaved: "int", num_heads: "int", rotary_embedding_dim: "int" },
  }),
];
