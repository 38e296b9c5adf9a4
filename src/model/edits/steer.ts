/** Steering: adding a direction, its strength stated in units that a user can choose by. */
import { InputError } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import type { HookSpecs } from "../hooks/index.js";
import type { Traced } from "./traced.js";
import type { Edit, Selection } from "./types.js";

/** A direction at a hook point: a dictionary's feature, a probe, or your own. */
export interface SteeringTarget {
  readonly hook: HookSpecs;
  /** `[dModel]`, or the size of the hook point's last axis. */
  readonly direction: Float32Array | Tensor;
  /** Mean activation where the feature is active, for `unit: "activation"`. */
  readonly meanActivation?: number;
}

/** How strongly, in which unit, and where. */
export interface SteerOptions extends Selection {
  readonly strength: number;
  /**
   * `"direction"` (default) adds `strength · direction`; `"norm"` adds `strength` times the value's own norm along the
   * direction; `"activation"` adds the direction at `strength` times the feature's mean activation.
   */
  readonly unit?: "direction" | "norm" | "activation";
}

function asTensor({ direction }: SteeringTarget): Tensor {
  return direction instanceof Tensor ? direction : Tensor.of(direction, [direction.length]);
}

function meanActivation({ meanActivation: mean }: SteeringTarget): number {
  if (mean !== undefined) return mean;
  throw new InputError({
    where: "edit.steer",
    got: 'unit: "activation" for a direction without a mean activation',
    expected: "a feature that knows its mean activation",
    fix: 'Use unit: "norm" or "direction".',
  });
}

/** `x + strength · ‖x‖ · d / ‖d‖` along the last axis. */
function alongNorm(direction: Tensor, strength: number): (x: Traced) => Traced {
  const length = (direction.norm() as Tensor).item();
  if (length === 0) throw zeroDirection();
  const unit = direction.div(length);
  return (x) =>
    x.add(
      x
        .norm(x.axes.at(-1) ?? "")
        .mul(strength)
        .mul(unit),
    );
}

function zeroDirection(): InputError {
  return new InputError({
    where: "edit.steer",
    got: "a direction of length 0",
    expected: "a direction with a length",
    fix: "Check where the direction came from.",
  });
}

/** Adds a direction to the selected elements of its hook point. */
export function steer(target: SteeringTarget, { strength, unit = "direction", ...select }: SteerOptions): Edit {
  const direction = asTensor(target);
  const { hook } = target;
  if (unit === "norm")
    return { name: "steer", hook, select, change: { kind: "map", fn: alongNorm(direction, strength) } };
  const scale = unit === "activation" ? strength * meanActivation(target) : strength;
  return { name: "steer", hook, select, change: { kind: "add", value: direction.mul(scale) } };
}
