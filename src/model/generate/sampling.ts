/** From logits to one token: penalties, temperature, top-k, top-p, then a draw. */
import { InputError, type Random } from "../../core/index.js";

/** How tokens are chosen. Greedy when the temperature is 0. */
export interface SamplingOptions {
  /** 0 is greedy. Default 0, or 1 when `seed`, `topK` or `topP` is given. */
  readonly temperature?: number;
  /** Keeps the k most probable tokens. */
  readonly topK?: number;
  /** Keeps the fewest most probable tokens whose probabilities reach this sum. */
  readonly topP?: number;
  /** Divides positive and multiplies negative logits of tokens seen so far (Keskar et al. 2019). 1 is none. */
  readonly repetitionPenalty?: number;
  /** Subtracts this times a token's count so far from its logit. 0 is none. */
  readonly frequencyPenalty?: number;
  /** Seed of the draws; row `i` of a batch draws from its own stream. Default 0. */
  readonly seed?: number;
}

function refuse(what: string, got: number, expected: string): InputError {
  return new InputError({
    where: `generate: ${what}`,
    got: String(got),
    expected,
    fix: "Correct or leave out the option.",
  });
}

/** Refuses options outside their range. */
export function checkSampling({ temperature, topK, topP, repetitionPenalty }: SamplingOptions): void {
  if (temperature !== undefined && !(temperature >= 0)) throw refuse("temperature", temperature, "0 or more");
  if (topK !== undefined && !(Number.isInteger(topK) && topK > 0)) throw refuse("topK", topK, "a positive integer");
  if (topP !== undefined && !(topP > 0 && topP <= 1)) throw refuse("topP", topP, "a number in (0, 1]");
  if (repetitionPenalty !== undefined && !(repetitionPenalty > 0))
    throw refuse("repetitionPenalty", repetitionPenalty, "a positive number");
}

/** The temperature that options mean. */
export function effectiveTemperature({ temperature, seed, topK, topP }: SamplingOptions): number {
  return temperature ?? (seed !== undefined || topK !== undefined || topP !== undefined ? 1 : 0);
}

/** Logits after both penalties, as float64. */
export function penalised(logits: ArrayLike<number>, seen: readonly number[], options: SamplingOptions): Float64Array {
  const out = Float64Array.from(logits);
  const { repetitionPenalty = 1, frequencyPenalty = 0 } = options;
  if (repetitionPenalty !== 1)
    for (const id of new Set(seen)) {
      const logit = out[id] ?? 0;
      out[id] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
    }
  if (frequencyPenalty !== 0) for (const id of seen) out[id] = (out[id] ?? 0) - frequencyPenalty;
  return out;
}

function argmax(values: Float64Array): number {
  let best = 0;
  values.forEach((value, i) => {
    if (value > (values[best] ?? Number.NEGATIVE_INFINITY)) best = i;
  });
  return best;
}

/** Candidates in falling order of logit, cut by top-k and top-p, with unnormalised probabilities. */
function candidates(
  logits: Float64Array,
  temperature: number,
  { topK, topP }: SamplingOptions,
): { ids: number[]; weights: number[] } {
  const order = Array.from(logits.keys()).sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b);
  const kept = topK === undefined ? order : order.slice(0, topK);
  const top = logits[kept[0] ?? 0] ?? 0;
  const weights = kept.map((id) => Math.exp(((logits[id] ?? 0) - top) / temperature));
  if (topP === undefined) return { ids: kept, weights };
  const total = weights.reduce((a, b) => a + b, 0);
  let sum = 0;
  const enough = weights.findIndex((weight) => (sum += weight) >= topP * total);
  const count = enough < 0 ? kept.length : enough + 1;
  return { ids: kept.slice(0, count), weights: weights.slice(0, count) };
}

/** Chooses one token id; ties go to the lower id. */
export function chooseToken(logits: Float64Array, options: SamplingOptions, random: Random): number {
  const temperature = effectiveTemperature(options);
  if (temperature === 0) return argmax(logits);
  const { ids, weights } = candidates(logits, temperature, options);
  const target = random.uniform() * weights.reduce((a, b) => a + b, 0);
  let sum = 0;
  const drawn = weights.findIndex((weight) => (sum += weight) > target);
  return ids[drawn < 0 ? ids.length - 1 : drawn] ?? 0;
}
