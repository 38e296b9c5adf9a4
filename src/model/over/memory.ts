/** What a run over data will hold in memory, stated before it runs. */
import { formatBytes, MemoryError } from "../../core/index.js";
import type { ModelInput } from "../run/input-types.js";
import type { RunOptions } from "../run/options.js";
import { type PreparedRun, prepareRun, resultBytes, runSizes } from "../run/prepare.js";
import type { ModelView } from "../view.js";
import type { Reducer } from "./reducer.js";
import { type ReducedPoint, reducedPoint } from "./vectors.js";

/** Bytes held at once. */
export interface OverMemory {
  /** Activations, logits and losses of one batch; two batches are held. */
  readonly batch: number;
  /** Statistics of all hook points, or the shard that is being filled. */
  readonly state: number;
  /** Two batches and the state. */
  readonly total: number;
}

/** A batch before it runs: its hook points seen token by token, and its bytes. */
export interface PlannedBatch {
  readonly points: readonly ReducedPoint[];
  readonly bytes: number;
}

/** Plans a batch; nothing is computed. */
export function planBatch(view: ModelView, input: ModelInput, options: RunOptions): PlannedBatch {
  const run = prepareRun(view, input, options);
  const points = run.request.captures.map((name) => pointOf(run, name));
  const { batch, pos } = run.layout;
  const { dVocabOut } = view.core.config;
  const logits =
    options.logits === "all" ? [reducedPoint("logits", ["batch", "pos", "dVocabOut"], [batch, pos, dVocabOut])] : [];
  return { points: [...points, ...logits], bytes: resultBytes(run) };
}

function pointOf(run: PreparedRun, name: string): ReducedPoint {
  const sizes = runSizes(run.layout);
  const { axes = [], shape = [] } = run.points.get(name) ?? {};
  return reducedPoint(
    name,
    axes,
    shape.map((dim) => (typeof dim === "number" ? dim : (sizes[dim] ?? 1))),
  );
}

/** Returns the bytes of all accumulators. */
export function stateBytes(points: readonly ReducedPoint[], reducers: readonly Reducer<unknown>[]): number {
  return points.reduce((sum, point) => sum + reducers.reduce((own, reducer) => own + reducer.bytes(point), 0), 0);
}

/** Returns what is held, or throws when it is more than allowed. */
export function checkedMemory(batch: number, state: number, limit: number): OverMemory {
  const total = 2 * batch + state;
  if (total <= limit) return { batch, state, total };
  const isState = state > 2 * batch;
  throw new MemoryError({
    where: "model.over",
    got: `${formatBytes(total)}: ${formatBytes(state)} of statistics and two batches of ${formatBytes(batch)}`,
    expected: `at most ${formatBytes(limit)} (memoryLimit)`,
    fix: isState
      ? "Capture fewer hook points at a time, or ask for less: variance instead of covariance, fewer examples in topk, smaller shardBytes."
      : "Make batches smaller with batchTokens, or capture fewer hook points at a time.",
  });
}
