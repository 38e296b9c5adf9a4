/** Calls a loss function inside a graph and checks what it makes. */
import { GraphError, InputError, nearestHint } from "../core/index.js";
import { ancestors, describeType, describeValue, type GraphBuilder, Ops, type Value } from "../graph/index.js";
import type { ShapedDefinition } from "./definition.js";
import type { LossContext, LossResult } from "./loss.js";

/** A loss inside a graph. */
export interface TracedLoss extends LossResult {
  readonly parameters: ReadonlyMap<string, Value>;
  readonly buffersBefore: ReadonlyMap<string, Value>;
  /** Names given with `context.label`. */
  readonly labels: ReadonlyMap<Value, string>;
}

/** Returns the graph inputs' names of parts of a definition that are no batch and no parameters. */
export const inputNames = {
  buffer: (name: string): string => `buffer.${name}`,
  scalar: (name: string): string => `scalar.${name}`,
};

function named(kind: string, values: ReadonlyMap<string, Value>): (name: string) => Value {
  return (name) => {
    const value = values.get(name);
    if (value !== undefined) return value;
    throw new InputError({
      where: `loss: ${kind} "${name}"`,
      got: "a name that the trainer was not given",
      expected: `one of its ${kind === "batch tensor" ? "inputs" : `${kind}s`}`,
      fix: `Correct the name.${nearestHint(name, values.keys())}`,
    });
  };
}

/** Declares an input for each entry and returns the values by name. */
function declare<T>(
  entries: Readonly<Record<string, T>>,
  make: (name: string, entry: T) => Value,
): ReadonlyMap<string, Value> {
  return new Map(Object.entries(entries).map(([name, entry]) => [name, make(name, entry)]));
}

/**
 * Adds the loss of a definition to a graph.
 *
 * @throws InputError when the loss names something unknown; GraphError when it is no scalar, or a parameter does not
 *   reach it.
 */
export function traceLoss(g: GraphBuilder, definition: ShapedDefinition): TracedLoss {
  const parameters = declare(definition.parameters, (name, { shape, axes }) => g.input(name, "float32", shape, axes));
  const batch = declare(definition.inputs, (name, { dtype, shape, axes }) => g.input(name, dtype, shape, axes));
  const scalars = declare(definition.scalars ?? {}, (name) => g.input(inputNames.scalar(name), "float32", []));
  const buffers = declare(definition.buffers ?? {}, (name, { shape, axes }) =>
    g.input(inputNames.buffer(name), "float32", shape, axes),
  );
  const labels = new Map<Value, string>();
  const context: LossContext = {
    ops: new Ops(g),
    parameters,
    parameter: named("parameter", parameters),
    batch: named("batch tensor", batch),
    scalar: named("scalar", scalars),
    buffer: named("buffer", buffers),
    label: (name, value) => {
      labels.set(value, name);
      return value;
    },
  };
  const result = definition.loss(context);
  checkResult(g, result, buffers);
  checkUse(g, result, batch, parameters);
  return { ...result, parameters, buffersBefore: buffers, labels };
}

function isScalar(value: Value): boolean {
  return value.dtype === "float32" && value.shape.every((size) => size === 1);
}

function checkResult(g: GraphBuilder, result: LossResult, buffers: ReadonlyMap<string, Value>): void {
  const scalars = { loss: result.loss, ...result.metrics };
  for (const [name, value] of Object.entries(scalars)) {
    g.producer(value);
    if (!isScalar(value)) throw notScalar(name, value);
  }
  for (const name of reserved) if (Object.hasOwn(result.metrics ?? {}, name)) throw reservedMetric(name);
  for (const [name, value] of Object.entries(result.buffers ?? {})) {
    const before = named("buffer", buffers)(name);
    if (describeType(before) !== describeType(value)) throw changedBuffer(name, before, value);
  }
}

/** Names of what every step reports; metrics have others. */
export const reserved: readonly string[] = ["step", "loss", "learningRate", "gradientNorm", "seconds"];

function checkUse(
  g: GraphBuilder,
  { loss, metrics = {}, buffers = {} }: LossResult,
  batch: ReadonlyMap<string, Value>,
  parameters: ReadonlyMap<string, Value>,
): void {
  const forLoss = ancestors(g, [loss]);
  const lost = [...parameters].filter(([, value]) => !forLoss.has(value)).map(([name]) => name);
  if (lost.length > 0) throw unreached(lost);
  const used = ancestors(g, [loss, ...Object.values(metrics), ...Object.values(buffers)]);
  const idle = [...batch].filter(([, value]) => !used.has(value)).map(([name]) => name);
  if (idle.length > 0) throw unused(idle);
}

function notScalar(name: string, value: Value): GraphError {
  return new GraphError({
    where: name === "loss" ? "trainer: loss" : `trainer: metric "${name}"`,
    got: describeValue(value),
    expected: "a scalar: a float32 value with one element",
    fix: "Sum it or take its mean: ops.reduceMean(x, undefined, false).",
  });
}

function unreached(names: readonly string[]): GraphError {
  return new GraphError({
    where: `trainer: ${names.length === 1 ? "parameter" : "parameters"} ${names.map((name) => `"${name}"`).join(", ")}`,
    got: "no path to the loss",
    expected: "parameters that the loss depends on",
    fix: "Use them in the loss, or leave them out of the parameters.",
  });
}

function unused(names: readonly string[]): GraphError {
  return new GraphError({
    where: `trainer: ${names.length === 1 ? "input" : "inputs"} ${names.map((name) => `"${name}"`).join(", ")}`,
    got: "a batch tensor that neither loss nor metrics read",
    expected: "inputs that are used",
    fix: "Use them in the loss, or leave them out of the inputs.",
  });
}

function reservedMetric(name: string): InputError {
  return new InputError({
    where: `trainer: metric "${name}"`,
    got: "a name that every step reports already",
    expected: `a name other than ${reserved.join(", ")}`,
    fix: "Rename the metric.",
  });
}

function changedBuffer(name: string, before: Value, after: Value): GraphError {
  return new GraphError({
    where: `trainer: buffer "${name}"`,
    got: describeValue(after),
    expected: `${describeType(before)}, as it was`,
    fix: "Write back a tensor of the same shape.",
  });
}
