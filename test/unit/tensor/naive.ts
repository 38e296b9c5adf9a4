/** An independent, slow picture of tensors: a function from named indices to a number. */
import fc from "fast-check";
import { Tensor } from "../../../src/tensor/index.js";

export type Index = Readonly<Record<string, number>>;

export interface Naive {
  readonly axes: readonly string[];
  readonly shape: readonly number[];
  get(index: Index): number;
}

/** All indices of a shape in row-major order. */
export function indices(axes: readonly string[], shape: readonly number[]): Index[] {
  return axes.reduce<Index[]>(
    (found, axis, i) =>
      found.flatMap((index) => Array.from({ length: shape[i] ?? 0 }, (_, k) => ({ ...index, [axis]: k }))),
    [{}],
  );
}

export function flat(naive: Naive): number[] {
  return indices(naive.axes, naive.shape).map((index) => naive.get(index));
}

export function fromFlat(axes: readonly string[], shape: readonly number[], values: readonly number[]): Naive {
  return {
    axes,
    shape,
    get: (index) => {
      const place = axes.reduce((sum, axis, i) => sum * (shape[i] ?? 1) + (index[axis] ?? 0), 0);
      return values[place] ?? Number.NaN;
    },
  };
}

/** A tensor with its naive picture. */
export interface Pair {
  readonly tensor: Tensor;
  readonly naive: Naive;
}

export function pairOf(axes: readonly string[], shape: readonly number[], values: readonly number[]): Pair {
  return { tensor: Tensor.of(Float64Array.from(values), shape, axes), naive: fromFlat(axes, shape, values) };
}

export const names = ["batch", "pos", "head", "model"] as const;

export interface PairOptions {
  readonly minSize?: number;
  readonly special?: boolean;
  readonly axes?: readonly string[];
}

/** Tensors of up to four axes of sizes 0 to 4, with distinct values or, when `special`, NaN and infinities among them. */
export function pairs(options: PairOptions = {}): fc.Arbitrary<Pair> {
  const { minSize = 0, special = false, axes: pool = names } = options;
  const value = special
    ? fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom(Number.NaN, Infinity, -Infinity, -0))
    : fc.integer({ min: -50, max: 50 }).map((x) => x / 8);
  return fc.shuffledSubarray([...pool]).chain((axes) =>
    fc
      .array(fc.integer({ min: minSize, max: 4 }), { minLength: axes.length, maxLength: axes.length })
      .chain((shape) => {
        const size = shape.reduce((product, n) => product * n, 1);
        return fc.array(value, { minLength: size, maxLength: size }).map((values) => pairOf(axes, shape, values));
      }),
  );
}

/** One view operation, applied to tensor and picture alike. */
export type Step = (pair: Pair) => Pair;

const seeds = fc.nat({ max: 1000 });

/** Random view operations: each is a function of the tensor that it meets, so that every chain is valid. */
export const steps: fc.Arbitrary<Step> = fc.oneof(
  seeds.map((seed) => transposed(seed)),
  seeds.map((seed) => flipped(seed)),
  fc.tuple(seeds, seeds, seeds).map(([a, b, c]) => sliced(a, b, c)),
  fc.tuple(seeds, seeds).map(([a, b]) => picked(a, b)),
  fc.tuple(seeds, seeds).map(([a, b]) => inserted(a, b)),
  fc.tuple(seeds, seeds).map(([a, b]) => listed(a, b)),
);

export const views: fc.Arbitrary<Pair> = viewsOf(pairs());

export function viewsOf(source: fc.Arbitrary<Pair>): fc.Arbitrary<Pair> {
  return fc
    .tuple(source, fc.array(steps, { maxLength: 4 }))
    .map(([pair, chain]) => chain.reduce((current, step) => step(current), pair));
}

function axisFor(pair: Pair, seed: number): string | undefined {
  return pair.naive.axes[seed % Math.max(1, pair.naive.axes.length)];
}

