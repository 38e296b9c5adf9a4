/** Options that several commands share, and how their values are read. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { InputError } from "../core/index.js";
import { type CheckpointOptions, type LoadOptions, loadModel, type Model } from "../model/index.js";
import type { CliContext } from "./context.js";

/** Where a model comes from. */
export interface SourceOptions {
  readonly revision?: string;
  readonly offline?: boolean;
}

/** How a model is loaded. */
export interface ModelOptions extends SourceOptions {
  readonly threads?: number;
  readonly precision?: "float32" | "float64";
}

/** Reads an integer of at least `least`. */
export function integer(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected an integer of ${least} or more.`);
  };
}

/** Reads a number in a range. */
export function decimal(least: number, most?: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= least && value <= (most ?? Number.POSITIVE_INFINITY)) return value;
    const range = most === undefined ? `of ${least} or more` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`Expected a number ${range}.`);
  };
}

/** Adds what decides where a model comes from. */
export function addSourceOptions(command: Command): Command {
  return command
    .option("--revision <name>", "branch, tag or commit of a hub id (default: main)")
    .option("--offline", "use files that are here; never the network");
}

/** Adds what decides how a model is loaded. */
export function addModelOptions(command: Command): Command {
  return addSourceOptions(command)
    .option("--threads <n>", "threads of the runtime (default: physical cores)", integer(1))
    .addOption(
      new Option("--precision <type>", "type of all computation; float64 is slow")
        .choices(["float32", "float64"])
        .default("float32"),
    );
}

/** Turns source options into those of the library. */
export function checkpointOptions(context: CliContext, options: SourceOptions): CheckpointOptions {
  const { signal, onProgress, logger } = context;
  return {
    signal,
    onProgress,
    logger,
    ...(options.revision === undefined ? {} : { revision: options.revision }),
    ...(options.offline === true ? { hub: { offline: true } } : {}),
  };
}

/** Loads a model, gives it to `body`, and closes it whatever happens. */
export async function withModel(
  context: CliContext,
  source: string,
  options: ModelOptions & { readonly load?: LoadOptions },
  body: (model: Model) => Promise<void>,
): Promise<void> {
  const model = await loadModel(source, {
    ...checkpointOptions(context, options),
    ...(options.threads === undefined ? {} : { threads: options.threads }),
    ...(options.precision === undefined ? {} : { precision: options.precision }),
    ...options.load,
  });
  try {
    await body(model);
  } finally {
    await model.close();
  }
}

/** Ends the command as wrong usage: prints the sentence and the usage hint, exit code 2. */
export function wrongUsage(command: Command, parts: ConstructorParameters<typeof InputError>[0]): never {
  return command.error(`limpid: ${new InputError(parts).message}`, { exitCode: 2 });
}
