/** `limpid train lm`: a language model from a recipe. */
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { type LanguageModelRecipe, type LanguageModelRun, readRecipe, trainLanguageModel } from "../analysis/index.js";
import { formatCount, isLimpidError, type OnProgress } from "../core/index.js";
import { readJson } from "../io/index.js";
import { type MetricSeries, type StepRecord, textCurve } from "../train/index.js";
import type { CliContext } from "./context.js";
import { integer } from "./options.js";
import { keyValues, wholeNumber } from "./print.js";

interface TrainArguments {
  readonly out?: string;
  readonly steps?: number;
  readonly threads?: number;
  readonly json?: boolean;
}

const examples = `
The recipe is a JSON file; paths in it are relative to it. Calling the command again continues from the last checkpoint.

{
  "model": { "n_layers": 2, "d_model": 128, "n_heads": 4, "d_head": 32, "n_ctx": 128, "act_fn": "gelu_new" },
  "data": { "files": ["shakespeare.txt"], "validation": 0.05 },
  "tokenizer": "bytes",
  "batch": 16,
  "steps": 2000,
  "optimizer": { "name": "adamW", "learningRate": 0.001, "weightDecay": 0.1 },
  "schedule": { "warmup": 100, "shape": "cosine", "final": 0.1 },
  "clip": { "norm": 1 },
  "groups": [{ "match": ["**.b_*", "**.w", "**.b"], "weightDecay": 0 }],
  "seed": 0,
  "out": "runs/shakespeare"
}

OUT/model is a folder that every command takes as MODEL; OUT/metrics.jsonl has a line for each step. Ctrl-C stops after
a step with a checkpoint.

Examples:
  limpid train lm recipe.json
  limpid train lm recipe.json --out runs/longer --steps 5000 --json
  limpid generate runs/shakespeare/model "ROMEO:"`;

/** Milliseconds between two lines about the loss. */
const lineMs = 10_000;

/** On a terminal the bar tells the loss; elsewhere lines do, and the training itself needs no others. */
function progressBeside({ io, onProgress }: CliContext): OnProgress {
  return (event) => {
    if (io.stderr.isTTY === true || event.label !== "train") onProgress(event);
  };
}

/** Writes a line about the loss now and then: at the first step, every ten seconds, at the end. */
function lossLines(
  { io }: CliContext,
  recipe: LanguageModelRecipe,
  tokensPerStep: number,
): (record: StepRecord) => void {
  let last = Number.NEGATIVE_INFINITY;
  let before = { time: performance.now(), step: 0 };
  const isTerminal = io.stderr.isTTY === true;
  return ({ step, loss, learningRate }) => {
    const time = performance.now();
    if (isTerminal || (time - last < lineMs && step < recipe.steps)) return;
    const rate = (tokensPerStep * (step - before.step) * 1000) / (time - before.time);
    const speed = before.step === 0 ? "" : `, ${formatCount(Math.round(rate))} tokens/s`;
    io.stderr.write(`step ${step}: loss ${loss.toFixed(4)}, learning rate ${learningRate.toPrecision(3)}${speed}\n`);
    last = time;
    before = { time, step };
  };
}

/** Returns `4.446 █▇▅▂▁▁ 0.0012`: the loss from the first step to the last. */
function lossCurve(metrics: MetricSeries): string {
  const { values } = metrics.curve("loss");
  const end = (value: number | undefined): string => (value ?? Number.NaN).toPrecision(4);
  return `${end(values[0])} ${textCurve(values)} ${end(values.at(-1))}`;
}

function report(context: CliContext, run: LanguageModelRun, isJson: boolean): void {
  const { last } = run.metrics;
  const { model, log, steps, resumedAt, parameters, tokens } = run;
  const [loss, validationLoss] = [last?.["loss"], last?.["validationLoss"]];
  if (isJson) {
    const measured = validationLoss === undefined ? {} : { validationLoss };
    context.printJson({ model, log, steps, resumedAt, parameters, tokens, loss, ...measured });
    return;
  }
  const pairs: [string, string][] = [
    ["model", model],
    ["parameters", wholeNumber(parameters)],
    ["data", `${wholeNumber(tokens)} tokens`],
    ["steps", resumedAt > 0 ? `${wholeNumber(steps)}, continued from ${wholeNumber(resumedAt)}` : wholeNumber(steps)],
    ["loss", `${(loss ?? Number.NaN).toFixed(4)} nats`],
    ...(loss === undefined ? [] : [["curve", lossCurve(run.metrics)] as [string, string]]),
    ...(validationLoss === undefined ? [] : [["validation", `${validationLoss.toFixed(4)} nats`] as [string, string]]),
    ["log", log],
  ];
  context.print(keyValues(pairs));
}

async function trainCommand(context: CliContext, path: string, options: TrainArguments): Promise<void> {
  const file = resolve(path);
  const recipe = readRecipe(await readJson(file), path);
  const chosen: LanguageModelRecipe = {
    ...recipe,
    ...(options.steps === undefined ? {} : { steps: options.steps }),
    // A path of the command line is relative to the shell's folder, not to the recipe's.
    ...(options.out === undefined ? {} : { out: resolve(options.out) }),
  };
  const tokensPerStep =
    chosen.batch * (chosen.accumulate ?? 1) * (chosen.context ?? Number(chosen.model["n_ctx"] ?? 0));
  try {
    const run = await trainLanguageModel(chosen, {
      folder: dirname(file),
      signal: context.signal,
      onProgress: progressBeside(context),
      onStep: lossLines(context, chosen, tokensPerStep),
      ...(options.threads === undefined ? {} : { threads: options.threads }),
    });
    report(context, run, options.json === true);
  } catch (error) {
    if (isLimpidError(error, "ABORTED")) context.io.stderr.write(`\n${error.where}: ${error.fix}\n`);
    throw error;
  }
}

/** Adds `limpid train`. */
export function addTrain(program: Command, context: CliContext): void {
  const train = program.command("train").description("Train models; see limpid train lm --help.");
  train
    .command("lm <config>")
    .description("Train a language model by a JSON recipe; continues a run that was stopped.")
    .option("--out <folder>", "in place of the recipe's")
    .option("--steps <n>", "in place of the recipe's", integer(1))
    .option("--threads <n>", "threads of the runtime (default: physical cores)", integer(1))
    .option("--json", "print one JSON value about the run")
    .addHelpText("after", examples)
    .action((path: string, options: TrainArguments) => trainCommand(context, path, options));
}
