/**
 * PyTorch files (`.pt`, `.pth`, `.bin`) without PyTorch: the zip format of 1.6 and later, and the older one.
 *
 * Storages lie in the file as they are, so a contiguous tensor is a range of the file that can be mapped. The pickle that
 * names them is read by the restricted unpickler.
 * Format: PyTorch's `torch/serialization.py`.
 */
import { FormatError, UnsupportedError } from "../core/index.js";
import type { Tensor } from "../tensor/index.js";
import { type ReadableFile, withFile } from "./files.js";
import { unpickle } from "./pickle.js";
import { collect, collectArrays, type InertOptions } from "./pickle-file.js";
import { damagedPickle } from "./pickle-reader.js";
import { storageDType, torchGlobals } from "./pickle-torch.js";
import { isPickleDict, isPickleList, type PickleStorage, type PickleValue } from "./pickle-values.js";
import { loadStored } from "./safetensors.js";
import { bitsOf, type StoredTensor } from "./stored.js";
import { readLegacy } from "./torch-legacy.js";
import { memberOffset, readMember, readZipDirectory, type ZipMember } from "./zip.js";

/** What a PyTorch file holds. Nothing is held open. */
export interface TorchFile {
  readonly path: string;
  /** Tensors by dotted path: `model.layers.0.weight`; a plain state dict has just its own names. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Numpy arrays by dotted path. */
  readonly arrays: ReadonlyMap<string, Tensor>;
  /** Everything, as it was saved. */
  readonly value: PickleValue;
}

/** The keys under which training scripts keep the weights. */
const stateDictKeys = ["state_dict", "model_state_dict", "model"];

/**
 * Opens a PyTorch file without reading any tensor.
 *
 * @throws FormatError that names the callable when the file wants anything run (nothing is), or is damaged;
 * UnsupportedError for TorchScript archives, tar files and big-endian data.
 */
export async function openTorch(path: string, options: InertOptions = {}): Promise<TorchFile> {
  return withFile(path, async (file) => {
    const start = await file.read(0, Math.min(file.size, 512));
    const isZip = start[0] === 0x50 && start[1] === 0x4b;
    const value = isZip ? await readZipped(file, options) : await readLegacy(file, start, options);
    return { path, value, arrays: collectArrays(value, path), tensors: collectTensors(value, path) };
  });
}

/** Reads every tensor and numpy array of a PyTorch file into memory, by dotted path. */
export async function loadTorch(path: string, options: InertOptions = {}): Promise<Readonly<Record<string, Tensor>>> {
  const { tensors, arrays } = await openTorch(path, options);
  return { ...(await loadStored(tensors)), ...Object.fromEntries(arrays) };
}

/**
 * Returns the weights of a PyTorch file: its tensors, without the `state_dict.`, `model_state_dict.` or `model.` that a
 * training script put around them.
 */
export function stateDictOf(file: TorchFile): ReadonlyMap<string, StoredTensor> {
  const key = stateDictKeys.find((name) => isPickleDict(file.value) && isPickleDict(file.value.get(name)));
  if (key === undefined) return file.tensors;
  const inner = [...file.tensors].filter(([name]) => name.startsWith(`${key}.`));
  return new Map(
    inner.map(([name, stored]) => [name.slice(key.length + 1), { ...stored, name: name.slice(key.length + 1) }]),
  );
}

function collectTensors(value: PickleValue, where: string): ReadonlyMap<string, StoredTensor> {
  return collect(value, where, (object, name) => (object.kind === "tensor" ? { ...object.stored, name } : undefined));
}

async function readZipped(file: ReadableFile, options: InertOptions): Promise<PickleValue> {
  const members = await readZipDirectory(file);
  const pickleName = [...members.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
  const pickleMember = members.get(pickleName ?? "");
  if (pickleName === undefined || pickleMember === undefined) throw noPickle(file.path, members);
  const folder = pickleName.slice(0, -"data.pkl".length);
  if (members.has(`${folder}constants.pkl`)) throw torchScript(file.path);
  await refuseBigEndian(file, members.get(`${folder}byteorder`));
  const storages = await locateStorages(file, members, `${folder}data/`);
  const where = `${file.path}: ${pickleName}`;
  const { value } = unpickle(await readMember(file, pickleMember), {
    ...options,
    where,
    globals: torchGlobals(where),
    persistent: (id) => storageOf(id, storages, file.path),
  });
  return value;
}

/** Where each storage lies. Deflated members have no place in the file and are left out. */
async function locateStorages(
  file: ReadableFile,
  members: ReadonlyMap<string, ZipMember>,
  prefix: string,
): Promise<ReadonlyMap<string, { readonly offset: number; readonly length: number }>> {
  const storages = new Map<string, { offset: number; length: number }>();
  for (const [name, member] of members) {
    if (!name.startsWith(prefix) || member.method !== "stored") continue;
    storages.set(name.slice(prefix.length), { offset: await memberOffset(file, member), length: member.length });
  }
  return storages;
}

/** A persistent id is `("storage", class, key, device, elements)`. */
function storageOf(
  id: PickleValue,
  storages: ReadonlyMap<string, { readonly offset: number; readonly length: number }>,
  path: string,
): PickleStorage {
  const [tag, storageClass, key, , count] = isPickleList(id) ? id : [];
  if (tag !== "storage" || typeof key !== "string" || typeof count !== "number") {
    throw damagedPickle(path, "a persistent id that is not a storage");
  }
  const place = storages.get(key);
  const dtype = storageDType(storageClass, path);
  const needed = dtype === undefined ? count : (count * bitsOf(dtype)) / 8;
  if (place === undefined || place.length < needed) throw missingStorage(path, key, { needed, found: place?.length });
  return { kind: "storage", key, path, ...place, ...(dtype === undefined ? {} : { dtype }) };
}

async function refuseBigEndian(file: ReadableFile, member: ZipMember | undefined): Promise<void> {
  if (member === undefined) return;
  const order = new TextDecoder().decode(await readMember(file, member));
  if (order.trim() === "little") return;
  const fix = "Save it again on a little-endian machine.";
  throw new UnsupportedError({ where: file.path, got: `byte order ${JSON.stringify(order)}`, expected: "little", fix });
}

function missingStorage(path: string, key: string, sizes: { needed: number; found: number | undefined }): FormatError {
  return new FormatError({
    where: `${path}: storage ${key}`,
    got: sizes.found === undefined ? "no uncompressed member data of that name" : `${sizes.found} bytes`,
    expected: `${sizes.needed} bytes`,
    fix: "The file is incomplete or was zipped again; get the original.",
  });
}

function noPickle(path: string, members: ReadonlyMap<string, ZipMember>): FormatError {
  const isNpz = [...members.keys()].some((name) => name.endsWith(".npy"));
  return new FormatError({
    where: path,
    got: isNpz ? "a .npz archive" : "a zip archive without data.pkl",
    expected: "a file that torch.save wrote",
    fix: isNpz ? "Open it with openNpz." : "Check that this is the right file.",
  });
}

function torchScript(path: string): UnsupportedError {
  return new UnsupportedError({
    where: path,
    got: "a TorchScript archive, which holds code",
    expected: "a state dict",
    fix: "Save the weights in Python with torch.save(model.state_dict(), path), or as .safetensors.",
  });
}
