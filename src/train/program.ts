/**
 * The graphs of a trainer.
 *
 * One step is one graph: loss, gradients, clipping, update. Parameters, optimiser state, averages and buffers are inputs
 * and outputs that stay in the engine between runs. With gradient accumulation it is two: one adds a batch's gradients
 * to those before it, one updates from their mean. A third graph has the loss alone.
 */
import { gradients } from "../autodiff/index.js";
import { type Graph, GraphBuilder, Ops, type Value } from "../graph/index.js";
import { clipGradients } from "./clip.js";
import type { ShapedDefinition } from "./definition.js";
import type { ResolvedGroup } from "./groups.js";
import { finiteOrFail } from "./guard.js";
import type { UpdateContext } from "./optimizers/optimizer.js";
import { inputNames, type TracedLoss, traceLoss } from "./trace.js";

/** A graph with the tensors that stay in the engine: each is the input of its own name. */
export interface StepGraph {
  readonly graph: Graph;
  /** Names of inputs that are resident. */
  readonly resident: readonly string[];
  /** Output name to the name of the resident tensor that it replaces. */
  readonly writes: Readonly<Record<string, string>>;
  /** Names of outputs to read back; all are scalars. */
  readonly reads: readonly string[];
  readonly labels: ReadonlyMap<Value, string>;
}

/** The graphs of one definition. */
export interface StepGraphs {
  /** Adds a batch's gradients to those before; undefined without accumulation. */
  readonly accumulate: StepGraph | undefined;
  readonly update: StepGraph;
  readonly evaluate: StepGraph;
}

/** Names of resident tensors that belong to a parameter. */
export const residentNames = {
  state: (slot: string, parameter: string): string => `optimizer.${slot}.${parameter}`,
  average: (parameter: string): string => `average.${parameter}`,
  gradient: (parameter: string): string => `gradient.${parameter}`,
};

/** Names of scalar inputs. */
export const scalarNames = {
  optimizer: (name: string, group: number): string => `rate.${group}.${name}`,
  /** 0 in the first batch of a step, 1 in the others. */
  keepGradient: "keep.gradient",
};

/** Outputs that pass a guard. */
export const guardedOutputs: readonly string[] = ["loss", "gradientNorm"];

/** Prefix of outputs that replace a resident tensor. */
const nextPrefix = "next.";

/** A graph while it is being written. */
class StepWriter {
  readonly builder = new GraphBuilder();
  readonly ops: Ops = new Ops(this.builder);
  readonly #definition: ShapedDefinition;
  readonly #reads = new Map<string, Value>();
  readonly #writes = new Map<string, Value>();
  readonly #resident = new Set<string>();

  constructor(definition: ShapedDefinition) {
    this.#definition = definition;
  }

