/** Everything that decides the numbers of a training run. */
import type { Ops, Value } from "../graph/index.js";
import type { Tensor } from "../tensor/index.js";
import type { InputSpec, LossFunction, ParameterGradient } from "./loss.js";
import type { Optimizer } from "./optimizers/optimizer.js";
import type { Schedule } from "./schedule.js";

/** What is known of a tensor without its elements. */
export type TensorShape = Pick<Tensor, "shape" | "axes" | "size">;

/** Parameters that are treated differently. */
export interface ParameterGroup {
  /** Names, or globs: `*` within one dotted part, `**` across parts. A glob that matches nothing is an error. */
  readonly match: string | readonly string[];
  /** Factor on the learning rate. Default 1. */
  readonly learningRateScale?: number;
  /** In place of the optimiser's own. */
  readonly weightDecay?: number;
  /** Leaves the parameters as they are. Default false. */
  readonly isFrozen?: boolean;
}

/** Limits on gradients. */
export interface ClipOptions {
  /** Each element is limited to `[-value, value]`, before the norm is taken. */
  readonly value?: number;
  /** All gradients together are scaled down to this Euclidean norm where they exceed it. */
  readonly norm?: number;
}

/** What is trained, on what, and how. */
export interface TrainingDefinition {
  /** Initial parameters by name, float32. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** The tensors of a batch by name. */
  readonly inputs: Readonly<Record<string, InputSpec>>;
  readonly loss: LossFunction;
  readonly optimizer: Optimizer;
  /** Factor on the learning rate. Default 1 at every step. */
  readonly schedule?: Schedule;
  /** Numbers that the loss reads with `context.scalar`, fixed or scheduled. */
  readonly scalars?: Readonly<Record<string, Schedule | number>>;
  /** Tensors that the loss reads and writes but that have no gradient: counters, running means. */
  readonly buffers?: Readonly<Record<string, Tensor>>;
  /** A parameter belongs to the first group that names it; the others follow the optimiser's own options. */
  readonly groups?: readonly ParameterGroup[];
  readonly clip?: ClipOptions;
  /** Batches whose gradients are averaged for one update. Default 1. */
  readonly accumulate?: number;
  /** Keeps an exponential moving average of the parameters with this coefficient, such as 0.999. Default: none. */
  readonly average?: number;
  /** Changes each gradient before clipping; returns it in the same shape. */
  readonly editGradient?: (ops: Ops, at: ParameterGradient) => Value;
  /** Changes each parameter after its update, such as back to unit norm; returns it in the same shape. */
  readonly constrain?: (ops: Ops, at: { readonly name: string; readonly parameter: Value }) => Value;
}

/** A definition without its initial values: what is left of it once they are in the engine. */
export interface ShapedDefinition extends Omit<TrainingDefinition, "parameters" | "buffers"> {
  readonly parameters: Readonly<Record<string, TensorShape>>;
  readonly buffers?: Readonly<Record<string, TensorShape>>;
}
