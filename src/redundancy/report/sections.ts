/** The sections of a report, each from evaluators to plain data. */
import { isLimpidError, type LongCallOptions } from "../../core/index.js";
import { tasks } from "../../data/index.js";
import type { Model } from "../../model/index.js";
import { cost } from "../cost/index.js";
import {
  type Choice,
  choiceAccuracy,
  type Estimate,
  measureSpeed,
  type PartEffect,
  speedupDegradationRatio,
} from "../evaluate/index.js";
import { type Part, partName, type Score, withoutParts } from "../parts.js";
import type { Cut, FrontierSummary, NeuronCuts, PartScore, ScoreSummary, TaskAccuracy, TaskCurve } from "./content.js";
import { cutKey, type FrontierLine, sublayerCount } from "./frontier.js";
import type { Judges } from "./judges.js";
import { orderOf, ranksOf, spearman } from "./ranks.js";

/** Turns an effect of one part into an entry of the report. */
export function partScore(part: Part, { loss, relative, kl, agreement }: PartEffect): PartScore {
  const kind = part.kind === "block" || part.kind === "head" ? part.kind : "sublayer";
  const { layer } = part;
  return { name: partName(part), kind, layer, lossWithout: loss, relative, kl: kl.value, agreement: agreement.value };
}

const misjudgedMost = 3;

/** Attention is all the sublayers that there are in a model without MLPs. */
function kindOf({ parts }: Score, measured: ReadonlyMap<string, PartScore>): ScoreSummary["kind"] {
  const kinds = new Set(parts.map(({ kind }) => kind));
  if (kinds.has("block")) return "block";
  if (kinds.has("head")) return "head";
  const isPart = !kinds.has("mlp") && [...measured.keys()].some((name) => name.endsWith(".mlp"));
  return isPart ? "attention" : "sublayer";
}

/** Compares a score with the loss that was measured without each part. */
export function summarizeScore(score: Score, measured: ReadonlyMap<string, PartScore>): ScoreSummary {
  const names = score.parts.map(partName);
  const losses = names.map((name) => measured.get(name)?.lossWithout ?? Number.NaN);
  const [own, real] = [ranksOf(score.values), ranksOf(losses)];
  const gaps = names.map((_, i) => -Math.abs((own[i] ?? 0) - (real[i] ?? 0)));
  const misjudged = orderOf(gaps)
    .slice(0, misjudgedMost)
    .filter((i) => -(gaps[i] ?? 0) >= Math.max(2, names.length / 4))
    .map((i) => ({ part: names[i] ?? "", rank: own[i] ?? 0, measured: real[i] ?? 0 }));
  return {
    name: score.name,
    title: score.title,
    kind: kindOf(score, measured),
    parts: names,
    values: [...score.values],
    intervals: names.map((_, i) => ({ low: score.low[i] ?? Number.NaN, high: score.high[i] ?? Number.NaN })),
    spearman: spearman(score.values, losses),
    misjudged,
  };
}

/** Turns a walk into plain data. */
export function summarizeLine(line: FrontierLine, perBlock: number): FrontierSummary {
  return {
    name: line.name,
    title: line.title,
    kind: line.parts[0]?.kind === "block" ? "block" : "sublayer",
    order: line.parts.map(partName),
    points: line.points.map(({ parts, loss, relative, kl, agreement }) => ({
      sublayers: sublayerCount(parts, perBlock),
      loss,
      relative,
      kl: kl.value,
      agreement: agreement.value,
    })),
  };
}

const accuracyItems = 30;
/** A task counts as known from this accuracy on. */
const knownFrom = 0.75;

/** Questions of the tasks whose words the tokenizer keeps whole. */
function questions(model: Model): ReadonlyMap<string, readonly Choice[]> {
  const found = new Map<string, readonly Choice[]>();
  for (const name of ["capitals", "agreement", "ioi", "copying"] as const) {
    try {
      const { clean, answers, wrongAnswers } = tasks[name](model, { n: accuracyItems, seed: 0 });
      const items = clean.map((prompt, i) => ({
        prompt,
        choices: [answers[i] ?? "", wrongAnswers[i] ?? ""],
        answer: 0,
      }));
      found.set(name, items);
    } catch (error) {
      // A tokenizer that cuts the task's words has no questions of it.
      if (!isLimpidError(error)) throw error;
    }
  }
  return found;
}

/** Tasks that the whole model knows, with its accuracy. */
export interface KnownTask {
  readonly task: string;
  readonly items: readonly Choice[];
  readonly before: number;
}

/** Returns the tasks that a model knows; none without a tokenizer. */
export async function knownTasks(model: Model, options: LongCallOptions): Promise<readonly KnownTask[]> {
  if (model.view.core.tokenizer === undefined) return [];
  const all: KnownTask[] = [];
  for (const [task, items] of questions(model))
    all.push({ task, items, before: await choiceAccuracy(model, items, options) });
  return all.filter(({ before }) => before >= knownFrom);
}

/** Returns the accuracy at known tasks of the whole model and at every point of a line. */
export async function taskCurves(
  model: Model,
  tasks: readonly KnownTask[],
  { points }: FrontierLine,
  options: LongCallOptions,
): Promise<readonly TaskCurve[]> {
  const pruned = points.map(({ parts }) => withoutParts(model, parts));
  const curves: TaskCurve[] = [];
  for (const { task, items, before } of tasks) {
    const after: number[] = [];
    for (const one of pruned) after.push(await choiceAccuracy(one, items, options));
    curves.push({ task, before, after });
  }
  return curves;
}

