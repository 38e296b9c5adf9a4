/** Everything that is decided before a run computes: batch, request, graph, sizes. */
import { InputError } from "../../core/index.js";
import type { GraphDType } from "../../graph/index.js";
import type { ModelConfig } from "../config.js";
import { type BatchLayout, selectedSlots } from "../edits/positions.js";
import { type ResolvedGradients, resolveGradients } from "../gradient/resolve.js";
import type { Metric } from "../metric/metric.js";
import { type MetricRequest, metricLogits } from "../metric/request.js";
import { promptRows } from "../metric/rows.js";
import type { BuiltGraph } from "../plan/build.js";
import type { GraphRequest } from "../plan/request.js";
import {
  checkEntry,
  describeHookPoints,
  emptyRequest,
  isEmptyList,
  passedNames,
  resolveCaptures,
  resolveEdits,
  runLayers,
} from "../plan/resolve.js";
import type { HookPoints, ModelView } from "../view.js";
import { type Batch, prepareInput } from "./input.js";
import type { ModelInput } from "./input-types.js";
import { batchLayout } from "./layout.js";
import type { LogitSelection, RunOptions } from "./options.js";

/** A run before it runs: everything decided, nothing computed. */
export interface PreparedRun {
  readonly view: ModelView;
  readonly batch: Batch;
  readonly layout: BatchLayout;
  readonly request: GraphRequest;
  readonly built: BuiltGraph;
  readonly points: HookPoints;
  readonly logitSlots?: Int32Array;
  /** The prompt of each row, where a metric is asked for. */
  readonly metricRows?: readonly number[];
  /** How the caller finds gradients, where they are asked for. */
  readonly gradients?: ResolvedGradients;
  /** Whether the caller asked for logits; a loss computes them too. */
  readonly wantsLogits: boolean;
}

function selectLogitSlots(selection: LogitSelection, layout: BatchLayout): Int32Array | undefined {
  if (selection === "all" || selection === "none") return undefined;
  const rows = Array.from({ length: layout.batch }, (_, row) =>
    selectedSlots(selection, layout, row, "model.run: logits"),
  );
  const counts = new Set(rows.map((row) => row.length));
  if (counts.size === 1 && !counts.has(0)) return Int32Array.from(rows.flat());
  throw new InputError({
    where: "model.run: logits",
    got: `positions that mean ${[...counts].join(" or ")} slots per row`,
    expected: "the same number of slots, at least one, in every row",
    fix: 'Ask for "last", "all", or positions that every row has.',
  });
}

/** Which logits a run returns: all of them, unless it is asked for a metric. */
function returnedLogits({ logits, metric, gradients, stopAtLayer }: RunOptions): LogitSelection {
  if (stopAtLayer !== undefined) return "none";
  return logits ?? (metric === undefined && gradients === undefined ? "all" : "none");
}

/** The metric that a run computes: its own, or the one that is differentiated. */
function askedMetric({ metric, gradients }: RunOptions): Metric | undefined {
  if (gradients === undefined || metric === undefined || metric === gradients.of) return metric ?? gradients?.of;
  throw new InputError({
    where: "model.run: metric",
    got: `"${metric.name}" beside gradients of another metric, "${gradients.of.name}"`,
    expected: "one metric",
    fix: "Leave metric out, or run twice.",
  });
}

function rowsWithoutMetric(): InputError {
  return new InputError({
    where: "model.run: metricRows",
    got: "rows of a metric without a metric",
    expected: "both or neither",
    fix: "Pass the metric as well.",
  });
}

function metricRequest(options: RunOptions, returned: LogitSelection): MetricRequest | undefined {
  const metric = askedMetric(options);
  const { stopAtLayer } = options;
  if (metric === undefined) {
    if (options.metricRows !== undefined) throw rowsWithoutMetric();
    return undefined;
  }
  if (stopAtLayer === undefined) return { metric, logits: metricLogits(metric, returned) };
  throw new InputError({
    where: `model.run: metric "${metric.name}"`,
    got: "a run that stops before the logits",
    expected: "a run to the end",
    fix: "Leave stopAtLayer out.",
  });
}

function logitMode(selection: LogitSelection): GraphRequest["logits"] {
  if (selection === "none") return "none";
  return selection === "all" ? "all" : "slots";
}

/** Whether any token has a next token. */
function hasStep({ batch, pos, mask }: Batch): boolean {
  if (mask === undefined) return pos > 1;
  return Array.from({ length: batch * pos }).some((_, i) => (i + 1) % pos !== 0 && mask[i] === 1 && mask[i + 1] === 1);
}