function sizeAt(pair: Pair, axis: string): number {
  return pair.naive.shape[pair.naive.axes.indexOf(axis)] ?? 0;
}

function transposed(seed: number): Step {
  return ({ tensor, naive }) => {
    const shift = seed % Math.max(1, naive.axes.length);
    const rotated = [...naive.axes.slice(shift), ...naive.axes.slice(0, shift)];
    const axes = seed % 2 === 0 ? rotated : rotated.reverse();
    const shape = axes.map((axis) => naive.shape[naive.axes.indexOf(axis)] ?? 0);
    return { tensor: tensor.transpose(axes), naive: { axes, shape, get: (index) => naive.get(index) } };
  };
}

function flipped(seed: number): Step {
  return (pair) => {
    const axis = axisFor(pair, seed);
    if (axis === undefined) return pair;
    const size = sizeAt(pair, axis);
    const get = (index: Index): number => pair.naive.get({ ...index, [axis]: size - 1 - (index[axis] ?? 0) });
    return { tensor: pair.tensor.flip(axis), naive: { ...pair.naive, get } };
  };
}

function sliced(a: number, b: number, c: number): Step {
  return (pair) => {
    const axis = axisFor(pair, a);
    if (axis === undefined) return pair;
    const size = sizeAt(pair, axis);
    const [from, to] = [b % (size + 1), c % (size + 1)].sort((x, y) => x - y) as [number, number];
    const step = 1 + ((a + b) % 2);
    const shape = pair.naive.shape.map((n, i) => (pair.naive.axes[i] === axis ? Math.ceil((to - from) / step) : n));
    const get = (index: Index): number => pair.naive.get({ ...index, [axis]: from + step * (index[axis] ?? 0) });
    return { tensor: pair.tensor.at({ [axis]: { from, to, step } }), naive: { axes: pair.naive.axes, shape, get } };
  };
}

function picked(a: number, b: number): Step {
  return (pair) => {
    const axis = axisFor(pair, a);
    if (axis === undefined || sizeAt(pair, axis) === 0) return pair;
    const size = sizeAt(pair, axis);
    const at = b % size;
    const keep = (_: unknown, i: number): boolean => pair.naive.axes[i] !== axis;
    const naive = {
      axes: pair.naive.axes.filter(keep),
      shape: pair.naive.shape.filter(keep),
      get: (index: Index) => pair.naive.get({ ...index, [axis]: at }),
    };
    return { tensor: pair.tensor.at({ [axis]: b % 2 === 0 ? at : at - size }), naive };
  };
}

function inserted(a: number, b: number): Step {
  return (pair) => {
    const name = `new${pair.naive.axes.length}`;
    if (pair.naive.axes.includes(name) || pair.naive.axes.length > 4) return pair;
    const position = a % (pair.naive.axes.length + 1);
    const size = b % 3;
    const naive = {
      axes: pair.naive.axes.toSpliced(position, 0, name),
      shape: pair.naive.shape.toSpliced(position, 0, size),
      get: (index: Index) => pair.naive.get(index),
    };
    return { tensor: pair.tensor.insertAxis(name, { position, size }), naive };
  };
}

function listed(a: number, b: number): Step {
  return (pair) => {
    const axis = axisFor(pair, a);
    if (axis === undefined || sizeAt(pair, axis) === 0) return pair;
    const size = sizeAt(pair, axis);
    const list = Array.from({ length: b % 4 }, (_, k) => (a + b * k) % size);
    const shape = pair.naive.shape.map((n, i) => (pair.naive.axes[i] === axis ? list.length : n));
    const get = (index: Index): number => pair.naive.get({ ...index, [axis]: list[index[axis] ?? 0] ?? -1 });
    return { tensor: pair.tensor.at({ [axis]: list }), naive: { axes: pair.naive.axes, shape, get } };
  };
}
