/**
 * How far the stream of each layer is turned from the embeddings of its tokens, and from the final stream.
 *
 * A ridge regression (α = 1, with intercept) maps the states of a layer to the embeddings, or to the final states in front of the
 * last norm. The angles of the map's eigenvalues say by how much it turns: their median is the rotation, 0° for none.
 */
import { type LongCallOptions, printsItself } from "../../core/index.js";
import { eigenvalues, ridge } from "../../linalg/index.js";
import type { Model } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import { lines, type View } from "../../viz/index.js";
import { streamStates } from "./states.js";

/** Rotations in degrees, by state: 0 is the stream before layer 0, then that after each layer. Immutable. */
export class StreamRotation {
  static {
    printsItself(this.prototype);
  }

  /** From the embeddings of the tokens, 0 to 180. */
  readonly fromInput: Float64Array;
  /** From the final states. */
  readonly fromOutput: Float64Array;
  /** Positions that were fitted. */
  readonly tokens: number;

  /** @internal Use `streamRotation`. */
  constructor(parts: Readonly<Omit<StreamRotation, "toString" | "toView">>) {
    this.fromInput = parts.fromInput;
    this.fromOutput = parts.fromOutput;
    this.tokens = parts.tokens;
  }

  /** Draws both curves over the layers. */
  toView(): View {
    const x = Array.from(this.fromInput, (_, state) => state);
    return lines(
      [
        { name: "from the embeddings", x, y: Array.from(this.fromInput) },
        { name: "from the final states", x, y: Array.from(this.fromOutput) },
      ],
      { title: "Rotation of the residual stream", x: { name: "layers passed" }, y: { name: "median angle, degrees" } },
    );
  }

  /** Returns both rows of angles. */
  toString(): string {
    const row = (angles: Float64Array): string => Array.from(angles, (angle) => angle.toFixed(1)).join(" ");
    return [
      `StreamRotation in degrees over ${this.tokens} tokens:`,
      `  from the embeddings   ${row(this.fromInput)}`,
      `  from the final states ${row(this.fromOutput)}`,
    ].join("\n");
  }
}

function median(values: Float64Array): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/**
 * Returns the median size of the angles of the eigenvalues of the ridge map from `x` to `y`, in degrees.
 *
 * @param x - `[row, d]`.
 * @param y - `[row, d]`.
 * @param penalty - α. Default 1.
 */
export function rotationAngle(x: Tensor, y: Tensor, penalty = 1): number {
  const [rows = "row", from = "from"] = x.axes;
  const { weights } = ridge(x, y.rename({ [y.axes[0] ?? rows]: rows, [y.axes[1] ?? "to"]: `${from} of y` }), {
    penalty,
  });
  const { re, im } = eigenvalues(weights);
  const angles = Float64Array.from(re.data, (real, i) => {
    return (Math.abs(Math.atan2(im.data[i] ?? 0, real)) * 180) / Math.PI;
  });
  return median(angles);
}

/**
 * Measures how far the stream of each layer is turned from the embeddings and from the final states.
 *
 * @param rows - Token ids; take several times as many tokens as the stream is wide.
 * @throws InputError for fewer tokens than the stream is wide; what `model.run` throws.
 */
export async function streamRotation(
  model: Model,
  rows: readonly ArrayLike<number>[],
  options: LongCallOptions = {},
): Promise<StreamRotation> {
  const where = "streamRotation";
  const { states, ids, embedded } = await streamStates(model, rows, { ...options, where, least: model.config.dModel });
  const last = states.at(-1) ?? embedded;
  return new StreamRotation({
    fromInput: Float64Array.from(states, (state) => rotationAngle(state, embedded)),
    fromOutput: Float64Array.from(states, (state) => rotationAngle(state, last)),
    tokens: ids.length,
  });
}
