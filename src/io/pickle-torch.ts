/** Builders for pickled PyTorch tensors: they describe where a tensor lies and read nothing. */
import { FormatError, UnsupportedError } from "../core/index.js";
import { numpyGlobals } from "./pickle-numpy.js";
import { damagedPickle } from "./pickle-reader.js";
import {
  isPickleList,
  isPickleObject,
  type PickleGlobals,
  type PickleStorage,
  type PickleTensor,
  type PickleValue,
} from "./pickle-values.js";
import { spanBytes } from "./read-stored.js";
import { bitsOf, isContiguous, type StoredDType, type StoredTensor } from "./stored.js";

const dtypeOfStorage: Readonly<Record<string, StoredDType>> = {
  DoubleStorage: "float64",
  FloatStorage: "float32",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  LongStorage: "int64",
  IntStorage: "int32",
  ShortStorage: "int16",
  CharStorage: "int8",
  ByteStorage: "uint8",
  BoolStorage: "bool",
  ComplexFloatStorage: "complex64",
};

const dtypeOfName: Readonly<Record<string, StoredDType>> = {
  float64: "float64",
  double: "float64",
  float32: "float32",
  float: "float32",
  float16: "float16",
  half: "float16",
  bfloat16: "bfloat16",
  int64: "int64",
  long: "int64",
  int32: "int32",
  int: "int32",
  int16: "int16",
  short: "int16",
  int8: "int8",
  uint8: "uint8",
  uint16: "uint16",
  uint32: "uint32",
  uint64: "uint64",
  bool: "bool",
  complex64: "complex64",
  float8_e4m3fn: "float8_e4m3",
  float8_e5m2: "float8_e5m2",
};

/** Returns the allow-list for PyTorch files: tensors, parameters, storages, dtypes, sizes, devices, and numpy's. */
export function torchGlobals(where: string): PickleGlobals {
  const rebuild = (args: readonly PickleValue[]): PickleValue => rebuildTensor(args, where);
  const first = ([value]: readonly PickleValue[]): PickleValue => value ?? null;
  return new Map<string, ((args: readonly PickleValue[]) => PickleValue) | undefined>([
    ...numpyGlobals(where),
    ...Object.keys(dtypeOfStorage).map((name) => [`torch.${name}`, undefined] as const),
    ...Object.keys(dtypeOfName).map((name) => [`torch.${name}`, undefined] as const),
    ["torch.storage.UntypedStorage", undefined],
    ["torch.Tensor", undefined],
    ["torch.nn.parameter.Parameter", undefined],
    ["torch._utils._rebuild_tensor", rebuild],
    ["torch._utils._rebuild_tensor_v2", rebuild],
    ["torch._utils._rebuild_tensor_v3", rebuild],
    ["torch._utils._rebuild_parameter", first],
    ["torch._utils._rebuild_parameter_with_state", first],
    ["torch._tensor._rebuild_from_type_v2", (args) => rebuildFromType(args, where)],
    ["torch.Size", ([sizes]) => sizes ?? []],
    [
      "torch.device",
      ([kind, index]) => (typeof index === "number" ? `${deviceKind(kind)}:${index}` : deviceKind(kind)),
    ],
  ]);
}

/** Returns the element type of a storage class, or undefined for an untyped storage. */
export function storageDType(storageClass: PickleValue | undefined, where: string): StoredDType | undefined {
  const name = isPickleObject(storageClass, "global") ? storageClass.name : "";
  if (name === "torch.storage.UntypedStorage") return undefined;
  const dtype = dtypeOfStorage[name.replace(/^torch\./, "")];
  if (dtype !== undefined) return dtype;
  throw damagedPickle(where, "a storage of no known class");
}

/** `_rebuild_tensor(_v2, _v3)(storage, offset, size, stride, requires_grad, hooks, dtype)`. */
function rebuildTensor(args: readonly PickleValue[], where: string): PickleTensor {
  const [storage, start, shape, strides, , , dtypeName] = args;
  if (!isPickleObject(storage, "storage") || !isCount(start) || !isCounts(shape) || !isCounts(strides)) {
    throw damagedPickle(where, "a tensor with broken parts");
  }
  if (shape.length !== strides.length) throw damagedPickle(where, "a tensor with more sizes than strides");
  const dtype = storage.dtype ?? namedDType(dtypeName, where);
  const stored = layOut({ storage, dtype, start }, shape, strides);
  if (stored.offset + stored.length > storage.offset + storage.length) throw outside(stored, storage, where);
  return { kind: "tensor", stored };
}

function layOut(
  place: { readonly storage: PickleStorage; readonly dtype: StoredDType; readonly start: number },
  shape: readonly number[],
  strides: readonly number[],
): StoredTensor {
  const { storage, dtype, start } = place;
  const offset = storage.offset + (start * bitsOf(dtype)) / 8;
  const length = spanBytes(shape, strides, bitsOf(dtype));
  const stored = { name: "", dtype, shape, path: storage.path, offset, length };
  return isContiguous(shape, strides) ? stored : { ...stored, strides };
}

/** `_rebuild_from_type_v2(function, type, args, state)`: a Parameter, or a tensor with attributes of its own. */
function rebuildFromType([builder, type, args]: readonly PickleValue[], where: string): PickleValue {
  const isTensorType = isPickleObject(type, "global") && /^torch\.(Tensor|nn\.parameter\.Parameter)$/.test(type.name);
  if (!isTensorType || !isPickleObject(builder, "global") || builder.build === undefined || !isPickleList(args)) {
    throw damagedPickle(where, "a tensor of an unknown class");
  }
  return builder.build(args);
}

function namedDType(value: PickleValue | undefined, where: string): StoredDType {
  const name = isPickleObject(value, "global") ? value.name.replace(/^torch\./, "") : "";
  const dtype = dtypeOfName[name];
  if (dtype !== undefined) return dtype;
  throw new UnsupportedError({
    where,
    got: `a tensor of element type ${name === "" ? "unknown" : name}`,
    expected: `one of ${Object.keys(dtypeOfName).join(", ")}`,
    fix: "Convert the tensor in PyTorch first.",
  });
}

function outside(stored: StoredTensor, storage: PickleStorage, where: string): FormatError {
  const end = stored.offset + stored.length - storage.offset;
  return new FormatError({
    where: `${where}: storage ${storage.key}`,
    got: `a tensor [${stored.shape.join(", ")}] that needs ${end} bytes of it`,
    expected: `at most its ${storage.length} bytes`,
    fix: "The file is truncated or damaged; get it again.",
  });
}

function deviceKind(kind: PickleValue | undefined): string {
  return typeof kind === "string" ? kind : "unknown";
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isCounts(value: PickleValue | undefined): value is readonly number[] {
  return isPickleList(value) && value.every(isCount);
}
