/**
 * Features that stopped firing: how long ago each fired, and the loss that brings them back.
 *
 * AuxK (Gao et al. 2024, "Scaling and evaluating sparse autoencoders"): dead features alone reconstruct the error that the
 * others leave, without `b_dec` and without any gradient to that error.
 */
import type { Value } from "../../graph/index.js";
import type { AuxKOptions, BuildContext, TrainingShape } from "./architecture.js";
import { encode, stopped } from "./parts.js";

/** Name of the buffer of tokens since each feature last fired, `[nFeatures]`. */
export const agesBuffer = "tokensSinceFired";

const defaultCoefficient = 1 / 32;

/** Options with defaults filled in; undefined where there is no such term. */
export interface AuxKSettings {
  readonly coefficient: number;
  /** Of how many features that are dead; undefined for half of `dIn`. */
  readonly k: number | undefined;
}

/** Reads the option: `false` or a coefficient of 0 leaves the term out. */
export function auxKSettings(options: AuxKOptions | false | undefined): AuxKSettings | undefined {
  if (options === false || options?.coefficient === 0) return undefined;
  return { coefficient: options?.coefficient ?? defaultCoefficient, k: options?.k };
}

/** Tokens since each feature fired, this batch included: `[nFeatures]`. */
export function agesAfter({ ops, shape, buffer }: BuildContext, hasFired: Value): Value {
  const older = ops.add(buffer(agesBuffer), shape.batch);
  return ops.where(hasFired, ops.mul(older, 0), older);
}

/** Number of features that have not fired for `deadAfter` tokens, a scalar. */
export function deadCount({ ops, shape }: BuildContext, ages: Value): Value {
  return ops.reduceSum(ops.cast(ops.greaterOrEqual(ages, shape.deadAfter), "float32"), undefined, false);
}

/** How many dead features compete for a place, and how many of them reconstruct a token. */
export function auxKSizes({ dIn, nFeatures }: TrainingShape, { k }: AuxKSettings): { pool: number; k: number } {
  const pool = Math.min(nFeatures, dIn);
  return { pool, k: Math.max(1, Math.min(pool, k ?? Math.floor(dIn / 2))) };
}

/** What an AuxK term is made from. */
export interface AuxKParts {
  /** `[batch, dOut]` */
  readonly reconstruction: Value;
  /** Tokens since each feature fired. */
  readonly ages: Value;
  /** Undefined for no term. */
  readonly settings: AuxKSettings | undefined;
  /** The bias that decides whether a feature fires. Default `b_enc`. */
  readonly bias?: string;
}

/** An AuxK term, which may be none. */
export interface AuxKTerm {
  /** Returns the loss with the term. */
  readonly add: (loss: Value) => Value;
  readonly metrics: Readonly<Record<string, Value>>;
}

/**
 * Returns the AuxK term: `coefficient · ‖ê − e‖² / ‖e − mean e‖²`, 0 where no feature is dead.
 *
 * To bound its cost, only the `dIn` features that are dead for longest compete for the k places; with no more dead than
 * that, this is the definition. Pre-activations count as they are, not cut at 0: a feature that is off everywhere would get
 * no gradient.
 */
export function auxKTerm(context: BuildContext, { reconstruction, ages, settings, bias }: AuxKParts): AuxKTerm {
  if (settings === undefined) return { add: (loss) => loss, metrics: {} };
  const { ops, target } = context;
  const error = ops.sub(target, reconstruction);
  const aux = auxKLoss(context, { error, ages, settings, bias: bias ?? "b_enc" });
  return { add: (loss) => ops.add(loss, aux), metrics: { aux } };
}

interface LossParts {
  readonly error: Value;
  readonly ages: Value;
  readonly settings: AuxKSettings;
  readonly bias: string;
}

function auxKLoss(context: BuildContext, { error, ages, settings, bias }: LossParts): Value {
  const { ops, shape } = context;
  const { k } = auxKSizes(shape, settings);
  const dead = longestDead(context, ages, settings);
  const encoder = ops.gather(context.parameter("W_enc"), dead, 1);
  const acts = ops.add(encode(context, encoder), ops.gather(context.parameter(bias), dead, 0));
  const places = ops.minimum(ops.shapeOf(dead), k);
  const best = ops.topk(acts, places, { sorted: false });
  const kept = ops.scatterElements(ops.zerosLike(acts), best.indices, best.values, { axis: 1 });
  const written = ops.matmul(kept, ops.gather(context.parameter("W_dec"), dead, 0));
  return normalised(context, { error: stopped(context, error), written, dead, settings });
}

/** Indices of dead features, the longest dead first; as many as there are, at most the pool: `[dead]`. */
function longestDead(context: BuildContext, ages: Value, settings: AuxKSettings): Value {
  const { ops, shape } = context;
  const { pool } = auxKSizes(shape, settings);
  const count = ops.cast(ops.minimum(deadCount(context, ages), pool), "int64");
  return ops.topk(ages, ops.reshape(count, [1]), { axis: 0 }).indices;
}

interface AuxParts {
  readonly error: Value;
  readonly written: Value;
  readonly dead: Value;
  readonly settings: AuxKSettings;
}

function normalised({ ops }: BuildContext, { error, written, dead, settings }: AuxParts): Value {
  const sum = (x: Value): Value => ops.reduceSum(ops.mul(x, x), undefined, false);
  const spread = sum(ops.sub(error, ops.reduceMean(error, [0])));
  const isThere = ops.cast(ops.greater(spread, 0), "float32");
  const any = ops.cast(ops.greater(ops.reshape(ops.shapeOf(dead), []), 0), "float32");
  const share = ops.div(sum(ops.sub(written, error)), ops.maximum(spread, 1e-30));
  return ops.mul(ops.mul(share, ops.mul(isThere, any)), settings.coefficient);
}
