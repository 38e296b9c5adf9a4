/** A metric as nodes of a run's graph. */
import { InternalError, ShapeError } from "../../core/index.js";
import type { Value } from "../../graph/index.js";
import type { BuildContext } from "../components/context.js";
import type { DecoderValues } from "../components/decoder.js";
import type { MetricRequest } from "./request.js";

/** Name of the input with the last real slot of each row, `[batch, 1]`. */
export const metricSlotsInput = "metric_slots";

/** Prefix of the inputs with each row's own numbers. */
export const metricPrefix = "metric:";

/** Name of the output, `[batch]`. */
export const metricOutput = "metric";

/** Declares the slots of a metric that reads its own. */
export function declareMetricSlots({ ops }: Pick<BuildContext, "ops">): Value {
  return ops.builder.input(metricSlotsInput, "int64", ["batch", 1]);
}

function readLogits(ctx: BuildContext, { logits: from }: MetricRequest, values: DecoderValues): Value {
  const { ops } = ctx;
  const found = from === "all" || from === "own" ? values.allLogits : values.logits;
  if (found === undefined) throw noLogits();
  if (from === "all") return found;
  if (from === "own") return ops.gatherND(found, ops.unsqueeze(declareMetricSlots(ctx), [2]), 1);
  return found.shape[1] === 1 ? found : ops.slice(found, 1, 0, 1);
}

/** `[batch]` from `[batch]` or `[batch, 1, …]`. */
function perRow(ctx: BuildContext, name: string, value: Value): Value {
  const [batch, ...rest] = value.shape;
  if (batch === "batch" && rest.every((size) => size === 1))
    return rest.length === 0
      ? value
      : ctx.ops.squeeze(
          value,
          rest.map((_, axis) => axis + 1),
        );
  throw new ShapeError({
    where: `metric "${name}"`,
    got: `values of shape [${value.shape.join(", ")}]`,
    expected: "one number for each row: [batch], or [batch, 1, 1]",
    fix: "Reduce over positions and the vocabulary, and not over rows.",
  });
}

/** Adds a metric to the graph of a run; returns `[batch]`. */
export function traceMetric(ctx: BuildContext, request: MetricRequest, values: DecoderValues): Value {
  const { metric } = request;
  const { ops, precision, inputs } = ctx;
  const value = metric.trace({
    ops,
    logits: readLogits(ctx, request, values),
    ...(inputs.queryIsReal === undefined ? {} : { isReal: inputs.queryIsReal }),
    labels: () => ops.builder.input("labels", "int64", ["batch", "pos"]),
    perPrompt: (name) => {
      const data = metric.data[name];
      if (data === undefined) throw noData(name);
      const dtype = data.kind === "id" ? "int64" : precision;
      return ops.builder.input(`${metricPrefix}${name}`, dtype, ["batch", ...data.shape]);
    },
  });
  return perRow(ctx, metric.name, value);
}

function noLogits(): InternalError {
  return new InternalError({
    where: "metric",
    got: "a graph without the logits that it reads",
    expected: "a decoder that runs to the end",
    fix: "Report this as a bug of limpid.",
  });
}

function noData(name: string): InternalError {
  return new InternalError({
    where: `metric: perPrompt("${name}")`,
    got: "a name that the metric has no numbers for",
    expected: "a key of its data",
    fix: "Report this as a bug of limpid.",
  });
}
