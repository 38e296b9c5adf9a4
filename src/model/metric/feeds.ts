/** The graph inputs of a metric for one run. */
import { InputError, ShapeError } from "../../core/index.js";
import type { RawTensor } from "../../runtime/index.js";
import type { Precision } from "../components/context.js";
import { type BatchLayout, selectedSlots } from "../edits/positions.js";
import type { Metric, PromptData } from "./metric.js";
import { metricPrefix, metricSlotsInput } from "./trace.js";

/** What the numbers of a metric are gathered for. */
export interface MetricRun {
  readonly metric: Metric;
  /** The prompt of each row. */
  readonly rows: readonly number[];
  readonly layout: BatchLayout;
  readonly precision: Precision;
  /** Size of the output vocabulary. */
  readonly vocabulary: number;
}

function checkIds(name: string, ids: ArrayLike<number>, vocabulary: number): void {
  const bad = Array.from(ids).find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabulary));
  if (bad === undefined) return;
  throw new InputError({
    where: `metric "${name}"`,
    got: `the token id ${bad}`,
    expected: `an id from 0 to ${vocabulary - 1}`,
    fix: "Take ids from this model's tokenizer.",
  });
}

function gather({ metric, rows, layout, precision, vocabulary }: MetricRun, data: PromptData): RawTensor {
  const shape = data.shape.map((dim) => (dim === "pos" ? layout.pos : Number(dim)));
  const size = shape.reduce((product, one) => product * one, 1);
  const numbers = rows.map((row) => data.prompts[row] ?? []);
  const misfit = numbers.find((own) => own.length !== size);
  if (misfit !== undefined) throw wrongLength(metric, misfit.length, shape);
  if (data.kind === "id") {
    for (const ids of numbers) checkIds(metric.name, ids, vocabulary);
    const flat = numbers.flatMap((ids) => Array.from(ids, BigInt));
    return { dtype: "int64", shape: [rows.length, ...shape], data: BigInt64Array.from(flat) };
  }
  const count = rows.length * size;
  const out = precision === "float64" ? new Float64Array(count) : new Float32Array(count);
  for (const [index, own] of numbers.entries()) out.set(own, index * size);
  return { dtype: precision, shape: [rows.length, ...shape], data: out };
}

function wrongLength({ name }: Metric, length: number, shape: readonly number[]): ShapeError {
  return new ShapeError({
    where: `metric "${name}"`,
    got: `${length} numbers for one prompt`,
    expected: `[${shape.join(", ")}] for this run`,
    fix: "Give numbers that were made from prompts of the same length under this model.",
  });
}

/** Fills what a metric declares; surplus names do no harm. */
export function metricFeeds(run: MetricRun): Record<string, RawTensor> {
  const { layout } = run;
  const slots = Array.from({ length: layout.batch }, (_, row) =>
    selectedSlots("last", layout, row, "metric").slice(-1).map(BigInt),
  ).flat();
  const feeds: Record<string, RawTensor> = {
    [metricSlotsInput]: { dtype: "int64", shape: [layout.batch, 1], data: BigInt64Array.from(slots) },
  };
  for (const [name, data] of Object.entries(run.metric.data)) feeds[`${metricPrefix}${name}`] = gather(run, data);
  return feeds;
}
