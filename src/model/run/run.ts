/** One run of a model: prepare, compute, check, return. */
import { formatBytes, type LongCallOptions, MemoryError } from "../../core/index.js";
import type { RawTensor } from "../../runtime/index.js";
import { tangentFeeds } from "../gradient/feeds.js";
import { metricFeeds } from "../metric/feeds.js";
import { metricOutput } from "../metric/trace.js";
import { planSteps } from "../plan/plan.js";
import type { ModelView } from "../view.js";
import { executeSteps } from "./execute.js";
import { batchFeeds, editFeeds, neededFeeds } from "./feeds.js";
import { checkFinite, checkMetric } from "./finite.js";
import type { ModelInput } from "./input-types.js";
import type { RunOptions } from "./options.js";
import { type PreparedRun, prepareRun, resultBytes, runSizes } from "./prepare.js";
import type { Receipt } from "./receipt.js";
import { Run } from "./result.js";
import { Shelf } from "./shelf.js";

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

function gradientReceipt({ gradients }: PreparedRun): Pick<Receipt, "gradients"> {
  if (gradients === undefined) return {};
  const { wrt, stopAt, edits, reduce } = gradients.request;
  const named = edits.map(({ edit, hooks }) => ({ name: edit.name, hooks }));
  return { gradients: { wrt, weights: gradients.weights.map(({ name }) => name), stopAt, edits: named, reduce } };
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
    ...(request.metric === undefined ? {} : { metric: request.metric.metric.name }),
    ...gradientReceipt(run),
    layers: request.layers,
    precision: request.precision,
    segments,
  };
}

/** The inputs of everything that a run may ask; a graph takes those that it has left. */
function allFeeds(run: PreparedRun): Feeds {
  const { built, batch, request, layout, logitSlots, metricRows, gradients, points, view } = run;
  const feeds = { ...batchFeeds(batch, request, logitSlots), ...editFeeds(built, layout, request) };
  if (request.metric === undefined || metricRows === undefined) return feeds;
  const tangents =
    gradients && tangentFeeds(gradients, { points, sizes: runSizes(layout), precision: request.precision });
  const { metric } = request.metric;
  const { precision } = request;
  const vocabulary = view.core.config.dVocabOut;
  return { ...feeds, ...tangents, ...metricFeeds({ metric, rows: metricRows, layout, precision, vocabulary }) };
}

type Feeds = Readonly<Record<string, RawTensor>>;

/** Runs a model once. */
export async function runModel(view: ModelView, input: ModelInput, options: RunOptions = {}): Promise<Run> {
  const run = prepareRun(view, input, options);
  const { built, layout, logitSlots } = run;
  checkMemory(run, options.memoryLimit ?? view.core.memoryLimit);
  const feeds = neededFeeds(built, allFeeds(run));
  const steps = planSteps(built, runSizes(layout, logitSlots));
  const execution = { ...pickLong(options), prepack: view.core.prepack };
  const values = await executeSteps(view.core.engine, steps, { feeds, calls: built.calls }, execution);
  const { checks, metric } = run.request;
  if (checks) checkFinite(values, run.request);
  if (checks && metric !== undefined) checkMetric(values[metricOutput], metric.metric.name);
  return new Run({ run, shelf: shelfOf(run, values), receipt: receiptOf(run, view, steps.length) });
}

/** What came back from the graph, without what went into it. */
function shelfOf({ built }: PreparedRun, values: Readonly<Record<string, RawTensor>>): Shelf {
  const results = built.graph.outputs.flatMap(({ name }) => {
    const value = values[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return new Shelf(results);
}

/** The signal and progress of a call, without undefined fields. */
export function pickLong({ signal, onProgress }: LongCallOptions): LongCallOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) };
}
