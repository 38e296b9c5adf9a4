/** Vector-Jacobian products, and what follows from them. */
import { GraphError } from "../core/index.js";
import {
  type Dim,
  describeType,
  describeValue,
  type GraphBuilder,
  Ops,
  sameShape,
  type Value,
} from "../graph/index.js";
import { Backward } from "./backward.js";
import type { GradientOptions } from "./options.js";
import { findRegion, isFloat, type RegionRequest, whyUnreached } from "./region.js";
import { spread, zerosLike } from "./shapes.js";

/** An output and the gradient with respect to it: a value of its shape and element type. */
export interface Seed {
  readonly value: Value;
  readonly gradient: Value;
}

/**
 * Adds the gradients of `sum(value * gradient)` over all seeds to a graph.
 *
 * One pass serves all of `wrt`, which may be inputs, weights or values in between. Only the part between them and the
 * seeds is differentiated.
 *
 * @param wrt - Values with floating-point elements.
 * @returns One gradient for each of `wrt`, in its shape.
 * @throws GraphError when a seed does not fit its value, a value is no float or is not reached, an op on the way has no
 *   rule, or an option names values that no gradient passes.
 */
export function vjp(
  builder: GraphBuilder,
  seeds: readonly Seed[],
  wrt: readonly Value[],
  options: GradientOptions = {},
): readonly Value[] {
  for (const seed of seeds) checkSeed(builder, seed);
  for (const value of wrt) checkWrt(builder, value);
  const request: RegionRequest = { outputs: seeds.map(({ value }) => value), wrt, options };
  const region = findRegion(builder, request);
  const backward = new Backward(builder, region, options);
  for (const { value, gradient } of seeds) if (region.active.has(value)) backward.add(value, gradient);
  checkEdits(request, region.active);
  backward.run();
  return wrt.map((value) => {
    const total = backward.gradientOf(value);
    if (total !== undefined) return spread(backward.ops, total, value);
    if (options.unreached === "zero") return zerosLike(backward.ops, value);
    throw unreached(builder, request, value);
  });
}

/**
 * Adds the gradients of a scalar to a graph; see {@link vjp}.
 *
 * @param loss - A value with one element.
 * @returns One gradient for each of `wrt`, in its shape.
 * @throws GraphError when the loss is not a scalar, and what {@link vjp} throws.
 */
export function gradients(
  builder: GraphBuilder,
  loss: Value,
  wrt: readonly Value[],
  options: GradientOptions = {},
): readonly Value[] {
  return vjp(builder, [lossSeed(builder, loss)], wrt, options);
}

/**
 * Adds the product of the Hessian of a scalar with a vector, by differentiating the gradient along it.
 *
 * The ops between the values and the loss must be smooth where it is evaluated; second derivatives of kinks are 0.
 *
 * @param along - Each value to differentiate by, with its part of the vector.
 * @returns One product for each of them, in its shape; zeros where the gradient does not depend on any of them.
 * @throws GraphError as {@link gradients} does.
 */
export function hessianVectorProduct(
  builder: GraphBuilder,
  loss: Value,
  along: readonly Tangent[],
  options: GradientOptions = {},
): readonly Value[] {
  const wrt = along.map(({ value }) => value);
  const first = gradients(builder, loss, wrt, options);
  const seeds = first.map((value, index) => ({ value, gradient: along[index]?.tangent ?? value }));
  return vjp(builder, seeds, wrt, secondOrder(options));
}

/** Rules and stops hold in every derivative; edits and what is kept concern the first one. */
function secondOrder({ custom = [], stop = [] }: GradientOptions): GradientOptions {
  return { custom, stop, unreached: "zero" };
}

/** A value and a direction in which it moves, of its shape and element type. */
export interface Tangent {
  readonly value: Value;
  readonly tangent: Value;
}

