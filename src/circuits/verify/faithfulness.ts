/** How much of what the model says the nodes of a graph carry: kept alone, and taken away. */
import { createRandom, InputError, printsItself } from "../../core/index.js";
import type { DictionarySet } from "../../dictionary/index.js";
import type { Model, Run } from "../../model/index.js";
import { lines, type View } from "../../viz/index.js";
import type { AttributionGraph } from "../attribution/graph.js";
import type { GraphNode } from "../attribution/nodes.js";
import {
  ChangedRuns,
  eachIntervention,
  type Held,
  type Intervention,
  type InterventionOptions,
} from "./changed-runs.js";
import { nodeValue, softCap } from "./values.js";

/** Options of {@link graphFaithfulness}. */
export interface FaithfulnessOptions extends InterventionOptions {
  /** Numbers of features at which the curves are measured. Default 0, and doubling up to all. */
  readonly counts?: readonly number[];
  /** Draws the control. Default 0. */
  readonly seed?: number;
}

/** One point of the curves; values are the first target's, in logits above the mean. */
export interface FaithfulnessPoint {
  /** How many features, those with most influence first. */
  readonly count: number;
  /** Only these features are left; all others are 0. */
  readonly kept: number;
  /** As many other features, drawn at random. */
  readonly keptRandom: number;
  /** These features are 0; all others are as they were. */
  readonly ablated: number;
  readonly ablatedRandom: number;
}

/** Curves of sufficiency and necessity. Immutable. */
export class GraphFaithfulness {
  static {
    printsItself(this.prototype);
  }

  readonly target: string;
  readonly held: Held;
  /** The target in the model as it is. */
  readonly clean: number;
  /** Without any feature. */
  readonly empty: number;
  readonly points: readonly FaithfulnessPoint[];

  /** @internal Use `graphFaithfulness`. */
  constructor(parts: {
    readonly target: string;
    readonly held: Held;
    readonly clean: number;
    readonly empty: number;
    readonly points: readonly FaithfulnessPoint[];
  }) {
    this.target = parts.target;
    this.held = parts.held;
    this.clean = parts.clean;
    this.empty = parts.empty;
    this.points = parts.points;
  }

  /** Returns the share of the way from no feature to the whole model that `value` is: 1 is faithful. */
  share(value: number): number {
    return (value - this.empty) / (this.clean - this.empty);
  }

  /** Draws the four curves over the number of features. */
  toView(): View {
    const curve = (name: string, of: (point: FaithfulnessPoint) => number) => {
      return { name, x: this.points.map(({ count }) => count), y: this.points.map((point) => of(point)) };
    };
    return lines(
      [
        curve("only these", ({ kept }) => kept),
        curve("only as many at random", ({ keptRandom }) => keptRandom),
        curve("without these", ({ ablated }) => ablated),
        curve("without as many at random", ({ ablatedRandom }) => ablatedRandom),
      ],
      {
        title: `Faithfulness of the graph: ${this.target}`,
        note: `In the model: ${this.clean.toFixed(2)}; without any feature: ${this.empty.toFixed(2)}.`,
        x: { name: "features, by influence" },
        y: { name: "logits" },
      },
    );
  }

  /** Returns the curves as lines of text. */
  toString(): string {
    const row = ({ count, kept, keptRandom, ablated, ablatedRandom }: FaithfulnessPoint): string =>
      `  ${String(count).padStart(6)}  ${[kept, keptRandom, ablated, ablatedRandom].map((x) => x.toFixed(3).padStart(8)).join("  ")}`;
    return [
      `GraphFaithfulness of ${this.target}: ${this.clean.toFixed(3)} in the model, ${this.empty.toFixed(3)} without any feature`,
      "   count      kept    random  without    random",
      ...this.points.map(row),
    ].join("\n");
  }
}

type Feature = Extract<GraphNode, { kind: "feature" }>;

/** Features by influence, the greatest first. */
function ranked(graph: AttributionGraph): readonly Feature[] {
  const influence = graph.influence();
  return [...graph.nodes.entries()]
    .sort(([a], [b]) => (influence[b] ?? 0) - (influence[a] ?? 0))
    .flatMap(([, node]) => (node.kind === "feature" ? [node] : []));
}

function countsOf(all: number, counts: readonly number[] | undefined): readonly number[] {
  if (counts !== undefined) {
    const wrong = counts.find((count) => !Number.isInteger(count) || count < 0 || count > all);
    if (wrong === undefined && counts.length > 0) return counts;
    throw badCounts(wrong, all);
  }
  const doubling = Array.from({ length: Math.ceil(Math.log2(Math.max(2, all))) }, (_, i) => 2 ** i);
  return [0, ...doubling.filter((count) => count < all), all];
}

/** The interventions of one point: kept, kept at random, ablated, ablated at random. */
function interventionsAt(
  features: readonly Feature[],
  random: readonly Feature[],
  count: number,
): readonly Intervention[] {
  return [features.slice(count), random.slice(count), features.slice(0, count), random.slice(0, count)].map(
    (nodes) => ({
      nodes,
    }),
  );
}

/**
 * Measures how far the features of a graph, those with most influence first, are enough for what it explains, and how far
 * they are needed, beside as many features of the graph at random.
 *
 * Kept alone means that all other features of the graph are 0; errors, features that the graph omitted and the rest of the
 * model stay. The measure is the first target: a logit above the mean logit, or above another.
 *
 * @throws InputError when the graph has no feature, or its first target is not the logit of a token.
 */
export async function graphFaithfulness(
  model: Model,
  graph: AttributionGraph,
  set: DictionarySet,
  options: FaithfulnessOptions = {},
): Promise<GraphFaithfulness> {
  const features = ranked(graph);
  const [target] = graph.nodes;
  if (target?.kind !== "target" || target.token === undefined || features.length === 0) throw badGraph(features.length);
  const random = createRandom(options.seed ?? 0).shuffle(features);
  const counts = countsOf(features.length, options.counts);
  const interventions = counts.flatMap((count) => interventionsAt(features, random, count));
  const runs = await ChangedRuns.open(model, graph, set, options);
  const value = nodeValue(set, softCap(model));
  const read = (run: Run, row: number): number => value(run, row, target) ?? Number.NaN;
  const values: number[] = [];
  await eachIntervention(runs, [...interventions, { nodes: features }], options, (run, row, index) => {
    values[index] = read(run, row);
  });
  const points = counts.map((count, i) => {
    const [kept = 0, keptRandom = 0, ablated = 0, ablatedRandom = 0] = values.slice(4 * i, 4 * i + 4);
    return { count, kept, keptRandom, ablated, ablatedRandom };
  });
  const clean = read(runs.clean, 0);
  return new GraphFaithfulness({
    target: target.label,
    held: options.held ?? "nothing",
    clean,
    empty: values.at(-1) ?? Number.NaN,
    points,
  });
}

function badCounts(got: number | undefined, all: number): InputError {
  return new InputError({
    where: "graphFaithfulness: counts",
    got: got === undefined ? "an empty list" : String(got),
    expected: `whole numbers from 0 to ${all}, the features of the graph`,
    fix: "Leave them out for 0, 1, 2, 4, … and all.",
  });
}

function badGraph(features: number): InputError {
  return new InputError({
    where: "graphFaithfulness: graph",
    got: features === 0 ? "a graph without features" : "a first target that is not the logit of a token",
    expected: "a graph of a token's logit with features",
    fix: 'Trace a token: target: [" Paris"].',
  });
}
