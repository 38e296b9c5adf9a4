/** Numpy's .npz files: a zip archive of .npy members. */
import { formatList, InputError } from "../core/index.js";
import type { Tensor } from "../tensor/index.js";
import { withAtomicFile } from "./atomic.js";
import { type ReadableFile, withFile } from "./files.js";
import { encodeNpy, openNpyAt, parseNpy } from "./npy.js";
import type { NamedTensors } from "./safetensors-writer.js";
import type { StoredTensor } from "./stored.js";
import { memberOffset, readMember, readZipDirectory, type ZipMember, ZipWriter } from "./zip.js";

/** An opened .npz file. Nothing is held open. */
export interface NpzFile {
  readonly path: string;
  /** Names of all arrays, without `.npy`. */
  readonly names: readonly string[];
  /** The arrays that lie uncompressed in the file (`np.savez`); those of `np.savez_compressed` must be read. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Reads one array. */
  read(name: string): Promise<Tensor>;
}

/** Options of {@link writeNpz}. */
export interface WriteNpzOptions {
  /** Deflates the arrays; default false. */
  readonly compress?: boolean;
}

/** Opens a .npz file without reading the elements of its uncompressed arrays. */
export async function openNpz(path: string): Promise<NpzFile> {
  return withFile(path, async (file) => {
    const members = npyMembers(await readZipDirectory(file));
    const tensors = new Map<string, StoredTensor>();
    for (const [name, member] of members) {
      if (member.method !== "stored") continue;
      const offset = await memberOffset(file, member);
      tensors.set(name, await openNpyAt(file, { name, offset, length: member.length }));
    }
    const names = [...members.keys()];
    return { path, names, tensors, read: (name) => withFile(path, (again) => readArray(again, members, name)) };
  });
}

/** Reads every array of a .npz file. */
export async function loadNpz(path: string): Promise<Readonly<Record<string, Tensor>>> {
  return withFile(path, async (file) => {
    const members = npyMembers(await readZipDirectory(file));
    const loaded: [string, Tensor][] = [];
    for (const name of members.keys()) loaded.push([name, await readArray(file, members, name)]);
    return Object.fromEntries(loaded);
  });
}

/** Writes tensors as a .npz file that numpy reads; names keep their order, axis names are not kept. */
export async function writeNpz(path: string, tensors: NamedTensors, options: WriteNpzOptions = {}): Promise<void> {
  const pairs = Symbol.iterator in tensors ? [...tensors] : Object.entries(tensors);
  refuseRepeats(pairs, path);
  await withAtomicFile(path, async (file) => {
    const zip = new ZipWriter(file, path);
    for (const [name, tensor] of pairs) {
      await zip.add(`${name}.npy`, encodeNpy(tensor, `${path}: ${name}`), options.compress === true);
    }
    await zip.end();
  });
}

async function readArray(file: ReadableFile, members: ReadonlyMap<string, ZipMember>, name: string): Promise<Tensor> {
  const member = members.get(name);
  if (member !== undefined) return parseNpy(await readMember(file, member), `${file.path}: ${member.name}`);
  throw new InputError({
    where: `read ${file.path}`,
    got: `the name ${JSON.stringify(name)}`,
    expected: `one of ${formatList([...members.keys()])}`,
    fix: "Names are those given to np.savez.",
  });
}

function npyMembers(directory: ReadonlyMap<string, ZipMember>): ReadonlyMap<string, ZipMember> {
  const arrays = [...directory].filter(([name]) => name.endsWith(".npy"));
  return new Map(arrays.map(([name, member]) => [name.slice(0, -".npy".length), member]));
}

function refuseRepeats(pairs: readonly (readonly [string, Tensor])[], path: string): void {
  const seen = new Set<string>();
  const repeated = pairs.map(([name]) => name).filter((name) => seen.size === seen.add(name).size);
  if (repeated.length === 0) return;
  const got = `the names ${formatList(repeated)} twice`;
  throw new InputError({ where: `write ${path}`, got, expected: "different names", fix: "Rename the tensor." });
}
