/** What layers write whatever they read: biases, on their way to the stream. */
import { InternalError } from "../../core/index.js";
import { readAsFloat32 } from "../../io/index.js";
import { Tensor } from "../../tensor/index.js";
import type { ModelView } from "../view.js";
import { Weights } from "../weights/weights.js";
import type { CacheContext } from "./context.js";
import { postNormBias, type ScaleSelection, writeTail } from "./layer-norm.js";
import type { StepWrite } from "./site.js";
import { applyTail } from "./tail.js";

/** Reads a stored vector and names its axis. */
export async function storedVector({ core }: ModelView, name: string, axis: string): Promise<Tensor> {
  const stored = core.tensors.get(name);
  if (stored !== undefined) {
    const whole = await readAsFloat32(stored);
    return whole.reshape([whole.size], [axis]);
  }
  throw new InternalError({ where: `weight ${name}`, got: "no such stored tensor", expected: "one that was checked on loading", fix: "Report this as a bug of limpid." });
}

/** The bias of a sublayer's last map, `[dModel]`, with the value biases that the view folds into it. */
async function outputBias({ view }: CacheContext, { step, write }: StepWrite): Promise<Tensor | undefined> {
  if (write.name === "attn" && view.processing.foldValueBiases) return new Weights(view).layer("b_O", step.layer);
  const block = view.core.map.blocks[step.layer];
  const name = (write.name === "attn" ? block?.attn.o : block?.mlp?.out)?.bias;
  return name === undefined ? undefined : storedVector(view, name, "dModel");
}

/**
 * Returns the sum of what the writes add besides their heads or neurons: `[dModel]`, with position axes in front where
 * norms behind the sublayers scale it.
 */
export async function sumOfBiases(ctx: CacheContext, writes: readonly StepWrite[], selection: ScaleSelection): Promise<Tensor> {
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
