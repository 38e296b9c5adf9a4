/** A decoder with every hook point on its path as an output: what the graphs of many questions are cut from. */
import { InternalError, UnsupportedError } from "../../core/index.js";
import { type Graph, GraphBuilder, Ops, type Value } from "../../graph/index.js";
import type { StoredTensor } from "../../io/index.js";
import type { BuildContext, Precision, SharedInputs, WeightView } from "../components/context.js";
import { type DecoderValues, decoder, programSteps } from "../components/decoder.js";
import type { ModelConfig } from "../config.js";
import { applyEdit, type EditCall, type EditInput, type ModuleSurroundings } from "../edits/apply.js";
import { masksOver, weightsPoint } from "../edits/keep-weights.js";
import type { PointShape } from "../edits/mask.js";
import { gradientEdited, gradientHooks } from "../gradient/request.js";
import {
  asConstant,
  asGradientPoint,
  type TracedGradients,
  traceGradients,
  type WeightUse,
} from "../gradient/trace.js";
import { needsAllLogits } from "../metric/request.js";
import { declareMetricSlots, metricOutput, traceMetric } from "../metric/trace.js";
import { sizeOf } from "../weights/maskable.js";
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

/** One edit at one hook point, and the value after it. */
export interface AppliedAt {
  readonly edit: ResolvedEdit;
  /** Which edit of the request; of its gradients where {@link AppliedAt.isGradient}. */
  readonly index: number;
  readonly isGradient?: boolean;
  readonly hook: string;
  readonly value: Value;
}

/** What else building a decoder finds; the same whatever is captured of it. */
export interface DecoderFacts {
  readonly points: ReadonlyMap<string, HookPoint>;
  readonly editInputs: readonly EditInput[];
  readonly calls: readonly EditCall[];
  /** Every edit at every hook point where it acted. */
  readonly applied: readonly AppliedAt[];
  /** Stream before each step and after the last, for cutting long work. */
  readonly stream: readonly Value[];
  /** Gradients of the stream between layers in the order of computation, for the same; none without gradients. */
  readonly backward: readonly Value[];
}

/**
 * A decoder with every hook point, check and other result of a request as an output, for `prune`.
 *
 * Captures change the nodes of a graph only where a component asks whether a hook point is wanted: to choose between a
 * fused kernel and its steps, or to compute what is on no path. Those questions are remembered: a request with the
 * same answers has the same nodes.
 */
export interface FullGraph extends DecoderFacts {
  readonly graph: Graph;
  /** Hook points that a component asked about, and whether they were captured. */
  readonly answers: ReadonlyMap<string, boolean>;
}

/** Hook points that are inputs, not activations. */
export const readOnlyPoints: readonly string[] = ["hook_tokens"];

/** Prefix of outputs that hold captures. */
export const capturePrefix = "capture:";

/** Prefix of outputs that hold one sum per step, NaN or infinite when any element of the stream is. */
export const checkPrefix = "check:";

/** What a build collects while components name their values. */
class Collector {
  readonly points = new Map<string, HookPoint>();
  readonly values = new Map<string, Value>();
  readonly answers = new Map<string, boolean>();
  readonly outputs = new Map<string, Value>();
  readonly shared = new Map<string, Value>();
  readonly editInputs: EditInput[] = [];
  readonly calls: EditCall[] = [];
  readonly applied: AppliedAt[] = [];
  /** Parts of stored weights that the graph reads, by stored name. */
  readonly weights = new Map<string, readonly WeightUse[]>();
}

/** An edit with its place among those of a request. */
interface NumberedEdit {
  readonly edit: ResolvedEdit;
  readonly index: number;
}

/** A hook point on the path, before its edits. */
interface HookValue {
  readonly name: string;
  readonly axes: readonly string[];
  readonly value: Value;
  readonly isPadded: boolean;
  readonly around: ModuleSurroundings;
}

