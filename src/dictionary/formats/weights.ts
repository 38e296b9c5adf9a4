/** Tensors of a foreign file as weights of a dictionary: found by name, mapped where they lie right, else read. */
import { realpath } from "node:fs/promises";
import { FormatError, formatList } from "../../core/index.js";
import {
  isMappable,
  loadNpz,
  openSafetensors,
  openTorch,
  readAsFloat32,
  type StoredTensor,
  stateDictOf,
  transposeStored,
} from "../../io/index.js";
import type { ModuleWeight } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";

/** A tensor of a file: a place in it, or read already. */
export type FileTensor = StoredTensor | Tensor;

/** The tensors of a file by name. */
export interface FileTensors {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, FileTensor>;
}

/** Opens a safetensors file; its path is made real, so that graphs can point into it. */
export async function openWeights(path: string): Promise<FileTensors> {
  const { path: real, tensors } = await openSafetensors(await realpath(path).catch(() => path));
  return { path: real, tensors };
}

/** Reads the arrays of a `.npz` file. */
export async function readArrays(path: string): Promise<FileTensors> {
  return { path, tensors: new Map(Object.entries(await loadNpz(path))) };
}

/** Opens the state dict of a PyTorch file. */
export async function openStateDict(path: string): Promise<FileTensors> {
  return { path, tensors: stateDictOf(await openTorch(await realpath(path).catch(() => path))) };
}

/** The same tensors under other names; a name that `rename` gives `undefined` for is dropped. */
export function renamed(file: FileTensors, rename: (name: string) => string | undefined): FileTensors {
  const pairs = [...file.tensors].flatMap(([name, tensor]): [string, FileTensor][] => {
    const to = rename(name);
    return to === undefined ? [] : [[to, tensor]];
  });
  return { path: file.path, tensors: new Map(pairs) };
}

/**
 * Returns a tensor by name.
 *
 * @throws FormatError that lists what the file has.
 */
export function need({ path, tensors }: FileTensors, name: string): FileTensor {
  const found = tensors.get(name);
  if (found !== undefined) return found;
  throw new FormatError({
    where: path,
    got: `no tensor ${JSON.stringify(name)} among ${tensors.size === 0 ? "none" : formatList([...tensors.keys()], 12)}`,
    expected: "all weights of the dictionary",
    fix: "Get the whole file again, or check that the configuration beside it is its own.",
  });
}

/**
 * Returns the sizes of a matrix.
 *
 * @throws FormatError when the tensor is no matrix.
 */
export function matrixSizes(file: FileTensors, name: string): readonly [number, number] {
  const { shape } = need(file, name);
  const [rows, columns] = shape;
  if (shape.length === 2 && rows !== undefined && columns !== undefined && rows > 0 && columns > 0)
    return [rows, columns];
  throw new FormatError({
    where: `${file.path}: ${name}`,
    got: `shape [${shape.join(", ")}]`,
    expected: "a matrix",
    fix: "Check which kind of dictionary this is: crosscoders and cross-layer transcoders have three axes.",
  });
}

/** Returns a tensor in memory as float32. */
export async function asFloat32(tensor: FileTensor): Promise<Tensor> {
  if (!(tensor instanceof Tensor)) return readAsFloat32(tensor);
  return tensor.dtype === "float32" ? tensor : tensor.cast("float32");
}

/** Returns a weight as it lies where graphs can point to it, else read as float32. */
export async function asWeight(tensor: FileTensor): Promise<ModuleWeight> {
  const isReady = !(tensor instanceof Tensor) && tensor.dtype === "float32" && isMappable(tensor);
  return isReady ? tensor : asFloat32(tensor);
}

/** Returns the transpose of a matrix, in memory unless it lies transposed in the file. */
export async function asTransposed(tensor: FileTensor): Promise<ModuleWeight> {
  if (!(tensor instanceof Tensor)) return asWeight(transposeStored(tensor));
  const read = await asFloat32(tensor);
  return transposed(floats(read), read.shape[0] ?? 0, read.shape[1] ?? 0);
}

/** Returns the numbers of a float32 tensor. */
export function floats(tensor: Tensor): Float32Array {
  return tensor.data instanceof Float32Array ? tensor.data : Float32Array.from(tensor.data as ArrayLike<number>);
}

/** Returns numbers of a tensor of a file, in float32. */
export async function numbersOf(tensor: FileTensor): Promise<Float32Array> {
  return floats(await asFloat32(tensor));
}

/** Returns the only number of a tensor such as `k` or `threshold`. */
export async function scalarOf(tensor: FileTensor): Promise<number> {
  return (await numbersOf(tensor))[0] ?? Number.NaN;
}

function transposed(data: Float32Array, rows: number, columns: number): Tensor {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c] ?? 0;
  return Tensor.of(out, [columns, rows]);
}

/** A vector in memory. */
export function vector(values: Float32Array): Tensor {
  return Tensor.of(values, [values.length]);
}

/** Returns the Euclidean norm of each row of a matrix. */
export async function rowNorms(matrix: FileTensor): Promise<Float32Array> {
  const values = await numbersOf(matrix);
  const [rows = 0, width = 0] = matrix.shape;
  const norms = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let i = row * width; i < (row + 1) * width; i++) sum += (values[i] ?? 0) ** 2;
    norms[row] = Math.sqrt(sum);
  }
  return norms;
}
