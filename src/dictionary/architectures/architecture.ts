/** What every way of training a dictionary answers: how it begins, what it minimises, what it becomes in use. */
import type { CustomGradient } from "../../autodiff/index.js";
import type { Random } from "../../core/index.js";
import type { Ops, Value } from "../../graph/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { Schedule } from "../../train/index.js";
import type { Activation, ArchitectureName, DictionaryWeightName } from "../config.js";

/** Sizes of a dictionary in training, and what is known of its data. */
export interface TrainingShape {
  readonly dIn: number;
  readonly dOut: number;
  readonly nFeatures: number;
  /** Tokens of a batch. */
  readonly batch: number;
  /** Whether it writes elsewhere than it reads. */
  readonly isTranscoder: boolean;
  /** Whether `x W_skipᵀ` is added. */
  readonly hasSkip: boolean;
  /** Mean squared distance of a target from the mean target, summed over its numbers: the unit of the loss. */
  readonly targetVariance: number;
  /** Tokens without firing after which a feature counts as dead. */
  readonly deadAfter: number;
  /** Updates in all, for schedules. */
  readonly steps: number;
}

/** What initial weights are made from. */
export interface InitialData {
  /** Mean input, `[dIn]`, in the scale that is trained in. */
  readonly inputCentre: Float32Array;
  /** Mean or geometric median of the targets, `[dOut]`. */
  readonly targetCentre: Float32Array;
  readonly random: Random;
}

type Tensors = Readonly<Record<string, Tensor>>;

/** Parameters and buffers by name; parameters have the names of weights. */
export interface InitialState {
  readonly parameters: Tensors;
  readonly buffers: Tensors;
}

/** What a loss is built with. */
export interface BuildContext {
  readonly ops: Ops;
  readonly shape: TrainingShape;
  /** What is read, `[batch, dIn]`. */
  readonly input: Value;
  /** What is to be reconstructed, `[batch, dOut]`; the same value as `input` for an SAE. */
  readonly target: Value;
  readonly parameter: (name: string) => Value;
  readonly buffer: (name: string) => Value;
  readonly scalar: (name: string) => Value;
}

/** A loss and all that comes with it. */
export interface BuiltLoss {
  /** Reconstruction error over {@link TrainingShape.targetVariance}, and penalties. */
  readonly loss: Value;
  /** `[batch, dOut]` */
  readonly reconstruction: Value;
  /** Tokens since each feature fired, `[nFeatures]`. */
  readonly ages: Value;
  /** Numbers for the log; every architecture has `l0`, `fvu` and `dead`. */
  readonly metrics: Readonly<Record<string, Value>>;
  readonly buffers: Readonly<Record<string, Value>>;
  readonly custom: readonly CustomGradient[];
}

/** What training made: the activation that the dictionary is used with, and its weights. */
export interface TrainedParts {
  readonly activation: Activation;
  readonly weights: ReadonlyMap<DictionaryWeightName, Tensor>;
  /** Widths of nested prefixes, where it has them. */
  readonly prefixes?: readonly number[];
}

/** Revival of features that stopped firing, by a second reconstruction from them alone. */
export interface AuxKOptions {
  /** Weight of the term. Default 1/32; 0 leaves it out. */
  readonly coefficient?: number;
  /** How many dead features reconstruct each token. Default half of `dIn`. */
  readonly k?: number;
}

/** How decoder rows are kept in scale. */
export type DecoderNorm = "unit" | "free";

/** One way of training a dictionary; holds its configuration. */
export interface Architecture {
  readonly name: ArchitectureName;
  /** Its configuration with defaults filled in, as plain data. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Whether decoder rows are brought back to norm 1 after each step. */
  decoderNorm(shape: TrainingShape): DecoderNorm;
  initial(shape: TrainingShape, data: InitialData): InitialState;
  /** Numbers that change with the steps, read with `context.scalar`. */
  scalars(shape: TrainingShape): Readonly<Record<string, Schedule | number>>;
  build(context: BuildContext): BuiltLoss;
  /** Turns trained parameters and buffers into weights for use. */
  finish(state: InitialState, shape: TrainingShape): TrainedParts;
}
