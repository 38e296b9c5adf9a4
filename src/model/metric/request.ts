/** How a run's question names its metric: what decides the graph, apart from what only feeds it. */
import type { LogitSelection } from "../run/options.js";
import type { Metric } from "./metric.js";

/**
 * Where a metric finds its logits.
 *
 * `all`: those of every slot. `sole`: of the last real slots, the only ones that are computed. `shared`: the same, which
 * the caller asked for as well. `own`: of the last real slots, picked out of all of them.
 */
export type MetricLogits = "all" | "sole" | "shared" | "own";

/** The metric of a question. */
export interface MetricRequest {
  readonly metric: Metric;
  readonly logits: MetricLogits;
}

/** Where a metric finds its logits in a run that returns these. */
export function metricLogits(metric: Metric, returned: LogitSelection): MetricLogits {
  if (metric.logits === "all") return "all";
  if (returned === "none") return "sole";
  return returned === "last" ? "shared" : "own";
}

/** Whether logits of every slot must be computed. */
export function needsAllLogits(request: MetricRequest | undefined): boolean {
  return request?.logits === "all" || request?.logits === "own";
}

/**
 * What decides the nodes of a metric, as plain data.
 *
 * @param idOf - Numbers metrics whose structure only the object itself knows.
 */
export function metricKey(request: MetricRequest | undefined, idOf: (metric: Metric) => number): unknown {
  if (request === undefined) return undefined;
  const { metric, logits } = request;
  const shapes = Object.entries(metric.data).map(([name, { kind, shape }]) => [name, kind, shape]);
  return [metric.structure ?? idOf(metric), metric.logits, logits, shapes];
}
