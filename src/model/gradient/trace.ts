/** The gradients of a metric as nodes of a run's graph. */
import {
  gradients as differentiate,
  type GradientEdit,
  gradientPoint,
  hessianVectorProduct,
  stopGradient,
} from "../../autodiff/index.js";
import { GraphError, UnsupportedError } from "../../core/index.js";
import { describeValue, type Ops, type Value } from "../../graph/index.js";
import type { WeightView } from "../components/context.js";
import { applyEdit, type EditInput } from "../edits/apply.js";
import type { PointShape } from "../edits/mask.js";
import type { AppliedAt } from "../plan/full-graph.js";
import { type GradientRequest, gradientPrefix, hessianPrefix, tangentPrefix, weightGradientPrefix } from "./request.js";
import { unreadWeight } from "./weight-names.js";

/** One way in which a graph reads a stored weight. */
export interface WeightUse {
  readonly value: Value;
  /** The part that is read; the whole when absent. */
  readonly view?: WeightView;
}

/** What building a decoder remembers for its gradients. */
export interface GradientSources {
  /** Every hook point as the path goes on from it. */
  readonly values: ReadonlyMap<string, Value>;
  readonly points: ReadonlyMap<string, PointShape>;
  /** By stored name. */
  readonly weights: ReadonlyMap<string, readonly WeightUse[]>;
  /** The stream before each step and after the last. */
  readonly stream: readonly Value[];
  /** Stored shapes. */
  readonly shapeOf: (stored: string) => readonly number[];
}

/** What gradients add to a graph. */
export interface TracedGradients {
  readonly outputs: Readonly<Record<string, Value>>;
  readonly editInputs: readonly EditInput[];
  readonly applied: readonly AppliedAt[];
  /** Gradients of the stream between layers in the order of computation, for cutting long work. */
  readonly backward: readonly Value[];
}

/** A hook point as a value of its own, through which no gradient passes where the request stops. */
export function asGradientPoint(ops: Ops, value: Value, name: string, { stopAt }: GradientRequest): Value {
  const kept = stopAt.includes(name) ? stopGradient(ops.builder, value) : value;
  return gradientPoint(ops.builder, kept, name);
}

/** Makes a value a constant where the request stops at the hook point that it stands for. */
export function asConstant(ops: Ops, { stopAt }: GradientRequest): (name: string, value: Value) => Value {
  return (name, value) => (stopAt.includes(name) ? stopGradient(ops.builder, value) : value);
}

/** What is differentiated: the sum or mean over rows, a scalar. */
function total(ops: Ops, metric: Value, { reduce }: GradientRequest): Value {
  return reduce === "sum" ? ops.reduceSum(metric, undefined, false) : ops.reduceMean(metric, undefined, false);
}

function valueAt(sources: GradientSources, hook: string): Value {
  const value = sources.values.get(hook);
  if (value !== undefined) return value;
  throw new UnsupportedError({
    where: `model.run: gradients at ${hook}`,
    got: "a hook point that this run does not pass",
    expected: "a hook point between the first and the last layer of the run",
    fix: "Check startAtLayer and layers.",
  });
}

function usesOf(sources: GradientSources, stored: string): readonly WeightUse[] {
  const uses = sources.weights.get(stored);
  if (uses === undefined) throw unreadWeight(stored);
  return uses;
}

interface Edited {
  readonly edits: ReadonlyMap<Value, GradientEdit>;
  readonly inputs: readonly EditInput[];
  readonly applied: readonly AppliedAt[];
}

/** Edits as functions on gradients; what they declare is collected when the backward part calls them. */
function gradientEdits(request: GradientRequest, sources: GradientSources, isPadded: boolean): Edited {
  const edits = new Map<Value, GradientEdit>();
  const inputs: EditInput[] = [];
  const applied: AppliedAt[] = [];
  request.edits.forEach((resolved, index) => {
    for (const hook of resolved.hooks) {
      const value = valueAt(sources, hook);
      const point = { name: hook, axes: sources.points.get(hook)?.axes ?? [], shape: value.shape };
      const site = { edit: resolved.edit, id: `gradient.${index}.${hook}`, point, isPadded, isGradient: true };
      const before = edits.get(value);
      edits.set(value, (ops, gradient) => {
        const done = applyEdit(ops, site, before?.(ops, gradient) ?? gradient);
        inputs.push(...done.inputs);
        const edit = { ...resolved, edit: { ...resolved.edit, name: `${resolved.edit.name} of the gradient` } };
        applied.push({ edit, index, hook, value: done.value, isGradient: true });
        return done.value;
      });
    }
  });
  return { edits, inputs, applied };
}

/** The gradient of a whole stored tensor from those of the parts that were read. */
function wholeWeight(ops: Ops, uses: readonly WeightUse[], parts: readonly Value[], shape: readonly number[]): Value {
  const size = shape.reduce((product, one) => product * one, 1);
  const spread = uses.map(({ view }, index) => {
    const part = parts[index] ?? ops.scalar(0, "float32");
    const own = view?.shape.reduce((product, one) => product * one, 1) ?? size;
    if (own === size) return ops.reshape(part, shape);
    const offset = view?.offset ?? 0;
    return ops.reshape(ops.pad(ops.reshape(part, [own]), [offset], [size - offset - own]), shape);
  });
  return spread.reduce((sum, one) => ops.add(sum, one));
}

