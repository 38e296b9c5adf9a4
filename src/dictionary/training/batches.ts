/**
 * Batches of shuffled activations in bounded memory.
 *
 * A block of tokens is read from random units, shuffled, and served; batch i belongs to block
 * `floor(i / batches per block)`, so that any batch can be asked for and a resumed run reads its current block only.
 */
import { createRandom, InputError, type LongCallOptions } from "../../core/index.js";
import type { TrainingBatch } from "../../train/index.js";
import { type ActivationSource, BlockPlan, type SourceHook, tokensOf, type Vectors } from "./source.js";

/** Options of {@link ActivationBatches}. */
export interface BatchOptions {
  /** Tokens of a batch. */
  readonly batch: number;
  /** Tokens of a block; by default what `memoryLimit` allows, at most 65,536 and what one pass holds. */
  readonly bufferTokens?: number;
  /** Bytes that blocks may take. Default 512 MiB. */
  readonly memoryLimit?: number;
  readonly seed: number;
}

const defaultBufferTokens = 65_536;
const defaultMemory = 512 * 2 ** 20;

/** A block and its order. */
interface Block {
  readonly index: number;
  readonly vectors: Vectors;
  readonly order: Uint32Array;
}

/** Serves batches by number. */
export class ActivationBatches {
  /** Batches of a block. */
  readonly perBlock: number;
  readonly #source: ActivationSource;
  readonly #batch: number;
  readonly #seed: number;
  readonly #plan: BlockPlan;
  readonly #long: LongCallOptions;
  #scales: ReadonlyMap<string, number> = new Map();
  #current: Promise<Block> | undefined;
  #currentIndex = -1;
  #ahead: { readonly index: number; readonly block: Promise<Block> } | undefined;

  /**
   * Plans the blocks; nothing is read.
   *
   * @throws InputError when a block or a batch is larger than one pass over the data.
   */
  constructor(source: ActivationSource, options: BatchOptions, long: LongCallOptions = {}) {
    this.#source = source;
    this.#batch = options.batch;
    this.#seed = options.seed;
    this.#plan = new BlockPlan(source, options.seed);
    this.#long = long;
    this.perBlock = Math.floor(blockTokens(source, options) / options.batch);
  }

  /** Tokens of a block. */
  get blockTokens(): number {
    return this.perBlock * this.#batch;
  }

  /** Multiplies all batches from now on, each hook point by its number. */
  scaleBy(scales: ReadonlyMap<string, number>): void {
    this.#scales = scales;
  }

  /** Returns the activations of a block as they are. */
  async block(index: number): Promise<Vectors> {
    return (await this.#blockAt(index)).vectors;
  }

  /** Returns batch `index`: for each hook point `[batch, width]`. */
  async at(index: number): Promise<TrainingBatch> {
    const number = Math.floor(index / this.perBlock);
    const block = await this.#blockAt(number);
    const start = (index - number * this.perBlock) * this.#batch;
    const rows = block.order.subarray(start, start + this.#batch);
    const entries = this.#source.hooks.map((hook) => [hook.name, this.#gather(block.vectors, hook, rows)] as const);
    return Object.fromEntries(entries);
  }

  #gather(vectors: Vectors, { name, width }: SourceHook, rows: Uint32Array): TrainingBatch[string] {
    const all = vectors.get(name) ?? new Float32Array(0);
    const scale = this.#scales.get(name) ?? 1;
    const data = new Float32Array(rows.length * width);
    rows.forEach((row, i) => {
      const [from, to] = [row * width, i * width];
      for (let j = 0; j < width; j++) data[to + j] = (all[from + j] ?? 0) * scale;
    });
    return { dtype: "float32", shape: [rows.length, width], data };
  }

  #blockAt(index: number): Promise<Block> {
    if (this.#current !== undefined && this.#currentIndex === index) return this.#current;
    const ahead = this.#ahead?.index === index ? this.#ahead.block : undefined;
    this.#current = undefined;
    const block = ahead ?? this.#read(index);
    this.#current = block;
    this.#currentIndex = index;
    this.#ahead = undefined;
    block.then(
      () => this.#readAhead(index + 1),
      () => undefined,
    );
    return block;
  }

  #readAhead(index: number): void {
    if (!this.#source.readsAhead || this.#currentIndex !== index - 1) return;
    const block = this.#read(index);
    // Whoever asks for it gets the error; nobody may be left to ask.
    block.catch(() => undefined);
    this.#ahead = { index, block };
  }

  async #read(index: number): Promise<Block> {
    const pieces = this.#plan.pieces(index * this.blockTokens, this.blockTokens);
    const vectors = await this.#source.read(pieces, this.#long);
    return { index, vectors, order: shuffled(this.blockTokens, this.#seed, index) };
  }
}

/** An order of `count` vectors that the seed and the block fix. */
function shuffled(count: number, seed: number, block: number): Uint32Array {
  const random = createRandom(createRandom(seed + 1).int(0, 2 ** 32) * 2 ** 20 + block);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let last = count - 1; last > 0; last--) {
    const other = random.int(0, last + 1);
    const [a, b] = [order[last] ?? 0, order[other] ?? 0];
    order[last] = b;
    order[other] = a;
  }
  return order;
}

/** Tokens of a block before it is cut to whole batches. */
function blockTokens(source: ActivationSource, options: BatchOptions): number {
  const { batch, bufferTokens, memoryLimit = defaultMemory } = options;
  const perPass = tokensOf(source);
  if (perPass < batch) throw tooSmall("batch", batch, perPass);
  if (bufferTokens !== undefined) {
    if (!Number.isSafeInteger(bufferTokens) || bufferTokens < batch) throw smallBuffer(bufferTokens, batch);
    if (bufferTokens > perPass) throw tooSmall("bufferTokens", bufferTokens, perPass);
    return bufferTokens;
  }
  const bytes = 4 * source.hooks.reduce((sum, { width }) => sum + width, 0) * (source.readsAhead ? 2 : 1);
  const fitting = Math.max(batch, Math.floor(memoryLimit / bytes));
  return Math.min(Math.max(batch, defaultBufferTokens), fitting, perPass);
}

function tooSmall(name: string, wanted: number, perPass: number): InputError {
  return new InputError({
    where: `trainDictionary: ${name}`,
    got: `${wanted} tokens, of data with ${perPass} that count`,
    expected: `at most ${perPass}`,
    fix: "Give more text, or a smaller number: control tokens and padding do not count.",
  });
}

function smallBuffer(wanted: number, batch: number): InputError {
  return new InputError({
    where: "trainDictionary: bufferTokens",
    got: String(wanted),
    expected: `a whole number of tokens, at least one batch of ${batch}`,
    fix: "Leave it out for the default, or raise it: batches are drawn from that many shuffled tokens.",
  });
}
