/**
 * Rotary position embedding (Su et al. 2021), half-split convention of GPT-NeoX and Llama.
 *
 * Angles are computed in float64 whatever the graph's precision, because a float32 angle at position 4,000 is off by
 * 1e-4 radians.
 */
import type { Value } from "../../graph/index.js";
import type { RopeScaling, RotaryConfig } from "../config.js";
import type { BuildContext } from "./context.js";

/** Llama 3.1's change of wavelengths: long ones are divided by `factor`, short ones kept, a ramp between. */
function scaleLlama3(frequency: number, s: Extract<RopeScaling, { kind: "llama3" }>): number {
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < s.originalContext / s.highFreqFactor) return frequency;
  if (wavelength > s.originalContext / s.lowFreqFactor) return frequency / s.factor;
  const smooth = (s.originalContext / wavelength - s.lowFreqFactor) / (s.highFreqFactor - s.lowFreqFactor);
  return (1 - smooth) * (frequency / s.factor) + smooth * frequency;
}

/** Angular frequencies `base^(-2i/dim)`, radians per position, scaled for long contexts. */
export function rotaryFrequencies({ dim, base, scaling }: RotaryConfig): readonly number[] {
  return Array.from({ length: dim / 2 }, (_, i) => {
    const frequency = base ** ((-2 * i) / dim);
    if (scaling === undefined) return frequency;
    return scaling.kind === "linear" ? frequency / scaling.factor : scaleLlama3(frequency, scaling);
  });
}

/** Cosines and sines `[batch, pos, 1, dim/2]` of every position's angles, the same in every layer. */
function tables(ctx: BuildContext, rotary: RotaryConfig): { cos: Value; sin: Value } {
  const { ops } = ctx;
  const angles = (): Value => {
    const frequencies = ops.builder.constant(rotaryFrequencies(rotary), "float64", [1, 1, 1, rotary.dim / 2]);
    return ops.mul(ops.unsqueeze(ops.cast(ctx.inputs.positions, "float64"), [2, 3]), frequencies);
  };
  return {
    cos: ctx.once("rotary cos", () => ops.cast(ops.cos(angles()), ctx.precision)),
    sin: ctx.once("rotary sin", () => ops.cast(ops.sin(angles()), ctx.precision)),
  };
}

/** Rotates the first `rotary.dim` dimensions of each head; `[batch, pos, head, dHead]` in and out. */
export function rotate(ctx: BuildContext, x: Value, rotary: RotaryConfig): Value {
  const { ops } = ctx;
  const { cos, sin } = tables(ctx, rotary);
  const half = rotary.dim / 2;
  const dHead = Number(x.shape[3]);
  const first = ops.slice(x, 3, 0, half);
  const second = ops.slice(x, 3, half, rotary.dim);
  const turned = [
    ops.sub(ops.mul(first, cos), ops.mul(second, sin)),
    ops.add(ops.mul(second, cos), ops.mul(first, sin)),
  ];
  const kept = rotary.dim < dHead ? [ops.slice(x, 3, rotary.dim, dHead)] : [];
  return ops.concat([...turned, ...kept], 3);
}
