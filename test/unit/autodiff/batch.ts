/** Runs many gradient checks in one graph: one session for all of them. */
import { checkGradient, type Differentiable, vjp } from "../../../src/autodiff/index.js";
import { type Dim, dataOf, GraphBuilder, Ops, type Value } from "../../../src/graph/index.js";
import type { Engine, Feeds, RawTensor } from "../../../src/runtime/index.js";
import { apart, type Draw, normal } from "./draw.js";

/** One function to differentiate, at one point. */
export interface RuleCase {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  /** Bounds of the inputs' numbers, default -2 to 2. */
  readonly range?: readonly [number, number];
  /** Numbers of an input in place of generated ones. */
  readonly values?: (input: number, count: number) => readonly number[] | undefined;
  /** Symbolic shapes for draws that want them; left out, every size but 1 becomes a symbol; `false` keeps numbers. */
  readonly dims?: readonly (readonly Dim[])[] | false;
  readonly f: Differentiable;
  /** The same function where it has a kernel only in float32; `f` is then its float64 form. */
  readonly float32?: Differentiable;
  readonly step?: number;
  /** Allowed difference, as a share of the sum of the sizes of all products. Default 1e-6. */
  readonly tolerance?: number;
  /** Whether second derivatives are checked too, by differences of gradients. Default true. */
  readonly smooth?: boolean;
}

/** What came of one check: the largest difference over the bound. */
export interface Outcome {
  readonly name: string;
  readonly what: string;
  readonly error: number;
  readonly text: string;
}

function product(shape: readonly number[]): number {
  return shape.reduce((total, size) => total * size, 1);
}

/** Collects cases. */
export class CheckBatch {
  readonly builder: GraphBuilder = new GraphBuilder();
  readonly ops: Ops = new Ops(this.builder);
  readonly #feeds: Record<string, RawTensor> = {};
  readonly #checks: { name: string; what: string; tolerance: number; scalars: readonly Value[] }[] = [];
  #count = 0;

