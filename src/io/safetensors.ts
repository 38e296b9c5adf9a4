/** Safetensors files: opened without reading any tensor, or loaded whole. */
import type { Tensor } from "../tensor/index.js";
import { withFile } from "./files.js";
import { readStored } from "./read-stored.js";
import { lengthFieldBytes, parseHeader, readHeaderLength } from "./safetensors-header.js";
import type { StoredTensor } from "./stored.js";

/** An opened safetensors file: where each tensor lies. Nothing is held open. */
export interface SafetensorsFile {
  readonly path: string;
  /** Tensors by name, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The file's `__metadata__`; empty when it has none. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Opens a safetensors file and checks its whole header against its size.
 *
 * @throws FormatError that names the file, and the tensor where one is at fault: truncated or overlong file, broken header,
 * overlapping tensors, gaps, wrong sizes, repeated names, unknown element types.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  return withFile(path, async (file) => {
    const field = await file.read(0, Math.min(lengthFieldBytes, file.size));
    const length = readHeaderLength(field, file.size, path);
    return { path, ...parseHeader(await file.read(lengthFieldBytes, length), file.size, path) };
  });
}

/** Reads every tensor of a safetensors file into memory, with the axis names that limpid wrote. */
export async function loadSafetensors(path: string): Promise<Readonly<Record<string, Tensor>>> {
  const { tensors } = await openSafetensors(path);
  return loadStored(tensors);
}

/** Reads every tensor of a map into memory. */
export async function loadStored(
  tensors: ReadonlyMap<string, StoredTensor>,
): Promise<Readonly<Record<string, Tensor>>> {
  const loaded: [string, Tensor][] = [];
  for (const [name, stored] of tensors) loaded.push([name, await readStored(stored)]);
  return Object.fromEntries(loaded);
}
