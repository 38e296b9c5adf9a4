/** What the trainer is given: parameters of all dictionaries, one loss, and what happens around each update. */
import { createRandom } from "../../core/index.js";
import type { GraphBuilder, Ops, Value } from "../../graph/index.js";
import type { Tensor } from "../../tensor/index.js";
import {
  adam,
  type LossContext,
  type LossResult,
  type ParameterGradient,
  type Schedule,
  schedule,
  type TrainingDefinition,
} from "../../train/index.js";
import { type BuildContext, dictionaryRandom, type InitialState, type TrainingShape } from "../architectures/index.js";
import type { TrainingRunOptions } from "./options.js";
import type { Plan, RunNumbers } from "./recipe.js";
import { type Replacement, replacement, resampled, resamplingNames, resamplingSchedule } from "./resampling.js";
import type { SourceHook } from "./source.js";
import type { HookStatistics } from "./statistics.js";

/** A dictionary in training. */
export interface Trainee {
  readonly plan: Plan;
  readonly shape: TrainingShape;
  /** In front of the names of its parameters; empty where it is the only one. */
  readonly prefix: string;
}

/** What a definition is made from. */
export interface DefinitionParts {
  readonly plans: readonly Plan[];
  readonly hooks: readonly SourceHook[];
  readonly statistics: ReadonlyMap<string, HookStatistics>;
  readonly numbers: RunNumbers;
  readonly options: TrainingRunOptions;
}

/** Returns the dictionaries of a run with their sizes. */
export function traineesOf({ plans, hooks, statistics, numbers }: DefinitionParts): readonly Trainee[] {
  const widthOf = (name: string): number => hooks.find((hook) => hook.name === name)?.width ?? 0;
  return plans.map((plan) => ({
    plan,
    prefix: plans.length === 1 ? "" : `${plan.name}/`,
    shape: {
      dIn: widthOf(plan.readHook),
      dOut: widthOf(plan.writeHook),
      nFeatures: plan.width,
      batch: numbers.batch,
      isTranscoder: plan.readHook !== plan.writeHook,
      hasSkip: plan.hasSkip,
      targetVariance: statistics.get(plan.writeHook)?.variance ?? 1,
      deadAfter: numbers.deadAfter,
      steps: numbers.steps,
    },
  }));
}

function initialOf({ plan, shape }: Trainee, index: number, parts: DefinitionParts): InitialState {
  const { statistics, numbers } = parts;
  const centreOf = (hook: string, width: number): Float32Array =>
    statistics.get(hook)?.centre ?? new Float32Array(width);
  const random = plan.seed === undefined ? dictionaryRandom(numbers.seed, index) : createRandom(plan.seed);
  const inputCentre = centreOf(plan.readHook, shape.dIn);
  return plan.architecture.initial(shape, {
    inputCentre,
    targetCentre: centreOf(plan.writeHook, shape.dOut),
    random,
  });
}

function prefixed<T>(prefix: string, record: Readonly<Record<string, T>>): readonly (readonly [string, T])[] {
  return Object.entries(record).map(([name, value]) => [`${prefix}${name}`, value] as const);
}

/** Collects records under the prefixes of their dictionaries. */
function collect<T>(
  trainees: readonly Trainee[],
  of: (trainee: Trainee, index: number) => Readonly<Record<string, T>>,
): Readonly<Record<string, T>> {
  return Object.fromEntries(trainees.flatMap((trainee, i) => prefixed(trainee.prefix, of(trainee, i))));
}

function contextOf({ plan, shape, prefix }: Trainee, context: LossContext): BuildContext {
  const { ops, parameter, batch, buffer, scalar } = context;
  return {
    ops,
    shape,
    input: batch(plan.readHook),
    target: batch(plan.writeHook),
    parameter: (name) => parameter(`${prefix}${name}`),
    buffer: (name) => buffer(`${prefix}${name}`),
    scalar: (name) => scalar(`${prefix}${name}`),
  };
}

/** New features of each dictionary, by the graph that they are values of. */
type Replacements = WeakMap<GraphBuilder, Map<Trainee, Replacement>>;

/** The loss of all dictionaries: the sum of their own, which share nothing. */
function lossOf(trainees: readonly Trainee[], replacements: Replacements | undefined) {
  return (context: LossContext): LossResult => {
    const made = trainees.map((trainee) => {
      const own = contextOf(trainee, context);
      return { trainee, own, built: trainee.plan.architecture.build(own) };
    });
    const anew = new Map(
      replacements === undefined
        ? []
        : made.map(({ trainee, own, built }) => [trainee, replacementOf(context, own, built)] as const),
    );
    replacements?.set(context.ops.builder, anew);
    const find = (trainee: Trainee) => made.find((one) => one.trainee === trainee)?.built;
    return {
      loss: made.map(({ built }) => built.loss).reduce((sum, loss) => context.ops.add(sum, loss)),
      metrics: collect(trainees, (trainee) => ({
        ...find(trainee)?.metrics,
        ...resampledCount(context.ops, anew.get(trainee)),
      })),
      buffers: collect(trainees, (trainee) => find(trainee)?.buffers ?? {}),
      gradients: { custom: made.flatMap(({ built }) => built.custom) },
    };
  };
}

