/**
 * Writes activations to a folder of shards of bounded size.
 *
 * 1. A shard holds a fixed number of tokens, so the place of a token depends on its number alone.
 * 2. Each shard is written atomically, then the manifest that lists it; a call that was killed at any moment is continued
 *    by the same call: batches that lie in finished shards are compared by their tokens and not run.
 * 3. A batch that reaches into the first missing shard runs whole, so the bytes are those of an unbroken run.
 */
import { join } from "node:path";
import { InputError, InternalError } from "../../core/index.js";
import { cleanStaleTemporary, writeSafetensors } from "../../io/index.js";
import type { Run } from "../run/result.js";
import type { ModelView } from "../view.js";
import { type FeedItem, feed, type OverInputs } from "./feed.js";
import { openFolder, type ShardDType, type ShardManifest, shardName, writeManifest } from "./manifest.js";
import { checkedMemory, type PlannedBatch, planBatch } from "./memory.js";
import { progressMeter } from "./meter.js";
import { type ActivationShards, openShards } from "./open-shards.js";
import type { ShardOptions, WriteOptions } from "./options.js";
import { runOptionsOf } from "./run-options.js";
import { runAll } from "./runs.js";
import { settingsOf } from "./settings.js";
import { ShardBuffer, shardDTypeBytes } from "./shard-buffer.js";
import { activationAt, checkKeys } from "./state.js";
import { type ReducedPoint, tokenVectors } from "./vectors.js";

const defaultShardBytes = 256 * 2 ** 20;

/** Writes the activations of all counted tokens and opens the folder. */
export async function writeShards(
  view: ModelView,
  inputs: OverInputs,
  options: WriteOptions,
): Promise<ActivationShards> {
  const writer = new ShardWriter(view, options);
  const meter = progressMeter(options.onProgress, options.maxTokens);
  const items = opened(feed(view, inputs, options), writer);
  for await (const { item, run } of runAll(view, items, runOptionsOf(options), (item) => writer.before(item))) {
    await writer.add(item, run);
    if (run !== undefined) meter({ tokens: writer.tokens, batches: item.index + 1 });
  }
  await writer.finish();
  return openShards(writer.folder);
}

async function* opened(items: AsyncGenerator<FeedItem>, writer: ShardWriter): AsyncGenerator<FeedItem> {
  for await (const item of items) {
    if (item.index === 0) await writer.open(item);
    yield item;
  }
}

interface Open {
  readonly points: readonly ReducedPoint[];
  readonly buffer: ShardBuffer;
  /** Tokens in the shards that an earlier call finished. */
  readonly doneTokens: number;
}

class ShardWriter {
  readonly folder: string;
  readonly #view: ModelView;
  readonly #options: WriteOptions;
  readonly #dtype: ShardDType;
  readonly #shardBytes: number;
  #open: Open | undefined;
  #manifest: ShardManifest | undefined;
  /** Tokens before the batch that `before` is asked about next. */
  #ahead = 0;
  #largest = 0;
  #shard = 0;
  #last: { readonly rows: number; readonly batches: number; readonly dataHash: string } | undefined;
  tokens = 0;

  constructor(view: ModelView, options: WriteOptions) {
    const plan: ShardOptions = typeof options.shards === "string" ? { folder: options.shards } : options.shards;
    this.folder = plan.folder;
    this.#view = view;
    this.#options = options;
    this.#dtype = plan.dtype ?? view.precision;
    this.#shardBytes = plan.shardBytes ?? defaultShardBytes;
  }

