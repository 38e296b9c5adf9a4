/** One run of a model: from input and options to logits, loss, activations and a receipt. */
import { formatBytes, InputError, type LongCallOptions, MemoryError, NumericError } from "../../core/index.js";
import type { GraphDType } from "../../graph/index.js";
import type { RawTensor } from "../../runtime/index.js";
import { Tensor } from "../../tensor/index.js";
import { ActivationCache } from "../cache/activation-cache.js";
import { runOrigin } from "../cache/origin.js";
import type { BatchLayout } from "../edits/positions.js";
import { selectedSlots } from "../edits/positions.js";
import type { PositionSelection } from "../edits/types.js";
import type { HookSpecs } from "../hooks/index.js";
import { type BuiltGraph, capturePrefix, checkPrefix } from "../plan/build.js";
import { planSteps } from "../plan/plan.js";
import type { GraphRequest } from "../plan/request.js";
import {
  checkEntry,
  describeHookPoints,
  emptyRequest,
  type LayerOptions,
  passedNames,
  resolveCaptures,
  resolveEdits,
  runLayers,
} from "../plan/resolve.js";
import type { HookPoints, ModelView } from "../view.js";
import { executeSteps } from "./execute.js";
import { batchFeeds, editFeeds, neededFeeds } from "./feeds.js";
import { type Batch, prepareInput } from "./input.js";
import type { InputOptions, ModelInput } from "./input-types.js";
import { batchLayout } from "./layout.js";
import type { Receipt } from "./receipt.js";

/** Which logits to compute: all positions, the last real one of each row, none, or positions. */
export type LogitSelection = "all" | "none" | PositionSelection;

/** Options of `model.run`. */
export interface RunOptions extends InputOptions, LayerOptions, LongCallOptions {
  /** Hook points to keep: names, short names, globs, RegExps, references. Nothing by default. */
  readonly capture?: HookSpecs;
  /** Default `"all"`; `"last"` is cheaper. The `pos` axis stays. */
  readonly logits?: LogitSelection;
  /** Computes the mean next-token loss and the loss per token, in nats. */
  readonly loss?: boolean;
  /** Bytes that results may take; default the model's own limit. */
  readonly memoryLimit?: number;
  /** Whether each layer is checked for NaN and infinity. Default true. */
  readonly checks?: boolean;
}

/** What a run returns. */
export interface Run {
  /**
   * Logits `[batch, pos, dVocabOut]`; `pos` counts only the positions asked for.
   *
   * @throws InputError when the run was asked for none.
   */
  readonly logits: Tensor<"float32" | "float64", readonly ["batch", "pos", "dVocabOut"]>;
  /** Mean next-token loss in nats over steps whose token and next token are both real. */
  readonly loss: number;
  /** Loss per step `[batch, pos − 1]`, 0 where a step does not count. */
  readonly lossPerToken: Tensor<"float32", readonly ["batch", "pos"]>;
  /** The stream after the last layer that ran, `[batch, pos, dModel]`; only with `stopAtLayer`. */
  readonly residual: Tensor<"float32" | "float64", readonly ["batch", "pos", "dModel"]>;
  /** Captured activations. */
  readonly cache: ActivationCache;
  /** Token ids that ran, `[batch, pos]`. */
  readonly tokens: Tensor<"int32", readonly ["batch", "pos"]>;
  /** What was bound, what fired, what was masked. */
  readonly receipt: Receipt;
}

