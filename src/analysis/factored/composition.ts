/**
 * Composition scores: how much of what one head writes another head reads.
 *
 * For a head `a` in an earlier layer than `b`, with `OV = W_V W_O` and `QK = W_Q W_Kᵀ`:
 *
 * 1. Q: `‖OV_a QK_b‖ / (‖OV_a‖ ‖QK_b‖)`, K: the same with `QK_bᵀ`, V: with `OV_b`; Frobenius norms;
 * 2. both are products `A B` and `C D` of rank `dHead`, so `‖A B C D‖² = tr(AᵀA M DDᵀ Mᵀ)` with `M = B C`: only matrices
 *    of `dHead × dHead` are formed for each pair, in one graph for each pair of layers.
 *
 * Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
 */
import { createRandom, interruptible, type LongCallOptions, progressOf, throwIfAborted } from "../../core/index.js";
import { type Graph, GraphBuilder, Ops, type Value } from "../../graph/index.js";
import type { Model } from "../../model/index.js";
import type { RawTensor } from "../../runtime/index.js";
import { Tensor } from "../../tensor/index.js";
import { circuits } from "./circuits.js";
import { type CompositionKind, CompositionScores, type CompositionTensor } from "./composition-result.js";
import type { FactoredMatrix } from "./factored-matrix.js";

/** Options of `composition`. */
export interface CompositionOptions extends LongCallOptions {
  /** What the later head reads through: its queries, keys or values. */
  readonly kind: CompositionKind;
  /** `"random"` subtracts the mean score of random matrices of the same shapes. Default `"none"`. */
  readonly baseline?: "none" | "random";
  /** Pairs of random heads that the baseline is the mean of. Default 16. */
  readonly samples?: number;
  /** Seed of the random matrices. Default 0. */
  readonly seed?: number;
}

/** `tr(G M H Mᵀ)` over the last two axes. */
function trace(ops: Ops, gram: Value, middle: Value, other: Value): Value {
  return ops.reduceSum(
    ops.mul(ops.matmul(gram, middle), ops.matmul(middle, other)),
    [-2, -1].map((axis) => middle.shape.length + axis),
    false,
  );
}

/** Inputs `A B` of one layer's heads and `C D` of another's; output `[head, head]`. */
function pairGraph(dModel: number, dHead: number): Graph {
  const ops = new Ops(new GraphBuilder());
  const tall = (name: string, heads: string): Value => ops.builder.input(name, "float64", [heads, dModel, dHead]);
  const wide = (name: string, heads: string): Value => ops.builder.input(name, "float64", [heads, dHead, dModel]);
  const [a, b, c, d] = [tall("a", "left"), wide("b", "left"), tall("c", "right"), wide("d", "right")];
  const gram = (x: Value): Value => ops.matmul(ops.swapLast(x), x);
  const [gramA, gramD] = [gram(a), gram(ops.swapLast(d))];
  const middle = ops.matmul(ops.unsqueeze(b, [1]), ops.unsqueeze(c, [0]));
  const product = trace(ops, ops.unsqueeze(gramA, [1]), middle, ops.unsqueeze(gramD, [0]));
  const own = (first: Value, second: Value): Value => ops.reduceSum(ops.mul(first, second), [1, 2], false);
  const left = ops.unsqueeze(own(gramA, gram(ops.swapLast(b))), [1]);
  const right = ops.unsqueeze(own(gram(c), gramD), [0]);
  // A head of zeros composes with nothing: 0, not 0 / 0.
  const norms = ops.mul(ops.sqrt(left), ops.sqrt(right));
  const score = ops.div(ops.sqrt(ops.relu(product)), ops.where(ops.equal(norms, 0), 1, norms));
  return ops.builder.build({ score });
}

