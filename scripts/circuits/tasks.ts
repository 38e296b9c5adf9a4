/** Three tasks, each split: prompts that choose the edges, prompts that test them, and prompts in other words. */
import type { EdgeInput } from "../../src/analysis/index.js";
import { metric } from "../../src/analysis/index.js";
import { type PromptPairs, type TaskSource, tasks } from "../../src/data/index.js";
import type { Metric } from "../../src/model/index.js";

const { lists } = tasks;

/** What of a task its prompts are made of. */
export interface Split {
  /** Equal seeds make equal prompts. */
  readonly seed: number;
  readonly n: number;
}

/** The parts of a task. No word of interest (name, year, country) of the first is in the others. */
export interface CircuitTask {
  readonly name: string;
  /** What the test's prompts share with none that chose the edges. */
  readonly unseen: string;
  /** Prompts that choose the edges. */
  readonly discovery: (model: TaskSource, split: Split) => PromptPairs;
  /** Prompts in the same templates. */
  readonly heldOut: (model: TaskSource, split: Split) => PromptPairs;
  /** Prompts in other templates. */
  readonly reworded: (model: TaskSource, split: Split) => PromptPairs;
  readonly metric: (pairs: PromptPairs) => Metric;
}

function half<T>(items: readonly T[], parity: 0 | 1): readonly T[] {
  return items.filter((_, i) => i % 2 === parity);
}

const years = Array.from({ length: 97 }, (_, i) => i + 2);
const countries = lists.capitals.map(([country]) => country);

/** The tasks whose circuits are looked for. Templates that the model was not trained on are left out. */
export const circuitTasks: readonly CircuitTask[] = [
  {
    name: "indirect objects",
    unseen: "names",
    discovery: (model, split) => tasks.ioi(model, { ...split, names: half(lists.names, 0), templates: [0, 1] }),
    heldOut: (model, split) => tasks.ioi(model, { ...split, names: half(lists.names, 1), templates: [0, 1] }),
    reworded: (model, split) => tasks.ioi(model, { ...split, names: half(lists.names, 1), templates: [2, 4, 6, 7, 9] }),
    metric: (pairs) => metric.logitDiff(pairs),
  },
  {
    name: "greater-than",
    unseen: "years",
    discovery: (model, split) => tasks.greaterThan(model, { ...split, years: half(years, 0), templates: [0, 1] }),
    heldOut: (model, split) => tasks.greaterThan(model, { ...split, years: half(years, 1), templates: [0, 1] }),
    reworded: (model, split) => tasks.greaterThan(model, { ...split, years: half(years, 1), templates: [2, 3] }),
    metric: (pairs) => metric.probabilityDiff(pairs),
  },
  {
    name: "capitals",
    unseen: "countries",
    discovery: (model, split) =>
      tasks.capitals(model, { ...split, countries: half(countries, 0), templates: [0, 1, 2] }),
    heldOut: (model, split) => tasks.capitals(model, { ...split, countries: half(countries, 1), templates: [0, 1, 2] }),
    reworded: (model, split) => tasks.capitals(model, { ...split, countries: half(countries, 1), templates: [4, 5] }),
    metric: (pairs) => metric.logitDiff(pairs),
  },
];

/** What edge methods take: the corrupted twins' writes stand in on edges that are cut. */
export function inputOf(task: CircuitTask, pairs: PromptPairs): EdgeInput {
  return { from: pairs.corrupted, into: pairs.clean, metric: task.metric(pairs) };
}