  /** Plans the first batch and opens the folder. */
  async open(item: FeedItem): Promise<void> {
    const { points, bytes } = planBatch(this.#view, item.input, runOptionsOf(this.#options));
    const perToken = points.reduce((sum, { dim }) => sum + dim * shardDTypeBytes[this.#dtype], 12);
    const tokensPerShard = Math.floor(this.#shardBytes / perToken);
    if (tokensPerShard < 1) throw tooSmall(this.#shardBytes, perToken);
    this.#check({ points, bytes }, tokensPerShard * perToken);
    this.#largest = item.batch.batch * item.batch.pos;
    const hooks = points.map(({ name, axes, shape }) => ({ name, axes, shape }));
    const fresh: ShardManifest = {
      format: "limpid-activations",
      version: 1,
      model: this.#view.core.checkpoint.id,
      settings: settingsOf(
        this.#view,
        this.#options,
        hooks.map(({ name }) => name),
        {},
      ),
      dtype: this.#dtype,
      tokensPerShard,
      hooks,
      shards: [],
      isComplete: false,
    };
    const manifest = await openFolder(this.folder, fresh);
    await cleanStaleTemporary(this.folder);
    if (manifest === fresh) await writeManifest(this.folder, fresh);
    this.#manifest = manifest;
    const doneTokens = manifest.shards.reduce((sum, shard) => sum + shard.tokens, 0);
    this.#open = { points, buffer: new ShardBuffer(points, this.#dtype, tokensPerShard), doneTokens };
  }

  /** Leaves out batches whose tokens all lie in finished shards. */
  before(item: FeedItem): "run" | "skip" {
    const { doneTokens, points } = this.#parts();
    this.#ahead += item.tokens.count;
    if (this.#ahead <= doneTokens || item.tokens.count === 0) return "skip";
    if (item.batch.batch * item.batch.pos > this.#largest) {
      const planned = planBatch(this.#view, item.input, runOptionsOf(this.#options));
      this.#check(
        planned,
        points.reduce((sum, { dim }) => sum + dim, 0) * shardDTypeBytes[this.#dtype] * this.#tokensPerShard(),
      );
      this.#largest = item.batch.batch * item.batch.pos;
    }
    return "run";
  }

  /** Adds a batch; without a run, only its tokens are compared. */
  async add({ batch, tokens, index, hash }: FeedItem, run: Run | undefined): Promise<void> {
    const { buffer, points } = this.#parts();
    for (const point of points) checkKeys(point, batch.mask, batch.pos);
    const vectors =
      run && new Map(points.map((point) => [point, tokenVectors(activationAt(run, point), point, tokens)]));
    const vectorsOf = vectors && ((point: ReducedPoint) => vectors.get(point) ?? missing(point.name));
    for (let from = 0; from < tokens.count; ) {
      const to = Math.min(tokens.count, from + buffer.room);
      buffer.append(tokens, from, to, vectorsOf);
      from = to;
      if (buffer.room === 0) await this.#flush();
    }
    this.tokens += tokens.count;
    this.#last = { rows: tokens.firstRow + batch.batch, batches: index + 1, dataHash: hash };
  }

  /** Writes the last shard and marks the folder complete. */
  async finish(): Promise<void> {
    const { buffer, doneTokens } = this.#parts();
    if (buffer.count > 0) await this.#flush();
    if (this.tokens < doneTokens || this.tokens === 0)
      throw otherData(this.folder, `${this.tokens} tokens, after ${doneTokens} in an earlier call`);
    const manifest = this.#written();
    if (!manifest.isComplete) await writeManifest(this.folder, { ...manifest, isComplete: true, ...this.#last });
  }

  async #flush(): Promise<void> {
    const { buffer } = this.#parts();
    const manifest = this.#written();
    const finished = manifest.shards[this.#shard];
    const [tokens, tokensHash] = [buffer.count, buffer.tokensHash()];
    if (finished === undefined) {
      if (manifest.isComplete) throw otherData(this.folder, "more tokens than in an earlier call");
      const file = shardName(this.#shard);
      const stored = await writeSafetensors(join(this.folder, file), buffer.tensors(), this.#longOptions());
      const bytes = [...stored.values()].reduce((end, { offset, length }) => Math.max(end, offset + length), 0);
      this.#manifest = { ...manifest, shards: [...manifest.shards, { file, tokens, bytes, tokensHash }] };
      await writeManifest(this.folder, this.#manifest);
    } else if (finished.tokens !== tokens || finished.tokensHash !== tokensHash) {
      throw otherData(this.folder, `other tokens in ${finished.file}`);
    }
    this.#shard += 1;
    buffer.clear();
  }

  #longOptions(): { readonly signal?: AbortSignal } {
    const { signal } = this.#options;
    return signal === undefined ? {} : { signal };
  }

  #check({ bytes }: PlannedBatch, state: number): void {
    checkedMemory(bytes, state, this.#options.memoryLimit ?? this.#view.core.memoryLimit);
  }

  #tokensPerShard(): number {
    return this.#written().tokensPerShard;
  }

  #parts(): Open {
    return this.#open ?? missing("the shard");
  }

  #written(): ShardManifest {
    return this.#manifest ?? missing("the manifest");
  }
}

function missing(what: string): never {
  throw new InternalError({
    where: "model.over: shards",
    got: `no ${what}`,
    expected: "an open folder",
    fix: "Report this as a bug.",
  });
}

function tooSmall(shardBytes: number, perToken: number): InputError {
  return new InputError({
    where: "model.over: shards.shardBytes",
    got: String(shardBytes),
    expected: `at least ${perToken}, the bytes of one token`,
    fix: "Leave it out for shards of 256 MiB.",
  });
}

function otherData(folder: string, got: string): InputError {
  return new InputError({
    where: `model.over: shards ${folder}`,
    got,
    expected: "the data of the call that began the folder",
    fix: "Give the same data in the same order, or choose another folder.",
  });
}
