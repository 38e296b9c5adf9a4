/** Runs the graphs of a trainer, and finds out why a step failed. */
import { isLimpidError, NumericError } from "../core/index.js";
import type { Engine, Program, RawTensor } from "../runtime/index.js";
import type { TrainingBatch } from "./batches.js";
import type { ShapedDefinition } from "./definition.js";
import { inspectionOf } from "./diagnose.js";
import type { ResolvedGroup } from "./groups.js";
import type { StepGraph, StepGraphs } from "./program.js";
import type { ResidentTensors } from "./resident.js";
import { scalarFeeds } from "./scalars.js";

/** Everything that a runner is made of. */
export interface RunnerParts {
  readonly definition: ShapedDefinition;
  readonly groups: readonly ResolvedGroup[];
  readonly graphs: StepGraphs;
  readonly engine: Engine;
  readonly residents: ResidentTensors;
}

/** Where a run stands. */
export interface RunPlace {
  /** Updates done before. */
  readonly step: number;
  /** Which batch of the step, from 0. */
  readonly micro?: number;
  /** Resident tensors to read in place of others, by name. */
  readonly replaced?: ReadonlyMap<string, string>;
}

/** The scalars that a graph made. */
export interface Scalars {
  readonly loss: number;
  readonly gradientNorm: number;
  readonly metrics: Readonly<Record<string, number>>;
}

type Feeds = Readonly<Record<string, RawTensor>>;

const metricPrefix = "metric.";

/** Runs one graph after the other; resident tensors are there already. */
export class StepRunner {
  readonly #parts: RunnerParts;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  /**
   * Runs one of the graphs.
   *
   * @throws NumericError when the loss or a gradient is not finite; what the engine throws.
   */
  async run(kind: keyof StepGraphs, batch: TrainingBatch, place: RunPlace): Promise<Scalars> {
    const { definition, groups, graphs, engine } = this.#parts;
    const stepGraph = graphs[kind];
    if (stepGraph === undefined) return { loss: Number.NaN, gradientNorm: Number.NaN, metrics: {} };
    const wanted = { ...scalarFeeds(definition, groups, place.step, place.micro ?? 0), ...rawBatch(batch) };
    const feeds = feedsOf(stepGraph, wanted);
    try {
      const outputs = await engine.run(this.#program(kind, stepGraph, place.replaced), feeds);
      return readScalars(stepGraph, outputs);
    } catch (error) {
      throw isLimpidError(error, "RUN") ? await this.#explain(error, feeds, place) : error;
    }
  }

  #program(
    kind: string,
    { graph, resident, reads, writes }: StepGraph,
    replaced?: ReadonlyMap<string, string>,
  ): Program {
    const { residents } = this.#parts;
    const inputs = resident.map((name) => [name, residents.nameOf(replaced?.get(name) ?? name)] as const);
    const outputs = Object.entries(writes).map(([name, target]) => [name, residents.nameOf(target)] as const);
    return {
      key: residents.nameOf(kind),
      segments: [graph],
      outputs: reads,
      resident: { inputs: Object.fromEntries(inputs), outputs: Object.fromEntries(outputs) },
    };
  }

  /** Runs the failed step again, up to the first number that is not finite; other failures come back as they are. */
  async #explain(error: Error, feeds: Feeds, { step, micro = 0 }: RunPlace): Promise<Error> {
    const { definition, graphs, engine } = this.#parts;
    const failed = graphs.accumulate ?? graphs.update;
    const { graph, suspects } = inspectionOf(failed);
    const inputs = new Set(graph.inputs.map(({ name }) => name));
    const inspected: StepGraph = {
      ...failed,
      graph,
      resident: failed.resident.filter((name) => inputs.has(name)),
      writes: {},
      reads: suspects.map(({ output }) => output),
    };
    const counts = await engine
      .run(this.#program("inspect", inspected), feedsOf(inspected, feeds))
      .catch(() => undefined);
    if (counts === undefined) return error;
    const first = suspects.find(({ output }) => Number(counts[output]?.data[0]) !== 0);
    return first === undefined
      ? error
      : notFinite(step, step * (definition.accumulate ?? 1) + micro, first.name, error);
  }
}

function feedsOf({ graph, resident }: StepGraph, all: Feeds): Feeds {
  const needed = new Set(graph.inputs.map(({ name }) => name));
  for (const name of resident) needed.delete(name);
  return Object.fromEntries(Object.entries(all).filter(([name]) => needed.has(name)));
}

function readScalars({ reads }: StepGraph, outputs: Readonly<Record<string, RawTensor>>): Scalars {
  const read = (name: string): number => Number(outputs[name]?.data[0] ?? Number.NaN);
  const names = reads.filter((name) => name.startsWith(metricPrefix));
  const metrics = Object.fromEntries(names.map((name) => [name.slice(metricPrefix.length), read(name)]));
  return { loss: read("loss"), gradientNorm: read("gradientNorm"), metrics };
}

function rawBatch(batch: TrainingBatch): Record<string, RawTensor> {
  // The engine refuses element types that graphs do not have, and names them.
  const raw = ({ dtype, shape, data }: TrainingBatch[string]): RawTensor => ({ dtype, shape, data }) as RawTensor;
  return Object.fromEntries(Object.entries(batch).map(([name, tensor]) => [name, raw(tensor)]));
}

function notFinite(step: number, batch: number, tensor: string, cause: Error): NumericError {
  return new NumericError(
    {
      where: `train: step ${step + 1}, batch ${batch}`,
      got: `a loss or gradient that is not finite; first tensor that went bad: ${tensor}`,
      expected: "finite numbers",
      fix: `Nothing was updated: parameters are those after step ${step}. Lower the learning rate, clip gradients, or look at this batch.`,
    },
    { cause },
  );
}
