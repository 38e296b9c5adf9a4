/** The run: measures the first block, trains, folds, saves. */
import { join } from "node:path";
import { InputError, type LongCallOptions, nearestHint, progressOf } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import { Trainer, type TrainingBatch, type TrainOptions } from "../../train/index.js";
import type { DictionaryConfig } from "../config.js";
import { Dictionary } from "../dictionary.js";
import { saveDictionary } from "../save.js";
import { ActivationBatches } from "./batches.js";
import { type DefinitionParts, definitionOf, type Trainee, traineesOf } from "./definition.js";
import { foldScales } from "./fold.js";
import { type HeldOut, heldOutMeasure } from "./held-out.js";
import type { TrainingRunOptions } from "./options.js";
import type { Plan, RunNumbers } from "./recipe.js";
import { resamplingNames, resamplingNoise } from "./resampling.js";
import { DictionaryTraining } from "./result.js";
import { type ActivationSource, tokensOf } from "./source.js";
import { type HookStatistics, measureBlock } from "./statistics.js";

/** Everything that a run needs. */
export interface RunParts {
  readonly source: ActivationSource;
  readonly plans: readonly Plan[];
  readonly numbers: RunNumbers;
  readonly options: TrainingRunOptions;
  readonly heldOut?: HeldOut;
}

type Statistics = ReadonlyMap<string, HookStatistics>;

/** Trains dictionaries on a source of activations. */
export async function runTraining(parts: RunParts): Promise<DictionaryTraining> {
  const { source, plans, numbers, options, heldOut } = parts;
  checkHooks(source, plans);
  const long = longOf(options);
  const batches = new ActivationBatches(source, { ...options, ...numbers }, long);
  const statistics = measureBlock(await batches.block(0), source.hooks, {
    isScaled: options.normalize !== "none",
    centre: options.centre ?? "mean",
  });
  batches.scaleBy(new Map([...statistics].map(([name, { scale }]) => [name, scale] as const)));
  const definition: DefinitionParts = { plans, hooks: source.hooks, statistics, numbers, options };
  const trainees = traineesOf(definition);
  const { threads } = options;
  const given = threads === undefined ? {} : { threads };
  const trainer = Trainer.create({ ...definitionOf(definition, trainees), ...given });
  try {
    const began = performance.now();
    const held = heldOut === undefined ? undefined : await heldOutMeasure(heldOut, { statistics, numbers, long });
    const training = await trainer.train({
      ...trainOptions(parts, batches, long),
      ...(held === undefined ? {} : { evaluate: held }),
    });
    const state = { parameters: await trainer.parameters(), buffers: await trainer.buffers() };
    const dictionaries = trainees.map((trainee) => finished(trainee, state, { parts, statistics }));
    await saveAll(dictionaries, options.folder);
    return new DictionaryTraining(dictionaries, training, {
      tokens: training.steps * numbers.batch,
      tokensPerPass: tokensOf(source),
      bufferTokens: batches.blockTokens,
      seconds: (performance.now() - began) / 1000,
    });
  } finally {
    await trainer.close();
  }
}

function longOf({ signal, ...options }: TrainingRunOptions): LongCallOptions {
  const onProgress = progressOf(options);
  return {
    ...(signal === undefined ? {} : { signal }),
    // Silence is a reporter, too: what runs inside would look for one of its own.
    onProgress: onProgress ?? (() => undefined),
  };
}

function trainOptions(parts: RunParts, batches: ActivationBatches, long: LongCallOptions): TrainOptions {
  const { source, plans, numbers, options } = parts;
  const { folder, checkpointEvery, onStep, resampling } = options;
  const { steps, batch, seed } = numbers;
  const noiseOf = (index: number): TrainingBatch =>
    resampling === undefined
      ? {}
      : {
          [resamplingNames.noise]: {
            dtype: "float32",
            shape: [batch],
            data: resamplingNoise(batch, seed, index),
          },
        };
  return {
    steps,
    batches: async (index) => ({ ...(await batches.at(index)), ...noiseOf(index) }),
    about: {
      source: source.about,
      seed,
      bufferTokens: batches.blockTokens,
      dictionaries: plans.map(({ architecture, ...plan }) => ({
        ...plan,
        seed: plan.seed ?? null,
        architecture: { name: architecture.name, ...plainSettings(architecture.settings) },
      })),
    },
    checkpointEvery: checkpointEvery ?? Math.max(1, Math.round(steps / 10)),
    ...long,
    ...(folder === undefined ? {} : { folder }),
    ...(onStep === undefined ? {} : { onStep }),
  };
}