/** Applies the edits of a hook point, in order; returns the value after them. */
function withEdits(
  ops: Ops,
  collector: Collector,
  edits: readonly NumberedEdit[],
  { name, axes, value, isPadded, around }: HookValue,
): Value {
  let current = value;
  for (const { edit, index } of edits) {
    const point = { name, axes, shape: value.shape };
    const applied = applyEdit(ops, { edit: edit.edit, id: `edit.${index}.${name}`, point, isPadded, around }, current);
    collector.editInputs.push(...applied.inputs);
    if (applied.call !== undefined) collector.calls.push(applied.call);
    collector.applied.push({ edit, index, hook: name, value: applied.value });
    current = applied.value;
  }
  return current;
}

/** The hook points that modules read besides their own. */
function moduleReads(edits: readonly ResolvedEdit[]): ReadonlySet<string> {
  return new Set(edits.flatMap(({ edit: { change } }) => (change.kind === "module" ? change.module.reads : [])));
}

/** Returns the value of a hook point that a module reads. */
function readValue({ values }: Collector, hook: string, name: string): Value {
  const found = values.get(name);
  if (found !== undefined) return found;
  throw new UnsupportedError({
    where: `edit.module at ${hook}`,
    got: `a module that reads ${name}, which this run does not pass before ${hook}`,
    expected: "a hook point earlier in the run",
    fix: "Check startAtLayer and layers, and the hook points that the module was made for.",
  });
}

function checkNewPoint({ points }: Collector, hook: string, name: string): void {
  if (!points.has(name)) return;
  throw new UnsupportedError({
    where: `edit.module at ${hook}`,
    got: `a second module with the hook point ${name}`,
    expected: "hook points of different names",
    fix: "Splice one dictionary at a hook point.",
  });
}

/** Names a value of the graph as a hook point. */
type NameValue = BuildContext["hook"];

/** What a module at a hook point needs of the graph around it. */
function surroundings(collector: Collector, name: string, precision: Precision, hook: NameValue): ModuleSurroundings {
  return {
    precision,
    read: (read) => readValue(collector, name, read),
    point: (part, inner, axes) => {
      checkNewPoint(collector, name, `${name}.${part}`);
      return hook(`${name}.${part}`, inner, axes);
    },
  };
}

function editsByHook(edits: readonly ResolvedEdit[]): ReadonlyMap<string, readonly NumberedEdit[]> {
  const byHook = new Map<string, NumberedEdit[]>();
  edits.forEach((edit, index) => {
    for (const hook of edit.hooks) byHook.set(hook, [...(byHook.get(hook) ?? []), { edit, index }]);
  });
  return byHook;
}

/** The slots whose logits are wanted: by the caller, or by a metric alone. */
function logitSlots(ops: Ops, { logits, metric }: GraphRequest): Pick<SharedInputs, "logitSlots"> {
  if (logits === "slots") return { logitSlots: ops.builder.input("logit_slots", "int64", ["batch", "count"]) };
  return metric?.logits === "sole" ? { logitSlots: declareMetricSlots({ ops }) } : {};
}

/** Cached keys or values of one layer, `[batch, past, head, dHead]`; rows of one prompt may share theirs. */
function pastInput(ops: Ops, config: ModelConfig, request: GraphRequest, name: string): Value {
  const { nKeyValueHeads, dHead } = config;
  const rows = request.sharesPast === true ? "prompts" : "batch";
  const cached = ops.builder.input(name, request.precision, [rows, "past", nKeyValueHeads, dHead]);
  return rows === "batch" ? cached : ops.gather(cached, ops.builder.input("past_rows", "int64", ["batch"]), 0);
}

/** Shared inputs of a request, declared on the builder. */
function declareInputs(ops: Ops, config: ModelConfig, request: GraphRequest): SharedInputs {
  const g = ops.builder;
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
  const past = request.layers.map((_, step) => ({
    key: pastInput(ops, config, request, `past.${step}.key`),
    value: pastInput(ops, config, request, `past.${step}.value`),
  }));
  return {
    ...entry,
    positions: g.input("positions", "int64", ["batch", "pos"]),
    needsAllLogits: request.loss || needsAllLogits(request.metric),
    ...real,
    ...(request.hasPast ? { past } : {}),
    ...logitSlots(ops, request),
  };
}

