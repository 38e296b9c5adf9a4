/** What layers write whatever they read: biases, on their way to the stream. */
import { Tensor } from "../../tensor/index.js";
import type { CacheContext } from "./context.js";
import { postNormBias, type ScaleSelection, writeTail } from "./layer-norm.js";
import type { StepWrite } from "./site.js";
import { applyTail } from "./tail.js";
import { foldedOutputBias, storedVector } from "./vectors.js";

/** The bias of a sublayer's last map, `[dModel]`, with the value biases that the view folds into it. */
async function outputBias({ view }: CacheContext, { step, write }: StepWrite): Promise<Tensor | undefined> {
  if (write.name === "attn" && view.processing.foldValueBiases) return foldedOutputBias(view, step.layer);
  const block = view.core.map.blocks[step.layer];
  const name = (write.name === "attn" ? block?.attn.o : block?.mlp?.out)?.bias;
  return name === undefined ? undefined : storedVector(view, name, "dModel");
}

/**
 * Returns the sum of what the writes add besides their heads or neurons: `[dModel]`, with position axes in front where
 * norms behind the sublayers scale it.
 */
export async function sumOfBiases(
  ctx: CacheContext,
  writes: readonly StepWrite[],
  selection: ScaleSelection,
): Promise<Tensor> {
  const { dModel } = ctx.view.core.config;
  const zero = ctx.origin.precision === "float64" ? new Float64Array(dModel) : new Float32Array(dModel);
  let sum: Tensor = Tensor.of(zero, [dModel], ["dModel"]);
  for (const write of writes) {
    const bias = await outputBias(ctx, write);
    if (bias !== undefined) sum = sum.add(applyTail(bias, await writeTail(ctx, write, selection)));
    const post = await postNormBias(ctx, write);
    if (post !== undefined) sum = sum.add(post);
  }
  return sum.transpose([...sum.axes.filter((axis) => axis !== "dModel"), "dModel"]);
}
