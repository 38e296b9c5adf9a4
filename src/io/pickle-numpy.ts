/** Builders for pickled numpy arrays, element types and scalars. */
import { FormatError } from "../core/index.js";
import type { Tensor } from "../tensor/index.js";
import { tensorOfBytes } from "./decode.js";
import { gather } from "./gather.js";
import { fortranStrides } from "./npy.js";
import { storedDTypeOfNumpy } from "./numpy-dtypes.js";
import type { Buildable } from "./pickle-machine.js";
import { damagedPickle } from "./pickle-reader.js";
import {
  isPickleList,
  isPickleObject,
  type PickleArray,
  type PickleGlobals,
  type PickleNumpyDType,
  type PickleValue,
} from "./pickle-values.js";
import { bitsOf, isContiguous, type StoredTensor, sizeOf } from "./stored.js";

/** Returns the allow-list for numpy's arrays, scalars and element types, under the module names of numpy 1 and 2. */
export function numpyGlobals(where: string): PickleGlobals {
  const globals = new Map<string, ((args: readonly PickleValue[]) => PickleValue) | undefined>([
    ["numpy.ndarray", undefined],
    ["numpy.dtype", (args) => new NumpyDType(args, where)],
  ]);
  for (const core of ["numpy.core", "numpy._core"]) {
    globals.set(`${core}.multiarray._reconstruct`, () => new NumpyArray(where));
    globals.set(`${core}.multiarray.scalar`, (args) => scalar(args, where));
    globals.set(`${core}.numeric._frombuffer`, (args) => fromBuffer(args, where));
  }
  return globals;
}

class NumpyDType implements PickleNumpyDType, Buildable {
  readonly kind = "dtype" as const;
  readonly #kindAndSize: string;
  #order = "|";

  constructor([code]: readonly PickleValue[], where: string) {
    if (typeof code !== "string") throw damagedPickle(where, "a numpy element type without its code");
    this.#kindAndSize = code;
  }

  get code(): string {
    return `${this.#order}${this.#kindAndSize}`;
  }

  setState(state: PickleValue): void {
    const order = isPickleList(state) ? state[1] : undefined;
    if (typeof order === "string" && order.length === 1) this.#order = order;
  }
}

/** An array that BUILD fills, as `numpy.ndarray.__setstate__` does. */
class NumpyArray implements PickleArray, Buildable {
  readonly kind = "array" as const;
  readonly #where: string;
  #tensor: Tensor | undefined;

  constructor(where: string) {
    this.#where = where;
  }

  get tensor(): Tensor {
    if (this.#tensor === undefined) throw damagedPickle(this.#where, "a numpy array without its elements");
    return this.#tensor;
  }

  setState(state: PickleValue): void {
    if (!isPickleList(state)) throw damagedPickle(this.#where, "a numpy array with a broken state");
    const [shape, dtype, isFortran, data] = state.slice(-4);
    this.#tensor = arrayOf({ shape, dtype, isFortran: isFortran === true || isFortran === 1, data }, this.#where);
  }
}

interface ArrayParts {
  readonly shape: PickleValue | undefined;
  readonly dtype: PickleValue | undefined;
  readonly isFortran: boolean;
  readonly data: PickleValue | undefined;
}

function arrayOf(parts: ArrayParts, where: string): Tensor {
  const { shape } = parts;
  const name = `${where}: numpy array`;
  if (!isPickleObject(parts.dtype, "dtype") || !isShape(shape))
    throw damagedPickle(where, "a numpy array with a broken state");
  const dtype = storedDTypeOfNumpy(parts.dtype.code, name);
  const bytes = bytesOf(parts.data, where);
  const length = (sizeOf(shape) * bitsOf(dtype)) / 8;
  if (bytes.length !== length)
    throw wrongLength(name, bytes.length, `${length} bytes for ${dtype} [${shape.join(", ")}]`);
  const stored: StoredTensor = { name: "numpy array", path: where, offset: 0, length, dtype, shape };
  const strides = fortranStrides(shape);
  const isRowMajor = !parts.isFortran || isContiguous(shape, strides);
  return tensorOfBytes(isRowMajor ? bytes.slice() : gather(bytes, stored, strides), stored);
}

function fromBuffer([data, dtype, shape, order]: readonly PickleValue[], where: string): PickleArray {
  return { kind: "array", tensor: arrayOf({ shape, dtype, isFortran: order === "F", data }, where) };
}

function scalar([dtype, data]: readonly PickleValue[], where: string): PickleValue {
  const value = arrayOf({ shape: [], dtype, isFortran: false, data }, where).data[0];
  const isBool = isPickleObject(dtype, "dtype") && dtype.code.endsWith("b1");
  if (value === undefined) throw damagedPickle(where, "an empty numpy scalar");
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  return isBool ? value !== 0 : value;
}

/** Bytes as such, or as a Python 2 string that happened to be text. */
function bytesOf(data: PickleValue | undefined, where: string): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (typeof data === "string") return new TextEncoder().encode(data);
  throw damagedPickle(where, "a numpy array of Python objects");
}

function isShape(value: PickleValue | undefined): value is readonly number[] {
  return isPickleList(value) && value.every((size) => Number.isSafeInteger(size) && Number(size) >= 0);
}

function wrongLength(where: string, length: number, expected: string): FormatError {
  return new FormatError({ where, got: `${length} bytes`, expected, fix: "The file is damaged; get it again." });
}