/**
 * Adds Jacobian-vector products: how `outputs` move when each value moves along its tangent.
 *
 * Reverse mode twice: the vector-Jacobian product is linear in its seed, and its derivative with respect to the seed is
 * the Jacobian. The seed itself drops out.
 *
 * @returns One product for each output, in its shape; zeros where it does not depend on the values.
 * @throws GraphError as {@link vjp} does.
 * @see Townsend 2017, "A new trick for calculating Jacobian vector products"
 */
export function jvp(
  builder: GraphBuilder,
  outputs: readonly Value[],
  along: readonly Tangent[],
  options: GradientOptions = {},
): readonly Value[] {
  const wrt = along.map(({ value }) => value);
  const seeds = outputs.map((value) => ({ value, gradient: placeholder(builder, value) }));
  const back = vjp(builder, seeds, wrt, { ...options, unreached: "zero" });
  const forth = back.map((value, index) => ({ value, gradient: along[index]?.tangent ?? value }));
  const inputs = seeds.map(({ gradient }) => gradient);
  return vjp(builder, forth, inputs, secondOrder(options));
}

/** A value of the shape of `like` that nothing else in the graph is made of. */
function placeholder(builder: GraphBuilder, like: Value): Value {
  checkWrt(builder, like);
  const data = like.dtype === "float64" ? new Float64Array(1) : new Float32Array(1);
  const name = `seed.${builder.nodes.length}.${like.name}`;
  const scalar = builder.weight(name, like.dtype, [], { kind: "data", data });
  return new Ops(builder).expand(scalar, like.shape, like);
}

function isScalar(shape: readonly Dim[]): boolean {
  return shape.every((dim) => dim === 1);
}

function lossSeed(builder: GraphBuilder, loss: Value): Seed {
  builder.producer(loss);
  if (!isFloat(loss)) throw notFloat("loss", loss);
  if (!isScalar(loss.shape)) {
    throw new GraphError({
      where: "loss",
      got: describeValue(loss),
      expected: "a scalar: a value with one element",
      fix: "Sum it or take its mean, or give a gradient for it with vjp.",
    });
  }
  const one = builder.constant([1], loss.dtype, loss.shape.map(Number));
  return { value: loss, gradient: one };
}

function checkSeed(builder: GraphBuilder, { value, gradient }: Seed): void {
  for (const one of [value, gradient]) builder.producer(one);
  if (!isFloat(value)) throw notFloat("output to differentiate", value);
  if (gradient.dtype === value.dtype && sameShape(gradient.shape, value.shape)) return;
  throw new GraphError({
    where: `gradient given for ${describeValue(value)}`,
    got: describeValue(gradient),
    expected: describeType(value),
    fix: "Give a gradient of the output's own shape and element type.",
  });
}

function checkWrt(builder: GraphBuilder, value: Value): void {
  builder.producer(value);
  if (!isFloat(value)) throw notFloat("value to differentiate by", value);
}

function notFloat(where: string, value: Value): GraphError {
  return new GraphError({
    where,
    got: describeValue(value),
    expected: "float32 or float64 elements",
    fix: "Only floating-point values have gradients.",
  });
}

function unreached(builder: GraphBuilder, request: RegionRequest, value: Value): GraphError {
  return new GraphError({
    where: `gradient with respect to ${describeValue(value)}`,
    got: whyUnreached(builder, request, value),
    expected: "an output that depends on it",
    fix: 'Leave it out, or ask for zeros with { unreached: "zero" }.',
  });
}

/** Every edit must act. */
function checkEdits({ options }: RegionRequest, active: ReadonlySet<Value>): void {
  for (const value of options.edits?.keys() ?? []) {
    if (active.has(value)) continue;
    throw new GraphError({
      where: `edit of the gradient of ${describeValue(value)}`,
      got: "a value that no gradient passes",
      expected: "a value between what is differentiated and the outputs",
      fix: "Check which values the gradients are taken of.",
    });
  }
}