/** The context that components build in, for one request. */
function makeContext(parts: ModelParts, request: GraphRequest, collector: Collector): BuildContext {
  const g = new GraphBuilder();
  const ops = new Ops(g);
  const edits = editsByHook(request.edits);
  const captures = new Set(request.captures);
  const differentiated = gradientHooks(request.gradients);
  const passed = gradientEdited(request.gradients);
  const isEdited = (name: string): boolean => edits.has(name) || passed.has(name);
  const reads = moduleReads(request.edits);
  const isWanted = (name: string): boolean => {
    if (isEdited(name) || reads.has(name) || differentiated.has(name) || request.describes) return true;
    const isCaptured = captures.has(name);
    collector.answers.set(name, isCaptured);
    return isCaptured;
  };
  const record = (name: string, value: Value, axes: readonly string[], isEditable: boolean): void => {
    if (!collector.points.has(name)) collector.points.set(name, { name, axes, shape: value.shape, isEditable });
  };
  const hook = (name: string, value: Value, axes: readonly string[]): Value => {
    record(name, value, axes, true);
    const around = surroundings(collector, name, request.precision, hook);
    const site = { name, axes, value, isPadded: request.isPadded, around };
    const edited = withEdits(ops, collector, edits.get(name) ?? [], site);
    const { gradients } = request;
    const isPoint = gradients !== undefined && differentiated.has(name);
    const current = isPoint ? asGradientPoint(ops, edited, name, gradients) : edited;
    collector.values.set(name, current);
    return current;
  };
  return {
    ops,
    config: parts.config,
    processing: request.processing,
    precision: request.precision,
    inputs: declareInputs(ops, parts.config, request),
    once: (key, make) => {
      const value = collector.shared.get(key) ?? make();
      collector.shared.set(key, value);
      return value;
    },
    weight: (name, view) => {
      const whole = floatWeight(ops, storedWeight(parts, name), request, view);
      const value = keptPart(ops, { collector, request, stored: storedWeight(parts, name) }, whole, view);
      rememberUse(collector, name, view === undefined ? { value } : { value, view });
      return value;
    },
    hook,
    ...(request.gradients === undefined ? {} : { ownCopy: asConstant(ops, request.gradients) }),
    offer: (name, axes, make) => {
      if (!isWanted(name)) return;
      const value = make();
      record(name, value, axes, !readOnlyPoints.includes(name));
      collector.values.set(name, value);
    },
    isEdited,
    isWanted,
    output: (name, value) => collector.outputs.set(name, value),
  };
}

