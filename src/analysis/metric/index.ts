/** Numbers that say how much of the right behaviour a run shows. */
import type { Metric, Traced } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import { answerLogit, logitDiff, logProb, probability, probabilityDiff } from "./answer-metrics.js";
import type { AnswerOptions, AnswerSource } from "./answers.js";
import { type CustomMetricOptions, custom, klToReference, loss } from "./whole-metrics.js";

export type { AnswerOptions, AnswerSource } from "./answers.js";
export type { CustomMetricOptions } from "./whole-metrics.js";

/**
 * The metrics: one number for each row of a run, computed in its graph.
 *
 * Answers are single tokens after the prompt. They are inputs of the graph, so that one session serves all prompts.
 */
export interface Metrics {
  /**
   * Returns "logit of the right answer minus logit of the wrong one" at the last token, in logits.
   *
   * With `answers: "all"`, the mean over all right answers minus the mean over all wrong ones.
   *
   * @throws InputError when a side has no answers or both share one; TokenError when a text is not one token.
   * @see Wang et al. 2022, "Interpretability in the Wild"
   */
  logitDiff(answers: AnswerSource, options?: AnswerOptions): Metric;
  /** Returns the logit of the right answer at the last token; the mean over all right answers with `answers: "all"`. */
  answerLogit(answers: AnswerSource, options?: AnswerOptions): Metric;
  /** Returns the probability of the right answer at the last token; the sum over all of them with `answers: "all"`. */
  probability(answers: AnswerSource, options?: AnswerOptions): Metric;
  /**
   * Returns the probability of all right answers minus that of all wrong ones; of the first ones with `answers: "first"`.
   *
   * @see Hanna et al. 2023, "How does GPT-2 compute greater-than?"
   */
  probabilityDiff(answers: AnswerSource, options?: AnswerOptions): Metric;
  /** Returns the log-probability of the right answer in nats; of any of them with `answers: "all"`. */
  logProb(answers: AnswerSource, options?: AnswerOptions): Metric;
  /** Returns the loss of each prompt in nats: mean of −log p(next token) over steps whose two tokens are real. */
  loss(): Metric;
  /**
   * Returns KL(reference ‖ model) in nats: how far the model has moved from what it was.
   *
   * @param reference - Logits `[batch, pos, dVocabOut]` of the same prompts. Where `pos` is 1 they are compared at the
   *   last token, else at every real position, and the mean is taken.
   * @throws ShapeError when they are no logits.
   */
  klToReference(reference: Tensor): Metric;
  /**
   * Returns any function of the logits that can be written with traced operations.
   *
   * @param fn - Gets logits `[batch, pos, dVocabOut]` and returns `[batch, 1, 1]`: one number for each row.
   */
  custom(name: string, fn: (logits: Traced) => Traced, options?: CustomMetricOptions): Metric;
}

/** Numbers that say how much of the right behaviour a run shows. */
export const metric: Metrics = {
  logitDiff,
  answerLogit,
  probability,
  probabilityDiff,
  logProb,
  loss,
  klToReference,
  custom,
};
