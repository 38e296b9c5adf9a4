/** Activations that `model.over(…, { shards })` wrote, read in pieces that are shuffled over the whole folder. */
import { HookNotFoundError, InputError, nearestNames, throwIfAborted } from "../../core/index.js";
import { openSafetensors, readStoredRows, type StoredTensor } from "../../io/index.js";
import type { ActivationShards } from "../../model/index.js";
import { checkVectors } from "./finite.js";
import type { ActivationSource, Piece, SourceHook } from "./source.js";

/** Tokens that are read as a whole: enough for a disk, few enough to mix. */
const chunkTokens = 512;

interface Chunk {
  readonly shard: number;
  readonly start: number;
  readonly count: number;
}

function chunksOf({ manifest }: ActivationShards): readonly Chunk[] {
  return manifest.shards.flatMap(({ tokens }, shard) =>
    Array.from({ length: Math.ceil(tokens / chunkTokens) }, (_, i) => {
      const start = i * chunkTokens;
      return { shard, start, count: Math.min(chunkTokens, tokens - start) };
    }),
  );
}

function hookOf(shards: ActivationShards, name: string): SourceHook {
  const found = shards.hooks.find((hook) => hook.name === name);
  if (found !== undefined) return { name, width: found.shape.reduce((product, size) => product * size, 1) };
  const names = shards.hooks.map((hook) => hook.name);
  throw new HookNotFoundError({
    where: `trainDictionary: shards ${shards.folder}`,
    got: `"${name}", which was not written`,
    expected: `a hook point that was; nearest: ${nearestNames(name, names).join(", ")}`,
    fix: "List them with shards.hooks.",
  });
}

/**
 * Returns a source over a folder of activations; the next block is read while steps run.
 *
 * @throws HookNotFoundError for hook points that were not written; InputError when the folder holds no token.
 */
export function shardSource(shards: ActivationShards, hooks: readonly string[]): ActivationSource {
  const own = hooks.map((name) => hookOf(shards, name));
  const chunks = chunksOf(shards);
  const { model, dataHash } = shards.manifest;
  if (chunks.length === 0) throw noTokens(shards.folder);
  return {
    hooks: own,
    unitTokens: Int32Array.from(chunks, ({ count }) => count),
    about: { kind: "shards", model, data: dataHash ?? null, tokens: shards.tokens, dtype: shards.manifest.dtype },
    readsAhead: true,
    model: { name: model },
    read: async (pieces, { signal }) => {
      const files = new Map<number, ReadonlyMap<string, StoredTensor>>();
      const total = pieces.reduce((sum, { from, to }) => sum + to - from, 0);
      const data = new Map(own.map(({ name, width }) => [name, new Float32Array(total * width)] as const));
      let fill = 0;
      for (const piece of pieces) {
        throwIfAborted(signal, `read ${shards.folder}`);
        fill += await readPiece({ shards, chunks, files, hooks: own }, { piece, data, fill });
      }
      return data;
    },
  };
}

interface Reading {
  readonly shards: ActivationShards;
  readonly chunks: readonly Chunk[];
  readonly files: Map<number, ReadonlyMap<string, StoredTensor>>;
  readonly hooks: readonly SourceHook[];
}

interface Target {
  readonly piece: Piece;
  readonly data: ReadonlyMap<string, Float32Array>;
  readonly fill: number;
}

/** Reads one piece of every hook point; returns its tokens. */
async function readPiece({ shards, chunks, files, hooks }: Reading, { piece, data, fill }: Target): Promise<number> {
  const { shard = 0, start = 0 } = chunks[piece.unit] ?? {};
  const tensors = files.get(shard) ?? (await openSafetensors((await shards.shard(shard)).path)).tensors;
  files.set(shard, tensors);
  for (const { name, width } of hooks) {
    const stored = tensors.get(name);
    if (stored === undefined) throw hookOfMissing(shards, name, shard);
    const read = await readStoredRows(stored, start + piece.from, start + piece.to);
    const values = Float32Array.from(read.cast("float32").data as ArrayLike<number>);
    const placeOf = (row: number): string => `token ${start + piece.from + row} of shard ${shard}`;
    checkVectors(name, values, placeOf, width);
    data.get(name)?.set(values, fill * width);
  }
  return piece.to - piece.from;
}

function hookOfMissing(shards: ActivationShards, name: string, shard: number): InputError {
  return new InputError({
    where: `shards ${shards.folder}: shard ${shard}`,
    got: `no tensor "${name}"`,
    expected: "the hook points that the manifest lists",
    fix: "Write the folder again.",
  });
}

function noTokens(folder: string): InputError {
  return new InputError({
    where: `trainDictionary: shards ${folder}`,
    got: "no tokens",
    expected: "activations to train on",
    fix: "Write them with model.over(data, { capture, shards }).",
  });
}
