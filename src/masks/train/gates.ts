/**
 * What one number of a mask in training decides: a weight, an MLP neuron, or an attention head.
 *
 * A neuron or head is scaled where it writes, in `W_out` or `W_O`: scaled to 0 there it is gone, and its other weights with it.
 */
import { InternalError } from "../../core/index.js";
import type { Ops, Value } from "../../graph/index.js";
import { type MatrixKind, type Model, weightMatrices, weightPlaces } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { weightMask } from "../mask/make.js";
import type { WeightMask } from "../mask/weight-mask.js";
import type { OpenedModel } from "./model-weights.js";

/** What is kept or dropped as one. */
export type Granularity = "head" | "neuron" | "weight";

/** Neurons or heads of one layer, and the tensor that they write with. */
export interface UnitGate {
  readonly layer: number;
  /** The stored tensor. */
  readonly weight: string;
  /** The axis of the tensor along which units lie, and the unit at each place of it. */
  readonly axis: number;
  readonly units: readonly number[];
  readonly count: number;
}

const kinds: Readonly<Record<"head" | "neuron", MatrixKind>> = { head: "W_O", neuron: "W_out" };

/** The unit at each place along an axis, when it alone decides. */
function alongAxis({ data, shape }: Tensor, axis: number): readonly number[] | undefined {
  const size = shape[axis] ?? 1;
  const inner = shape.slice(axis + 1).reduce((product, one) => product * one, 1);
  const units = new Array<number>(size).fill(-1);
  for (let i = 0; i < data.length; i++) {
    const place = Math.floor(i / inner) % size;
    const unit = Number(data[i]);
    if (units[place] === -1) units[place] = unit;
    else if (units[place] !== unit) return undefined;
  }
  return units;
}

/** Returns the gates of all layers. */
export function unitGates(model: Model, { plan }: OpenedModel, granularity: "head" | "neuron"): readonly UnitGate[] {
  const matrices = weightMatrices(model).filter(({ kind }) => kind === kinds[granularity]);
  return matrices.map(({ name, layer, shape }) => {
    const { stored, storedShape, places } = weightPlaces(model, name);
    const count = shape[0] ?? 1;
    const numbered = new Float32Array(places.length);
    places.forEach((place, i) => {
      numbered[place] = Math.floor((i * count) / places.length);
    });
    const trained = plan.fromCheckpoint({ [stored]: Tensor.of(numbered, storedShape) })[stored];
    const found = (trained?.shape ?? []).flatMap((_, axis) => {
      const units = trained === undefined ? undefined : alongAxis(trained.contiguous(), axis);
      return units === undefined ? [] : [{ axis, units }];
    });
    const [first] = found;
    if (first === undefined) throw scattered(name);
    return { layer, weight: stored, count, ...first };
  });
}

/** Returns a soft gate `[count]` in the shape that scales its tensor. */
export function spreadGate(ops: Ops, soft: Value, { axis, units }: UnitGate, rank: number): Value {
  const each = ops.gather(soft, ops.builder.constant([...units], "int64", [units.length]), 0);
  return ops.reshape(
    each,
    Array.from({ length: rank }, (_, i) => (i === axis ? units.length : 1)),
  );
}

/** Returns the mask that keeps everything but the units whose number is not above 0. */
export function unitMask(
  model: Model,
  granularity: "head" | "neuron",
  dropped: ReadonlyMap<number, readonly number[]>,
): WeightMask {
  let mask = weightMask.full(model);
  for (const [layer, units] of dropped) {
    if (granularity === "neuron") mask = mask.setNeurons(layer, units, false);
    else for (const head of units) mask = mask.setHead(layer, head, false);
  }
  return mask;
}

function scattered(name: string): InternalError {
  return new InternalError({
    where: "trainMask",
    got: `${name} whose units lie along no axis`,
    expected: "heads or neurons along one axis of the tensor",
    fix: "Report this as a bug of limpid.",
  });
}
