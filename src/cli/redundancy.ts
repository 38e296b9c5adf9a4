/** `limpid redundancy`: what a model could lose, as a page, sentences and data. */
import { extname, join } from "node:path";
import type { Command } from "commander";
import { isLimpidError } from "../core/index.js";
import { type Dataset, data, type TextDocument, tasks } from "../data/index.js";
import type { Model } from "../model/index.js";
import { prepareFolder, type RedundancyReport, redundancy } from "../redundancy/index.js";
import type { CliContext } from "./context.js";
import { addModelOptions, decimal, integer, type ModelOptions, withModel, wrongUsage } from "./options.js";

interface RedundancyArguments extends ModelOptions {
  readonly data?: string;
  readonly field?: string;
  readonly tokens: number;
  readonly window?: number;
  readonly budget?: number;
  readonly seed: number;
  readonly out: string;
  readonly json?: boolean;
}

const examples = `
Written to the folder: index.html (a page that opens anywhere), report.md (sentences), report.json (every number; its schema
is docs/redundancy-report.schema.json). What was evaluated is kept in OUT/cache: calling the command again after Ctrl-C goes on.

--data takes .txt, .md, .jsonl, .json, .csv, .tsv, or token ids in .npy, .safetensors, .bin; --field names the JSON field or
CSV column (default: text). Without --data, embedded models read sentences of limpid's own tasks.

Examples:
  limpid redundancy tiny --out report
  limpid redundancy openai-community/gpt2 --data articles.jsonl --field body --tokens 32000 --budget 20 --out gpt2`;

/** Sentences of every task that a model's tokenizer keeps whole, each once. */
async function taskSentences(model: Model, tokens: number): Promise<Dataset<TextDocument>> {
  const found = new Set<string>();
  const n = Math.max(64, Math.ceil(tokens / 50));
  for (const name of ["ioi", "capitals", "agreement", "copying", "greaterThan"] as const) {
    try {
      for await (const { text } of tasks[name](model, { n, seed: 1 }).dataset())
        if (text !== undefined) found.add(text);
    } catch (error) {
      // A tokenizer that cuts the task's words has no sentences of it.
      if (!isLimpidError(error)) throw error;
    }
  }
  return data.text([...found]).shuffle(0);
}

const plainEndings = new Set([".txt", ".md", "", ".npy", ".safetensors", ".bin"]);

function fileOf(command: Command, path: string, field: string | undefined): Dataset<unknown> {
  const isPlain = plainEndings.has(extname(path).toLowerCase());
  if (field === undefined) return data.file(path);
  if (!isPlain) return data.file(path, field);
  return wrongUsage(command, {
    where: "--field",
    got: `"${field}" of ${path}`,
    expected: "a file with fields: .jsonl, .json, .csv or .tsv",
    fix: "Leave it out.",
  });
}

/** Models whose own tasks are text enough. */
const embedded = new Set(["tiny", "tiny-2l"]);

function requireData(command: Command, source: string, args: RedundancyArguments): void {
  if (args.data !== undefined || embedded.has(source)) return;
  wrongUsage(command, {
    where: "redundancy",
    got: "no --data",
    expected: "a file with text of the kind that the model is used on",
    fix: "What can go depends on the text: pass --data my.jsonl --field text.",
  });
}

function commandOf(
  source: string,
  { data: path, field, tokens, window, budget, seed, out }: RedundancyArguments,
): string {
  const quoted = (text: string): string => (/^[\w./:-]+$/.test(text) ? text : JSON.stringify(text));
  const given = { data: path, field, tokens, window, budget, seed, out };
  const options = Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${quoted(String(value))}`],
  );
  return ["limpid redundancy", quoted(source), ...options].join(" ");
}

async function reportOf(
  { signal, onProgress }: CliContext,
  model: Model,
  source: string,
  { text, args }: { readonly text: Dataset<unknown>; readonly args: RedundancyArguments },
): Promise<RedundancyReport> {
  const { tokens, window, budget, seed } = args;
  return redundancy.report(model, text, {
    tokens,
    seed,
    signal,
    onProgress,
    resume: join(prepareFolder(args.out), "cache"),
    command: commandOf(source, args),
    textName: args.data ?? "sentences of limpid's tasks",
    ...(window === undefined ? {} : { window }),
    ...(budget === undefined ? {} : { budget }),
  });
}

/** Adds `limpid redundancy`. */
export function addRedundancy(program: Command, context: CliContext): void {
  addModelOptions(program.command("redundancy <model>"))
    .description("Report which blocks, attention sublayers, MLPs, heads and neurons a model could lose.")
    .option("--data <file>", "text to read")
    .option("--field <name>", "field of JSON or column of CSV that holds the text")
    .option("--tokens <n>", "tokens to read", integer(2), 32_000)
    .option("--window <n>", "tokens in a window (default: the context, at most 256)", integer(2))
    .option("--budget <minutes>", "minutes that it may take: fewer tokens and sections then", decimal(0))
    .option("--seed <n>", "of the random control", integer(0), 0)
    .requiredOption("--out <folder>", "where the report goes")
    .option("--json", "print the report as one JSON value")
    .addHelpText("after", examples)
    .action(async (source: string, args: RedundancyArguments, command: Command) => {
      requireData(command, source, args);
      const file = args.data === undefined ? undefined : fileOf(command, args.data, args.field);
      prepareFolder(args.out);
      await withModel(context, source, args, async (model) => {
        const text = file ?? (await taskSentences(model, args.tokens));
        const report = await reportOf(context, model, source, { text, args });
        const { files } = report.save(args.out);
        if (args.json === true) context.printJson(report.content);
        else for (const line of [String(report), ...files]) context.print(line);
      });
    });
}
