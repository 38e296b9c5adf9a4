/** `limpid mask bigram`: the bigram subnetwork of a model, as a mask, a page and figures. */
import type { Command } from "commander";
import { InputError } from "../core/index.js";
import { type Dataset, data } from "../data/index.js";
import { bigramSubnetwork } from "../masks/index.js";
import type { Model } from "../model/index.js";
import type { CliContext } from "./context.js";
import { addModelOptions, decimal, integer, type ModelOptions, withModel } from "./options.js";

interface MaskArguments extends ModelOptions {
  readonly data: string;
  readonly field?: string;
  readonly out: string;
  readonly rows: number;
  readonly batch: number;
  readonly context: number;
  readonly sparsity: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly growth: number;
  readonly seed: number;
  readonly json?: boolean;
}

const examples = `
Written to the folder: mask.safetensors (for weightMask.open and edit.keepWeights), index.html (a page that opens anywhere),
report.md, report.json. Every tenth row of the text is kept for judging. Checkpoints are kept in OUT/run: calling the command
again after Ctrl-C goes on. The defaults of training are the paper's, for models of 100 million weights; a small model can
take larger steps:

  limpid mask bigram tiny --data my.txt --context 64 --batch 16 --steps 700 --learning-rate 2e-3 --growth 1.011 --out mask`;

/** Full rows of tokens from the text, in order. */
async function readRows(
  model: Model,
  texts: Dataset<unknown>,
  { rows, context }: MaskArguments,
): Promise<readonly Int32Array[]> {
  const source = model.view.core.tokenizer === undefined ? undefined : model;
  const found: Int32Array[] = [];
  for await (const { tokens, attentionMask } of texts
    .pack(source, { contextLength: context, batchTokens: 16 * context })
    .iterate({})) {
    tokens.forEach((row, i) => {
      if (attentionMask?.[i]?.includes(0) !== true) found.push(row);
    });
    if (found.length >= rows) break;
  }
  if (found.length > 0) return found.slice(0, rows);
  throw new InputError({
    where: "mask bigram: --data",
    got: "less than one row of text",
    expected: `rows of ${context} tokens`,
    fix: "Give more text, or a shorter --context.",
  });
}

async function maskCommand(context: CliContext, model: Model, args: MaskArguments): Promise<void> {
  const { signal, onProgress } = context;
  const { field, batch, sparsity, steps: maxSteps, learningRate, growth: betaGrowth, seed, out } = args;
  const texts = field === undefined ? data.file(args.data) : data.file(args.data, field);
  const rows = await readRows(model, texts, args);
  const settings = { batch, sparsity, maxSteps, learningRate, betaGrowth, seed, context: args.context };
  const found = await bigramSubnetwork(model, rows, { ...settings, folder: `${out}/run`, signal, onProgress });
  const files = await found.save(out);
  const { mask, page, summary, data: figures } = files;
  if (args.json === true) context.printJson({ files, ...found.toJSON() });
  else for (const line of [String(found), mask, page, summary, figures]) context.print(line);
}

/** Adds `limpid mask`. */
export function addMask(program: Command, context: CliContext): void {
  const mask = program.command("mask").description("Find which weights a behaviour needs.");
  addModelOptions(mask.command("bigram <model>"))
    .description("Train the mask of the weights that predict bigrams, and judge it on text kept back.")
    .requiredOption("--data <file>", "text to count and train on: .txt, .jsonl, .csv, token ids")
    .option("--field <name>", "field of JSON or column of CSV that holds the text")
    .requiredOption("--out <folder>", "where the mask and the report go")
    .option("--rows <n>", "rows of text that are read", integer(10), 20_000)
    .option("--batch <n>", "rows of a batch", integer(1), 32)
    .option("--context <n>", "tokens of a row", integer(2), 128)
    .option("--sparsity <number>", "weight of the mask's size in the loss", decimal(0), 10)
    .option("--steps <n>", "steps at most", integer(1), 15_000)
    .option("--learning-rate <number>", "of the numbers behind the mask", decimal(0), 5e-5)
    .option("--growth <number>", "what the sharpness of the mask is multiplied by at each step", decimal(1), 1.001)
    .option("--seed <n>", "order of the rows", integer(0), 0)
    .option("--json", "print one JSON value")
    .addHelpText("after", examples)
    .action(async (source: string, args: MaskArguments) => {
      await withModel(context, source, args, (model) => maskCommand(context, model, args));
    });
}
