/** Projections: the component of an activation along given directions, taken out or kept alone. */
import { InputError, ShapeError } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import type { HookSpecs } from "../hooks/index.js";
import type { SteeringTarget } from "./steer.js";
import type { Traced } from "./traced.js";
import type { Edit, Selection } from "./types.js";

/**
 * One direction: a vector with the axes of one token's value, or anything that can steer. A tensor with a first axis more,
 * `[direction, dModel]`, is several.
 */
export type ProjectionDirection = Float32Array | SteeringTarget | Tensor;

/** What a projection keeps, and where it acts. */
export interface ProjectOptions extends Selection {
  /** `"rest"` (default) takes the component along the directions out; `"component"` keeps nothing else. */
  readonly keep?: "component" | "rest";
  /**
   * What is put in place of what is taken out: the projection of this point, such as a mean activation. Default: the
   * origin.
   */
  readonly center?: Float32Array | Tensor;
}

/** Directions shorter than this share of their length before, once the others are taken out, depend on them. */
const dependent = 1e-6;

function refuse(got: string, expected: string, fix: string): InputError {
  return new InputError({ where: "edit.project", got, expected, fix });
}

function asTensor(direction: ProjectionDirection): Tensor {
  if (direction instanceof Tensor) return direction;
  if (direction instanceof Float32Array) return Tensor.of(direction, [direction.length]);
  return asTensor(direction.direction);
}

/** Number of axes that one direction has at a hook point. */
function tokenRank(x: Traced): number {
  return x.axes.length - 2;
}

function numbers(tensor: Tensor): Float64Array {
  return Float64Array.from(tensor.contiguous().data as ArrayLike<number>);
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

/** Splits stacked directions and checks that each has the size of one token's value. */
function vectorsOf(tensors: readonly Tensor[], shape: readonly (number | string)[]): readonly Float64Array[] {
  const size = shape.reduce((product: number, dim) => product * Number(dim), 1);
  return tensors.flatMap((tensor) => {
    const data = numbers(tensor);
    const isStack = tensor.rank === shape.length + 1;
    const own = isStack ? tensor.shape.slice(1) : tensor.shape;
    const isFlat = own.length === 1 && own[0] === size;
    if (!isFlat && own.join() !== shape.join())
      throw new ShapeError({
        where: "edit.project",
        got: `a direction of shape [${tensor.shape.join(", ")}]`,
        expected: `[${shape.join(", ")}], or several along a first axis`,
        fix: "Give directions of the hook point that is edited.",
      });
    return Array.from({ length: data.length / size }, (_, i) => data.slice(i * size, (i + 1) * size));
  });
}

/** Orthonormal vectors that span the same space (Gram–Schmidt, twice for rounding). */
function orthonormal(vectors: readonly Float64Array[]): readonly Float64Array[] {
  const basis: Float64Array[] = [];
  for (const [i, vector] of vectors.entries()) {
    const length = Math.sqrt(dot(vector, vector));
    const rest = vector.slice();
    for (const unit of [...basis, ...basis]) {
      const along = dot(rest, unit);
      unit.forEach((value, j) => {
        rest[j] = (rest[j] ?? 0) - along * value;
      });
    }
    const left = Math.sqrt(dot(rest, rest));
    if (!(left > dependent * length) || length === 0)
      throw refuse(
        length === 0 ? `direction ${i} of length 0` : `direction ${i}, which lies in the span of those before`,
        "directions that are independent and not 0",
        "Leave it out.",
      );
    basis.push(rest.map((value) => value / left));
  }
  return basis;
}

/** `Σ (u · x) u` over the directions, by axes after batch and position. */
function component(x: Traced, basis: readonly Tensor[]): Traced {
  const axes = x.axes.slice(2);
  const parts = basis.map((unit) => axes.reduceRight((sum, axis) => sum.sum(axis), x.mul(unit)).mul(unit));
  return parts.slice(1).reduce((sum, part) => sum.add(part), parts[0] ?? x);
}

/** The projection of a point. */
function projected(point: Float64Array, basis: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array(point.length);
  for (const unit of basis) {
    const along = dot(point, unit);
    unit.forEach((value, j) => {
      sum[j] = (sum[j] ?? 0) + along * value;
    });
  }
  return sum;
}

interface Projection {
  readonly directions: readonly Tensor[];
  readonly center: Tensor | undefined;
  readonly keep: "component" | "rest";
}

function traced({ directions, center, keep }: Projection): (x: Traced) => Traced {
  return (x) => {
    if (x.axes[0] !== "batch" || x.axes[1] !== "pos")
      throw refuse(`axes ${x.axes.join(", ")}`, "one vector for each token", "Edit a stream, an output, z or an MLP.");
    const shape = x.value.shape.slice(x.axes.length - tokenRank(x));
    const basis = orthonormal(vectorsOf(directions, shape));
    const named = (data: Float64Array): Tensor => Tensor.of(data, shape.map(Number), x.axes.slice(2));
    const along = component(x, basis.map(named));
    const [point] = center === undefined ? [] : vectorsOf([center], shape);
    if (point === undefined) return keep === "rest" ? x.sub(along) : along;
    const middle = projected(point, basis);
    if (keep === "rest") return x.sub(along).add(named(middle));
    return along.add(named(point.map((value, i) => value - (middle[i] ?? 0))));
  };
}

/** Takes the component along directions out of the selected elements, or keeps it alone. */
export function project(
  hook: HookSpecs,
  directions: ProjectionDirection | readonly ProjectionDirection[],
  { keep = "rest", center, ...select }: ProjectOptions = {},
): Edit {
  const list: readonly ProjectionDirection[] = isList(directions) ? directions : [directions];
  if (list.length === 0) throw refuse("no directions", "at least one", "Give a direction.");
  const fn = traced({
    directions: list.map(asTensor),
    center: center === undefined ? undefined : asTensor(center),
    keep,
  });
  return { name: "project", hook, select, change: { kind: "map", fn } };
}

function isList(
  directions: ProjectionDirection | readonly ProjectionDirection[],
): directions is readonly ProjectionDirection[] {
  return Array.isArray(directions);
}
