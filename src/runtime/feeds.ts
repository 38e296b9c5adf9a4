/**
 * Checks what is fed before anything runs.
 *
 * onnxruntime ignores a surplus feed and lets two inputs that share a symbolic size broadcast, so every name, type and
 * size is checked here.
 */
import { DTypeError, formatList, formatShape, InputError, nearestHint, ShapeError } from "../core/index.js";
import { type Dim, dimSymbols, evalDim, type GraphData, type GraphDType, type Value } from "../graph/index.js";
import type { RawTensor } from "./types.js";

/** Symbolic size to its number. */
export type Sizes = Readonly<Record<string, number>>;

/** Anything with a dtype and a shape of numbers. */
export type Shaped = Pick<RawTensor, "dtype" | "shape">;

/**
 * Checks that `feeds` has exactly the names of `inputs`, each with the right type, rank and amount of data.
 *
 * @throws InputError on missing or surplus names, DTypeError, ShapeError.
 */
export function checkFeeds(where: string, inputs: readonly Value[], feeds: Readonly<Record<string, RawTensor>>): void {
  const names = inputs.map(({ name }) => name);
  const missing = names.filter((name) => !Object.hasOwn(feeds, name));
  if (missing.length > 0) throw missingFeeds(where, missing, Object.keys(feeds));
  const surplus = Object.keys(feeds).filter((name) => !names.includes(name));
  if (surplus.length > 0) throw surplusFeeds(where, surplus, names);
  for (const input of inputs) {
    const feed = feeds[input.name];
    if (feed !== undefined) checkTensor(`${where}: feed "${input.name}"`, feed, input);
  }
}

/** Checks that a tensor's data has its dtype's array type and its shape's length. */
export function checkTensor(where: string, tensor: RawTensor, input?: Value): void {
  const arrayType = arrayTypes[tensor.dtype];
  if (input !== undefined && tensor.dtype !== input.dtype) throw wrongType(where, tensor.dtype, input);
  if (arrayType === undefined || !(tensor.data instanceof arrayType)) throw wrongArray(where, tensor);
  if (!tensor.shape.every((size) => Number.isInteger(size) && size >= 0)) throw badShape(where, tensor);
  if (input !== undefined && tensor.shape.length !== input.shape.length) throw wrongShape(where, tensor, input);
  const count = tensor.shape.reduce((product, size) => product * size, 1);
  if (tensor.data.length !== count) throw wrongLength(where, tensor, count);
}

/**
 * Binds the symbolic sizes of inputs to the sizes that came, and checks that they agree everywhere.
 *
 * Sizes that are a single name are bound first; composite ones such as `"past+pos"` are then computed and compared, or
 * bound as a whole where one of their names is bound by no input.
 *
 * @throws ShapeError that lists both inputs of a clash.
 */
export function bindSizes(where: string, bound: readonly BoundInput[]): Sizes {
  const sizes = new Map<string, Binding>();
  const entries = bound.flatMap(({ input, tensor }) =>
    input.shape.map((dim, axis) => ({ dim, axis, size: tensor.shape[axis] ?? 0, input, tensor })),
  );
  for (const entry of entries) if (isSimple(entry.dim)) bindOne(where, sizes, entry);
  for (const entry of entries) if (!isSimple(entry.dim)) checkComposite(where, sizes, entry);
  return Object.fromEntries([...sizes].map(([name, { size }]) => [name, size]));
}

/** An input and what it is given. */
export interface BoundInput {
  readonly input: Value;
  readonly tensor: Shaped;
}

interface Entry {
  readonly dim: Dim;
  readonly axis: number;
  readonly size: number;
  readonly input: Value;
  readonly tensor: Shaped;
}

interface Binding {
  readonly size: number;
  readonly from: Entry;
}

/** The typed array of each element type. */
export const arrayTypes: Readonly<Record<GraphDType, new (source: ArrayBuffer) => GraphData>> = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
};

function isSimple(dim: Dim): boolean {
  return typeof dim === "string" && dimSymbols(dim)[0] === dim;
}

function bindOne(where: string, sizes: Map<string, Binding>, entry: Entry): void {
  const key = `${entry.dim}`;
  const known = sizes.get(key);
  if (known === undefined) sizes.set(key, { size: entry.size, from: entry });
  else if (known.size !== entry.size) throw clash(where, entry, known);
}