/** Names the hook point or weight that an error of the derivative is about. */
function named(error: unknown, names: ReadonlyMap<Value, string>, { stopAt }: GradientRequest): unknown {
  if (!(error instanceof GraphError)) return error;
  const found = [...names].find(([value]) => error.where.includes(describeValue(value)));
  if (found === undefined) return error;
  const isEdit = error.where.startsWith("edit of the gradient");
  const stopped =
    stopAt.length === 0 ? "" : ` (gradients stop at ${stopAt.slice(0, 3).join(", ")}${stopAt.length > 3 ? ", …" : ""})`;
  return new UnsupportedError(
    {
      where: `model.run: ${isEdit ? "gradients.edits at" : "gradient with respect to"} ${found[1]}`,
      got: `${error.got}${stopped}`,
      expected: isEdit
        ? "a point between what is differentiated and the metric"
        : "a value that the metric depends on through derivatives",
      fix: isEdit
        ? "Ask for the gradient of something before this point, or leave the edit out."
        : "Leave it out: its gradient is 0. Check the metric, stopAt and edits behind it.",
    },
    { cause: error },
  );
}

/** Values that depend on any of `from`, and values that `to` depends on: what lies between them is in both. */
function between({ builder }: Ops, from: readonly Value[], to: Value): (value: Value) => boolean {
  const after = new Set(from);
  const before = new Set([to]);
  const isIn = (set: ReadonlySet<Value>) => (value: Value | undefined) => value !== undefined && set.has(value);
  for (const { inputs, outputs } of builder.nodes)
    if (inputs.some(isIn(after))) for (const value of outputs) after.add(value);
  for (const { inputs, outputs } of builder.nodes.toReversed())
    if (outputs.some(isIn(before))) for (const value of inputs) if (value !== undefined) before.add(value);
  return (value) => after.has(value) && before.has(value);
}

/** Products of the Hessian with directions that are inputs, by output name; none where none are asked for. */
function hessianOutputs(
  ops: Ops,
  metric: Value,
  request: GradientRequest,
  hooks: readonly { readonly name: string; readonly value: Value }[],
): Readonly<Record<string, Value>> {
  if (!request.hessian) return {};
  const along = hooks.map(({ name, value }) => ({
    value,
    tangent: ops.builder.input(`${tangentPrefix}${name}`, value.dtype, value.shape),
  }));
  const products = hessianVectorProduct(ops.builder, total(ops, metric, request), along);
  return Object.fromEntries(hooks.map(({ name }, index) => [`${hessianPrefix}${name}`, products[index] ?? metric]));
}

/**
 * Adds the gradients of a metric to a graph.
 *
 * @param metric - `[batch]`.
 * @throws UnsupportedError when the metric does not depend on a value asked for, or an edit's point is not passed.
 */
export function traceGradients(
  ops: Ops,
  metric: Value,
  request: GradientRequest,
  { isPadded, ...sources }: GradientSources & { readonly isPadded: boolean },
): TracedGradients {
  const hooks = request.wrt.map((name) => ({ name, value: valueAt(sources, name) }));
  const weights = request.weights.map((name) => ({ name, uses: usesOf(sources, name) }));
  const wrt = [...hooks.map(({ value }) => value), ...weights.flatMap(({ uses }) => uses.map(({ value }) => value))];
  const { edits, inputs, applied } = gradientEdits(request, sources, isPadded);
  const names = new Map<Value, string>([
    ...[...sources.values].map(([name, value]) => [value, name] as const),
    ...weights.flatMap(({ name, uses }) => uses.map(({ value }) => [value, name] as const)),
  ]);
  const isBetween = request.stopAt.length > 0 ? () => false : between(ops, wrt, metric);
  // What lies before a joint reaches the metric through it alone, so that naming its gradient costs nothing.
  const joints = sources.stream.slice(1, -1).toReversed().filter(isBetween);
  let found: readonly Value[];
  try {
    found = differentiate(ops.builder, total(ops, metric, request), [...wrt, ...joints], { edits });
  } catch (error) {
    throw named(error, names, request);
  }
  const outputs: Record<string, Value> = {};
  for (const [index, { name }] of hooks.entries()) outputs[`${gradientPrefix}${name}`] = found[index] ?? metric;
  Object.assign(outputs, hessianOutputs(ops, metric, request, hooks));
  let next = hooks.length;
  for (const { name, uses } of weights) {
    const parts = found.slice(next, next + uses.length);
    outputs[`${weightGradientPrefix}${name}`] = wholeWeight(ops, uses, parts, sources.shapeOf(name));
    next += uses.length;
  }
  return { outputs, editInputs: inputs, applied, backward: found.slice(wrt.length) };
}