/** What the cut list is chosen from and judged with. */
export interface CutSources {
  readonly judges: Judges;
  readonly lines: readonly FrontierLine[];
  readonly tasks: readonly KnownTask[];
  readonly perBlock: number;
}

interface Candidate {
  readonly method: string;
  readonly effect: PartEffect;
  readonly saved: number;
}

/** Sets of all methods, the one that saves most first. */
function candidatesOf({ judges, lines, perBlock }: CutSources): readonly Candidate[] {
  const seen = new Set<string>();
  const full = cost(judges.model).parameters.total;
  return lines
    .flatMap(({ title, points }) => points.map((effect) => ({ method: title, effect })))
    .filter(({ effect }) => {
      const key = cutKey(effect.parts, perBlock);
      return !seen.has(key) && seen.add(key).has(key);
    })
    .map((one) => ({ ...one, saved: full - cost(judges.model, { without: one.effect.parts }).parameters.total }))
    .sort((a, b) => b.saved - a.saved || a.effect.loss - b.effect.loss);
}

const triesPerLimit = 6;
const none: Estimate = { value: 0, low: 0, high: 0 };

/** What is saved without parts, as shares. */
function savedShares(model: Model, parts: readonly Part[]): Cut["saved"] {
  const [full, left] = [cost(model), cost(model, { without: parts })];
  return {
    parameters: 1 - left.parameters.total / full.parameters.total,
    flops: 1 - left.flops.prefill / full.flops.prefill,
    cache: 1 - left.cacheBytes / full.cacheBytes,
  };
}

async function accuracies(
  { judges, tasks: known }: CutSources,
  parts: readonly Part[],
  speedup: number,
  options: LongCallOptions,
): Promise<readonly TaskAccuracy[]> {
  const pruned = withoutParts(judges.model, parts);
  const found: TaskAccuracy[] = [];
  for (const { task, items, before } of known) {
    const after = await choiceAccuracy(pruned, items, options);
    found.push({ task, before, after, sdr: speedupDegradationRatio({ before, after }, speedup) });
  }
  return found;
}

/** Finds what can go at one limit: the largest set that keeps it on windows where nothing was chosen. */
async function cutAt(
  sources: CutSources,
  candidates: readonly Candidate[],
  limit: number,
  { known, ...options }: LongCallOptions & { readonly known: Cut | undefined },
): Promise<Cut> {
  const { judges } = sources;
  const hopeful = candidates.filter(({ effect }) => effect.relative.value <= limit).slice(0, triesPerLimit);
  for (const { method, effect } of hopeful) {
    const { relative, kl, agreement } = await judges.effect("held", effect.parts, options);
    if (relative.value > limit) continue;
    // A larger limit allows what a smaller one does; what was measured is not measured again.
    const saves = savedShares(judges.model, effect.parts).parameters;
    if (known !== undefined && known.saved.parameters >= saves) return { ...known, limit };
    const { speedup } = await measureSpeed(judges.model, judges.heldRows.slice(0, 4), effect.parts, {
      ...options,
      runs: 7,
    });
    return {
      limit,
      parts: effect.parts.map(partName).sort(),
      method,
      relative,
      kl: kl.value,
      agreement: agreement.value,
      saved: savedShares(judges.model, effect.parts),
      speedup,
      tasks: await accuracies(sources, effect.parts, speedup, options),
    };
  }
  if (known !== undefined) return { ...known, limit };
  const saved = { parameters: 0, flops: 0, cache: 0 };
  return { limit, parts: [], method: "", relative: none, kl: 0, agreement: 1, saved, speedup: 1, tasks: [] };
}

/** Returns the cut list at several limits. */
export async function cutList(
  sources: CutSources,
  limits: readonly number[],
  options: LongCallOptions,
): Promise<readonly Cut[]> {
  const candidates = candidatesOf(sources);
  const cuts: Cut[] = [];
  for (const limit of limits) cuts.push(await cutAt(sources, candidates, limit, { known: cuts.at(-1), ...options }));
  return cuts;
}

/** Loss without each head, on the windows of the search. */
export async function headScores(judges: Judges, options: LongCallOptions): Promise<readonly PartScore[]> {
  const { nLayers, nHeads } = judges.model.config;
  const found: PartScore[] = [];
  for (let layer = 0; layer < nLayers; layer++)
    for (let index = 0; index < nHeads; index++) {
      const part: Part = { kind: "head", layer, index };
      found.push(partScore(part, await judges.effect("search", [part], options)));
    }
  return found;
}

const neuronShares = [0.1, 0.25, 0.5] as const;

/** Loss without the lowest tenth, quarter and half of each layer's neurons. */
export async function neuronCuts(
  judges: Judges,
  { parts, values }: Score,
  options: LongCallOptions,
): Promise<readonly NeuronCuts[]> {
  const { nLayers, dMlp } = judges.model.config;
  const found: NeuronCuts[] = [];
  for (let layer = 0; layer < nLayers; layer++) {
    const order = orderOf(values.filter((_, i) => parts[i]?.layer === layer));
    const relative: number[] = [];
    for (const share of neuronShares) {
      const parts = order
        .slice(0, Math.max(1, Math.floor(share * dMlp)))
        .map((index): Part => ({ kind: "neuron", layer, index }));
      relative.push((await judges.effect("search", parts, options)).relative.value);
    }
    found.push({ layer, shares: [...neuronShares], relative });
  }
  return found;
}