function rememberUse({ weights }: Collector, name: string, use: WeightUse): void {
  const known = weights.get(name) ?? [];
  if (!known.some(({ value }) => value === use.value)) weights.set(name, [...known, use]);
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

/** A weight as masks of weights leave it: 0 where one of them drops it. */
function keptPart(
  ops: Ops,
  { collector, request, stored }: { collector: Collector; request: GraphRequest; stored: StoredTensor },
  weight: Value,
  view: WeightView | undefined,
): Value {
  const edits = request.edits.map(({ edit }) => edit);
  return masksOver(edits, stored.name).reduce((value, [index]) => {
    const name = `edit.${index}.weights.${stored.name}`;
    const declared = collector.shared.get(name) ?? ops.builder.input(name, "bool", stored.shape);
    if (!collector.shared.has(name))
      collector.editInputs.push({ kind: "kept", name, index, stored: stored.name, shape: stored.shape });
    collector.shared.set(name, declared);
    const kept = ops.where(viewed(ops, declared, view), value, ops.scalar(0, request.precision));
    const edit = request.edits[index];
    if (edit !== undefined) collector.applied.push({ edit, index, hook: weightsPoint, value: kept });
    return kept;
  }, weight);
}

/** The part of a whole tensor that a view of it names. */
function viewed(ops: Ops, whole: Value, view: WeightView | undefined): Value {
  if (view === undefined) return whole;
  const { shape, offset = 0 } = view;
  const [size, all] = [sizeOf(shape), sizeOf(whole.shape.map(Number))];
  if (size === all) return ops.reshape(whole, shape);
  return ops.reshape(ops.slice(ops.reshape(whole, [all]), 0, offset, offset + size), shape);
}

/** `−log p(label)` at every slot, `[batch, pos]`; the caller drops the last slot. */
function lossPerToken(ctx: BuildContext, logits: Value): Value {
  const { ops } = ctx;
  const labels = ops.builder.input("labels", "int64", ["batch", "pos"]);
  const logProbs = ops.logSoftmax(logits, 2);
  const picked = ops.gatherElements(logProbs, ops.unsqueeze(labels, [2]), 2);
  return ops.neg(ops.squeeze(picked, [2]));
}

/** Everything that a request may ask of the decoder, by output name: captures, results, checks. */
function namedOutputs(
  ctx: BuildContext,
  collector: Collector,
  request: GraphRequest,
  values: DecoderValues,
): Record<string, Value> {
  const { stream, logits, allLogits } = values;
  const outputs: Record<string, Value> = {};
  for (const [name, value] of collector.values) outputs[`${capturePrefix}${name}`] = value;
  const last = stream.at(-1);
  if (request.stream && last !== undefined) outputs["stream"] = last;
  if (logits !== undefined && request.logits !== "none") outputs["logits"] = logits;
  if (allLogits !== undefined && request.loss) outputs["loss"] = lossPerToken(ctx, allLogits);
  if (request.keepsCache) for (const [name, value] of collector.outputs) outputs[name] = value;
  if (!request.checks) return outputs;
  for (const [step, value] of stream.entries())
    outputs[`${checkPrefix}${step}`] = ctx.ops.reduceSum(value, [0, 1, 2], false);
  return outputs;
}

/** The gradients that a request asks for; none when it asks for none. */
function tracedGradients(
  ctx: BuildContext,
  { parts, collector, request, stream }: Build,
  metric: Value | undefined,
): TracedGradients {
  if (request.gradients === undefined || metric === undefined) return noGradients;
  const { values: hooked, points, weights } = collector;
  const shapeOf = (name: string): readonly number[] => storedWeight(parts, name).shape;
  const sources = { values: hooked, points, weights, stream, shapeOf, isPadded: request.isPadded };
  return traceGradients(ctx.ops, metric, request.gradients, sources);
}

const noGradients: TracedGradients = { outputs: {}, editInputs: [], applied: [], backward: [] };

interface Build {
  readonly parts: ModelParts;
  readonly collector: Collector;
  readonly request: GraphRequest;
  readonly stream: readonly Value[];
}

/** Builds the decoder that a request is cut from. */
export function buildFullGraph(parts: ModelParts, request: GraphRequest): FullGraph {
  const collector = new Collector();
  const ctx = makeContext(parts, request, collector);
  const values = decoder(ctx, parts.map, programSteps(request.layers));
  const metric = request.metric && traceMetric(ctx, request.metric, values);
  const forward = {
    ...namedOutputs(ctx, collector, request, values),
    ...(metric === undefined ? {} : { [metricOutput]: metric }),
  };
  const { stream } = values;
  const { backward, ...gradients } = tracedGradients(ctx, { parts, collector, request, stream }, metric);
  const graph = ctx.ops.builder.build({ ...forward, ...gradients.outputs });
  const { points, answers, calls } = collector;
  const editInputs = [...collector.editInputs, ...gradients.editInputs];
  const applied = [...collector.applied, ...gradients.applied];
  return { graph, points, answers, editInputs, calls, applied, stream, backward };
}
