/**
 * Looks at every activation once, in bounded memory.
 *
 * 1. The greatest examples: of each row its greatest activation, so that one repeated text does not fill the list.
 * 2. A fair sample: each firing has a random key from (seed, feature, row, position); the greatest keys stay. It does not
 *    depend on how the data are cut into batches.
 */
import type { CountedTokens } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { ActivationBins } from "./activation-bins.js";
import { columnNames, type Firing, Kept, type KeptColumns } from "./kept.js";

/** How much is kept. */
export interface RecorderPlan {
  readonly nFeatures: number;
  readonly top: number;
  readonly sample: number;
  readonly context: number;
  readonly seed: number;
}

/** A batch of activations `[batch, pos, nFeatures]`. */
export interface RecordedBatch {
  readonly acts: ArrayLike<number>;
  readonly tokens: CountedTokens;
}

/** What was seen of each feature so far. */
export class ExampleRecorder {
  readonly plan: RecorderPlan;
  readonly fired: Float64Array;
  readonly sums: Float64Array;
  readonly max: Float32Array;
  readonly bins: ActivationBins;
  readonly top: Kept;
  readonly sample: Kept;
  tokens = 0;
  readonly #rowMax: Float32Array;
  readonly #rowAt: Int32Array;

  constructor(plan: RecorderPlan) {
    const { nFeatures, top, sample, context } = plan;
    this.plan = plan;
    this.fired = new Float64Array(nFeatures);
    this.sums = new Float64Array(nFeatures);
    this.max = new Float32Array(nFeatures);
    this.bins = new ActivationBins(nFeatures);
    this.top = new Kept(nFeatures, top, context);
    this.sample = new Kept(nFeatures, sample, context);
    this.#rowMax = new Float32Array(nFeatures);
    this.#rowAt = new Int32Array(nFeatures);
  }

  /** Bytes of a recorder. */
  static bytes({ nFeatures, top, sample, context }: RecorderPlan): number {
    return nFeatures * (16 + 4 + 4 + 64 * 8 + 8 + Kept.bytes(top, context) + Kept.bytes(sample, context));
  }

  /** Looks at a batch: whole rows, in order. */
  add(batch: RecordedBatch): void {
    const { tokens } = batch;
    const counted = new Set(tokens.slots);
    for (let from = 0; from < tokens.count; ) {
      let to = from;
      while (to < tokens.count && tokens.rows[to] === tokens.rows[from]) to += 1;
      this.#addRow(batch, { from, to, counted });
      from = to;
    }
    this.tokens += tokens.count;
  }

  #addRow(batch: RecordedBatch, row: CountedRow): void {
    const touched: number[] = [];
    for (let t = row.from; t < row.to; t++) this.#addToken(batch, { row, t, touched });
    for (const feature of touched) {
      const value = this.#rowMax[feature] as number;
      this.#rowMax[feature] = 0;
      if (!this.top.wants(feature, value)) continue;
      this.#keep(this.top, value, firingAt(batch, this.#rowAt[feature] as number, feature, value), { batch, row });
    }
  }

  #addToken(batch: RecordedBatch, { row, t, touched }: { row: CountedRow; t: number; touched: number[] }): void {
    const { nFeatures, seed } = this.plan;
    const start = (batch.tokens.slots[t] as number) * nFeatures;
    for (let feature = 0; feature < nFeatures; feature++) {
      const value = batch.acts[start + feature] as number;
      if (!(value > 0)) continue;
      this.#count(feature, value);
      const greatest = this.#rowMax[feature] as number;
      if (greatest === 0) touched.push(feature);
      if (value > greatest) {
        this.#rowMax[feature] = value;
        this.#rowAt[feature] = t;
      }
      const key = randomKey(seed, feature, batch.tokens.rows[t] as number, batch.tokens.positions[t] as number);
      if (this.sample.wants(feature, key))
        this.#keep(this.sample, key, firingAt(batch, t, feature, value), { batch, row });
    }
  }

  #count(feature: number, value: number): void {
    this.fired[feature] = (this.fired[feature] as number) + 1;
    this.sums[feature] = (this.sums[feature] as number) + value;
    if (value > (this.max[feature] as number)) this.max[feature] = value;
    this.bins.add(feature, value);
  }

  #keep(store: Kept, key: number, firing: Firing, { batch, row }: { batch: RecordedBatch; row: CountedRow }): void {
    const { nFeatures, context } = this.plan;
    const { tokens, acts } = batch;
    const ids = tokens.rowIds[firing.row - tokens.firstRow] ?? new Int32Array(0);
    store.put(key, firing, (windowTokens, windowActs) => {
      for (let step = -context; step <= context; step++) {
        const id = ids[firing.position + step];
        if (id === undefined) continue;
        windowTokens[context + step] = id;
        const slot = firing.slot + step;
        if (row.counted.has(slot)) windowActs[context + step] = acts[slot * nFeatures + firing.feature] as number;
      }
    });
  }

  /** Returns everything as tensors. */
  save(): Readonly<Record<string, Tensor>> {
    const list = (data: Float32Array | Float64Array | Int32Array): Tensor => Tensor.of(data, [data.length]);
    const kept = (prefix: string, columns: KeptColumns): [string, Tensor][] =>
      columnNames.map((name) => [`${prefix}.${name}`, list(columns[name])]);
    return {
      tokens: list(Float64Array.of(this.tokens)),
      fired: list(this.fired),
      sums: list(this.sums),
      max: list(this.max),
      exponents: list(this.bins.exponents),
      bins: list(this.bins.counts),
      ...Object.fromEntries([...kept("top", this.top.columns), ...kept("sample", this.sample.columns)]),
    };
  }

  /** Returns the recorder that was saved. */
  static load(plan: RecorderPlan, saved: Readonly<Record<string, Tensor>>): ExampleRecorder {
    const list = (name: string): ArrayLike<number> => (saved[name]?.data ?? []) as ArrayLike<number>;
    const recorder = new ExampleRecorder(plan);
    recorder.tokens = list("tokens")[0] ?? 0;
    recorder.fired.set(list("fired"));
    recorder.sums.set(list("sums"));
    recorder.max.set(list("max"));
    recorder.bins.exponents.set(list("exponents"));
    recorder.bins.counts.set(list("bins"));
    const kept = (prefix: string): Record<keyof KeptColumns, ArrayLike<number>> => ({
      keys: list(`${prefix}.keys`),
      values: list(`${prefix}.values`),
      rows: list(`${prefix}.rows`),
      positions: list(`${prefix}.positions`),
      tokens: list(`${prefix}.tokens`),
      acts: list(`${prefix}.acts`),
    });
    recorder.top.restore(kept("top"));
    recorder.sample.restore(kept("sample"));
    return recorder;
  }
}

/** Counted tokens of one row, by their numbers in the batch. */
interface CountedRow {
  readonly from: number;
  readonly to: number;
  /** Slots of the batch that count. */
  readonly counted: ReadonlySet<number>;
}

function firingAt({ tokens }: RecordedBatch, t: number, feature: number, value: number): Firing {
  const [slot, row, position] = [tokens.slots[t] as number, tokens.rows[t] as number, tokens.positions[t] as number];
  return { feature, value, row, position, slot };
}

/** A number that is as good as random, from 0 to 2³² − 1 (the finaliser of MurmurHash3 over four words). */
function randomKey(seed: number, feature: number, row: number, position: number): number {
  return mixed(mixed(mixed(seed, feature), row), position) >>> 0;
}

function mixed(hash: number, word: number): number {
  let h = (Math.imul(hash ^ word, 0x85ebca6b) + 0x9e3779b9) | 0;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
