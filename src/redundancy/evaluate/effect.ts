/** What a set of parts is worth, with intervals over sequences. */
import { bootstrapIntervals, type Interval } from "../../stats/index.js";
import { type Part, partName } from "../parts.js";
import type { PartEvaluator, SequenceNumbers } from "./evaluator.js";

/** A number and its 95 % interval over sequences. */
export interface Estimate extends Interval {
  readonly value: number;
}

/** What is lost without a set of parts. */
export interface PartEffect {
  readonly parts: readonly Part[];
  /** Nats a token. */
  readonly loss: number;
  /** Rise of the loss, nats a token; the interval compares the same sequences with and without the parts. */
  readonly increase: Estimate;
  /** The same as a share of the full model's loss. */
  readonly relative: Estimate;
  /** `KL(full ‖ pruned)`, nats a token. */
  readonly kl: Estimate;
  /** Share of tokens whose likeliest next token stays. */
  readonly agreement: Estimate;
  readonly perSequence: SequenceNumbers;
}

/** Weighted mean; `extra` multiplies the weights. */
function mean(values: Float64Array, weights: Float64Array, extra?: Float64Array): number {
  let [sum, total] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const weight = (weights[i] ?? 0) * (extra?.[i] ?? 1);
    sum += weight * (values[i] ?? 0);
    total += weight;
  }
  return sum / total;
}

const resamples = 500;

/** Summarises what an evaluator found about a set, against the full model on the same sequences. */
export function effectOf(
  { weights, count }: Pick<PartEvaluator, "weights" | "count">,
  parts: readonly Part[],
  found: SequenceNumbers,
  full: SequenceNumbers,
): PartEffect {
  const numbers = (extra?: Float64Array): readonly [number, number, number, number] => {
    const base = mean(full.loss, weights, extra);
    const rise = mean(found.loss, weights, extra) - base;
    return [rise, rise / base, mean(found.kl, weights, extra), mean(found.agreement, weights, extra)];
  };
  const values = numbers();
  const intervals = bootstrapIntervals(count, (extra) => numbers(extra), { resamples });
  const estimate = (i: number): Estimate => ({
    value: values[i] ?? Number.NaN,
    low: intervals[i]?.low ?? Number.NaN,
    high: intervals[i]?.high ?? Number.NaN,
  });
  return {
    parts,
    loss: mean(found.loss, weights),
    increase: estimate(0),
    relative: estimate(1),
    kl: estimate(2),
    agreement: estimate(3),
    perSequence: found,
  };
}

/** Names of a set's parts, or what stands for none. */
export function setName(parts: readonly Part[]): string {
  return parts.length === 0 ? "(nothing)" : parts.map(partName).join(", ");
}
