/**
 * PyTorch's format before 1.6: four pickles (magic number, protocol, system, value), the storage keys, then each storage
 * as an element count and its bytes.
 */
import { FormatError, UnsupportedError } from "../core/index.js";
import type { ReadableFile } from "./files.js";
import { type Unpickled, unpickle } from "./pickle.js";
import type { InertOptions } from "./pickle-file.js";
import { damagedPickle, isTruncatedPickle } from "./pickle-reader.js";
import { storageDType, torchGlobals } from "./pickle-torch.js";
import { isPickleDict, isPickleList, type PickleStorage, type PickleValue } from "./pickle-values.js";
import { bitsOf, type StoredDType } from "./stored.js";

const magicNumber = 0x1950a86a20f9469cfc6cn;
const protocolVersion = 1001;
/** How much of a file is read first; the pickles of most checkpoints are far smaller. */
const firstPieceBytes = 1 << 20;

interface StoragePlace {
  readonly offset: number;
  readonly length: number;
}

/** Reads the value of a legacy file; `start` is its first bytes. */
export async function readLegacy(file: ReadableFile, start: Uint8Array, options: InertOptions): Promise<PickleValue> {
  refuseOthers(file, start);
  const head = await readPickles(file, options);
  let offset = head.end;
  const places = new Map<string, StoragePlace>();
  for (const key of head.keys) {
    const dtype = head.storages.get(key);
    if (dtype === undefined) throw damagedPickle(file.path, `the storage ${key}, which no tensor uses`);
    const place = await placeStorage(file, { key, dtype, offset });
    places.set(key, place);
    offset = place.offset + place.length;
  }
  return readValue(head, file.path, options, (key) => places.get(key) ?? { offset: 0, length: 0 }).value;
}

interface LegacyHead {
  readonly bytes: Uint8Array;
  /** Where the value's pickle starts. */
  readonly valueStart: number;
  /** Where the first storage starts. */
  readonly end: number;
  readonly keys: readonly string[];
  readonly storages: ReadonlyMap<string, StoredDType>;
}

/** Reads the pickles from the start of the file, with more of it each time that it proves too little. */
async function readPickles(file: ReadableFile, options: InertOptions): Promise<LegacyHead> {
  for (let length = firstPieceBytes; ; length *= 4) {
    const bytes = await file.read(0, Math.min(length, file.size));
    try {
      return parsePickles(bytes, file.path, options);
    } catch (error) {
      if (!isTruncatedPickle(error) || length >= file.size) throw error;
    }
  }
}

function parsePickles(bytes: Uint8Array, path: string, options: InertOptions): LegacyHead {
  const magic = unpickle(bytes, { where: path });
  const protocol = unpickle(bytes, { where: path, start: magic.end });
  const system = unpickle(bytes, { where: path, start: protocol.end });
  if (magic.value !== magicNumber || protocol.value !== protocolVersion) throw notTorch(path);
  if (isPickleDict(system.value) && system.value.get("little_endian") === false) throw bigEndian(path);
  const storages = new Map<string, StoredDType>();
  const place = { offset: 0, length: Number.MAX_SAFE_INTEGER };
  const head = { bytes, valueStart: system.end, end: 0, keys: [], storages };
  const value = readValue(head, path, options, (key, dtype) => {
    storages.set(key, dtype);
    return place;
  });
  const keys = unpickle(bytes, { where: path, start: value.end });
  return { ...head, end: keys.end, keys: keyList(keys.value, path) };
}

function readValue(
  head: LegacyHead,
  path: string,
  options: InertOptions,
  locate: (key: string, dtype: StoredDType) => StoragePlace,
): Unpickled {
  return unpickle(head.bytes, {
    ...options,
    where: path,
    start: head.valueStart,
    globals: torchGlobals(path),
    persistent: (id) => storageOf(id, path, locate),
  });
}

/** A persistent id is `("storage", class, key, device, elements, view)`. */
function storageOf(
  id: PickleValue,
  path: string,
  locate: (key: string, dtype: StoredDType) => StoragePlace,
): PickleStorage {
  const [tag, storageClass, key, , , view] = isPickleList(id) ? id : [];
  if (tag !== "storage" || typeof key !== "string") throw damagedPickle(path, "a persistent id that is not a storage");
  const dtype = storageDType(storageClass, path);
  if (dtype === undefined || (view ?? null) !== null) throw storageView(path, key);
  return { kind: "storage", key, dtype, path, ...locate(key, dtype) };
}

async function placeStorage(
  file: ReadableFile,
  at: { readonly key: string; readonly dtype: StoredDType; readonly offset: number },
): Promise<StoragePlace> {
  const field = await file.read(at.offset, 8);
  const count = Number(new DataView(field.buffer, field.byteOffset).getBigInt64(0, true));
  const place = { offset: at.offset + 8, length: (count * bitsOf(at.dtype)) / 8 };
  if (count >= 0 && place.offset + place.length <= file.size) return place;
  throw new FormatError({
    where: `${file.path}: storage ${at.key}`,
    got: `${count} elements of ${at.dtype} at offset ${place.offset}`,
    expected: `no more than the file's ${file.size} bytes`,
    fix: "The file is truncated or damaged; get it again.",
  });
}

function keyList(value: PickleValue, path: string): readonly string[] {
  if (isPickleList(value) && value.every((key) => typeof key === "string")) return value;
  throw damagedPickle(path, "storage keys that are not a list of strings");
}

function refuseOthers(file: ReadableFile, start: Uint8Array): void {
  const tarMagic = new TextDecoder().decode(start.subarray(257, 262));
  if (tarMagic === "ustar") {
    const fix = "Load it in PyTorch and save it again with a current version.";
    const got = "a tar archive (PyTorch before 0.1.10)";
    throw new UnsupportedError({ where: file.path, got, expected: "a file of PyTorch 0.1.10 or later", fix });
  }
  if (start[0] !== 0x80) throw notTorch(file.path);
}

function notTorch(path: string): FormatError {
  return new FormatError({
    where: path,
    got: "bytes that are neither a zip archive nor PyTorch's older format",
    expected: "a file that torch.save wrote",
    fix: "Check that this is the right file; open a plain pickle with openPickle.",
  });
}

function bigEndian(path: string): UnsupportedError {
  const fix = "Save it again on a little-endian machine.";
  return new UnsupportedError({ where: path, got: "big-endian data", expected: "little-endian data", fix });
}

function storageView(path: string, key: string): UnsupportedError {
  return new UnsupportedError({
    where: `${path}: storage ${key}`,
    got: "a view of another storage",
    expected: "a storage of its own",
    fix: "Load it in PyTorch and save it again with a current version.",
  });
}
