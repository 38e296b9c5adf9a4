/** Numpy's element types, shared by .npy files and pickled arrays. */
import { UnsupportedError } from "../core/index.js";
import type { DType } from "../tensor/index.js";
import type { StoredDType } from "./stored.js";

const storedOfCode: ReadonlyMap<string, StoredDType> = new Map([
  ["b1", "bool"],
  ["i1", "int8"],
  ["i2", "int16"],
  ["i4", "int32"],
  ["i8", "int64"],
  ["u1", "uint8"],
  ["u2", "uint16"],
  ["u4", "uint32"],
  ["u8", "uint64"],
  ["f2", "float16"],
  ["f4", "float32"],
  ["f8", "float64"],
  ["c8", "complex64"],
]);

const descrOfDType: { readonly [D in Exclude<DType, "bfloat16">]: string } = {
  bool: "|b1",
  uint8: "|u1",
  int32: "<i4",
  int64: "<i8",
  float16: "<f2",
  float32: "<f4",
  float64: "<f8",
};

/**
 * Returns the element type of numpy's code, such as `<f4` or `|b1`.
 *
 * @throws UnsupportedError for objects, structures, text, dates, complex numbers beyond 64 bits and big-endian data.
 */
export function storedDTypeOfNumpy(code: string, where: string): StoredDType {
  const match = /^([<>|=]?)([a-z]\d+)$/.exec(code);
  const dtype = storedOfCode.get(match?.[2] ?? "");
  const isSwapped = match?.[1] === ">" && !(match[2] ?? "").endsWith("1");
  if (dtype !== undefined && !isSwapped) return dtype;
  throw new UnsupportedError({
    where,
    got: `numpy element type ${JSON.stringify(code)}`,
    expected: `little-endian ${[...storedOfCode.keys()].join(", ")}`,
    fix: 'Convert it in Python first, for example with array.astype("<f4").',
  });
}

/** Returns numpy's code for a dtype; numpy has no bfloat16. */
export function numpyOfDType(dtype: DType, where: string): string {
  if (dtype !== "bfloat16") return descrOfDType[dtype];
  throw new UnsupportedError({
    where,
    got: "bfloat16",
    expected: "an element type that numpy has",
    fix: "Cast to float32, or write a .safetensors file.",
  });
}
