/** Metrics of what the model answers at the last token. */
import type { Metric, MetricScope } from "../../model/index.js";
import { type AnswerOptions, type AnswerSource, answerIds, checkSides } from "./answers.js";
import { type LogitRow, MadeMetric } from "./made.js";
import { answerData, type Joining, joined, lastLogits, logSumExp, picked } from "./picks.js";

type Ids = readonly (readonly number[])[];

/** `Σ weight · f(logit)` over the answers of a row, in plain arithmetic. */
function plain(ids: Ids, joining: Joining, f: (logit: number, all: Float64Array) => number): (row: LogitRow) => number {
  return ({ logits, prompt }) => {
    const [all = new Float64Array(0)] = logits;
    const own = ids[prompt] ?? [];
    const sum = own.reduce((total, id) => total + f(all[id] ?? Number.NaN, all), 0);
    return joining === "mean" ? sum / own.length : sum;
  };
}

const logit = (x: number): number => x;
const chance = (x: number, all: Float64Array): number => Math.exp(x - logSumExp(all));

function meanLogit(scope: MetricScope, side: string): ReturnType<MetricScope["perPrompt"]> {
  return joined(scope, picked(scope, lastLogits(scope), side), side);
}

function summedChance(scope: MetricScope, side: string): ReturnType<MetricScope["perPrompt"]> {
  const { ops } = scope;
  return joined(scope, ops.exp(picked(scope, ops.logSoftmax(lastLogits(scope), 1), side)), side);
}

function bothSides(
  where: string,
  source: AnswerSource,
  options: AnswerOptions,
): { readonly right: Ids; readonly wrong: Ids } {
  const right = answerIds(where, source, "right", options);
  const wrong = answerIds(where, source, "wrong", options);
  checkSides(where, right, wrong);
  return { right, wrong };
}

/** See `Metrics.logitDiff`. */
export function logitDiff(source: AnswerSource, options: AnswerOptions = {}): Metric {
  const { right, wrong } = bothSides("metric.logitDiff", source, options);
  const [ofRight, ofWrong] = [plain(right, "mean", logit), plain(wrong, "mean", logit)];
  return new MadeMetric({
    name: "logitDiff",
    unit: "logits",
    logits: "last",
    prompts: right.length,
    structure: "logitDiff",
    data: { ...answerData("right", right, "mean"), ...answerData("wrong", wrong, "mean") },
    trace: (scope) => scope.ops.sub(meanLogit(scope, "right"), meanLogit(scope, "wrong")),
    ofRow: (row) => ofRight(row) - ofWrong(row),
  });
}

/** See `Metrics.answerLogit`. */
export function answerLogit(source: AnswerSource, options: AnswerOptions = {}): Metric {
  const right = answerIds("metric.answerLogit", source, "right", options);
  return new MadeMetric({
    name: "answerLogit",
    unit: "logits",
    logits: "last",
    prompts: right.length,
    structure: "answerLogit",
    data: answerData("right", right, "mean"),
    trace: (scope) => meanLogit(scope, "right"),
    ofRow: plain(right, "mean", logit),
  });
}

/** See `Metrics.probability`. */
export function probability(source: AnswerSource, options: AnswerOptions = {}): Metric {
  const right = answerIds("metric.probability", source, "right", options);
  return new MadeMetric({
    name: "probability",
    unit: "probability",
    logits: "last",
    prompts: right.length,
    structure: "probability",
    data: answerData("right", right, "sum"),
    trace: (scope) => summedChance(scope, "right"),
    ofRow: plain(right, "sum", chance),
  });
}

/** See `Metrics.probabilityDiff`. */
export function probabilityDiff(source: AnswerSource, options: AnswerOptions = {}): Metric {
  const { right, wrong } = bothSides("metric.probabilityDiff", source, { answers: "all", ...options });
  const [ofRight, ofWrong] = [plain(right, "sum", chance), plain(wrong, "sum", chance)];
  return new MadeMetric({
    name: "probabilityDiff",
    unit: "probability",
    logits: "last",
    prompts: right.length,
    structure: "probabilityDiff",
    data: { ...answerData("right", right, "sum"), ...answerData("wrong", wrong, "sum") },
    trace: (scope) => scope.ops.sub(summedChance(scope, "right"), summedChance(scope, "wrong")),
    ofRow: (row) => ofRight(row) - ofWrong(row),
  });
}

/** See `Metrics.logProb`. */
export function logProb(source: AnswerSource, options: AnswerOptions = {}): Metric {
  const right = answerIds("metric.logProb", source, "right", options);
  const width = Math.max(...right.map((own) => own.length));
  return new MadeMetric({
    name: "logProb",
    unit: "nats",
    logits: "last",
    prompts: right.length,
    structure: "logProb",
    data: answerData("right", right, "sum"),
    trace: (scope) => {
      const { ops } = scope;
      if (width > 1) return ops.log(summedChance(scope, "right"));
      return ops.squeeze(picked(scope, ops.logSoftmax(lastLogits(scope), 1), "right"), [1]);
    },
    ofRow: ({ logits, prompt }) => {
      const [all = new Float64Array(0)] = logits;
      return logSumExp((right[prompt] ?? []).map((id) => all[id] ?? Number.NaN)) - logSumExp(all);
    },
  });
}
