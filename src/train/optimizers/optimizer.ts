/** What an optimiser is: the state that it keeps for each parameter, the numbers of a step, and the nodes of an update. */
import type { Ops, Value } from "../../graph/index.js";

/** Where a group of parameters stands at one step. */
export interface StepSettings {
  /** Number of this update, from 1. */
  readonly step: number;
  /** Learning rate of this step and group. */
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** One parameter inside a step graph. */
export interface UpdateContext {
  /** The parameter's name. */
  readonly name: string;
  readonly ops: Ops;
  readonly parameter: Value;
  /** Gradient after clipping, in the parameter's shape. */
  readonly gradient: Value;
  /** Whether the parameter's group has a weight decay; without one its nodes are left out. */
  readonly decays: boolean;
  /** Returns a state tensor before this step, in the parameter's shape. */
  readonly state: (name: string) => Value;
  /** Returns a number of {@link Optimizer.scalars}, as a float32 scalar. */
  readonly scalar: (name: string) => Value;
}

/** What one update makes. */
export interface Updated {
  readonly parameter: Value;
  /** New state by name: all of {@link Optimizer.state}. */
  readonly state: Readonly<Record<string, Value>>;
}

/**
 * An update rule. Make one with `adamW`, `adam`, `sgd`, `lion` or `muon`, or write your own.
 *
 * Whatever changes from step to step comes as a scalar, computed in float64 and rounded once; so one compiled graph
 * serves all steps.
 */
export interface Optimizer {
  readonly name: string;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Every other choice: a run is only continued with equal ones. */
  readonly settings: Readonly<Record<string, number | boolean | string>>;
  /** Names of the state tensors of each parameter; all begin as zeros. */
  readonly state: readonly string[];
  /** Returns the numbers of one step. */
  readonly scalars: (settings: StepSettings) => Readonly<Record<string, number>>;
  /** Adds one update to a graph. */
  readonly update: (context: UpdateContext) => Updated;
}
