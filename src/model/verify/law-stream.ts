/** The residual stream is the sum of what is written to it, and the logits are the last stream read out. */
import { isLimpidError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import { edit } from "../edits/edit.js";
import { atMost, type Law, type Measurement } from "./check.js";
import { distance, numbers, tensorDistance } from "./compare.js";
import type { Subject } from "./subject.js";

/** Float32 sums in another order. */
const sumTolerance = 1e-5;

/** Hook points whose values add up to the stream: embeddings and every sublayer's write. */
function partNames({ model }: Subject): readonly string[] {
  return model.hookNames().filter((name) => /^hook_(pos_)?embed$|^blocks\.\d+\.hook_(attn|mlp)_out$/.test(name));
}

function lastStream({ model }: Subject): string {
  return `blocks.${model.config.nLayers - 1}.hook_resid_post`;
}

function sumOf(parts: readonly Tensor[]): Float64Array {
  const total = new Float64Array(parts[0]?.data.length ?? 0);
  for (const part of parts) {
    const data = numbers(part);
    for (let i = 0; i < total.length; i++) total[i] = (total[i] ?? 0) + (data[i] ?? Number.NaN);
  }
  return total;
}

/** Embeddings and all writes sum to the stream after the last layer. */
export const partsLaw: Law = {
  name: "parts",
  measure: async (subject) => {
    const parts = partNames(subject);
    const last = lastStream(subject);
    const { cache } = await subject.run(subject.rows[0], { capture: [...parts, last], logits: "none", checks: false });
    const sum = sumOf(parts.map((name) => cache.get(name)));
    const { relative } = distance(sum, numbers(cache.get(last)));
    return [
      {
        measured: "sum of all parts against the last stream",
        value: relative,
        bound: atMost(sumTolerance),
        detail: `${parts.length} parts`,
      },
    ];
  },
};

/** The logits that a program of one layer gives when its stream is replaced by the last one. */
async function lensLogits(subject: Subject, stream: Tensor): Promise<Tensor | undefined> {
  const lens = subject.model.with(edit.replace("blocks.0.hook_resid_post", stream));
  try {
    return (await subject.run(subject.rows[0], { layers: [0] }, lens)).logits;
  } catch (error) {
    // Edits of the view at other layers have no place in a program of one layer.
    if (subject.model.edits.length > 0 && isLimpidError(error, "HOOK_NOT_FOUND", "UNREACHED_EDIT", "UNSUPPORTED"))
      return undefined;
    throw error;
  }
}

/** The logit lens on the last stream is the model's own output. */
export const lensLaw: Law = {
  name: "lens",
  measure: async (subject): Promise<readonly Measurement[]> => {
    const measured = "last stream through norm and unembedding";
    const last = lastStream(subject);
    const run = await subject.run(subject.rows[0], { capture: last, checks: false });
    const logits = await lensLogits(subject, run.cache.get(last));
    if (logits === undefined) return [{ measured, skipped: "the view has edits at other layers" }];
    const { relative } = tensorDistance(logits, run.logits);
    return [{ measured, value: relative, bound: atMost(sumTolerance) }];
  },
};
