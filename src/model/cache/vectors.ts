/** Gains and biases as vectors in a view's own precision, so that float64 algebra never rounds through float32. */
import { InternalError } from "../../core/index.js";
import { readAsFloat32, type StoredTensor } from "../../io/index.js";
import { einsum, type Tensor } from "../../tensor/index.js";
import { noProcessing } from "../processing.js";
import type { ModelView } from "../view.js";
import { attentionTensors } from "../weights/block-weights.js";
import { readStored } from "../weights/read-stored.js";
import type { NormWeights } from "../weights/weight-map.js";

/** Returns where a weight lies. */
export function storedWeight({ core }: ModelView, name: string): StoredTensor {
  const stored = core.tensors.get(name);
  if (stored !== undefined) return stored;
  throw new InternalError({
    where: `weight ${name}`,
    got: "no such stored tensor",
    expected: "one that was checked on loading",
    fix: "Report this as a bug of limpid.",
  });
}

/** Reads a stored vector and names its axis. */
export async function storedVector(view: ModelView, name: string, axis: string): Promise<Tensor> {
  const whole = await readAsFloat32(storedWeight(view, name));
  return whole.reshape([whole.size], [axis]).cast(view.precision);
}

/** Where a norm's gain and bias lie, by its name among the weights: `"ln_final"`, `"blocks.1.ln2_post"`. */
function normWeights({ core }: ModelView, name: string): NormWeights | undefined {
  const match = /^blocks\.(\d+)\.(ln1|ln2|ln1_post|ln2_post)$/.exec(name);
  const block = core.map.blocks[Number(match?.[1])];
  const places = {
    ln_final: core.map.lnFinal,
    ln1: block?.ln1,
    ln2: block?.ln2,
    ln1_post: block?.ln1Post,
    ln2_post: block?.ln2Post,
  };
  return places[(match?.[2] ?? name) as keyof typeof places];
}

/** Whether a view counts a norm's gain and bias as part of the weights that read it; norms behind sublayers never fold. */
function isFolded({ processing }: ModelView, name: string): boolean {
  return processing.foldLn && !name.endsWith("_post");
}

/** The gain of a norm (`1 + w` where the model stores `w`), or `undefined` where it has none or the view folds it. */
export async function normGain(view: ModelView, name: string): Promise<Tensor | undefined> {
  const stored = normWeights(view, name)?.weight;
  if (stored === undefined || isFolded(view, name)) return undefined;
  return (await storedVector(view, stored, "dModel")).add(view.core.config.gainOffset);
}

/** The bias of a norm, or `undefined` where it has none or the view folds it. */
export async function normBias(view: ModelView, name: string): Promise<Tensor | undefined> {
  const stored = normWeights(view, name)?.bias;
  return stored === undefined || isFolded(view, name) ? undefined : storedVector(view, stored, "dModel");
}

/** `b_O` of a layer with its value biases folded in: `b_O + Σ_h (b_V + W_Vᵀ b_ln)[h] W_O[h]`, not centred. */
export async function foldedOutputBias(view: ModelView, layer: number): Promise<Tensor | undefined> {
  const block = view.core.map.blocks[layer];
  if (block === undefined) return undefined;
  const { config } = view.core;
  const raw = await attentionTensors(
    { config, processing: noProcessing, read: (name) => readStored(view, storedWeight(view, name)) },
    block,
  );
  const [wV, wO, bV, bO] = ["W_V", "W_O", "b_V", "b_O"].map((name) => raw[name]?.cast(view.precision));
  if (wV === undefined || wO === undefined || bV === undefined || bO === undefined) return undefined;
  const shift = view.processing.foldLn
    ? await normBias({ ...view, processing: noProcessing }, `blocks.${layer}.ln1`)
    : undefined;
  const values: Tensor = shift === undefined ? bV : bV.add(einsum([wV, shift], ["head", "dHead"]));
  return bO.add(einsum([values, wO], ["dModel"]));
}