/** The circuit that the later head reads with. */
async function readingCircuit(model: Model, kind: CompositionKind, layer: number): Promise<FactoredMatrix> {
  if (kind === "V") return circuits.OV(model, layer);
  const qk = await circuits.QK(model, layer);
  return kind === "Q" ? qk : qk.T;
}

function feed(tensor: Tensor): RawTensor {
  const { shape, data } = tensor.cast("float64").contiguous();
  return { dtype: "float64", shape, data };
}

async function scorePair(
  model: Model,
  graph: Graph,
  left: FactoredMatrix,
  right: FactoredMatrix,
): Promise<Float64Array> {
  const feeds = { a: feed(left.A), b: feed(left.B), c: feed(right.A), d: feed(right.B) };
  const { score } = await model.view.core.engine.run({ segments: [graph], outputs: ["score"] }, feeds);
  return Float64Array.from(score?.data ?? [], Number);
}

/** The mean score of heads whose four matrices are random. */
async function randomScore(
  model: Model,
  graph: Graph,
  { samples = 16, seed = 0 }: CompositionOptions,
): Promise<number> {
  const { dModel, dHead } = model.config;
  const random = createRandom(seed);
  const draw = (shape: readonly number[]): RawTensor => {
    const data = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal());
    return { dtype: "float64", shape, data };
  };
  let sum = 0;
  for (let i = 0; i < samples; i++) {
    const [tall, wide] = [
      [1, dModel, dHead],
      [1, dHead, dModel],
    ];
    const feeds = { a: draw(tall ?? []), b: draw(wide ?? []), c: draw(tall ?? []), d: draw(wide ?? []) };
    const { score } = await model.view.core.engine.run({ segments: [graph], outputs: ["score"] }, feeds);
    sum += Number(score?.data[0]);
  }
  return sum / samples;
}

/** Writes the scores of one pair of layers into `[layer, head, layer, head]`. */
function place(
  into: Float64Array,
  scores: Float64Array,
  pair: readonly [number, number],
  { nLayers, nHeads }: { nLayers: number; nHeads: number },
): void {
  const [from, to] = pair;
  for (let a = 0; a < nHeads; a++)
    for (let b = 0; b < nHeads; b++)
      into[((from * nHeads + a) * nLayers + to) * nHeads + b] = scores[a * nHeads + b] ?? Number.NaN;
}

/**
 * Returns the composition score of every pair of heads; 0 unless the first is in an earlier layer.
 *
 * Weights are those of the view: `model.processed({ foldLn: true })` counts the norms' gains in, as TransformerLens does.
 *
 * @returns Scores `[fromLayer, fromHead, toLayer, toHead]` between 0 and 1, less the baseline where asked.
 * @throws AbortedError.
 * @see Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"
 */
export async function composition(model: Model, given: CompositionOptions): Promise<CompositionScores> {
  const options = interruptible(given);
  const { nLayers, nHeads, dModel, dHead } = model.config;
  const report = progressOf(options);
  const graph = pairGraph(dModel, dHead);
  const scores = new Float64Array((nLayers * nHeads) ** 2);
  const writing: FactoredMatrix[] = [];
  for (let to = 0; to < nLayers; to++) {
    const reading = to === 0 ? undefined : await readingCircuit(model, options.kind, to);
    for (const [from, left] of writing.entries()) {
      throwIfAborted(options.signal, "composition");
      if (reading !== undefined)
        place(scores, await scorePair(model, graph, left, reading), [from, to], { nLayers, nHeads });
    }
    writing.push(await circuits.OV(model, to));
    report?.({ done: to + 1, total: nLayers, label: "composition: layers" });
  }
  const axes = ["fromLayer", "fromHead", "toLayer", "toHead"] as const;
  const tensor: CompositionTensor = Tensor.of(scores, [nLayers, nHeads, nLayers, nHeads], axes);
  const baseline = options.baseline === "random" ? await randomScore(model, graph, options) : 0;
  return new CompositionScores({ kind: options.kind, raw: tensor, baseline, model: model.id });
}
