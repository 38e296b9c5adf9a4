/** Numbers that say how much of the right behaviour a run shows. Declared; not built yet. */
import { notBuilt } from "../core/index.js";
import type { PromptPairs } from "../data/index.js";

/** A number computed from a run's logits, one for each prompt. */
export interface Metric {
  readonly name: string;
  /** The unit of its values, such as `logits`. */
  readonly unit: string;
}

/** The metrics. */
export interface Metrics {
  /**
   * Returns the metric "logit of the answer minus logit of the wrong answer" at the last token.
   *
   * @throws NotBuiltError in this version.
   */
  logitDiff(pairs: PromptPairs): Metric;
}

/** Numbers that say how much of the right behaviour a run shows. */
export const metric: Metrics = {
  logitDiff: () => {
    throw notBuilt("metric.logitDiff", "the logit-difference metric");
  },
};
