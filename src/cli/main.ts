/** The program: its commands, what its errors look like, and its exit codes. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { isLimpidError } from "../core/index.js";
import { addCapture } from "./capture.js";
import { type CliContext, type CliIo, createContext } from "./context.js";
import { addDictionary } from "./dictionary.js";
import { addGenerate } from "./generate.js";
import { addInfo } from "./info.js";
import { addMask } from "./mask.js";
import { addNotebook } from "./notebook.js";
import { addRedundancy } from "./redundancy.js";
import { addRun } from "./run.js";
import { addTrace } from "./trace.js";
import { addTrain } from "./train.js";
import { addVerify } from "./verify.js";

const exitCodes = { fine: 0, failed: 1, usage: 2, interrupted: 130 } as const;

const epilogue = `
MODEL is "tiny" (embedded), a folder, or a hub id such as openai-community/gpt2 (from the Hugging Face cache, else downloaded).

Exit codes: 0 fine, 1 the work failed or a verification found a fault, 2 wrong usage, 130 stopped.
Results go to stdout, progress and errors to stderr. LIMPID_DEBUG=1 adds the stack to an error.

Example: limpid run tiny "The President of the United"`;

/** The version of this package. */
function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const parsed: unknown = JSON.parse(text);
  return typeof parsed === "object" && parsed !== null && "version" in parsed ? String(parsed.version) : "unknown";
}

function buildProgram(context: CliContext): Command {
  const { io } = context;
  const program = new Command("limpid")
    .description("Read and edit the activations of transformers; see-through models from the command line.")
    .version(version())
    .showHelpAfterError("(see --help)")
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .exitOverride()
    .addHelpText("after", epilogue);
  for (const add of [
    addInfo,
    addRun,
    addCapture,
    addGenerate,
    addTrain,
    addDictionary,
    addTrace,
    addMask,
    addRedundancy,
    addVerify,
    addNotebook,
  ])
    add(program, context);
  return program;
}

/** The streams, environment and working folder of this process. */
function processIo(): CliIo {
  // A reader such as `head` may close the pipe early; what it did not want is not an error.
  process.stdout.on("error", (error: Error) => {
    if ("code" in error && error.code === "EPIPE") process.exit(exitCodes.fine);
    throw error;
  });
  return { stdout: process.stdout, stderr: process.stderr, env: process.env };
}

/** Follows the caller's signal and Ctrl-C; a second Ctrl-C ends the process at once, as if nobody listened. */
function stopper(outer: AbortSignal | undefined): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const controller = new AbortController();
  const stop = (): void => controller.abort(new Error("interrupted"));
  process.once("SIGINT", stop);
  const signal = outer === undefined ? controller.signal : AbortSignal.any([controller.signal, outer]);
  return { signal, dispose: () => process.removeListener("SIGINT", stop) };
}

/** The one line that an error becomes. */
function describeError(error: unknown): string {
  if (isLimpidError(error)) return error.message.replace(/\s*\n\s*/g, " ");
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return `${text.replace(/\s*\n\s*/g, " ")} (a bug of limpid: run again with LIMPID_DEBUG=1 and report the stack)`;
}

function report(error: unknown, io: CliIo, signal: AbortSignal): number {
  // Commander has written its message already; a help page that somebody asked for is no error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.fine : exitCodes.usage;
  const isStopped = signal.aborted && (isLimpidError(error, "ABORTED") || error === signal.reason);
  io.stderr.write(isStopped ? "limpid: stopped; nothing was left half written\n" : `limpid: ${describeError(error)}\n`);
  if (io.env["LIMPID_DEBUG"] === "1" && error instanceof Error) io.stderr.write(`${error.stack ?? ""}\n`);
  return isStopped ? exitCodes.interrupted : exitCodes.failed;
}

/**
 * Runs the `limpid` command and resolves to its exit code; it never throws and never ends the process.
 *
 * @param argv - The words after `limpid`.
 * @param io - Streams and environment; this process's own by default.
 */
export async function main(argv: readonly string[], io: CliIo = processIo()): Promise<number> {
  const { signal, dispose } = stopper(io.signal);
  let code: number = exitCodes.fine;
  const context = createContext(io, signal, (chosen) => {
    code = chosen;
  });
  try {
    await buildProgram(context).parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    return report(error, io, signal);
  } finally {
    dispose();
  }
}
