/** The values that the restricted unpickler builds. */
import type { Tensor } from "../tensor/index.js";
import type { StoredDType, StoredTensor } from "./stored.js";

/**
 * A value of a pickle: `None` is `null`; an `int` is a number, or a bigint beyond 2^53; `bytes` is a `Uint8Array`; lists
 * and tuples are arrays; dicts and `OrderedDict`s are Maps in their order.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly PickleValue[]
  | ReadonlyMap<PickleValue, PickleValue>
  | PickleObject;

/** The values that are not plain data. */
export type PickleObject = PickleGlobal | PickleStorage | PickleTensor | PickleArray | PickleNumpyDType | PickleInert;

/** An allowed callable or class; it stays in the value when it was stored itself, such as `torch.float32`. */
export interface PickleGlobal {
  readonly kind: "global";
  /** Module and name, such as `torch.FloatStorage`. */
  readonly name: string;
  /** Builds the value of a call; absent when it may be named but not called. */
  readonly build?: (args: readonly PickleValue[]) => PickleValue;
}

/** The bytes behind one or several PyTorch tensors. */
export interface PickleStorage {
  readonly kind: "storage";
  readonly key: string;
  /** Absent for an untyped storage, whose tensors name their own type. */
  readonly dtype?: StoredDType;
  readonly path: string;
  /** Where the storage starts in the file. */
  readonly offset: number;
  /** Bytes of the storage. */
  readonly length: number;
}

/** A PyTorch tensor. Its name is empty until it is found in a dict. */
export interface PickleTensor {
  readonly kind: "tensor";
  readonly stored: StoredTensor;
}

/** A numpy array. */
export interface PickleArray {
  readonly kind: "array";
  readonly tensor: Tensor;
}

/** A numpy element type. */
export interface PickleNumpyDType {
  readonly kind: "dtype";
  /** Numpy's own code with byte order, such as `<f4`. */
  readonly code: string;
}

/** An object of a class that the caller named in `inert`: what it was made from, and nothing run. */
export interface PickleInert {
  readonly kind: "inert";
  readonly name: string;
  readonly args: readonly PickleValue[];
  /** The state that the class would have been given, most often a Map of its attributes. */
  readonly state: PickleValue | undefined;
}

/** The allow-list: `module.name` -> what a call of it builds; `undefined` is not callable, only nameable. */
export type PickleGlobals = ReadonlyMap<string, ((args: readonly PickleValue[]) => PickleValue) | undefined>;

/** Tells whether a value is a dict. */
export function isPickleDict(value: PickleValue | undefined): value is ReadonlyMap<PickleValue, PickleValue> {
  return value instanceof Map;
}

/** Tells whether a value is a list or tuple. */
export function isPickleList(value: PickleValue | undefined): value is readonly PickleValue[] {
  return Array.isArray(value);
}

/** Tells whether a value is a {@link PickleObject}, optionally of one kind. */
export function isPickleObject<K extends PickleObject["kind"]>(
  value: PickleValue | undefined,
  kind: K,
): value is Extract<PickleObject, { readonly kind: K }> {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === kind;
}
