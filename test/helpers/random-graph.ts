/** Random graphs for laws that hold for every graph. */
import fc from "fast-check";
import { type Graph, GraphBuilder, Ops, type Value } from "../../src/graph/index.js";

/** One step of a recipe: which op, and which earlier values it takes. */
interface Step {
  readonly kind: number;
  readonly first: number;
  readonly second: number;
}

/** A random graph as a recipe, so that it shrinks and prints well. */
export interface Recipe {
  readonly steps: readonly Step[];
  readonly outputs: readonly number[];
}

const step = fc.record({ kind: fc.nat(99), first: fc.nat(99), second: fc.nat(99) });

/** Recipes of up to 25 steps with one to three outputs. */
export const recipes: fc.Arbitrary<Recipe> = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 25 }),
  outputs: fc.array(fc.nat(99), { minLength: 1, maxLength: 3 }),
});

type Make = (ops: Ops, a: Value, b: Value) => Value;

const size = 4;

/** Every op keeps the shape `["rows", 4]` and tame values. */
const makes: readonly Make[] = [
  (ops, a, b) => ops.add(a, b),
  (ops, a, b) => ops.mul(a, b),
  (ops, a) => ops.tanh(a),
  (ops, a) => ops.softmax(a),
  (ops, a, b) => ops.where(ops.less(a, b), a, ops.neg(b)),
  (ops, a, b) => ops.matmul(ops.softmax(a), ops.fusedMatmul(ops.tanh(b), ops.softmax(b), { transA: true })),
  (ops, a, b) => ops.concat([ops.slice(a, 1, 2), ops.slice(b, 1, 0, 2)], 1),
  (ops, a) => ops.sub(a, ops.reduceMean(a, [-1])),
  (ops, a) => ops.reshape(ops.transpose(ops.reshape(a, ["rows", 2, 2]), [0, 2, 1]), ["rows", 4]),
  (ops, a) => ops.layerNorm(a, undefined, undefined, 1e-5),
  (ops, a, b) => {
    const [left = a, right = b] = ops.split(ops.maximum(a, b), 1, [1, 3]);
    return ops.concat([right, left], 1);
  },
  (ops, a) => ops.mul(a, ops.cast(ops.unsqueeze(ops.range(0, ops.dimOf(a, 0)), [1]), "float32")),
  (ops, a) => ops.tanh(ops.mul(a, ops.builder.constant([0.5, -1, 2, 1], "float32"))),
  (ops, a) =>
    ops.matmul(
      a,
      ops.builder.constant(
        Float32Array.from({ length: 16 }, (_, i) => Math.sin(i)),
        "float32",
        [4, 4],
      ),
    ),
];

/** Makes callbacks of one or two values. */
const callbacks: readonly Make[] = [
  (ops, a, b) => ops.callback(`cb${ops.builder.nodes.length}`, [a, b])[1] ?? a,
  (ops, a) => ops.callback(`cb${ops.builder.nodes.length}`, [ops.neg(a)])[0] ?? a,
];

/** Builds the graph of a recipe; inputs `x` and `y` are `float32["rows", 4]`. */
export function buildRecipe(recipe: Recipe, options: { readonly withCallbacks?: boolean } = {}): Graph {
  const builder = new GraphBuilder();
  const ops = new Ops(builder);
  const values = [builder.input("x", "float32", ["rows", size]), builder.input("y", "float32", ["rows", size])];
  const weight = { kind: "data", data: Float32Array.from({ length: size }, (_, i) => i / 3) } as const;
  const [x, y] = values;
  if (x === undefined || y === undefined) throw new Error("two inputs");
  values.push(ops.add(x, builder.weight("w", "float32", [size], weight)));
  const all = options.withCallbacks === true ? [...makes, ...callbacks] : makes;
  for (const { kind, first, second } of recipe.steps) {
    const make = all[kind % all.length];
    const [a, b] = [values[first % values.length] ?? x, values[second % values.length] ?? y];
    if (make !== undefined) values.push(make(ops, a, b));
  }
  const outputs = recipe.outputs.map(
    (index, at) => [`out${at}`, values[values.length - 1 - (index % values.length)] ?? x] as const,
  );
  return builder.build(Object.fromEntries(outputs));
}

/** Feeds for {@link buildRecipe} with three rows. */
export function recipeFeeds(): Readonly<
  Record<string, { readonly data: Float32Array; readonly shape: readonly number[] }>
> {
  const make = (seed: number): Float32Array =>
    Float32Array.from({ length: 3 * size }, (_, i) => Math.sin(i * 1.3 + seed));
  return { x: { data: make(1), shape: [3, size] }, y: { data: make(2), shape: [3, size] } };
}