/** How many features begin anew after this step: each counts with the squared norm of its direction, which is 1. */
function resampledCount(ops: Ops, made: Replacement | undefined): Readonly<Record<string, Value>> {
  if (made === undefined) return {};
  const { targets, isDue } = made;
  return { resampled: ops.reduceSum(ops.mul(ops.mul(targets, targets), isDue), undefined, false) };
}

function replacementOf(
  { ops, batch, scalar }: LossContext,
  own: BuildContext,
  { ages, reconstruction }: { readonly ages: Value; readonly reconstruction: Value },
): Replacement {
  const error = ops.sub(own.target, reconstruction);
  const errors = ops.reduceSum(ops.mul(error, error), [1], false);
  const [noise, isDue] = [batch(resamplingNames.noise), scalar(resamplingNames.scalar)];
  return replacement(own, { ages, errors, noise, isDue });
}

/** The dictionary that a parameter belongs to, and its name there. */
function ownerOf(trainees: readonly Trainee[], name: string): { trainee: Trainee | undefined; own: string } {
  const trainee = trainees.find(({ prefix }) => name.startsWith(prefix));
  return { trainee, own: name.slice(trainee?.prefix.length ?? 0) };
}

function isUnit(trainee: Trainee | undefined, own: string): boolean {
  return own === "W_dec" && trainee?.plan.architecture.decoderNorm(trainee.shape) === "unit";
}

/** Takes out what would change the norm of a decoder row. */
function projected(ops: Ops, { parameter, gradient }: ParameterGradient): Value {
  const along = ops.reduceSum(ops.mul(gradient, parameter), [1]);
  return ops.sub(gradient, ops.mul(parameter, along));
}

function unitRows(ops: Ops, rows: Value): Value {
  const norms = ops.sqrt(ops.reduceSum(ops.mul(rows, rows), [1]));
  return ops.div(rows, ops.maximum(norms, 1e-12));
}

/** What happens to gradients and to updated parameters. */
function constraints(trainees: readonly Trainee[], replacements: Replacements | undefined) {
  return {
    editGradient: (ops: Ops, at: ParameterGradient): Value => {
      const { trainee, own } = ownerOf(trainees, at.name);
      return isUnit(trainee, own) ? projected(ops, at) : at.gradient;
    },
    constrain: (ops: Ops, { name, parameter }: { readonly name: string; readonly parameter: Value }): Value => {
      const { trainee, own } = ownerOf(trainees, name);
      const made = trainee === undefined ? undefined : replacements?.get(ops.builder)?.get(trainee);
      const next = made === undefined ? parameter : resampled(ops, own, parameter, made);
      if (own === "threshold") return ops.relu(next);
      return isUnit(trainee, own) ? unitRows(ops, next) : next;
    },
  };
}

/** The learning rate: up, level, down to 0. */
function learningSchedule({ steps, warmup, decaySteps }: RunNumbers): Schedule {
  const rest = steps - warmup;
  const body =
    decaySteps === 0
      ? schedule.constant()
      : schedule.linear({ steps: rest, hold: Math.min(rest - 1, rest - decaySteps) });
  return warmup === 0 ? body : schedule.warmup(warmup, body);
}

/** The rate at which a width of 16,384 learns well; narrower ones can learn faster. */
function defaultRate(plans: readonly Plan[]): number {
  const width = Math.max(...plans.map((plan) => plan.width));
  return 2e-4 / Math.sqrt(width / 2 ** 14);
}

/** Returns what the trainer is given. */
export function definitionOf(parts: DefinitionParts, trainees: readonly Trainee[]): TrainingDefinition {
  const { plans, hooks, numbers, options } = parts;
  const { resampling, clip } = options;
  const initial = new Map(trainees.map((trainee, i) => [trainee, initialOf(trainee, i, parts)] as const));
  const stateOf =
    (key: keyof InitialState) =>
    (trainee: Trainee): Readonly<Record<string, Tensor>> =>
      initial.get(trainee)?.[key] ?? {};
  const replacements: Replacements | undefined = resampling === undefined ? undefined : new WeakMap();
  const batchOf = (width: readonly number[]) => ({ dtype: "float32" as const, shape: [numbers.batch, ...width] });
  return {
    parameters: collect(trainees, stateOf("parameters")),
    buffers: collect(trainees, stateOf("buffers")),
    inputs: {
      ...Object.fromEntries(hooks.map(({ name, width }) => [name, batchOf([width])] as const)),
      ...(resampling === undefined ? {} : { [resamplingNames.noise]: batchOf([]) }),
    },
    scalars: {
      ...collect(trainees, ({ plan, shape }) => plan.architecture.scalars(shape)),
      ...(resampling === undefined ? {} : { [resamplingNames.scalar]: resamplingSchedule(resampling, numbers.steps) }),
    },
    loss: lossOf(trainees, replacements),
    optimizer: options.optimizer ?? adam({ learningRate: options.learningRate ?? defaultRate(plans) }),
    schedule: learningSchedule(numbers),
    ...constraints(trainees, replacements),
    ...(clip === undefined ? {} : { clip }),
  };
}
