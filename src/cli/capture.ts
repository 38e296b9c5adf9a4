/** `limpid capture`: activations of one run into a safetensors file. */
import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { type Command, Option } from "commander";
import { formatBytes, InputError } from "../core/index.js";
import { writeSafetensors } from "../io/index.js";
import type { InputOptions, Model, ModelInput, Run } from "../model/index.js";
import type { Tensor } from "../tensor/index.js";
import type { CliContext } from "./context.js";
import { addTokenOptions, type InputArguments, readInput } from "./input.js";
import { addModelOptions, decimal, type ModelOptions, withModel, wrongUsage } from "./options.js";

interface CaptureArguments extends ModelOptions, InputArguments {
  readonly hooks: string;
  readonly out: string;
  readonly logits: "all" | "last" | "none";
  readonly padding?: "left" | "right";
  readonly prependBos?: boolean;
  readonly memoryLimit?: number;
  readonly json?: boolean;
}

const examples = `
Hook points are full names (blocks.0.attn.hook_z), short names (pattern, resid_post: every layer) or globs, separated by
commas; * stands for anything within one dotted part, and '*' alone for every hook point. List them: limpid info MODEL --hooks

Examples:
  limpid capture tiny --prompt "To be or not to be" --hooks 'blocks.*.hook_resid_post,pattern' --out acts.safetensors
  limpid capture ./model --tokens-file rows.json --attention-mask-file mask.json --hooks '*' --out all.safetensors`;

const gigabyte = 1e9;

function parseHooks(command: Command, text: string): readonly string[] {
  const hooks = text.split(",").map((part) => part.trim());
  if (hooks.every((hook) => hook !== "")) return hooks;
  return wrongUsage(command, {
    where: "--hooks",
    got: JSON.stringify(text),
    expected: "names or globs separated by commas",
    fix: "Name what to keep, such as --hooks 'blocks.*.hook_resid_post'.",
  });
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
}

/** Refuses a file that cannot be written before any work is done. */
async function checkTarget(path: string): Promise<string> {
  const target = resolve(path);
  if (await isFolder(target))
    throw new InputError({
      where: "--out",
      got: `the folder ${path}`,
      expected: "a file name",
      fix: "Add a name ending in .safetensors.",
    });
  if (await isFolder(dirname(target))) return target;
  throw new InputError({
    where: "--out",
    got: `${path}, in a folder that does not exist`,
    expected: "a file in an existing folder",
    fix: `Make the folder first: mkdir -p ${dirname(target)}`,
  });
}

function collect(run: Run, logits: CaptureArguments["logits"]): ReadonlyMap<string, Tensor> {
  const tensors = new Map<string, Tensor>(run.cache.entries());
  tensors.set("tokens", run.tokens);
  if (logits !== "none") tensors.set("logits", run.logits);
  return tensors;
}

function runOptions({ prependBos, padding }: CaptureArguments): InputOptions {
  return { ...(prependBos === undefined ? {} : { prependBos }), ...(padding === undefined ? {} : { padding }) };
}

function report(
  context: CliContext,
  run: Run,
  tensors: ReadonlyMap<string, Tensor>,
  { out, json }: CaptureArguments,
): void {
  const bytes = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  const { batch, pos, maskedSlots, bos } = run.receipt;
  if (json === true) {
    const shapes = Object.fromEntries(
      [...tensors].map(([name, { shape, axes, dtype }]) => [name, { dtype, shape, axes }]),
    );
    context.printJson({ file: out, bytes, receipt: run.receipt, tensors: shapes });
    return;
  }
  const masked = maskedSlots === 0 ? "" : `, ${maskedSlots} slots of padding left out`;
  context.print(
    `${out}: ${run.receipt.captured.length} hook points of ${batch} × ${pos} tokens (BOS: ${bos}${masked}), ${formatBytes(bytes)}`,
  );
}

async function captureCommand(
  context: CliContext,
  model: Model,
  what: { readonly input: ModelInput; readonly hooks: readonly string[]; readonly target: string },
  options: CaptureArguments,
): Promise<void> {
  const { signal, onProgress } = context;
  const run = await model.run(what.input, {
    ...runOptions(options),
    capture: what.hooks,
    logits: options.logits,
    signal,
    onProgress,
    ...(options.memoryLimit === undefined ? {} : { memoryLimit: options.memoryLimit * gigabyte }),
  });
  const tensors = collect(run, options.logits);
  const metadata = { "limpid.receipt": JSON.stringify(run.receipt) };
  await writeSafetensors(what.target, tensors, { metadata, signal, onProgress });
  report(context, run, tensors, options);
}

/** Adds `limpid capture`. */
export function addCapture(program: Command, context: CliContext): void {
  const command = addModelOptions(
    addTokenOptions(program.command("capture <model>").option("--prompt <text>", "text to run")),
  )
    .description("Write activations of one run to a safetensors file: hook points under their names, tokens, logits.")
    .requiredOption("--hooks <globs>", "which hook points, separated by commas; '*' is every one")
    .requiredOption("--out <file>", "the safetensors file; it appears only when complete")
    .addOption(new Option("--logits <which>", "logits to write").choices(["all", "last", "none"]).default("all"))
    .addOption(new Option("--padding <side>", "where rows of unequal length are padded").choices(["left", "right"]))
    .option("--prepend-bos", "put BOS in front of --prompt (default: as the tokenizer does)")
    .option("--no-prepend-bos", "never put BOS in front")
    .option("--memory-limit <GB>", "refuse results larger than this (default: 4.29)", decimal(0))
    .option("--json", "print one JSON value about the file")
    .addHelpText("after", examples);
  command.action(async (source: string, options: CaptureArguments) => {
    const hooks = parseHooks(command, options.hooks);
    const input = await readInput(command, options, "--prompt");
    const target = await checkTarget(options.out);
    await withModel(context, source, options, (model) =>
      captureCommand(context, model, { input, hooks, target }, options),
    );
  });
}