function checkComposite(where: string, sizes: Map<string, Binding>, entry: Entry): void {
  const { dim, size, input, tensor } = entry;
  const names = dimSymbols(dim);
  if (names.some((name) => !sizes.has(name))) {
    bindOne(where, sizes, entry);
    return;
  }
  const bindings = Object.fromEntries(names.map((name) => [name, sizes.get(name)?.size ?? 0]));
  const expected = evalDim(dim, bindings);
  if (expected === size) return;
  const because = names.map((name) => `${name}=${bindings[name]} (${source(sizes.get(name)?.from)})`).join(", ");
  throw new ShapeError({
    where: `${where}: feed "${input.name}"`,
    got: `shape ${formatShape(tensor.shape, input.axes)}`,
    expected: `${formatShape(input.shape, input.axes)} with size ${expected} on axis ${entry.axis}${because === "" ? "" : `, as ${because}`}`,
    fix: "Make the sizes agree.",
  });
}

function source(entry: Entry | undefined): string {
  return entry === undefined ? "" : `axis ${entry.axis} of "${entry.input.name}"`;
}

function clash(where: string, entry: Entry, known: Binding): ShapeError {
  const { input, tensor } = entry;
  const { from } = known;
  return new ShapeError({
    where: `${where}: feed "${input.name}"`,
    got: `shape ${formatShape(tensor.shape, input.axes)}, so ${entry.dim}=${entry.size}`,
    expected: `${entry.dim}=${known.size} as in feed "${from.input.name}" of shape ${formatShape(from.tensor.shape, from.input.axes)}`,
    fix: `Give every input the same size for "${entry.dim}"; sizes do not broadcast here.`,
  });
}

function missingFeeds(where: string, missing: readonly string[], given: readonly string[]): InputError {
  return new InputError({
    where: `${where}: feeds`,
    got: given.length === 0 ? "none" : formatList(given),
    expected: `also ${formatList(missing)}`,
    fix: "Feed every input that no segment makes and no resident tensor gives.",
  });
}

function surplusFeeds(where: string, surplus: readonly string[], names: readonly string[]): InputError {
  return new InputError({
    where: `${where}: feeds`,
    got: `${formatList(surplus)}, which the program does not take`,
    expected: names.length === 0 ? "no feeds" : `only ${formatList(names)}`,
    fix: `Leave it out or correct its name.${nearestHint(surplus[0] ?? "", names)}`,
  });
}

function wrongType(where: string, dtype: string, input: Value): DTypeError {
  return new DTypeError({
    where,
    got: `dtype ${dtype}`,
    expected: input.dtype,
    fix: `Convert the values to ${input.dtype} first.`,
  });
}

function wrongArray(where: string, tensor: RawTensor): DTypeError {
  const arrayType = arrayTypes[tensor.dtype];
  return new DTypeError({
    where,
    got: `dtype ${tensor.dtype} with a ${Object.prototype.toString.call(tensor.data).slice(8, -1)}`,
    expected: arrayType === undefined ? `one of ${formatList(Object.keys(arrayTypes))}` : `a ${arrayType.name}`,
    fix: "Give the data as the typed array of its dtype.",
  });
}

function badShape(where: string, tensor: RawTensor): ShapeError {
  return new ShapeError({
    where,
    got: `shape ${formatShape(tensor.shape)}`,
    expected: "sizes that are integers of 0 or more",
    fix: "Give the shape as a list of whole numbers.",
  });
}

function wrongShape(where: string, tensor: RawTensor, input: Value): ShapeError {
  return new ShapeError({
    where,
    got: `shape ${formatShape(tensor.shape)}`,
    expected: `${input.shape.length} axes: ${formatShape(input.shape, input.axes)}`,
    fix: "Reshape the values to these axes.",
  });
}

function wrongLength(where: string, tensor: RawTensor, count: number): ShapeError {
  return new ShapeError({
    where,
    got: `${tensor.data.length} values for shape ${formatShape(tensor.shape)}`,
    expected: `${count} values`,
    fix: "Pass as many values as the shape has places.",
  });
}
