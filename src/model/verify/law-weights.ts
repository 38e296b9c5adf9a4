/** The checkpoint: every weight where the architecture needs it, every number finite. */
import { type StoredTensor, streamAsFloat32 } from "../../io/index.js";
import { atMost, exactly, type Law, type Measurement } from "./check.js";
import { countNonFinite } from "./compare.js";
import { expectedOf, type Subject } from "./subject.js";

/** How many of the expected weights are there with their shape. */
function countFitting({ model }: Subject): Measurement {
  const { tensors } = model.view.core;
  const expected = expectedOf(model);
  const fitting = [...expected].filter(([name, shape]) => tensors.get(name)?.shape.join() === shape.join());
  return {
    measured: "weights with the expected name and shape",
    value: fitting.length,
    bound: exactly(expected.size),
  };
}

async function countBad(stored: StoredTensor, signal: AbortSignal | undefined): Promise<number> {
  let bad = 0;
  for await (const piece of streamAsFloat32(stored, signal === undefined ? {} : { signal }))
    bad += countNonFinite(piece);
  return bad;
}

async function nonFinite({ model, options }: Subject): Promise<Measurement> {
  const measured = "weights that are NaN or infinite";
  if (options.quick === true) return { measured, skipped: "quick: reading every weight takes a while" };
  const broken: string[] = [];
  let total = 0;
  for (const name of expectedOf(model).keys()) {
    const stored = model.view.core.tensors.get(name);
    const bad = stored === undefined ? 0 : await countBad(stored, options.signal);
    total += bad;
    if (bad > 0) broken.push(`${bad} in ${name}`);
  }
  return { measured, value: total, bound: atMost(0), ...(broken.length === 0 ? {} : { detail: broken.join(", ") }) };
}

/** Names, shapes and finite values of all weights. */
export const weightsLaw: Law = {
  name: "weights",
  measure: async (subject) => [countFitting(subject), await nonFinite(subject)],
};
