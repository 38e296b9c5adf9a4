/** `limpid dictionary train`: an SAE or a transcoder from a text file. */
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import {
  type ArchitectureName,
  saveDictionary,
  type TrainDictionaryOptions,
  type TrainedDictionary,
  trainDictionary,
} from "../dictionary/index.js";
import type { StepRecord } from "../train/index.js";
import type { CliContext } from "./context.js";
import { openData } from "./dictionary-options.js";
import { addModelOptions, decimal, integer, type ModelOptions, withModel } from "./options.js";

interface TrainArguments extends ModelOptions {
  readonly from: string;
  readonly to?: string;
  readonly architecture: ArchitectureName;
  readonly width: number;
  readonly k?: number;
  readonly targetL0?: number;
  readonly coefficient?: number;
  readonly skip?: boolean;
  readonly steps?: number;
  readonly tokens?: number;
  readonly batch?: number;
  readonly learningRate?: number;
  readonly bufferTokens?: number;
  readonly seed?: number;
  readonly field?: string;
  readonly work?: string;
  readonly out: string;
  readonly json?: boolean;
}

const architectures: readonly ArchitectureName[] = [
  "standard",
  "gated",
  "topk",
  "batch_topk",
  "jumprelu",
  "matryoshka_batch_topk",
];

const examples = `
DATA is a text file: .txt, or .jsonl, .json, .csv, .tsv with --field. Without --to it trains an SAE, with it a transcoder.
With --work a run that was stopped continues from its last checkpoint.

Examples:
  limpid dictionary train tiny corpus.txt --from blocks.3.hook_resid_post --architecture topk --k 32 --width 1024 \\
    --tokens 2000000 --out sae
  limpid dictionary train tiny corpus.txt --from blocks.3.ln2.hook_normalized --to blocks.3.hook_mlp_out \\
    --architecture jumprelu --target-l0 20 --width 1536 --steps 4000 --out transcoder --json`;

/** Milliseconds between two lines about the training. */
const lineMs = 10_000;

function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // Entries without a value are left out, as exact optional properties ask for.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** Writes a line about the training now and then. */
function trainingLines({ io }: CliContext): (record: StepRecord) => void {
  let last = performance.now();
  return ({ step, loss, learningRate }) => {
    const time = performance.now();
    if (io.stderr.isTTY === true || time - last < lineMs) return;
    last = time;
    io.stderr.write(`step ${step}: loss ${loss.toFixed(4)}, learning rate ${learningRate.toPrecision(3)}\n`);
  };
}

function optionsOf(context: CliContext, args: TrainArguments): TrainDictionaryOptions {
  const { from, to, architecture, width, k, targetL0, coefficient, skip, work } = args;
  const { steps, tokens, batch, learningRate, bufferTokens, seed, threads } = args;
  const { signal, onProgress } = context;
  return {
    from,
    architecture,
    width,
    signal,
    onProgress,
    onStep: trainingLines(context),
    ...defined({ to, k, targetL0, coefficient, steps, tokens, batch, learningRate, bufferTokens, seed, threads }),
    ...(skip === true ? { hasSkip: true } : {}),
    ...(work === undefined ? {} : { folder: resolve(work) }),
  };
}

function report(context: CliContext, out: string, trained: TrainedDictionary, isJson: boolean): void {
  if (!isJson) {
    context.print(`${trained.toString()}\n${out}`);
    return;
  }
  const { dictionary, training, summary } = trained;
  const { readHook, writeHook, nFeatures, kind } = dictionary;
  const { steps, resumedAt, metrics } = training;
  context.printJson({ out, kind, readHook, writeHook, nFeatures, steps, resumedAt, ...summary, last: metrics.last });
}

/** Adds `limpid dictionary train`. */
export function addDictionaryTrain(parent: Command, context: CliContext): void {
  addModelOptions(parent.command("train <model> <data>"))
    .description("Train an SAE, a transcoder or a skip transcoder.")
    .requiredOption("--from <hook>", "hook point that it reads")
    .option("--to <hook>", "hook point that it reconstructs (default: the same, which makes an SAE)")
    .addOption(new Option("--architecture <name>", "how it is trained").choices(architectures).default("topk"))
    .requiredOption("--width <n>", "number of features", integer(1))
    .option("--k <n>", "features of a token, for the TopK family", integer(1))
    .option("--target-l0 <x>", "mean number of features of a token, for the others", decimal(0))
    .option("--coefficient <x>", "weight of the sparsity penalty, in place of --target-l0", decimal(0))
    .option("--skip", "a linear path beside the features (skip transcoder)")
    .option("--steps <n>", "updates in all; or say --tokens", integer(1))
    .option("--tokens <n>", "tokens to train on in all", integer(1))
    .option("--batch <n>", "tokens of a batch", integer(1))
    .option("--learning-rate <x>", "greatest learning rate", decimal(0))
    .option("--buffer-tokens <n>", "tokens that are shuffled at a time", integer(1))
    .option("--seed <n>", "of initial weights and the order of data", integer(0))
    .option("--field <name>", "field of the data that holds the text")
    .option("--work <folder>", "where checkpoints go, so that a stopped run continues")
    .requiredOption("--out <folder>", "a new folder for the dictionary")
    .option("--json", "print one JSON value about the run")
    .addHelpText("after", examples)
    .action((source: string, path: string, args: TrainArguments) =>
      withModel(context, source, args, async (model) => {
        const trained = await trainDictionary(model, openData(path, args), optionsOf(context, args));
        await saveDictionary(trained.dictionary, args.out);
        report(context, resolve(args.out), trained, args.json === true);
      }),
    );
}
