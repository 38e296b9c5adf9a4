/** How the metrics of a run are drawn: the losses over the steps, and the last numbers in words. */
import { InputError } from "../core/index.js";
import { type LineData, lines, type View } from "../viz/index.js";
import type { MetricRow } from "./metrics.js";

/** Options of `MetricSeries.toView`. */
export interface MetricViewOptions {
  /** Names of the curves. Default: `loss` and every metric whose name ends in `Loss`; where there is none, all measured. */
  readonly metrics?: readonly string[];
  /** Puts the values on a logarithmic axis; those that are not above 0 are left out. Default false. */
  readonly log?: boolean;
  /** Default: `Training`. */
  readonly title?: string;
}

/** Numbers that say how a step was made, not how good the model is. */
const settings: readonly string[] = ["step", "learningRate", "gradientNorm", "seconds"];

/** Metrics with fewer points than this share of the rows are measured now and then: their points are marked. */
const sparseShare = 0.5;

function namesOf(rows: readonly MetricRow[]): readonly string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))];
}

function defaultMetrics(names: readonly string[]): readonly string[] {
  const losses = names.filter((name) => name === "loss" || name.endsWith("Loss"));
  const measured = names.filter((name) => !settings.includes(name));
  const rest = names.filter((name) => name !== "step");
  return [losses, measured, rest].find((some) => some.length > 0) ?? [];
}

function lineOf(rows: readonly MetricRow[], name: string): LineData {
  const points = rows.filter((row) => row[name] !== undefined);
  const isSparse = points.length < sparseShare * rows.length;
  return {
    name,
    x: points.map((row) => row.step),
    y: points.map((row) => row[name] ?? Number.NaN),
    ...(isSparse ? { mark: "both" } : {}),
  };
}

/** Returns `step 800: loss 0.0012, learningRate 0.0002`, each metric as it was last measured. */
function lastNumbers(rows: readonly MetricRow[], names: readonly string[]): string {
  const parts = names.flatMap((name) => {
    const value = rows.findLast((row) => row[name] !== undefined)?.[name];
    return value === undefined || name === "step" || name === "seconds" ? [] : [`${name} ${value.toPrecision(3)}`];
  });
  return `step ${rows.at(-1)?.step ?? 0}: ${parts.join(", ")}`;
}

/** Draws the metrics of a run; see `MetricSeries.toView`. */
export function metricsView(rows: readonly MetricRow[], options: MetricViewOptions): View {
  if (rows.length === 0) throw nothingYet();
  const names = namesOf(rows);
  const metrics = options.metrics ?? defaultMetrics(names);
  const [only = ""] = metrics.length === 1 ? metrics : [];
  return lines(
    metrics.map((name) => lineOf(rows, name)),
    {
      title: options.title ?? "Training",
      note: lastNumbers(rows, names),
      x: { name: "step" },
      y: { name: only, log: options.log === true },
    },
  );
}

function nothingYet(): InputError {
  return new InputError({
    where: "metrics.toView",
    got: "no step so far",
    expected: "at least one",
    fix: "Train first; metrics are added step by step.",
  });
}
