/**
 * What a transformer costs, by the standard formulas: parameters, floating-point operations, bytes of its cache.
 *
 * A multiply-add counts as two operations. With `t` visible keys, a token costs each layer
 * `4·d·H·d_h + 4·d·H_kv·d_h + 4·H·d_h·t + 2·n_mat·d·N`; the unembedding costs `2·d·V`. Norms, activations and softmax
 * are left out.
 */
import { formatBytes, formatCount, InputError, printsItself } from "../../core/index.js";
import { Model, type ModelConfig } from "../../model/index.js";
import type { Part } from "../parts.js";
import { countBlock, countEmbeddings } from "./count.js";
import { type LayerSizes, layerSizes } from "./sizes.js";

/** Options of {@link cost}. */
export interface CostOptions {
  /** Rows that are read at once; default 1. */
  readonly batch?: number;
  /** Tokens in a row; default the model's context. */
  readonly pos?: number;
  /** Parts that are left out; none by default. */
  readonly without?: readonly Part[];
  /** Bytes of a number in the cache; default 4. */
  readonly bytesPerNumber?: number;
}

/** Numbers that are stored. */
export interface ParameterCounts {
  /** Weight matrices of attention: queries, keys, values, output. */
  readonly attention: number;
  /** Weight matrices of MLPs. */
  readonly mlp: number;
  /** Embeddings of tokens and positions, and the unembedding unless it is the token embedding. */
  readonly embedding: number;
  /** Gains and biases; 0 where only a configuration was given. */
  readonly other: number;
  readonly total: number;
}

/** Floating-point operations. */
export interface FlopCounts {
  /** Of reading `batch` rows of `pos` tokens, with logits at every position. */
  readonly prefill: number;
  /** Of one more token behind `pos` others. */
  readonly perToken: number;
}

/** What a model costs. */
export class ModelCost {
  static {
    printsItself(this.prototype);
  }

  readonly parameters: ParameterCounts;
  readonly flops: FlopCounts;
  /** Bytes of keys and values of `batch` rows of `pos` tokens. */
  readonly cacheBytes: number;
  readonly batch: number;
  readonly pos: number;
  /** Whether gains and biases are counted. */
  readonly isExact: boolean;

  /** @internal */
  constructor(parts: Pick<ModelCost, "parameters" | "flops" | "cacheBytes" | "batch" | "pos" | "isExact">) {
    this.parameters = parts.parameters;
    this.flops = parts.flops;
    this.cacheBytes = parts.cacheBytes;
    this.batch = parts.batch;
    this.pos = parts.pos;
    this.isExact = parts.isExact;
  }

  /** Three lines: parameters, operations, cache. */
  toString(): string {
    const { attention, mlp, embedding, other, total } = this.parameters;
    const rest = this.isExact ? `, ${formatCount(other)} gains and biases` : "; gains and biases not counted";
    return [
      `${formatCount(total)} parameters: ${formatCount(attention)} attention, ${formatCount(mlp)} MLP, ${formatCount(embedding)} embeddings${rest}`,
      `${formatCount(this.flops.prefill)} FLOP to read ${this.batch} x ${this.pos} tokens, ${formatCount(this.flops.perToken)} for each further token`,
      `${formatBytes(this.cacheBytes)} of keys and values`,
    ].join("\n");
  }
}

/** Mean number of keys that a token of a row of `pos` sees, itself included. */
function meanVisible(config: ModelConfig, pos: number, window: number | undefined): number {
  if (config.attentionDirection === "bidirectional") return pos;
  if (window === undefined || window >= pos) return (pos + 1) / 2;
  return ((window * (window + 1)) / 2 + (pos - window) * window) / pos;
}

/** Operations of one token in one layer that sees `visible` keys. */
function layerFlops(config: ModelConfig, { heads, kvHeads, neurons }: LayerSizes, visible: number): number {
  const { dModel: d, dHead, gatedMlp } = config;
  const attention = 4 * d * heads * dHead + 4 * d * kvHeads * dHead + 4 * heads * dHead * visible;
  return attention + 2 * (gatedMlp ? 3 : 2) * d * neurons;
}

function flopsOf(config: ModelConfig, layers: readonly LayerSizes[], batch: number, pos: number): FlopCounts {
  const unembed = 2 * config.dModel * config.dVocabOut;
  const sum = (visible: (window: number | undefined) => number): number =>
    layers.reduce((total, sizes, i) => total + layerFlops(config, sizes, visible(config.windows[i])), unembed);
  const next = (window: number | undefined): number => Math.min(pos + 1, window ?? Number.POSITIVE_INFINITY);
  return {
    prefill: batch * pos * sum((window) => meanVisible(config, pos, window)),
    perToken: batch * sum(next),
  };
}

function checkCount(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new InputError({
    where: `cost: ${name}`,
    got: String(value),
    expected: "a whole number from 1",
    fix: "Correct the option.",
  });
}

/**
 * Returns what a model costs, or would cost without some of its parts.
 *
 * Keys and values of a group of heads go when all its heads go. Tied embeddings count once. From a configuration alone
 * gains and biases are not known and count 0.
 *
 * @throws InputError for sizes below 1.
 */
export function cost(source: Model | ModelConfig, options: CostOptions = {}): ModelCost {
  const config = source instanceof Model ? source.config : source;
  const { batch = 1, pos = config.nCtx, without = [], bytesPerNumber = 4 } = options;
  checkCount("batch", batch);
  checkCount("pos", pos);
  checkCount("bytesPerNumber", bytesPerNumber);
  const layers = layerSizes(config, without);
  const parts = source instanceof Model ? source.view.core : undefined;
  const blocks = layers.map((sizes, i) => countBlock(config, sizes, parts, i));
  const total = (pick: (one: (typeof blocks)[number]) => number): number => blocks.reduce((n, one) => n + pick(one), 0);
  const embeddings = countEmbeddings(config, parts);
  const counts = {
    attention: total(({ attention }) => attention),
    mlp: total(({ mlp }) => mlp),
    embedding: embeddings.embedding,
    other: total(({ other }) => other) + embeddings.other,
  };
  const kept = (keys: number, window: number | undefined): number => Math.min(keys, window ?? keys);
  const cached = layers.reduce((n, { kvHeads }, i) => n + 2 * kvHeads * config.dHead * kept(pos, config.windows[i]), 0);
  return new ModelCost({
    parameters: { ...counts, total: counts.attention + counts.mlp + counts.embedding + counts.other },
    flops: flopsOf(config, layers, batch, pos),
    cacheBytes: batch * bytesPerNumber * cached,
    batch,
    pos,
    isExact: parts !== undefined,
  });
}
