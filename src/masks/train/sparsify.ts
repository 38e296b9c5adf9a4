/**
 * Continuous sparsification: one real number for each weight decides softly, and in the end sharply, whether it is kept.
 *
 * The soft mask is `σ(β m)` with m = 0 at the start; β grows by a constant factor at each step, so that the mask hardens. The loss is
 * the cross-entropy to a target distribution plus λ times the mean of the soft mask (Savarese et al. 2020; Chang and Bergen 2025,
 * "Bigram Subnetworks").
 */
import type { Ops, Value } from "../../graph/index.js";
import type { Blueprint } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { type LossContext, type LossResult, schedule, type TrainingDefinition } from "../../train/index.js";
import { spreadGate, type UnitGate } from "./gates.js";

/** Weights that are exactly 0 have nothing to keep: their number begins so low that it never rises. */
const never = -1e6;

/** What a loss is made for. */
export interface SparsifySpec {
  readonly plan: Blueprint;
  /** Weights of the model, by name, in the shapes of the blueprint. */
  readonly weights: Readonly<Record<string, Tensor>>;
  /** Names of the weights that get a mask. */
  readonly masked: readonly string[];
  /** What is decided in place of single weights; `masked` has no numbers of its own then. */
  readonly gates?: readonly UnitGate[];
  readonly rows: number;
  readonly context: number;
  /** Whether the target is what the whole model says; else it comes with each batch. */
  readonly targetIsModel: boolean;
  /** λ */
  readonly sparsity: number;
  /** What β is multiplied by after each step. */
  readonly betaGrowth: number;
}

/** The name of the numbers behind the mask of a weight. */
export function maskName(weight: string): string {
  return `mask.${weight}`;
}

/** Returns the numbers that masks begin with: 0, and far below where the weight is 0. */
export function initialMasks({ weights, masked, gates }: SparsifySpec): Readonly<Record<string, Tensor>> {
  if (gates !== undefined)
    return Object.fromEntries(
      gates.map(({ weight, count }) => [maskName(weight), Tensor.of(new Float32Array(count), [count])]),
    );
  return Object.fromEntries(
    masked.map((name) => {
      const { data = new Float32Array(0), shape = [] } = weights[name] ?? {};
      const numbers = Float32Array.from(data as ArrayLike<number>, (weight) => (weight === 0 ? never : 0));
      return [maskName(name), Tensor.of(numbers, shape)];
    }),
  );
}

/** Number of true elements of a condition, as float32. */
function countOf(ops: Ops, condition: Value): Value {
  const ones = ops.cast(condition, "float32");
  return ops.reduceSum(
    ones,
    ones.shape.map((_, axis) => axis),
    false,
  );
}

function sumAll(ops: Ops, value: Value): Value {
  return ops.reduceSum(
    value,
    value.shape.map((_, axis) => axis),
    false,
  );
}

function total(ops: Ops, values: readonly Value[]): Value {
  return values.reduce((sum, value) => ops.add(sum, value));
}

/** Logits of the decoder with some weights in place of its own. */
function logitsOf(
  { plan, rows, context }: SparsifySpec,
  { ops, batch, buffer }: LossContext,
  own: ReadonlyMap<string, Value>,
): Value {
  const places = Array.from({ length: context }, (_, i) => i);
  const positions = ops.builder.constant(places, "int64", [1, context]);
  const weight = (name: string): Value => own.get(name) ?? buffer(name);
  const logits = plan.logits(ops, { tokens: batch("tokens"), positions, weight });
  return ops.reshape(logits, [rows, context, plan.config.dVocabOut]);
}

/** Adds the loss to a graph; returns the parts as metrics. */
export function sparsifyLoss(spec: SparsifySpec, context: LossContext): LossResult {
  const { ops, parameter, scalar, buffer, batch } = context;
  const { masked, gates, sparsity, weights } = spec;
  const beta = scalar("beta");
  const names = gates?.map(({ weight }) => weight) ?? masked;
  const soft = names.map((name) => [name, ops.sigmoid(ops.mul(parameter(maskName(name)), beta))] as const);
  const own = new Map(
    soft.map(([name, mask]) => {
      const gate = gates?.find(({ weight }) => weight === name);
      const [whole, rank] = [buffer(name), weights[name]?.shape.length ?? 0];
      return [name, ops.mul(whole, gate === undefined ? mask : spreadGate(ops, mask, gate, rank))];
    }),
  );
  const logits = logitsOf(spec, context, own);
  const target = spec.targetIsModel ? ops.softmax(logitsOf(spec, context, new Map()), 2) : batch("target");
  const perPosition = ops.reduceSum(ops.mul(target, ops.logSoftmax(logits, 2)), [2], false);
  const crossEntropy = ops.neg(ops.reduceMean(perPosition, [0, 1], false));
  const size =
    gates?.reduce((sum, { count }) => sum + count, 0) ??
    masked.reduce((sum, name) => sum + (weights[name]?.size ?? 0), 0);
  const share = ops.div(
    total(
      ops,
      soft.map(([, mask]) => sumAll(ops, mask)),
    ),
    size,
  );
  const undecided = soft.map(([, mask]) =>
    countOf(ops, ops.and(ops.lessOrEqual(0.1, mask), ops.lessOrEqual(mask, 0.9))),
  );
  const kept = soft.map(([, mask]) => countOf(ops, ops.less(0.9, mask)));
  return {
    loss: ops.add(crossEntropy, ops.mul(share, sparsity)),
    metrics: { crossEntropy, share, undecided: total(ops, undecided), kept: total(ops, kept) },
  };
}

/** Returns what a trainer is made from. */
export function sparsifyDefinition(
  spec: SparsifySpec,
): Pick<TrainingDefinition, "buffers" | "inputs" | "loss" | "parameters" | "scalars"> {
  const { rows, context, plan, betaGrowth, targetIsModel } = spec;
  const tokens = { dtype: "int32", shape: [rows, context], axes: ["batch", "pos"] } as const;
  const target = { dtype: "float32", shape: [rows, context, plan.config.dVocabOut] } as const;
  return {
    parameters: initialMasks(spec),
    buffers: spec.weights,
    inputs: targetIsModel ? { tokens } : { tokens, target },
    scalars: { beta: schedule.custom(`${betaGrowth}^step`, (step) => betaGrowth ** step) },
    loss: (loss) => sparsifyLoss(spec, loss),
  };
}
