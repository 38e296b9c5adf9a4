/** From a request to a graph: builds the decoder, lets edits act at their hook points, keeps only what is asked. */
import { InternalError, UnreachedEditError, UnsupportedError } from "../../core/index.js";
import { ancestors, type Graph, GraphBuilder, Ops, type Value } from "../../graph/index.js";
import type { StoredTensor } from "../../io/index.js";
import type { BuildContext, SharedInputs, WeightView } from "../components/context.js";
import { type DecoderValues, decoder, programSteps } from "../components/decoder.js";
import type { ModelConfig } from "../config.js";
import { applyEdit, type EditCall, type EditInput } from "../edits/apply.js";
import type { PointShape } from "../edits/mask.js";
import { mappedWeight } from "../weights/store.js";
import type { WeightMap } from "../weights/weight-map.js";
import type { GraphRequest, ResolvedEdit } from "./request.js";

/** What never changes about a model: sizes, where weights lie, and their bytes. */
export interface ModelParts {
  readonly config: ModelConfig;
  readonly map: WeightMap;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** A hook point as a graph defines it. */
export interface HookPoint extends PointShape {
  /** Whether an edit can act here; `hook_tokens` is read only. */
  readonly isEditable: boolean;
}

/** A finished graph with what is needed to feed it and to read its outputs. */
export interface BuiltGraph {
  readonly graph: Graph;
  readonly points: ReadonlyMap<string, HookPoint>;
  readonly editInputs: readonly EditInput[];
  readonly calls: readonly EditCall[];
  /** Every edit at every hook point where it acted. */
  readonly applied: readonly AppliedAt[];
  /** Stream before each step and after the last, for cutting long work. */
  readonly stream: readonly Value[];
}

/** Hook points that are inputs, not activations. */
const readOnlyPoints: readonly string[] = ["hook_tokens"];

/** Prefix of outputs that hold captures. */
export const capturePrefix = "capture:";

/** One edit at one hook point, and the value after it. */
export interface AppliedAt {
  readonly edit: ResolvedEdit;
  readonly hook: string;
  readonly value: Value;
}

/** What a build collects while components name their values. */
class Collector {
  readonly points = new Map<string, HookPoint>();
  readonly captured = new Map<string, Value>();
  readonly outputs = new Map<string, Value>();
  readonly editInputs: EditInput[] = [];
  readonly calls: EditCall[] = [];
  readonly applied: AppliedAt[] = [];
}

function editsByHook(
  edits: readonly ResolvedEdit[],
): ReadonlyMap<string, readonly { edit: ResolvedEdit; index: number }[]> {
  const byHook = new Map<string, { edit: ResolvedEdit; index: number }[]>();
  edits.forEach((edit, index) => {
    for (const hook of edit.hooks) byHook.set(hook, [...(byHook.get(hook) ?? []), { edit, index }]);
  });
  return byHook;
}

/** Shared inputs of a request, declared on the builder. */
function declareInputs(g: GraphBuilder, config: ModelConfig, request: GraphRequest): SharedInputs {
  const stream = ["batch", "pos", config.dModel] as const;
  const entry = {
    tokens: () => ({ tokens: g.input("tokens", "int64", ["batch", "pos"]) }),
    embeddings: () => ({ embeddings: g.input("embeddings", request.precision, stream) }),
    residual: () => ({ residual: g.input("residual", request.precision, stream) }),
  }[request.entry]();
  const key = request.hasPast ? "past+pos" : "pos";
  const real = request.isPadded
    ? {
        keyIsReal: g.input("key_is_real", "bool", ["batch", key]),
        queryIsReal: g.input("query_is_real", "bool", ["batch", "pos"]),
      }
    : {};
  const cache = ["batch", "past", config.nKeyValueHeads, config.dHead] as const;
  const past = request.layers.map((_, step) => ({
    key: g.input(`past.${step}.key`, request.precision, cache),
    value: g.input(`past.${step}.value`, request.precision, cache),
  }));
  return {
    ...entry,
    positions: g.input("positions", "int64", ["batch", "pos"]),
    needsAllLogits: request.loss,
    ...real,
    ...(request.hasPast ? { past } : {}),
    ...(request.logits === "slots" ? { logitSlots: g.input("logit_slots", "int64", ["batch", "count"]) } : {}),
  };
}

/** The context that components build in, for one request. */
function makeContext(parts: ModelParts, request: GraphRequest, collector: Collector): BuildContext {
  const g = new GraphBuilder();
  const ops = new Ops(g);
  const edits = editsByHook(request.edits);
  const captures = new Set(request.captures);
  const isEdited = (name: string): boolean => edits.has(name);
  const record = (name: string, value: Value, axes: readonly string[], isEditable: boolean): void => {
    if (!collector.points.has(name)) collector.points.set(name, { name, axes, shape: value.shape, isEditable });
  };
  const capture = (name: string, value: Value): void => {
    if (captures.has(name)) collector.captured.set(name, value);
  };
  const hook = (name: string, value: Value, axes: readonly string[]): Value => {
    record(name, value, axes, true);
    let current = value;
    for (const { edit, index } of edits.get(name) ?? []) {
      const point = { name, axes, shape: value.shape };
      const site = { edit: edit.edit, id: `edit.${index}.${name}`, point, isPadded: request.isPadded };
      const applied = applyEdit(ops, site, current);
      collector.editInputs.push(...applied.inputs);
      if (applied.call !== undefined) collector.calls.push(applied.call);
      collector.applied.push({ edit, hook: name, value: applied.value });
      current = applied.value;
    }
    capture(name, current);
    return current;
  };
  return {
    ops,
    config: parts.config,
    processing: request.processing,
    precision: request.precision,
    inputs: declareInputs(g, parts.config, request),
    weight: (name, view) => floatWeight(ops, storedWeight(parts, name), request, view),
    hook,
    offer: (name, axes, make) => {
      if (!captures.has(name) && !request.describes) return;
      const value = make();
      record(name, value, axes, !readOnlyPoints.includes(name));
      capture(name, value);
    },
    isEdited,
    isWanted: (name) => isEdited(name) || captures.has(name) || request.describes,
    output: (name, value) => collector.outputs.set(name, value),
  };
}

function storedWeight(parts: ModelParts, name: string): StoredTensor {
  const stored = parts.tensors.get(name);
  if (stored !== undefined) return stored;
  throw new InternalError({
    where: `weight ${name}`,
    got: "no such stored tensor",
    expected: "a tensor that passed the checkpoint's name check",
    fix: "Report this as a bug of limpid.",
  });
}

function floatWeight(ops: Ops, stored: StoredTensor, request: GraphRequest, view?: WeightView): Value {
  const mapped = mappedWeight(ops.builder, stored, view);
  return request.precision === "float64" ? ops.cast(mapped, "float64") : mapped;
}

/** `−log p(label)` at every slot, `[batch, pos]`; the caller drops the last slot. */
function lossPerToken(ctx: BuildContext, logits: Value): Value {
  const { ops } = ctx;
  const labels = ops.builder.input("labels", "int64", ["batch", "pos"]);
  const logProbs = ops.logSoftmax(logits, 2);
  const picked = ops.gatherElements(logProbs, ops.unsqueeze(labels, [2]), 2);
  return ops.neg(ops.squeeze(picked, [2]));
}

/** Prefix of outputs that hold one sum per step, NaN or infinite when any element of the stream is. */
export const checkPrefix = "check:";

/** Sums of the stream before each step and after the last, where the run passes them. */
function checkOutputs(ctx: BuildContext, stream: readonly Value[], needed: ReadonlySet<Value>): Record<string, Value> {
  const passed = stream.flatMap((value, step) => (needed.has(value) ? [{ value, step }] : []));
  const sums = passed.map(
    ({ value, step }) => [`${checkPrefix}${step}`, ctx.ops.reduceSum(value, [0, 1, 2], false)] as const,
  );
  return Object.fromEntries(sums);
}

function namedOutputs(
  ctx: BuildContext,
  collector: Collector,
  request: GraphRequest,
  values: DecoderValues,
): Record<string, Value> {
  const outputs: Record<string, Value> = {};
  for (const [name, value] of collector.captured) outputs[`${capturePrefix}${name}`] = value;
  const last = values.stream.at(-1);
  if (request.stream && last !== undefined) outputs["stream"] = last;
  if (values.logits !== undefined && request.logits !== "none") outputs["logits"] = values.logits;
  if (values.allLogits !== undefined && request.loss) outputs["loss"] = lossPerToken(ctx, values.allLogits);
  if (request.keepsCache) for (const [name, value] of collector.outputs) outputs[name] = value;
  return outputs;
}

function checkCaptured(collector: Collector, request: GraphRequest): void {
  const lost = request.captures.find((name) => !collector.captured.has(name));
  if (lost === undefined) return;
  throw new UnsupportedError({
    where: `capture of ${lost}`,
    got: "a hook point that this run does not pass",
    expected: "a hook point between the first and the last layer of the run",
    fix: "Check startAtLayer, stopAtLayer, layers and logits.",
  });
}

/** Every edit must have acted, and must be able to change something that was asked for. */
function checkEdits(collector: Collector, request: GraphRequest, needed: ReadonlySet<Value>): void {
  request.edits.forEach((resolved) => {
    for (const hook of resolved.hooks) {
      const sites = collector.applied.filter((one) => one.edit === resolved && one.hook === hook);
      if (sites.length === 0) throw notOnPath(resolved, hook);
      if (!sites.some(({ value }) => needed.has(value))) throw unreached(resolved, hook, request);
    }
  });
}

function notOnPath({ edit }: ResolvedEdit, hook: string): UnsupportedError {
  const isReadOnly = readOnlyPoints.includes(hook);
  return new UnsupportedError({
    where: `edit.${edit.name} at ${hook}`,
    got: isReadOnly ? "a hook point that can only be read" : "a hook point that this run does not pass",
    expected: "a hook point on the way to an output",
    fix: isReadOnly ? "Change the input instead." : "Check startAtLayer, stopAtLayer and layers.",
  });
}

function unreached({ edit }: ResolvedEdit, hook: string, request: GraphRequest): UnreachedEditError {
  const asked = [...request.captures.slice(-3), ...(request.logits === "none" ? [] : ["logits"])];
  return new UnreachedEditError({
    where: `edit.${edit.name} at ${hook}`,
    got: `an edit that cannot change what was asked for (${asked.join(", ") || "nothing"})`,
    expected: "an edit upstream of a requested output, not overwritten by a later edit",
    fix: "Ask for logits or a later hook point, or remove the edit.",
  });
}

/** Builds the graph of a request. */
export function buildGraph(parts: ModelParts, request: GraphRequest): BuiltGraph {
  const collector = new Collector();
  const ctx = makeContext(parts, request, collector);
  const withLogits = request.logits !== "none" || request.loss || request.describes || needsUnembedding(request);
  const values = decoder(ctx, parts.map, programSteps(request.layers), withLogits);
  checkCaptured(collector, request);
  const wanted = namedOutputs(ctx, collector, request, values);
  const needed = ancestors(ctx.ops.builder, Object.values(wanted));
  checkEdits(collector, request, needed);
  const checks = request.checks ? checkOutputs(ctx, values.stream, needed) : {};
  const graph = ctx.ops.builder.build({ ...wanted, ...checks });
  const { points, editInputs, calls, applied } = collector;
  return { graph, points, editInputs, calls, applied, stream: values.stream };
}

function needsUnembedding({ captures, edits }: GraphRequest): boolean {
  const isAfter = (name: string): boolean => name.startsWith("ln_final.") || name.startsWith("unembed.");
  return captures.some(isAfter) || edits.some(({ hooks }) => hooks.some(isAfter));
}
