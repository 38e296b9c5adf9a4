/** How much of the model is lost to float32. */
import type { Tensor } from "../../tensor/index.js";
import { at } from "../hooks/index.js";
import type { Run } from "../run/result.js";
import { atMost, type Law } from "./check.js";
import { divergence, lastAxisRows, logSoftmax, tensorDistance, worst } from "./compare.js";
import type { Subject } from "./subject.js";

/** `max|a − b| / max(1, max|b|)` of float32 results. */
const tolerance = 1e-4;
/** Nats; the square of the error above, generously. */
const klTolerance = 1e-6;

/** Models above this size take too long in float64 for a quick look, parameters. */
const quickLimit = 50e6;

async function runBoth(subject: Subject): Promise<readonly [Run, Run]> {
  const { model, layers, rows } = subject;
  const options = { capture: at.residPost(layers) };
  const single = await subject.run(rows[0], options, model.withPrecision("float32"));
  return [single, await subject.run(rows[0], options, model.withPrecision("float64"))];
}

/** Largest `KL(float64 ‖ float32)` over positions. */
function largestKl(single: Tensor, double: Tensor): number {
  const rows = lastAxisRows(single);
  const each = lastAxisRows(double).map((row, pos) => divergence(logSoftmax(row), logSoftmax(rows[pos] ?? [])));
  // Rounding may leave it a hair below zero.
  return each.reduce((a, b) => Math.max(a, b), 0);
}

/** Float32 against float64: the stream after each covered layer, logits, probabilities. */
export const precisionLaw: Law = {
  name: "precision",
  measure: async (subject) => {
    const { nParameters, options, layers } = subject;
    if (options.quick === true && nParameters > quickLimit)
      return [{ measured: "float32 against float64", skipped: "quick: float64 of a large model takes a while" }];
    const [single, double] = await runBoth(subject);
    const byLayer = layers.map((layer) => {
      const gap = tensorDistance(single.cache.get("resid_post", layer), double.cache.get("resid_post", layer));
      return [`layer ${layer}`, gap] as const;
    });
    const perLayer = Object.fromEntries(byLayer.map(([name, { relative }]) => [name, relative]));
    const stream = worst(Object.entries(perLayer));
    const mean = worst(byLayer.map(([name, gap]) => [name, gap.mean]));
    const logits = tensorDistance(single.logits, double.logits);
    return [
      {
        measured: "float32 stream, largest error of a layer",
        value: stream.value,
        bound: atMost(tolerance),
        detail: stream.name,
        perLayer,
      },
      {
        measured: "float32 stream, largest mean error",
        value: mean.value,
        bound: atMost(tolerance),
        detail: mean.name,
      },
      { measured: "float32 logits, largest error", value: logits.relative, bound: atMost(tolerance) },
      { measured: "float32 logits, mean error", value: logits.mean, bound: atMost(tolerance) },
      {
        measured: "KL(float64 ‖ float32), nats",
        value: largestKl(single.logits, double.logits),
        bound: atMost(klTolerance),
      },
    ];
  },
};