/** Without undefined, which no file holds. */
function plainSettings(settings: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return JSON.parse(JSON.stringify(settings)) as Readonly<Record<string, unknown>>;
}

interface State {
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly buffers: Readonly<Record<string, Tensor>>;
}

interface Finishing {
  readonly parts: RunParts;
  readonly statistics: Statistics;
}

/** The tensors of one dictionary under their own names. */
function ownTensors(all: Readonly<Record<string, Tensor>>, prefix: string): Readonly<Record<string, Tensor>> {
  const own = Object.entries(all).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, tensor]) => [name.slice(prefix.length), tensor] as const));
}

/** Makes a dictionary for raw activations of what was trained. */
function finished(trainee: Trainee, state: State, { parts, statistics }: Finishing): Dictionary {
  const { plan, shape, prefix } = trainee;
  const own = { parameters: ownTensors(state.parameters, prefix), buffers: ownTensors(state.buffers, prefix) };
  const { activation, weights, prefixes } = plan.architecture.finish(own, shape);
  const scaleOf = (hook: string): number => statistics.get(hook)?.scale ?? 1;
  const folded = foldScales(weights, { input: scaleOf(plan.readHook), target: scaleOf(plan.writeHook) });
  const { model, contextSize, prependBos } = parts.source;
  const config: DictionaryConfig = {
    architecture: plan.architecture.name,
    activation,
    dIn: shape.dIn,
    dOut: shape.dOut,
    nFeatures: shape.nFeatures,
    readHook: plan.readHook,
    writeHook: plan.writeHook,
    subtractsDecoderBias: !shape.isTranscoder,
    normalization: "none",
    ...(prefixes === undefined ? {} : { prefixes }),
    ...(model === undefined ? {} : { model }),
    ...(prependBos === undefined ? {} : { prependBos }),
    ...(contextSize === undefined ? {} : { contextSize }),
    origin: originOf(parts, plan, scaleOf),
  };
  return new Dictionary({ name: plan.name, config, weights: folded });
}

function originOf({ numbers, options, source }: RunParts, plan: Plan, scaleOf: (hook: string) => number) {
  const { steps, batch, seed } = numbers;
  return {
    trainedBy: "limpid",
    steps,
    batch,
    seed,
    learningRate: options.learningRate ?? null,
    settings: plainSettings(plan.architecture.settings),
    inputScale: scaleOf(plan.readHook),
    targetScale: scaleOf(plan.writeHook),
    data: plainSettings(source.about),
  };
}

/** One dictionary goes to `dictionary`, several to `dictionaries/NAME`. */
async function saveAll(dictionaries: readonly Dictionary[], folder: string | undefined): Promise<void> {
  if (folder === undefined) return;
  const [only] = dictionaries;
  if (only !== undefined && dictionaries.length === 1)
    return saveDictionary(only, join(folder, "dictionary"), { ifExists: "replace" });
  for (const one of dictionaries)
    await saveDictionary(one, join(folder, "dictionaries", one.name), { ifExists: "replace" });
}

function checkHooks({ hooks }: ActivationSource, plans: readonly Plan[]): void {
  const names = hooks.map(({ name }) => name);
  for (const name of plans.flatMap(({ readHook, writeHook }) => [readHook, writeHook])) {
    if (names.includes(name)) continue;
    throw new InputError({
      where: "trainDictionary: from, to",
      got: `"${name}", of which there are no activations`,
      expected: `one of ${names.join(", ")}`,
      fix: `Correct the name.${nearestHint(name, names)}`,
    });
  }
}
