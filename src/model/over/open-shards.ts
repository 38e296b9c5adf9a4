/** Reads folders of activations back. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import {
  FormatError,
  HookNotFoundError,
  InputError,
  type LongCallOptions,
  nearestNames,
  printsItself,
  throwIfAborted,
} from "../../core/index.js";
import { openSafetensors, readAsFloat32, readStored, readStoredRows, type StoredTensor } from "../../io/index.js";
import type { Tensor } from "../../tensor/index.js";
import { getActName, type HookRef } from "../hooks/index.js";
import { readManifest, type ShardHook, type ShardManifest } from "./manifest.js";
import { tokenTensors } from "./shard-buffer.js";

/** Options of {@link openShards}. */
export interface OpenShardsOptions {
  /** Opens a folder that is not finished yet; default false. */
  readonly allowPartial?: boolean;
}

/** One file of activations; tensors are read when asked for. */
export interface ActivationShard {
  readonly index: number;
  readonly path: string;
  /** Tokens in it. */
  readonly count: number;
  /** Returns the activations of a hook point, `[token, …axes]`, in float32 (float64 where written so). */
  get(name: string | HookRef, layer?: number): Promise<Tensor>;
  /** Token ids `[token]`; −1 where the input was not tokens. */
  tokens(): Promise<Tensor>;
  /** The row of each token in the whole run, `[token]`. */
  rows(): Promise<Tensor>;
  /** The position of each token among the real tokens of its row, `[token]`. */
  positions(): Promise<Tensor>;
}

/** A folder of activations, shard by shard. */
export class ActivationShards implements AsyncIterable<ActivationShard> {
  static {
    printsItself(this.prototype);
  }

  readonly folder: string;
  readonly manifest: ShardManifest;

  /** @internal Use {@link openShards}. */
  constructor(folder: string, manifest: ShardManifest) {
    this.folder = folder;
    this.manifest = manifest;
  }

  /** Hook points with the axes and sizes of one token's value. */
  get hooks(): readonly ShardHook[] {
    return this.manifest.hooks;
  }

  /** Tokens in all shards. */
  get tokens(): number {
    return this.manifest.shards.reduce((sum, { tokens }) => sum + tokens, 0);
  }

  /** Number of shards. */
  get size(): number {
    return this.manifest.shards.length;
  }

  /** Yields every shard, opened. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ActivationShard> {
    for (let index = 0; index < this.size; index++) yield await this.shard(index);
  }

  /** Opens one shard. */
  async shard(index: number): Promise<ActivationShard> {
    const record = this.manifest.shards[index];
    if (record === undefined) throw noShard(this.folder, index, this.size);
    const path = join(this.folder, record.file);
    await checkFile(path, record.bytes);
    const { tensors } = await openSafetensors(path);
    return {
      index,
      path,
      count: record.tokens,
      get: (name, layer) => readFloats(this.#stored(tensors, name, layer)),
      tokens: () => readStored(stored(tensors, tokenTensors.ids, path)),
      rows: () => readStored(stored(tensors, tokenTensors.rows, path)),
      positions: () => readStored(stored(tensors, tokenTensors.positions, path)),
    };
  }

  /** Yields the activations of one hook point in pieces `[token, …axes]` of at most `count` tokens; pieces do not cross shards. */
  async *stream(name: string | HookRef, count: number, { signal }: LongCallOptions = {}): AsyncGenerator<Tensor> {
    for (const { file, tokens, bytes } of this.manifest.shards) {
      const path = join(this.folder, file);
      await checkFile(path, bytes);
      const found = this.#stored((await openSafetensors(path)).tensors, name, undefined);
      for (let from = 0; from < tokens; from += count) {
        throwIfAborted(signal, `read ${path}`);
        const piece = await readStoredRows(found, from, Math.min(tokens, from + count));
        yield piece.dtype === "float32" || piece.dtype === "float64" ? piece : piece.cast("float32");
      }
    }
  }

  /** Returns two lines of description. */
  toString(): string {
    const { isComplete, dtype } = this.manifest;
    return `ActivationShards ${this.folder}: ${this.tokens} tokens in ${this.size} shards of ${dtype}${isComplete ? "" : " (not finished)"}\n  ${this.hooks.map((hook) => hook.name).join(", ")}`;
  }

  #stored(tensors: ReadonlyMap<string, StoredTensor>, name: string | HookRef, layer: number | undefined): StoredTensor {
    const names = this.hooks.map((hook) => hook.name);
    const full = fullName(name, layer, names);
    const found = names.includes(full) ? tensors.get(full) : undefined;
    if (found !== undefined) return found;
    throw new HookNotFoundError({
      where: `shards ${this.folder}`,
      got: `"${full}", which was not written`,
      expected: `a hook point that was; nearest: ${nearestNames(full, names).join(", ")}`,
      fix: "List them with shards.hooks.",
    });
  }
}

/**
 * Opens a folder of activations that `model.over(…, { shards })` wrote.
 *
 * @throws InputError when it is not one, or not finished (unless `allowPartial`).
 */
export async function openShards(
  folder: string,
  { allowPartial = false }: OpenShardsOptions = {},
): Promise<ActivationShards> {
  const manifest = await readManifest(folder);
  if (manifest === undefined) throw noManifest(folder);
  if (manifest.isComplete || allowPartial) return new ActivationShards(folder, manifest);
  throw new InputError({
    where: `openShards: ${folder}`,
    got: `a folder that is not finished (${manifest.shards.length} shards)`,
    expected: "a complete one",
    fix: "Call model.over again with the same data and options to finish it, or pass { allowPartial: true }.",
  });
}

function readFloats(found: StoredTensor): Promise<Tensor> {
  return found.dtype === "float64" ? readStored(found) : readAsFloat32(found);
}

function fullName(name: string | HookRef, layer: number | undefined, names: readonly string[]): string {
  if (typeof name !== "string")
    return name.layers === undefined ? name.point : `blocks.${String(name.layers)}.${name.point}`;
  return layer === undefined && names.includes(name) ? name : getActName(name, layer);
}

function stored(tensors: ReadonlyMap<string, StoredTensor>, name: string, path: string): StoredTensor {
  const found = tensors.get(name);
  if (found !== undefined) return found;
  throw new FormatError({
    where: path,
    got: `no tensor "${name}"`,
    expected: "a shard that model.over wrote",
    fix: "Write the folder again.",
  });
}

async function checkFile(path: string, bytes: number): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info?.size === bytes) return;
  throw new FormatError({
    where: path,
    got: info === undefined ? "no file" : `${info.size} bytes`,
    expected: `the shard of ${bytes} bytes that the manifest lists`,
    fix: "Copy the folder again, or delete it and write it again.",
  });
}

function noShard(folder: string, index: number, size: number): InputError {
  return new InputError({
    where: `shards ${folder}`,
    got: `shard ${index}`,
    expected: `0 to ${size - 1}`,
    fix: "Iterate over the shards with for await.",
  });
}

function noManifest(folder: string): InputError {
  return new InputError({
    where: `openShards: ${folder}`,
    got: "a folder without manifest.json",
    expected: "a folder that model.over(…, { shards }) wrote",
    fix: "Check the path.",
  });
}
