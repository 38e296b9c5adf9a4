/** Adds up the gradients that reach one value. */
import type { Ops, Value } from "../graph/index.js";
import type { Contribution, ScatterPart, SlicePart } from "./rule.js";
import { spread, sumTo } from "./shapes.js";

/** Parts of one axis that do not overlap, in order. */
type Layer = SlicePart[];

function sizeAt(value: Value, axis: number): number {
  return Number(value.shape[axis]);
}

function endOf(part: SlicePart): number {
  return part.start + sizeAt(part.value, part.axis);
}

/** Adds parts of the same elements, so that fewer layers are needed. */
function addEqualParts(ops: Ops, parts: readonly SlicePart[]): readonly SlicePart[] {
  const byRange = new Map<string, SlicePart>();
  for (const part of parts) {
    const key = `${part.axis}|${part.start}|${endOf(part)}`;
    const known = byRange.get(key);
    byRange.set(key, known === undefined ? part : { ...part, value: ops.add(known.value, part.value) });
  }
  return [...byRange.values()].sort((a, b) => a.axis - b.axis || a.start - b.start);
}

/** Puts each part into the first layer whose parts end before it. */
function layersOf(parts: readonly SlicePart[]): readonly Layer[] {
  const layers: Layer[] = [];
  for (const part of parts) {
    const free = layers.find((layer) => {
      const last = layer.at(-1);
      return last !== undefined && last.axis === part.axis && endOf(last) <= part.start;
    });
    if (free === undefined) layers.push([part]);
    else free.push(part);
  }
  return layers;
}

function zeroBlock(ops: Ops, like: Value, axis: number, size: number): Value {
  const dims = like.shape.map((dim, index) => (index === axis ? size : dim));
  return ops.full(dims, 0, like.dtype, like);
}

/** Joins the parts of a layer with zeros between them, and pads the ends. */
function joinLayer(ops: Ops, layer: Layer, input: Value): Value {
  const [first] = layer;
  if (first === undefined) return input;
  const { axis, start } = first;
  const blocks: Value[] = [];
  let end = start;
  for (const part of layer) {
    if (part.start > end) blocks.push(zeroBlock(ops, part.value, axis, part.start - end));
    blocks.push(part.value);
    end = endOf(part);
  }
  const joined = blocks.length === 1 ? first.value : ops.concat(blocks, axis);
  const after = sizeAt(input, axis) - end;
  return start === 0 && after === 0 ? joined : padAxis(ops, joined, axis, [start, after]);
}

/** Adds zeros before and after along one axis. */
export function padAxis(ops: Ops, x: Value, axis: number, [before, after]: readonly [number, number]): Value {
  const at = (size: number): readonly number[] => x.shape.map((_, index) => (index === axis ? size : 0));
  return ops.pad(x, at(before), at(after));
}

function addScatters(ops: Ops, base: Value, parts: readonly ScatterPart[]): Value {
  return parts.reduce(
    (sum, { indices, updates, axis }) => ops.scatterElements(sum, indices, updates, { axis, reduction: "add" }),
    base,
  );
}

/** The gradients of one value while they are collected. */
export class Contributions {
  readonly #ops: Ops;
  readonly #input: Value;
  readonly #whole: Value[] = [];
  readonly #slices: SlicePart[] = [];
  readonly #scatters: ScatterPart[] = [];

  constructor(ops: Ops, input: Value) {
    this.#ops = ops;
    this.#input = input;
  }

  /** Adds one and returns what was added; a value of a larger shape is summed to the value's own. */
  add(contribution: Contribution): Value {
    if (!("kind" in contribution)) {
      const summed = sumTo(this.#ops, contribution, { shape: this.#input.shape, like: this.#input });
      this.#whole.push(summed);
      return summed;
    }
    if (contribution.kind === "slice") this.#slices.push(contribution);
    else this.#scatters.push(contribution);
    return contribution.kind === "slice" ? contribution.value : contribution.updates;
  }

  /** Returns the sum, in a shape that broadcasts to the value's. */
  total(): Value {
    const ops = this.#ops;
    const layers = layersOf(addEqualParts(ops, this.#slices));
    const all = [...this.#whole, ...layers.map((layer) => joinLayer(ops, layer, this.#input))];
    const [first, ...others] = all;
    const dense = first === undefined ? undefined : others.reduce((sum, value) => ops.add(sum, value), first);
    if (this.#scatters.length === 0 && dense !== undefined) return dense;
    const zeros = ops.full(this.#input.shape, 0, this.#input.dtype, this.#input);
    const base = dense === undefined ? zeros : spread(ops, dense, this.#input);
    return addScatters(ops, base, this.#scatters);
  }
}
