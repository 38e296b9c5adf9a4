/** Metrics of whole distributions: the loss of a prompt, the distance to a reference, and functions of one's own. */
import { formatShape, InputError, ShapeError } from "../../core/index.js";
import type { Value } from "../../graph/index.js";
import { type Metric, type MetricScope, type PromptData, Traced } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import { type LogitRow, MadeMetric } from "./made.js";
import { lastLogits, logSumExp } from "./picks.js";

/** Mean over the positions that count, `[batch]`; `x` and `counts` are `[batch, pos]`. */
function meanWhere({ ops }: MetricScope, x: Value, counts: Value | undefined): Value {
  if (counts === undefined) return ops.reduceMean(x, [1], false);
  const zero = ops.scalar(0, x.dtype);
  const sum = ops.reduceSum(ops.where(counts, x, zero), [1], false);
  return ops.div(sum, ops.reduceSum(ops.cast(counts, x.dtype), [1], false));
}

function stepLoss(scope: MetricScope): Value {
  const { ops, logits, isReal } = scope;
  const logProbs = ops.logSoftmax(ops.slice(logits, 1, 0, -1), 2);
  const next = ops.unsqueeze(ops.slice(scope.labels(), 1, 0, -1), [2]);
  const nats = ops.neg(ops.squeeze(ops.gatherElements(logProbs, next, 2), [2]));
  const counts = isReal === undefined ? undefined : ops.and(ops.slice(isReal, 1, 0, -1), ops.slice(isReal, 1, 1));
  return meanWhere(scope, nats, counts);
}

function rowLoss({ logits, tokens, isReal }: LogitRow): number {
  if (tokens === undefined) {
    throw new InputError({
      where: "metric.loss().of",
      got: "no tokens",
      expected: "the tokens that the logits predict",
      fix: "Pass { tokens: run.tokens }.",
    });
  }
  const steps = tokens.slice(1).flatMap((next, slot) => {
    const own = logits[slot] ?? new Float64Array(0);
    return isReal[slot] === true && isReal[slot + 1] === true ? [logSumExp(own) - (own[next] ?? Number.NaN)] : [];
  });
  return steps.reduce((a, b) => a + b, 0) / steps.length;
}

/** See `Metrics.loss`. */
export function loss(): Metric {
  return new MadeMetric({
    name: "loss",
    unit: "nats",
    logits: "all",
    structure: "loss",
    trace: stepLoss,
    ofRow: rowLoss,
  });
}

/** Log-probabilities of reference logits, a row of `pos · dVocabOut` numbers for each prompt. */
function referenceData(reference: Tensor): PromptData & { readonly isLast: boolean } {
  const { shape } = reference;
  const isFlat = shape.length === 2;
  const [prompts = 0] = shape;
  if ((!isFlat && shape.length !== 3) || reference.size === 0) {
    throw new ShapeError({
      where: "metric.klToReference",
      got: `reference logits ${formatShape(shape, reference.axes)}`,
      expected: "[batch, pos, dVocabOut] or [batch, dVocabOut], with at least one row",
      fix: "Pass run.logits of the reference run.",
    });
  }
  const isLast = isFlat || shape[1] === 1;
  const size = shape.at(-1) ?? 0;
  const width = reference.size / prompts;
  const data = Float64Array.from(reference.data as ArrayLike<number>);
  for (let start = 0; start < data.length; start += size) {
    const own = data.subarray(start, start + size);
    const total = logSumExp(own);
    for (const [i, x] of own.entries()) own[i] = x - total;
  }
  const rows = Array.from({ length: prompts }, (_, i) => data.subarray(i * width, (i + 1) * width));
  return { kind: "number", shape: isLast ? [size] : ["pos", size], prompts: rows, isLast };
}

/** `Σ p (log p − log q)` over the vocabulary; tokens that the reference rules out count 0. */
function divergence({ ops }: MetricScope, reference: Value, logits: Value): Value {
  const axis = logits.shape.length - 1;
  const p = ops.exp(reference);
  const zero = ops.scalar(0, p.dtype);
  const gap = ops.where(ops.greater(p, zero), ops.sub(reference, ops.logSoftmax(logits, axis)), zero);
  return ops.reduceSum(ops.mul(p, gap), [axis], false);
}

function plainDivergence(reference: ArrayLike<number>, logits: Float64Array, offset: number): number {
  const total = logSumExp(logits);
  let sum = 0;
  for (const [i, x] of logits.entries()) {
    const logP = reference[offset + i] ?? Number.NaN;
    const p = Math.exp(logP);
    if (p > 0) sum += p * (logP - (x - total));
  }
  return sum;
}

/** See `Metrics.klToReference`. */
export function klToReference(reference: Tensor): Metric {
  const { isLast, ...data } = referenceData(reference);
  return new MadeMetric({
    name: "klToReference",
    unit: "nats",
    logits: isLast ? "last" : "all",
    prompts: data.prompts.length,
    structure: "klToReference",
    data: { logProbs: data },
    trace: (scope) =>
      isLast
        ? divergence(scope, scope.perPrompt("logProbs"), lastLogits(scope))
        : meanWhere(scope, divergence(scope, scope.perPrompt("logProbs"), scope.logits), scope.isReal),
    ofRow: ({ logits, prompt, isReal }) => {
      const own = data.prompts[prompt] ?? [];
      if (logits.reduce((n, one) => n + one.length, 0) !== own.length) throw otherShape(own.length);
      const real = logits.flatMap((one, slot) =>
        isReal[slot] === true ? [plainDivergence(own, one, slot * one.length)] : [],
      );
      return real.reduce((a, b) => a + b, 0) / real.length;
    },
  });
}

function otherShape(length: number): ShapeError {
  return new ShapeError({
    where: "metric klToReference.of",
    got: "logits of another shape than the reference",
    expected: `${length} logits for each prompt`,
    fix: "Run the same prompts, with the same padding.",
  });
}

/** Options of `metric.custom`. */
export interface CustomMetricOptions {
  /** Default `""`. */
  readonly unit?: string;
  /** Which logits the function gets: of the last real token of each row (the default), or of every position. */
  readonly logits?: "last" | "all";
  /** The same in plain arithmetic for `metric.of`: one number from the logits of one row, `[pos][dVocabOut]`. */
  readonly of?: (logits: readonly Float64Array[]) => number;
}

/** See `Metrics.custom`. */
export function custom(name: string, fn: (logits: Traced) => Traced, options: CustomMetricOptions = {}): Metric {
  const { unit = "", logits = "last", of } = options;
  return new MadeMetric({
    name,
    unit,
    logits,
    trace: (scope) => fn(new Traced(scope.ops, scope.logits, ["batch", "pos", "dVocabOut"])).value,
    ofRow: (row) => {
      if (of !== undefined) return of(row.logits);
      throw new InputError({
        where: `metric ${name}.of`,
        got: "a metric that is only known as nodes of a graph",
        expected: "its plain form",
        fix: "Pass { of: (logits) => … } to metric.custom, or run the model with { metric }.",
      });
    },
  });
}
