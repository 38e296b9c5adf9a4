/** What every command is given: streams, a signal, a place for the exit code. */
import {
  createLogger,
  type Logger,
  type OnProgress,
  type ProgressSink,
  patientProgress,
  progressReporter,
} from "../core/index.js";

/** Where text goes. */
export interface TextSink {
  write(text: string): unknown;
}

/** The outside of a command. */
export interface CliIo {
  /** Results. */
  readonly stdout: TextSink;
  /** Progress, warnings, errors. */
  readonly stderr: ProgressSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Stops the command; it then returns 130. */
  readonly signal?: AbortSignal;
}

/** What a command works with. */
export interface CliContext {
  readonly io: CliIo;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  readonly logger: Logger;
  /** Prints one line to stdout. */
  print(line: string): void;
  /** Prints one JSON value to stdout. */
  printJson(value: unknown): void;
  /** Decides the exit code; 0 unless called. */
  setExitCode(code: number): void;
}

/** Progress of work shorter than this is not worth a line, ms. */
const quietMs = 1000;

/** JSON has no NaN and no infinity: they become strings, as in views. */
function jsonNumber(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

/** Makes the context of one call of the command. */
export function createContext(io: CliIo, signal: AbortSignal, setExitCode: (code: number) => void): CliContext {
  return {
    io,
    signal,
    setExitCode,
    onProgress: patientProgress(progressReporter({ sink: io.stderr }), quietMs),
    logger: createLogger((text) => io.stderr.write(`${text}\n`)),
    print: (line) => void io.stdout.write(`${line}\n`),
    printJson: (value) => void io.stdout.write(`${JSON.stringify(value, jsonNumber, 2)}\n`),
  };
}
