/** Options and results of `model.over`. */
import type { LongCallOptions, ProgressEvent } from "../../core/index.js";
import type { Precision } from "../components/context.js";
import type { HookSpecs } from "../hooks/index.js";
import type { LayerOptions } from "../plan/resolve.js";
import type { FeedOptions } from "./feed.js";
import type { HookValues } from "./hook-values.js";
import type { OverMemory } from "./memory.js";
import type { Reducer } from "./reducer.js";

/** A report of a run over data. */
export interface OverProgress extends ProgressEvent {
  /** Batches finished. */
  readonly batches: number;
  /** Counted tokens in each second of this call. */
  readonly tokensPerSecond: number;
}

/** What every run over data may say. */
export interface OverOptions extends FeedOptions, LayerOptions, Omit<LongCallOptions, "onProgress"> {
  /** Hook points to reduce or to write: names, short names, globs, RegExps, references. */
  readonly capture?: HookSpecs;
  /** Reduces or writes the logits too, under the name `logits`; default false. */
  readonly logits?: boolean;
  /** Computes the mean next-token loss over all real tokens of the batches that ran. */
  readonly loss?: boolean;
  /** Bytes that activations and statistics may take together; default the model's own limit. */
  readonly memoryLimit?: number;
  /** Whether each layer is checked for NaN and infinity. Default true. */
  readonly checks?: boolean;
  /** Is told tokens, batches and speed after every batch. */
  readonly onProgress?: (event: OverProgress) => void;
}

/** One reducer, or several by the names that their results get. */
export type ReduceOption = Reducer<unknown> | Readonly<Record<string, Reducer<unknown>>>;

/** Where statistics are saved so that a killed run continues. */
export interface CheckpointOptions {
  /** A `.safetensors` file; it appears and changes atomically. */
  readonly path: string;
  /** Batches between two writes; default 16. */
  readonly everyBatches?: number;
}

/** Options of a run that computes statistics. */
export interface ReduceOptions<R extends ReduceOption> extends OverOptions {
  readonly reduce: R;
  /** A run that was stopped continues from here with the same bits. */
  readonly checkpoint?: string | CheckpointOptions;
}

/** How activations are written. */
export interface ShardOptions {
  /** A folder: new, or one that an earlier call of the same run left unfinished. */
  readonly folder: string;
  /** Element type of activations; default the model's precision. */
  readonly dtype?: "float32" | "float16" | "bfloat16" | "float64";
  /** Most bytes of activations in one shard; default 256 MiB. */
  readonly shardBytes?: number;
}

/** Options of a run that writes activations. */
export interface WriteOptions extends OverOptions {
  /** The folder, or how to write. */
  readonly shards: string | ShardOptions;
}

/** What a run over data was: enough to repeat it. */
export interface OverProvenance {
  /** The model as it was named when loaded, and the identity of its weights. */
  readonly model: string;
  readonly identity: string;
  readonly precision: Precision;
  readonly edits: readonly string[];
  /** SHA-256 over the token ids, masks and positions of all batches. */
  readonly dataHash: string;
  /** Short hash of everything that decides the result except the data. */
  readonly settingsHash: string;
}

/** What every run over data tells. */
export interface OverSummary {
  /** Tokens that counted. */
  readonly tokens: number;
  readonly rows: number;
  readonly batches: number;
  /** Full names of the hook points, in the model's order. */
  readonly hooks: readonly string[];
  /** Mean next-token loss in nats, and over how many steps; with `loss: true`. */
  readonly loss?: number;
  readonly lossSteps?: number;
  readonly memory: OverMemory;
  readonly provenance: OverProvenance;
}

/** The values of reducers by their names. */
export type Reduced<R extends ReduceOption> =
  R extends Reducer<infer V, infer N>
    ? { readonly [K in N]: HookValues<V> }
    : R extends Readonly<Record<string, Reducer<unknown>>>
      ? { readonly [K in keyof R]: HookValues<R[K] extends Reducer<infer V> ? V : never> }
      : never;

/** The summary, and under each reducer's name its values by hook point. */
export type OverResult<R extends ReduceOption> = OverSummary & Reduced<R>;
