/** The one progress interface of limpid, and a reporter for a terminal or a pipe. */
import { ProgressClock, progressText } from "./progress-clock.js";

/** One report of a long call. */
export interface ProgressEvent {
  /** Units finished so far (batches, files, bytes: `label` says which work). */
  readonly done: number;
  /** Units in all, when known. */
  readonly total?: number;
  /** What is being done, such as `"download model.safetensors"`. */
  readonly label: string;
  /** What is known so far, in a few words, such as `"loss 2.31"`. */
  readonly note?: string;
  /** The result so far, where it can be drawn already; cells draw it while the work goes on. */
  readonly soFar?: { toView(): unknown };
}

/** Receives progress; it must not throw. */
export type OnProgress = (event: ProgressEvent) => void;

/** The two options that every long call takes. */
export interface LongCallOptions {
  /** Stops the work between pieces; the call then rejects with an `AbortedError`. */
  readonly signal?: AbortSignal;
  /** Is told how far the work is. */
  readonly onProgress?: OnProgress;
}

/** Where a reporter writes: the part of a Node.js stream that it needs. */
export interface ProgressSink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Options of {@link progressReporter}. */
export interface ProgressReporterOptions {
  /** Where to write; `process.stderr` for the command line. */
  readonly sink: ProgressSink;
  /** Milliseconds; injectable for tests. Default `performance.now`. */
  readonly now?: () => number;
  /** Put in front of each event's own label. */
  readonly label?: string;
}

/** Least time between two updates of a bar on a terminal, ms (four a second). */
const terminalIntervalMs = 250;
/** Least time between two lines in a pipe, ms. */
const pipeIntervalMs = 5000;
const barWidth = 24;

/**
 * Returns a reporter that draws a bar on a terminal, at most four times a second, or writes lines to a pipe: how far, how
 * fast, how long still.
 *
 * The first and the last event of each label are always written; a finished bar ends with a newline.
 */
export function progressReporter(options: ProgressReporterOptions): OnProgress {
  const { sink, label: prefix, now = () => performance.now() } = options;
  const isTerminal = sink.isTTY === true;
  const interval = isTerminal ? terminalIntervalMs : pipeIntervalMs;
  const clock = new ProgressClock(now);
  let lastTime = Number.NEGATIVE_INFINITY;
  let lastLabel: string | undefined;
  return (event) => {
    const label = prefix === undefined ? event.label : `${prefix}: ${event.label}`;
    const isFinished = event.total !== undefined && event.done >= event.total;
    const time = now();
    const state = clock.read({ ...event, label });
    if (label === lastLabel && !isFinished && time - lastTime < interval) return;
    lastTime = time;
    lastLabel = label;
    const text = progressText({ ...event, label }, state);
    if (!isTerminal) sink.write(`${text}\n`);
    else sink.write(`\r${clip(bar(state.fraction ?? 0) + text, widthOf(sink))}\u001B[K${isFinished ? "\n" : ""}`);
  };
}

/** Returns a reporter that stays silent for the first `quietMs` of the work: short work needs no bar. */
export function patientProgress(
  report: OnProgress,
  quietMs: number,
  now: () => number = () => performance.now(),
): OnProgress {
  const start = now();
  return (event) => {
    if (now() - start >= quietMs) report(event);
  };
}

/** Work shorter than this needs no progress that nobody asked for, ms. */
const unaskedMs = 2000;

/** Under this key, limpid's notebook kernel keeps a function that returns a reporter for the running cell. */
const cellProgressKey = Symbol.for("limpid.cellProgress");

/**
 * Returns where a long call reports: to its caller, else to a person who looks on.
 *
 * Without `onProgress`, work that lasts longer than two seconds shows a bar in the notebook cell or on the terminal; in a
 * pipe it stays silent.
 */
export function progressOf({ onProgress }: Pick<LongCallOptions, "onProgress">): OnProgress | undefined {
  if (onProgress !== undefined) return onProgress;
  const make: unknown = Reflect.get(globalThis, cellProgressKey);
  const report: unknown =
    typeof make === "function"
      ? Reflect.apply(make, undefined, [])
      : process.stderr.isTTY
        ? stderrProgress()
        : undefined;
  return isReporter(report) ? patientProgress(report, unaskedMs) : undefined;
}

function isReporter(value: unknown): value is OnProgress {
  return typeof value === "function";
}

/** Returns a {@link progressReporter} on `process.stderr`. */
export function stderrProgress(label?: string): OnProgress {
  return progressReporter({ sink: process.stderr, ...(label === undefined ? {} : { label }) });
}

/** Some pseudo-terminals say that they have no columns. */
function widthOf({ columns = 0 }: ProgressSink): number {
  return columns > 0 ? columns : 80;
}

function bar(fraction: number): string {
  const filled = Math.floor(barWidth * fraction);
  return `${"█".repeat(filled)}${"░".repeat(barWidth - filled)} `;
}

function clip(text: string, columns: number): string {
  return text.length < columns ? text : `${text.slice(0, Math.max(1, columns - 2))}…`;
}
