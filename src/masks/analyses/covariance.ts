/**
 * How alike the layers' clouds of states are: the cosine between their covariances (Chang and Bergen 2025).
 *
 * Each state's covariance is taken without its strongest direction, which a few coordinates of large size fill.
 */
import { type LongCallOptions, printsItself, ShapeError } from "../../core/index.js";
import { symmetricEigen } from "../../linalg/index.js";
import type { Model } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { heatmap, type View } from "../../viz/index.js";
import { streamStates } from "./states.js";

/** Cosines between covariances of states: 0 is the stream before layer 0, then that after each layer. Immutable. */
export class StreamCovariance {
  static {
    printsItself(this.prototype);
  }

  /** `[state, other]`, 0 to 1. */
  readonly values: Tensor<"float64">;
  /** Positions that were taken. */
  readonly tokens: number;

  /** @internal Use `streamCovariance`. */
  constructor(parts: Readonly<Omit<StreamCovariance, "toString" | "toView">>) {
    this.values = parts.values;
    this.tokens = parts.tokens;
  }

  /** Draws all pairs. */
  toView(): View {
    return heatmap(rowsOf(this.values), {
      title: "Likeness of the layers' covariances",
      note: `${this.tokens} tokens; strongest direction of each left out`,
      unit: "cosine",
      x: { name: "layers passed" },
      y: { name: "layers passed" },
    });
  }

  /** Returns the matrix. */
  toString(): string {
    const lines = rowsOf(this.values).map((row) => `  ${row.map((value) => value.toFixed(2)).join(" ")}`);
    return [`StreamCovariance over ${this.tokens} tokens, cosines by layers passed:`, ...lines].join("\n");
  }
}

function rowsOf({ data, shape: [size = 0] }: Tensor<"float64">): readonly (readonly number[])[] {
  return Array.from({ length: size }, (_, i) => Array.from(data.slice(i * size, (i + 1) * size)));
}

/** `XᵀX / n` of centred rows, `[d, d]`. */
function covarianceOf({ data, shape: [count = 0, width = 0] }: Tensor<"float64">): Float64Array {
  const means = new Float64Array(width);
  data.forEach((x, i) => {
    means[i % width] = (means[i % width] ?? 0) + x / count;
  });
  const out = new Float64Array(width * width);
  const row = new Float64Array(width);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < width; i++) row[i] = (data[n * width + i] ?? 0) - (means[i] ?? 0);
    for (let i = 0; i < width; i++) {
      const x = (row[i] ?? 0) / count;
      for (let j = 0; j < width; j++) out[i * width + j] = (out[i * width + j] ?? 0) + x * (row[j] ?? 0);
    }
  }
  return out;
}

/** Takes the strongest direction off. */
function withoutFirst(covariance: Float64Array, width: number): Float64Array {
  const { values, vectors } = symmetricEigen(Tensor.of(covariance, [width, width], ["row", "column"]));
  const strength = values.data[0] ?? 0;
  const first = Float64Array.from({ length: width }, (_, i) => vectors.data[i * width] ?? 0);
  return covariance.map((x, at) => x - strength * (first[Math.floor(at / width)] ?? 0) * (first[at % width] ?? 0));
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
}

/**
 * Returns the cosine between the covariances of two clouds, each without its strongest direction; 1 for equal clouds.
 *
 * @param x - `[token, d]`.
 * @param y - `[token, d]`.
 * @throws ShapeError for clouds of different widths.
 */
export function covarianceCosine(x: Tensor<"float64">, y: Tensor<"float64">): number {
  if (x.shape.length !== 2 || y.shape.length !== 2 || x.shape[1] !== y.shape[1])
    throw new ShapeError({
      where: "covarianceCosine",
      got: `[${x.shape.join(", ")}] and [${y.shape.join(", ")}]`,
      expected: "two clouds [token, d] of one width d",
      fix: "Pass states of one stream.",
    });
  const [a, b] = [x, y].map((cloud) => withoutFirst(covarianceOf(cloud), cloud.shape[1] ?? 0));
  return cosine(a ?? new Float64Array(0), b ?? new Float64Array(0));
}

function cosine(a: Float64Array, b: Float64Array): number {
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/**
 * Compares the covariances of the stream in front of layer 0 and behind every layer.
 *
 * @param rows - Token ids; take several times as many tokens as the stream is wide.
 * @throws InputError for fewer tokens than the stream is wide; what `model.run` throws.
 */
export async function streamCovariance(
  model: Model,
  rows: readonly ArrayLike<number>[],
  options: LongCallOptions = {},
): Promise<StreamCovariance> {
  const width = model.config.dModel;
  const { states, ids } = await streamStates(model, rows, { ...options, where: "streamCovariance", least: width });
  const all = states.map((state) => withoutFirst(covarianceOf(state), width));
  const values = Float64Array.from(all.flatMap((a) => all.map((b) => cosine(a, b))));
  return new StreamCovariance({
    values: Tensor.of(values, [all.length, all.length], ["state", "other"]),
    tokens: ids.length,
  });
}
