/** What is trained, on what, and how. */
import type { LongCallOptions } from "../../core/index.js";
import type { HookSpec } from "../../model/index.js";
import type { ClipOptions, Optimizer, StepRecord } from "../../train/index.js";
import type { ArchitectureConfig } from "../architectures/index.js";
import type { ArchitectureName } from "../config.js";
import type { HarvestOptions } from "./model-source.js";
import type { ResamplingOptions } from "./resampling.js";
import type { TrainingData } from "./rows.js";

/** One dictionary to train. */
export interface DictionarySpec {
  /** The hook point that it reads. */
  readonly from: HookSpec;
  /** The hook point that it reconstructs; by default `from`, which makes it an SAE, else it is a transcoder. */
  readonly to?: HookSpec;
  /** Its architecture by name, with `k`, `targetL0` or `coefficient` beside it; or all of its options. */
  readonly architecture: ArchitectureName | ArchitectureConfig;
  /** Number of features. */
  readonly width: number;
  /** Features of a token, for the TopK family. */
  readonly k?: number;
  /** Mean number of features of a token, for the others. */
  readonly targetL0?: number;
  /** Weight of the sparsity penalty, in place of `targetL0`. */
  readonly coefficient?: number;
  /** Adds `x W_skipᵀ`, which makes a transcoder a skip transcoder. Default false. */
  readonly hasSkip?: boolean;
  /** Its name. Default: its hook point, such as `resid_post.3`. */
  readonly name?: string;
  /** Seed of its initial weights; by default made from the run's seed. */
  readonly seed?: number;
}

/** Text kept aside to measure on. */
export interface HeldOutOptions {
  readonly data: TrainingData;
  /** Tokens to measure on. Default 16,384, fewer where there is less. */
  readonly tokens?: number;
  /** Steps between measurements. Default a tenth of all steps. */
  readonly every?: number;
}

/** How training goes, whatever the activations come from. */
export interface TrainingRunOptions extends LongCallOptions {
  /** Updates in all; or say `tokens`. */
  readonly steps?: number;
  /** Tokens to train on in all. */
  readonly tokens?: number;
  /** Tokens of a batch. Default 2,048. */
  readonly batch?: number;
  /** Default Adam. */
  readonly optimizer?: Optimizer;
  /** Default `2e-4 / sqrt(width / 16384)`, that of the widest. */
  readonly learningRate?: number;
  /** Steps over which the learning rate rises. Default a twentieth of all, at most 1,000. */
  readonly warmup?: number;
  /** Share of the steps at the end over which the learning rate falls to 0. Default 0.2. */
  readonly decay?: number;
  readonly clip?: ClipOptions;
  /** Decides initial weights and the order of data. Default 0. */
  readonly seed?: number;
  /** Where checkpoints and the log go, and the dictionary at the end; a run that was stopped continues from there. */
  readonly folder?: string;
  /** Steps between checkpoints. Default a tenth of all steps. */
  readonly checkpointEvery?: number;
  /** `"norm"` (default) scales inputs and targets to a mean norm of `sqrt(width)`, measured on the first block, and takes the scales into the weights at the end; `"none"` leaves them. */
  readonly normalize?: "norm" | "none";
  /** What `b_dec` begins with: the mean (default) or the geometric median of the targets. */
  readonly centre?: "mean" | "median";
  /** Tokens without firing after which a feature counts as dead. Default a twentieth of all, at most 10 million. */
  readonly deadAfter?: number;
  /** Begins dead features anew now and then. Default never. */
  readonly resampling?: ResamplingOptions;
  /** Tokens that are shuffled at a time. Default 65,536, or what `memoryLimit` and the data allow. */
  readonly bufferTokens?: number;
  /** Bytes that shuffled activations may take. Default 512 MiB. */
  readonly memoryLimit?: number;
  /** Threads of the trainer. Default: physical cores. */
  readonly threads?: number;
  /** Is told about every step. */
  readonly onStep?: (record: StepRecord) => void;
}

/** How training on a model goes. */
export interface TrainDictionariesOptions extends TrainingRunOptions, HarvestOptions {
  /** Measures `heldOutLoss`, `heldOutFvu` and `heldOutL0` on other text now and then. */
  readonly heldOut?: HeldOutOptions;
}

/** One dictionary and how it is trained. */
export interface TrainDictionaryOptions extends DictionarySpec, TrainDictionariesOptions {
  readonly seed?: number;
}
