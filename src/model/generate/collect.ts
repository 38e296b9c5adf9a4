/** Activations of a whole generation: the steps' captures joined along positions. */
import type { RawTensor } from "../../runtime/index.js";
import { Tensor } from "../../tensor/index.js";
import { ActivationCache } from "../cache/activation-cache.js";
import type { CacheOrigin } from "../cache/origin.js";
import type { HookPoints } from "../view.js";

/** Fills a pattern's unseen keys with 0 and scores' with −∞. */
function fillOf(name: string): number {
  return name.endsWith("hook_attn_scores") ? Number.NEGATIVE_INFINITY : 0;
}

function strideAfter(shape: readonly number[], axis: number): number {
  return shape.slice(axis + 1).reduce((a, b) => a * b, 1);
}

/** Copies one step's values into the joined array, rows of the position axis after `from`. */
function place(
  out: Float32Array | Float64Array,
  shape: readonly number[],
  part: RawTensor,
  where: { axis: number; from: number },
): void {
  const lead = shape.slice(0, where.axis).reduce((a, b) => a * b, 1);
  const partRows = part.shape[where.axis] ?? 1;
  const rows = shape[where.axis] ?? 1;
  const width = strideAfter(shape, where.axis);
  const partWidth = strideAfter(part.shape, where.axis);
  const data = part.data as Float32Array;
  for (let i = 0; i < lead; i++)
    for (let row = 0; row < partRows; row++) {
      const source = (i * partRows + row) * partWidth;
      out.set(data.subarray(source, source + partWidth), (i * rows + where.from + row) * width);
    }
}

function join(name: string, parts: readonly RawTensor[], axes: readonly string[]): Tensor {
  const axis = axes.findIndex((one) => one === "pos" || one === "queryPos");
  const last = parts.at(-1);
  const total = parts.reduce((sum, part) => sum + (part.shape[axis] ?? 0), 0);
  const shape = (last?.shape ?? []).map((size, i) => (i === axis ? total : size));
  const count = shape.reduce((a, b) => a * b, 1);
  const out = last?.data instanceof Float64Array ? new Float64Array(count) : new Float32Array(count);
  out.fill(fillOf(name));
  let from = 0;
  for (const part of parts) {
    place(out, shape, part, { axis, from });
    from += part.shape[axis] ?? 0;
  }
  return Tensor.of(out, shape, [...axes]);
}

/** Joins the captures of all steps into one cache: `pos` covers the prompt and every generated token that was run. */
export function joinSteps(
  steps: readonly ReadonlyMap<string, RawTensor>[],
  points: HookPoints,
  origin: CacheOrigin,
): ActivationCache {
  const names = [...(steps[0]?.keys() ?? [])];
  const joined = names.map((name) => {
    const parts = steps.flatMap((step) => step.get(name) ?? []);
    return [name, join(name, parts, points.get(name)?.axes ?? [])] as const;
  });
  return new ActivationCache(new Map(joined), origin);
}
