/** What every architecture reports and remembers: L0, FVU, dead features, when each fired last. */
import type { Value } from "../../graph/index.js";
import type { BuildContext } from "./architecture.js";
import { agesAfter, agesBuffer, deadCount } from "./dead.js";
import { fractionUnexplained } from "./parts.js";

/** What is needed for the books. */
export interface Bookkeeping {
  /** Mean number of features that fire, a scalar. */
  readonly l0: Value;
  /** Which features fired in this batch, `[nFeatures]`, bool. */
  readonly hasFired: Value;
  readonly reconstruction: Value;
}

/** The numbers of a batch. */
export interface Books {
  /** Tokens since each feature fired. */
  readonly ages: Value;
  readonly metrics: Readonly<Record<string, Value>>;
  readonly buffers: Readonly<Record<string, Value>>;
}

/** Returns the numbers of a batch and what the next step has to know. */
export function keepBooks(context: BuildContext, { l0, hasFired, reconstruction }: Bookkeeping): Books {
  const ages = agesAfter(context, hasFired);
  const fvu = fractionUnexplained(context, reconstruction);
  return { ages, metrics: { l0, fvu, dead: deadCount(context, ages) }, buffers: { [agesBuffer]: ages } };
}

/** Tells which features fired, from activations `[batch, nFeatures]`. */
export function firedDense({ ops }: BuildContext, acts: Value): Value {
  return ops.greater(ops.reduceMax(acts, [0], false), 0);
}