  /** Declares a resident float32 tensor of a parameter's shape. */
  resident(name: string, parameter: string): Value {
    this.#resident.add(name);
    return this.builder.input(name, "float32", this.#definition.parameters[parameter]?.shape ?? []);
  }

  read(name: string, value: Value): void {
    this.#reads.set(name, value.shape.length === 0 ? value : this.ops.reshape(value, []));
  }

  /** Replaces a resident tensor; a value that is an input as it stands would be shared, so it is copied. */
  write(name: string, value: Value): void {
    const isNode = this.builder.producer(value).kind === "node";
    this.#writes.set(name, isNode ? value : this.ops.identity(value));
  }

  scalar(name: string): Value {
    return this.builder.input(name, "float32", []);
  }

  /** Traces the loss, whose parameters and buffers are resident. */
  trace(): TracedLoss {
    const traced = traceLoss(this.builder, this.#definition);
    for (const name of traced.parameters.keys()) this.#resident.add(name);
    for (const name of traced.buffersBefore.keys()) this.#resident.add(inputNames.buffer(name));
    return traced;
  }

  /** Reports loss and metrics, and writes buffers where the loss changes them. */
  report({ loss, metrics = {}, buffers = {} }: TracedLoss, isStep: boolean): void {
    this.read("loss", loss);
    for (const [name, value] of Object.entries(metrics)) this.read(`metric.${name}`, value);
    if (isStep) for (const [name, value] of Object.entries(buffers)) this.write(inputNames.buffer(name), value);
  }

  finish(labels: ReadonlyMap<Value, string>): StepGraph {
    const writes = [...this.#writes].map(([name, value]) => [`${nextPrefix}${name}`, value] as const);
    const graph = this.builder.build({ ...Object.fromEntries(this.#reads), ...Object.fromEntries(writes) });
    const present = new Set(graph.inputs.map(({ name }) => name));
    return {
      graph,
      resident: [...this.#resident].filter((name) => present.has(name)),
      writes: Object.fromEntries([...this.#writes.keys()].map((name) => [`${nextPrefix}${name}`, name])),
      reads: [...this.#reads.keys()],
      labels,
    };
  }
}

interface Trained {
  readonly name: string;
  readonly group: number;
}

/** Parameters that are updated, in the definition's order. */
function trainedOf(definition: ShapedDefinition, groups: readonly ResolvedGroup[]): readonly Trained[] {
  const groupOf = new Map(groups.flatMap(({ names }, index) => names.map((name) => [name, index] as const)));
  return Object.keys(definition.parameters).flatMap((name) => {
    const group = groupOf.get(name) ?? groups.length - 1;
    return groups[group]?.isFrozen === true ? [] : [{ name, group }];
  });
}

/** Gradients of the loss by each trained parameter, edited as the definition says. */
function lossGradients(
  { builder, ops }: StepWriter,
  traced: TracedLoss,
  definition: ShapedDefinition,
  trained: readonly Trained[],
): readonly Value[] {
  const parameters = trained.flatMap(({ name }) => traced.parameters.get(name) ?? []);
  const all = gradients(builder, traced.loss, parameters, traced.gradients ?? {});
  const edit = definition.editGradient;
  if (edit === undefined) return all;
  return trained.map(({ name }, index) => {
    const [parameter, gradient] = [parameters[index], all[index]];
    if (parameter === undefined || gradient === undefined) return traced.loss;
    return edit(ops, { name, parameter, gradient });
  });
}

/** Updates every trained parameter from its gradient. */
function writeUpdates(
  writer: StepWriter,
  definition: ShapedDefinition,
  groups: readonly ResolvedGroup[],
  steps: readonly (Trained & { readonly parameter: Value; readonly gradient: Value })[],
): void {
  const { ops } = writer;
  const { optimizer, average, constrain } = definition;
  for (const { name, group, parameter, gradient } of steps) {
    const context: UpdateContext = {
      ops,
      name,
      parameter,
      gradient,
      decays: (groups[group]?.weightDecay ?? 0) > 0,
      state: (slot) => writer.resident(residentNames.state(slot, name), name),
      scalar: (scalar) => writer.scalar(scalarNames.optimizer(scalar, group)),
    };
    const updated = optimizer.update(context);
    const next = constrain?.(ops, { name, parameter: updated.parameter }) ?? updated.parameter;
    writer.write(name, next);
    for (const slot of optimizer.state)
      writer.write(residentNames.state(slot, name), updated.state[slot] ?? context.state(slot));
    if (average !== undefined) writer.write(residentNames.average(name), averaged(writer, name, average, next));
  }
}

/** `decay a + (1 - decay) p`. */
function averaged(writer: StepWriter, name: string, decay: number, next: Value): Value {
  const { ops } = writer;
  const before = writer.resident(residentNames.average(name), name);
  return ops.add(ops.mul(before, decay), ops.mul(next, 1 - decay));
}

/** Clips, reports the norm, guards it, and updates. */
function finishStep(
  writer: StepWriter,
  definition: ShapedDefinition,
  groups: readonly ResolvedGroup[],
  steps: readonly (Trained & { readonly parameter: Value; readonly gradient: Value })[],
): void {
  const raw = steps.map(({ gradient }) => gradient);
  const { gradients: clipped, norm } = clipGradients(writer.ops, raw, definition.clip ?? {});
  writer.read("gradientNorm", finiteOrFail(writer.ops, norm));
  writeUpdates(
    writer,
    definition,
    groups,
    steps.map((step, index) => ({ ...step, gradient: clipped[index] ?? step.gradient })),
  );
}

function guarded(ops: Ops, traced: TracedLoss): TracedLoss {
  const scalar = traced.loss.shape.length === 0 ? traced.loss : ops.reshape(traced.loss, []);
  return { ...traced, loss: finiteOrFail(ops, scalar) };
}

function wholeStep(definition: ShapedDefinition, groups: readonly ResolvedGroup[]): StepGraph {
  const writer = new StepWriter(definition);
  const traced = writer.trace();
  const trained = trainedOf(definition, groups);
  const all = lossGradients(writer, traced, definition, trained);
  writer.report(guarded(writer.ops, traced), true);
  const steps = trained.flatMap((one, index) => {
    const [parameter, gradient] = [traced.parameters.get(one.name), all[index]];
    return parameter === undefined || gradient === undefined ? [] : [{ ...one, parameter, gradient }];
  });
  finishStep(writer, definition, groups, steps);
  return writer.finish(traced.labels);
}

/** `sum <- keep sum + gradient / count`. */
function accumulateStep(definition: ShapedDefinition, groups: readonly ResolvedGroup[], count: number): StepGraph {
  const writer = new StepWriter(definition);
  const { ops } = writer;
  const traced = writer.trace();
  const trained = trainedOf(definition, groups);
  const keep = writer.scalar(scalarNames.keepGradient);
  lossGradients(writer, traced, definition, trained).forEach((gradient, index) => {
    const name = trained[index]?.name ?? "";
    const before = writer.resident(residentNames.gradient(name), name);
    writer.write(residentNames.gradient(name), ops.add(ops.mul(before, keep), ops.mul(gradient, 1 / count)));
  });
  writer.report(guarded(ops, traced), true);
  return writer.finish(traced.labels);
}

function updateStep(definition: ShapedDefinition, groups: readonly ResolvedGroup[]): StepGraph {
  const writer = new StepWriter(definition);
  const steps = trainedOf(definition, groups).map((one) => ({
    ...one,
    parameter: writer.resident(one.name, one.name),
    gradient: writer.resident(residentNames.gradient(one.name), one.name),
  }));
  finishStep(writer, definition, groups, steps);
  return writer.finish(new Map());
}

function evaluateGraph(definition: ShapedDefinition): StepGraph {
  const writer = new StepWriter(definition);
  const traced = writer.trace();
  writer.report(traced, false);
  return writer.finish(traced.labels);
}

/**
 * Builds the graphs of a definition.
 *
 * @throws GraphError and InputError when the loss is no scalar, does not reach a parameter, or cannot be differentiated.
 */
export function buildStepGraphs(definition: ShapedDefinition, groups: readonly ResolvedGroup[]): StepGraphs {
  const count = definition.accumulate ?? 1;
  const evaluate = evaluateGraph(definition);
  if (count === 1) return { accumulate: undefined, update: wholeStep(definition, groups), evaluate };
  return {
    accumulate: accumulateStep(definition, groups, count),
    update: updateStep(definition, groups),
    evaluate,
  };
}

/** Returns the names of the resident tensors of a definition that begin as zeros, with the parameter whose shape each has. */
export function zeroResidents(
  definition: ShapedDefinition,
  groups: readonly ResolvedGroup[],
): readonly { readonly name: string; readonly parameter: string; readonly isSaved: boolean }[] {
  const isAccumulating = (definition.accumulate ?? 1) > 1;
  return trainedOf(definition, groups).flatMap(({ name }) => [
    ...definition.optimizer.state.map((slot) => ({
      name: residentNames.state(slot, name),
      parameter: name,
      isSaved: true,
    })),
    ...(isAccumulating ? [{ name: residentNames.gradient(name), parameter: name, isSaved: false }] : []),
  ]);
}

/** Returns the names of parameters that are averaged. */
export function averagedParameters(definition: ShapedDefinition, groups: readonly ResolvedGroup[]): readonly string[] {
  return definition.average === undefined ? [] : trainedOf(definition, groups).map(({ name }) => name);
}