/** A run before it runs: everything decided, nothing computed. */
export interface PreparedRun {
  readonly view: ModelView;
  readonly batch: Batch;
  readonly layout: BatchLayout;
  readonly request: GraphRequest;
  readonly built: BuiltGraph;
  readonly points: HookPoints;
  readonly logitSlots?: Int32Array;
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

function logitMode(selection: LogitSelection, options: RunOptions): GraphRequest["logits"] {
  if (options.stopAtLayer !== undefined || selection === "none") return options.loss === true ? "all" : "none";
  return selection === "all" || options.loss === true ? "all" : "slots";
}

function checkLoss(options: RunOptions, batch: Batch): void {
  if (options.loss !== true) return;
  const reason =
    options.stopAtLayer !== undefined
      ? "a run that stops before the logits"
      : batch.entry !== "tokens"
        ? "a run without tokens"
        : batch.pos < 2
          ? "a prompt of one token"
          : undefined;
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
  checkLoss(options, batch);
  const layers = runLayers(view, options);
  const points = describeHookPoints({ ...view, layers });
  const logits = logitMode(options.logits ?? "all", options);
  const names = passedNames(points, layers, batch.entry, options.stopAtLayer === undefined);
  const layout = batchLayout(batch);
  const logitSlots = logits === "slots" ? selectLogitSlots(options.logits ?? "all", layout) : undefined;
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
  return { view, batch, layout, request, built, points, ...(logitSlots === undefined ? {} : { logitSlots }) };
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

function checkMemory(run: PreparedRun, limit: number): void {
  const bytes = resultBytes(run);
  if (bytes <= limit) return;
  throw new MemoryError({
    where: "model.run",
    got: `results of ${formatBytes(bytes)}`,
    expected: `at most ${formatBytes(limit)} (memoryLimit)`,
    fix: 'Capture fewer hook points, ask for logits: "last", split the batch, or use model.over(...).',
  });
}

/** Throws at the first step whose stream is not finite. */
export function checkFinite(values: Readonly<Record<string, RawTensor>>, request: GraphRequest): void {
  const sums = Object.entries(values).filter(([name]) => name.startsWith(checkPrefix));
  const bad = sums
    .map(([name, { data }]) => [Number(name.slice(checkPrefix.length)), Number(data[0])] as const)
    .filter(([, sum]) => !Number.isFinite(sum));
  const first = bad.map(([step]) => step).sort((a, b) => a - b)[0];
  if (first === undefined) return;
  const place =
    first === 0
      ? "the stream before the first layer"
      : `the stream after layer ${request.layers[first - 1] ?? first - 1}`;
  throw new NumericError({
    where: "model.run",
    got: `NaN or infinity in ${place}`,
    expected: "finite numbers",
    fix: "Check the edits at or before this layer and the input; capture the layer with checks: false to look at it.",
  });
}

function toTensor<A extends readonly string[]>(
  raw: RawTensor,
  axes: readonly [...A],
): Tensor<"float32" | "float64", A> {
  return Tensor.of(raw.data as Float32Array | Float64Array, raw.shape, axes);
}

function collectCache(run: PreparedRun, values: Readonly<Record<string, RawTensor>>): ActivationCache {
  const tensors = run.request.captures.flatMap((name) => {
    const raw = values[`${capturePrefix}${name}`];
    const axes = run.points.get(name)?.axes;
    return raw === undefined || axes === undefined ? [] : [[name, toTensor(raw, [...axes])] as const];
  });
  return new ActivationCache(new Map(tensors), runOrigin(run));
}

/** Mean and per-step loss; the last slot predicts nothing and is dropped. */
function losses(run: PreparedRun, raw: RawTensor): { loss: number; lossPerToken: Run["lossPerToken"] } {
  const { batch, pos, mask } = run.batch;
  const data = new Float32Array(batch * (pos - 1));
  let sum = 0;
  let count = 0;
  for (let row = 0; row < batch; row++) {
    for (let p = 0; p < pos - 1; p++) {
      const at = row * pos + p;
      if (mask !== undefined && (mask[at] === 0 || mask[at + 1] === 0)) continue;
      const loss = Number(raw.data[at]);
      data[row * (pos - 1) + p] = loss;
      sum += loss;
      count += 1;
    }
  }
  return { loss: sum / count, lossPerToken: Tensor.of(data, [batch, pos - 1], ["batch", "pos"] as const) };
}

function notAsked(what: string, fix: string): InputError {
  return new InputError({
    where: `run.${what}`,
    got: "a run that did not compute it",
    expected: "a run that was asked for it",
    fix,
  });
}

function receiptOf(run: PreparedRun, view: ModelView, segments: number): Receipt {
  const { batch, request } = run;
  return {
    model: view.core.checkpoint.id,
    identity: view.core.checkpoint.identity,
    batch: batch.batch,
    pos: batch.pos,
    bos: batch.bos,
    maskedSlots: batch.mask === undefined ? 0 : batch.mask.reduce((n, real) => n + (real === 0 ? 1 : 0), 0),
    captured: request.captures,
    edits: request.edits.map(({ edit, hooks }) => ({ name: edit.name, hooks })),
    layers: request.layers,
    precision: request.precision,
    segments,
  };
}

function makeRun(
  run: PreparedRun,
  values: Readonly<Record<string, RawTensor>>,
  receipt: Receipt,
  hasLogits: boolean,
): Run {
  const { logits, loss, stream } = values;
  const { tokens = new Int32Array(0), batch, pos } = run.batch;
  const lossValues = loss === undefined ? undefined : losses(run, loss);
  return {
    get logits() {
      if (logits === undefined || !hasLogits) throw notAsked("logits", 'Pass logits: "all" or "last".');
      return toTensor(logits, ["batch", "pos", "dVocabOut"] as const);
    },
    get loss() {
      if (lossValues === undefined) throw notAsked("loss", "Pass loss: true.");
      return lossValues.loss;
    },
    get lossPerToken() {
      if (lossValues === undefined) throw notAsked("lossPerToken", "Pass loss: true.");
      return lossValues.lossPerToken;
    },
    get residual() {
      if (stream === undefined) throw notAsked("residual", "Pass stopAtLayer.");
      return toTensor(stream, ["batch", "pos", "dModel"] as const);
    },
    cache: collectCache(run, values),
    tokens: Tensor.of(tokens, run.batch.tokens === undefined ? [batch, 0] : [batch, pos], ["batch", "pos"] as const),
    receipt,
  };
}

/** Runs a model once. */
export async function runModel(view: ModelView, input: ModelInput, options: RunOptions = {}): Promise<Run> {
  const run = prepareRun(view, input, options);
  const { built, request, layout, logitSlots, batch } = run;
  checkMemory(run, options.memoryLimit ?? view.core.memoryLimit);
  const feeds = neededFeeds(built, { ...batchFeeds(batch, request, logitSlots), ...editFeeds(built, layout, request) });
  const steps = planSteps(built, runSizes(layout, logitSlots));
  const execution = { ...pickLong(options), prepack: view.core.prepack };
  const values = await executeSteps(view.core.engine, steps, { feeds, calls: built.calls }, execution);
  if (request.checks) checkFinite(values, request);
  return makeRun(run, values, receiptOf(run, view, steps.length), (options.logits ?? "all") !== "none");
}

/** The signal and progress of a call, without undefined fields. */
export function pickLong({ signal, onProgress }: LongCallOptions): LongCallOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) };
}