  /** Adds first and second derivatives of a case. */
  add(ruleCase: RuleCase, draw: Draw): void {
    const tag = `c${this.#count++}`;
    const inputs = this.#inputs(ruleCase, draw, tag);
    const directions = this.#like(ruleCase, `${tag}.v`, draw, 1);
    const { f, float32, tolerance = 1e-6, step, smooth = true } = ruleCase;
    const options = { directions, weights: this.#weights(`${tag}.u`), ...(step === undefined ? {} : { step }) };
    if (float32 !== undefined) {
      this.#addFloat32(ruleCase, { inputs, directions, tag });
      return;
    }
    const first = checkGradient(this.builder, f, inputs, options);
    const { numeric, reverse, forward, size } = first;
    this.#checks.push({ name: ruleCase.name, what: "first", tolerance, scalars: [numeric, reverse, forward, size] });
    if (!smooth) return;
    const slope: Differentiable = (ops, values) => {
      const outputs = f(ops, values);
      const u = this.#weights(`${tag}.u`)(ops, outputs);
      const seeds = outputs.map((value, index) => ({ value, gradient: u[index] ?? value }));
      return vjp(this.builder, seeds, values, { unreached: "zero" });
    };
    const second = checkGradient(this.builder, slope, inputs, {
      ...options,
      unreached: "zero",
      forward: false,
      weights: () => this.#like(ruleCase, `${tag}.w`, draw, 2),
    });
    const scalars = [second.numeric, second.reverse, second.forward, second.size];
    this.#checks.push({ name: ruleCase.name, what: "second", tolerance: 10 * tolerance, scalars });
  }

  /** The float32 rule against differences of the float64 form, and the values of the two forms. */
  #addFloat32(
    { name, f, float32 = f, tolerance = 1e-6, step = 1e-5 }: RuleCase,
    { inputs, directions, tag }: { inputs: readonly Value[]; directions: readonly Value[]; tag: string },
  ): void {
    const { ops } = this;
    const weights = this.#weights(`${tag}.u`);
    const { numeric, size } = checkGradient(this.builder, f, inputs, { directions, weights, step, forward: false });
    const small = inputs.map((value) => ops.cast(value, "float32"));
    const outputs = float32(ops, small);
    const exact = f(ops, inputs);
    const u = weights(ops, exact);
    const seeds = outputs.map((value, index) => ({ value, gradient: ops.cast(u[index] ?? value, "float32") }));
    const dot = (a: readonly Value[], b: readonly Value[]): Value =>
      a
        .map((value, index) => ops.reduceSum(ops.mul(ops.cast(value, "float64"), b[index] ?? value), undefined, false))
        .reduce((sum, value) => ops.add(sum, value));
    const reverse = dot(vjp(this.builder, seeds, small), directions);
    this.#checks.push({ name, what: "first", tolerance, scalars: [numeric, reverse, reverse, size] });
    const total = dot(exact, u);
    const rounded = dot(outputs, u);
    this.#checks.push({
      name,
      what: "value",
      tolerance,
      scalars: [total, rounded, rounded, ops.add(ops.abs(total), 1)],
    });
  }

  /** Runs everything and returns each check's error in units of its bound. */
  async run(engine: Engine): Promise<readonly Outcome[]> {
    const scalars = this.#checks.flatMap((check) => check.scalars.map((value) => this.ops.reshape(value, [1])));
    const graph = this.builder.build({ all: this.ops.concat(scalars, 0) });
    const fed = new Set(graph.inputs.map(({ name }) => name));
    const feeds: Feeds = Object.fromEntries(Object.entries(this.#feeds).filter(([name]) => fed.has(name)));
    const { all } = await engine.run({ segments: [graph], outputs: ["all"] }, feeds);
    const numbers = Array.from(all?.data ?? [], Number);
    return this.#checks.map(({ name, what, tolerance }, index) => {
      const [numeric = NaN, reverse = NaN, forward = NaN, size = NaN] = numbers.slice(4 * index, 4 * index + 4);
      const bound = tolerance * Math.max(1, size);
      const worst = Math.max(Math.abs(numeric - reverse), Math.abs(reverse - forward));
      const error = Number.isNaN(worst) ? Infinity : worst / bound;
      return {
        name,
        what,
        error,
        text: `${name} (${what}): differences ${numeric}, reverse ${reverse}, forward ${forward}, size ${size}`,
      };
    });
  }

  #inputs(ruleCase: RuleCase, draw: Draw, tag: string): readonly Value[] {
    const { shapes, range = [-2, 2], values } = ruleCase;
    const total = shapes.reduce((sum, shape) => sum + product(shape), 0);
    const numbers = apart(total, draw.seed, range);
    return shapes.map((shape, index) => {
      const own = numbers.splice(0, product(shape));
      const dims = dimsOf(ruleCase, index, draw.symbolic);
      return this.#feed(`${tag}.x${index}`, dims, { shape, numbers: values?.(index, own.length) ?? own });
    });
  }

  #like(ruleCase: RuleCase, tag: string, draw: Draw, salt: number): readonly Value[] {
    return ruleCase.shapes.map((shape, index) => {
      const numbers = normal(product(shape), draw.seed + 31 * index + 1009 * salt);
      return this.#feed(`${tag}${index}`, dimsOf(ruleCase, index, draw.symbolic), { shape, numbers });
    });
  }

  /** Weights that follow the shape of an output, whatever it is: sines of a running number. */
  #weights(tag: string): (ops: Ops, outputs: readonly Value[]) => readonly Value[] {
    return (ops, outputs) =>
      outputs.map((value, index) => {
        const name = `${tag}${index}`;
        const number = ops.range(0, ops.sizeOf(value));
        const wave = ops.sin(ops.add(ops.mul(ops.cast(number, "float64"), 1.7), name.length + index));
        return ops.builder.op("Reshape", [wave, ops.sizes(value.shape, value)], { allowzero: 1 });
      });
  }

  #feed(name: string, dims: readonly Dim[], data: { shape: readonly number[]; numbers: readonly number[] }): Value {
    const known = this.builder.inputs.find((value) => value.name === name);
    if (known !== undefined) return known;
    this.#feeds[name] = { dtype: "float64", shape: data.shape, data: dataOf("float64", data.numbers) };
    return this.builder.input(name, "float64", dims);
  }
}

/** The declared shape of an input: numbers, or symbols that tell sizes apart. */
function dimsOf({ shapes, dims }: RuleCase, index: number, symbolic: boolean): readonly Dim[] {
  const shape = shapes[index] ?? [];
  if (!symbolic || dims === false) return shape;
  return dims?.[index] ?? shape.map((size) => (size === 1 ? 1 : `n${size}`));
}
