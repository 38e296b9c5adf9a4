/** Everything that is decided before a run computes: batch, request, graph, sizes. */
import { InputError } from "../../core/index.js";
import type { GraphDType } from "../../graph/index.js";
import type { ModelConfig } from "../config.js";
import { type BatchLayout, selectedSlots } from "../edits/positions.js";
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

function logitMode(selection: LogitSelection, { stopAtLayer }: RunOptions): GraphRequest["logits"] {
  if (stopAtLayer !== undefined || selection === "none") return "none";
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
  if (isAsked || (options.capture !== undefined && !isEmptyList(options.capture))) return;
  throw new InputError({
    where: "model.run",
    got: 'logits: "none" and nothing else',
    expected: "something to compute",
    fix: "Ask for capture, logits, loss or stopAtLayer.",
  });
}

/** Why a run has no loss, or `undefined`. */
function lossObstacle(options: RunOptions, batch: Batch, { dVocab, dVocabOut }: ModelConfig): string | undefined {
  if (options.stopAtLayer !== undefined) return "a run that stops before the logits";
  if (batch.entry !== "tokens") return "a run without tokens";
  if (dVocab !== dVocabOut) return "a model whose output vocabulary is not its input vocabulary";
  return hasStep(batch) ? undefined : "no row with two real tokens side by side";
}

function checkLoss(options: RunOptions, batch: Batch, config: ModelConfig): void {
  if (options.loss !== true) return;
  const reason = lossObstacle(options, batch, config);
  if (reason === undefined) return;
  throw new InputError({
    where: "model.run: loss",
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
  checkLoss(options, batch, core.config);
  checkSteps(view);
  checkAsked(options);
  const layers = runLayers(view, options);
  const points = describeHookPoints({ ...view, layers });
  const logits = logitMode(options.logits ?? "all", options);
  const names = passedNames(points, layers, batch.entry, options.stopAtLayer === undefined);
  const layout = batchLayout(batch);
  const wantsLogits = options.stopAtLayer === undefined && options.logits !== "none";
  const logitSlots = wantsLogits ? selectLogitSlots(options.logits ?? "all", layout) : undefined;
  const request: GraphRequest = {
    ...emptyRequest(view),
    captures: resolveCaptures(options.capture, names),
    edits: resolveEdits(view.edits, names),
    logits,
    loss: options.loss ?? false,
    layers,
    entry: batch.entry,
    isPadded: batch.mask !== undefined,
    stream: options.stopAtLayer !== undefined,
    checks: options.checks ?? true,
  };
  const built = core.graphs.get(request);
  const slots = logitSlots === undefined ? {} : { logitSlots };
  return { view, batch, layout, request, built, points, wantsLogits, ...slots };
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
