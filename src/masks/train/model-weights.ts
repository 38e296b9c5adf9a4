/** A loaded model as a blueprint with its weights: what a mask is trained over. */
import { UnsupportedError } from "../../core/index.js";
import { loadStored } from "../../io/index.js";
import { type Blueprint, blueprint, type Model, weightMatrices, weightPlaces } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import { bitsWhere } from "../mask/bits.js";
import { WeightMask } from "../mask/weight-mask.js";

/** A model that can be built with other weights. */
export interface OpenedModel {
  readonly plan: Blueprint;
  /** All weights, in the shapes of the blueprint. */
  readonly weights: Readonly<Record<string, Tensor>>;
  /** Names of the stored tensors that hold matrices of attention and MLPs. */
  readonly masked: readonly string[];
}

/**
 * Opens a model for training masks.
 *
 * @throws UnsupportedError for edited models, and for checkpoints whose optional weights differ from a new model's.
 */
export async function openForMasks(model: Model): Promise<OpenedModel> {
  if (model.edits.length > 0)
    throw unsupported(`a model with edit.${model.edits[0]?.name ?? ""}`, "a model without edits");
  const plan = blueprint(model.config.raw, "trainMask: model");
  const { tensors } = model.view.core;
  const wanted = [...plan.weights.keys()];
  const missing = wanted.find((name) => !tensors.has(name));
  if (missing !== undefined) throw unsupported(`a checkpoint without ${missing}`, "one with every weight of its kind");
  const stored = new Map(
    wanted.flatMap((name) => {
      const tensor = tensors.get(name);
      return tensor === undefined ? [] : [[name, tensor] as const];
    }),
  );
  const weights = plan.fromCheckpoint(await loadStored(stored));
  const masked = [...new Set(weightMatrices(model).map(({ name }) => weightPlaces(model, name).stored))];
  return { plan, weights, masked };
}

/** Returns the mask of all weights whose number is above 0. */
export function hardMask(model: Model, { plan }: OpenedModel, numbers: Readonly<Record<string, Tensor>>): WeightMask {
  const stored = plan.toCheckpoint(numbers);
  const { id, identity } = model.view.core.checkpoint;
  const shapes = weightMatrices(model);
  const matrices = shapes.map(({ name, shape }) => {
    const { stored: whole, places } = weightPlaces(model, name);
    const data = stored[whole]?.contiguous().data ?? new Float32Array(0);
    const size = shape.reduce((a, b) => a * b, 1);
    return [name, bitsWhere(size, (i) => Number(data[places[i] ?? -1]) > 0)] as const;
  });
  return new WeightMask({
    model: id,
    ...(identity === undefined ? {} : { identity }),
    shapes,
    matrices: new Map(matrices),
  });
}

function unsupported(got: string, expected: string): UnsupportedError {
  return new UnsupportedError({
    where: "trainMask",
    got,
    expected,
    fix: "Train the mask of the model as it was loaded.",
  });
}
