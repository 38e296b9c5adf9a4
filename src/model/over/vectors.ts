/** Activations as one vector per counted token, whatever the order of the axes. */
import { ShapeError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { CountedTokens } from "./counted.js";

/** A hook point seen token by token. */
export interface ReducedPoint {
  /** Full hook name. */
  readonly name: string;
  /** The axis along which tokens lie: `pos`, or `queryPos` at patterns and scores. */
  readonly tokenAxis: string;
  /** Axes of one token's value, such as `head, dHead`. */
  readonly axes: readonly string[];
  /** Their sizes. */
  readonly shape: readonly number[];
  /** Numbers in one token's value. */
  readonly dim: number;
}

/** The values of counted tokens. */
export interface TokenVectors {
  readonly data: Float32Array | Float64Array;
  readonly dim: number;
  readonly count: number;
  /** Where each token's vector starts in `data`. */
  readonly starts: Float64Array;
}

const tokenAxes: readonly string[] = ["pos", "queryPos"];

/** Returns a hook point seen token by token; `shape` and `axes` are those of a whole activation. */
export function reducedPoint(name: string, axes: readonly string[], shape: readonly number[]): ReducedPoint {
  const tokenAxis = tokenAxes.find((axis) => axes.includes(axis));
  if (tokenAxis === undefined || axes[0] !== "batch") throw noTokenAxis(name, axes);
  const kept = axes.flatMap((axis, i) => (i === 0 || axis === tokenAxis ? [] : [i]));
  const sizes = kept.map((i) => shape[i] ?? 1);
  return {
    name,
    tokenAxis,
    axes: kept.map((i) => axes[i] ?? ""),
    shape: sizes,
    dim: sizes.reduce((product, size) => product * size, 1),
  };
}

/** Returns one vector per counted token: views where a token's numbers lie together, a copy elsewhere (patterns). */
export function tokenVectors(activation: Tensor, point: ReducedPoint, tokens: CountedTokens): TokenVectors {
  const data = floatsOf(activation, point.name);
  const at = activation.axes.indexOf(point.tokenAxis);
  const size = (from: number, to: number): number =>
    activation.shape.slice(from, to).reduce((product, n) => product * n, 1);
  const [outer, pos, inner] = [size(1, at), activation.shape[at] ?? 1, size(at + 1, activation.shape.length)];
  const { dim } = point;
  if (outer * inner !== dim) throw changedShape(activation, point);
  if (outer === 1)
    return { data, dim, count: tokens.count, starts: Float64Array.from(tokens.slots, (slot) => slot * dim) };
  const gathered =
    data instanceof Float64Array ? new Float64Array(tokens.count * dim) : new Float32Array(tokens.count * dim);
  tokens.slots.forEach((slot, i) => {
    const [row, p] = [Math.floor(slot / pos), slot % pos];
    for (let o = 0; o < outer; o++) {
      const from = ((row * outer + o) * pos + p) * inner;
      gathered.set(data.subarray(from, from + inner), i * dim + o * inner);
    }
  });
  return { data: gathered, dim, count: tokens.count, starts: Float64Array.from(tokens.slots, (_, i) => i * dim) };
}

/** The numbers of an activation in row-major order. */
function floatsOf(activation: Tensor, name: string): Float32Array | Float64Array {
  const { data } = activation.contiguous();
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  throw new ShapeError({
    where: `model.over: ${name}`,
    got: `values of type ${activation.dtype}`,
    expected: "float32 or float64",
    fix: "Leave this hook point out of capture; token ids come with every result.",
  });
}

function noTokenAxis(name: string, axes: readonly string[]): ShapeError {
  return new ShapeError({
    where: `model.over: ${name}`,
    got: `axes [${axes.join(", ")}]`,
    expected: "axes that begin with batch and hold pos or queryPos",
    fix: "Leave this hook point out of capture.",
  });
}

function changedShape(activation: Tensor, point: ReducedPoint): ShapeError {
  const got = activation.axes.map((axis, i) => `${axis}=${activation.shape[i]}`).join(", ");
  return new ShapeError({
    where: `model.over: ${point.name}`,
    got: `[${got}] after earlier batches of ${point.axes.map((axis, i) => `${axis}=${point.shape[i]}`).join(", ")}`,
    expected: "rows of the same length in every batch, since this hook point has one number per key position",
    fix: "Pack the data into rows of one length with dataset.pack(model, { contextLength }), or leave the hook point out.",
  });
}