/** Refuses edits that are tied to steps of a generation: a plain run has none. */
function checkSteps({ edits }: ModelView): void {
  const stepped = edits.find(({ select }) => select.steps !== undefined);
  if (stepped === undefined) return;
  throw new InputError({
    where: `model.run: edit.${stepped.name}`,
    got: "a selection by steps in a plain run",
    expected: "generate(), which makes steps",
    fix: "Use generate(), or leave steps out.",
  });
}

/** Refuses a run that would return nothing. */
function checkAsked(options: RunOptions): void {
  const isAsked = options.logits !== "none" || options.loss === true || options.stopAtLayer !== undefined;
  if (options.metric !== undefined || options.gradients !== undefined) return;
  if (isAsked || (options.capture !== undefined && !isEmptyList(options.capture))) return;
  throw new InputError({
    where: "model.run",
    got: 'logits: "none" and nothing else',
    expected: "something to compute",
    fix: "Ask for capture, logits, loss, a metric or stopAtLayer.",
  });
}

/** Why a run has no loss, or `undefined`. */
function lossObstacle(options: RunOptions, batch: Batch, { dVocab, dVocabOut }: ModelConfig): string | undefined {
  if (options.stopAtLayer !== undefined) return "a run that stops before the logits";
  if (batch.entry !== "tokens") return "a run without tokens";
  if (dVocab !== dVocabOut) return "a model whose output vocabulary is not its input vocabulary";
  return hasStep(batch) ? undefined : "no row with two real tokens side by side";
}

/** What needs next tokens: the loss, or a metric that reads them. */
function checkLoss(what: string, options: RunOptions, batch: Batch, config: ModelConfig): void {
  const reason = lossObstacle(options, batch, config);
  if (reason === undefined) return;
  throw new InputError({
    where: `model.run: ${what}`,
    got: reason,
    expected: "tokens to predict",
    fix: "Leave loss out, or give at least two tokens and run to the end.",
  });
}

/** Checks input and options and builds the graph; nothing is computed yet. */
export function prepareRun(view: ModelView, input: ModelInput, options: RunOptions): PreparedRun {
  const { core } = view;
  const batch = prepareInput(core, input, options);
  checkEntry(batch.entry, options);
  if (options.loss === true) checkLoss("loss", options, batch, core.config);
  checkSteps(view);
  checkAsked(options);
  const layers = runLayers(view, options);
  const points = describeHookPoints({ ...view, layers });
  const returned = returnedLogits(options);
  const metric = metricRequest(options, returned);
  const names = passedNames(points, layers, batch.entry, options.stopAtLayer === undefined);
  const layout = batchLayout(batch);
  const wantsLogits = returned !== "none";
  const logitSlots = selectLogitSlots(returned, layout);
  const gradients = options.gradients && resolveGradients(view, options.gradients, names);
  const request: GraphRequest = {
    ...emptyRequest(view),
    captures: resolveCaptures(options.capture, names),
    edits: resolveEdits(view.edits, names),
    logits: logitMode(returned),
    loss: options.loss ?? false,
    metric,
    gradients: gradients?.request,
    layers,
    entry: batch.entry,
    isPadded: batch.mask !== undefined,
    stream: options.stopAtLayer !== undefined,
    checks: options.checks ?? true,
  };
  const built = core.graphs.get(request);
  if (metric !== undefined && built.graph.inputs.some(({ name }) => name === "labels"))
    checkLoss(`metric "${metric.metric.name}"`, options, batch, core.config);
  const slots = logitSlots === undefined ? {} : { logitSlots };
  const rows =
    metric === undefined ? {} : { metricRows: promptRows("model.run", metric.metric, batch.batch, options.metricRows) };
  const asked = gradients === undefined ? {} : { gradients };
  return { view, batch, layout, request, built, points, wantsLogits, ...slots, ...rows, ...asked };
}

/** Numbers for the symbolic sizes of a batch. */
export function runSizes({ batch, pos, past }: BatchLayout, logitSlots?: Int32Array): Record<string, number> {
  return {
    batch,
    pos,
    past,
    "past+pos": past + pos,
    count: logitSlots === undefined ? pos : logitSlots.length / batch,
  };
}

/** Bytes that the results of a run take. */
export function resultBytes(run: PreparedRun): number {
  const sizes = runSizes(run.layout, run.logitSlots);
  const bytes = (dtype: GraphDType): number => (dtype === "float64" || dtype === "int64" ? 8 : 4);
  return run.built.graph.outputs.reduce((sum, { value }) => {
    const count = value.shape.reduce<number>((n, dim) => n * (typeof dim === "number" ? dim : (sizes[dim] ?? 1)), 1);
    return sum + count * bytes(value.dtype);
  }, 0);
}
