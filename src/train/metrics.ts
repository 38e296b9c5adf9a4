/** What every step reports, as a growing table and as a log file. */
import { appendFile, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { InputError, nearestHint, printsItself } from "../core/index.js";
import { isJsonObject, parseJson, readLines, writeFileAtomic } from "../io/index.js";
import type { View } from "../viz/index.js";
import { type MetricViewOptions, metricsView } from "./metrics-view.js";

/** One row: `step`, `loss`, and whatever else was reported at that step. */
export type MetricRow = { readonly step: number } & Readonly<Record<string, number>>;

/**
 * The metrics of a run, step by step.
 *
 * Rows may lack a metric, such as a validation loss that is measured now and then.
 */
export class MetricSeries {
  static {
    printsItself(this.prototype);
  }

  readonly #rows: MetricRow[];

  /** Wraps rows, in the order of their steps. */
  constructor(rows: readonly MetricRow[] = []) {
    this.#rows = [...rows];
  }

  /** Number of rows. */
  get length(): number {
    return this.#rows.length;
  }

  /** Returns every row so far. */
  rows(): readonly MetricRow[] {
    return [...this.#rows];
  }

  /** Returns the last row, if there is one. */
  get last(): MetricRow | undefined {
    return this.#rows.at(-1);
  }

  /** Returns the names of all metrics, `step` first. */
  names(): readonly string[] {
    return [...new Set(["step", ...this.#rows.flatMap((row) => Object.keys(row))])];
  }

  /**
   * Returns one metric as a curve: steps and values, rows without it left out.
   *
   * @throws InputError when no row has it.
   */
  curve(name: string): { readonly steps: Float64Array; readonly values: Float64Array } {
    const rows = this.#rows.filter((row) => row[name] !== undefined);
    if (rows.length === 0) throw unknownMetric(name, this.names());
    return {
      steps: Float64Array.from(rows, (row) => row.step),
      values: Float64Array.from(rows, (row) => row[name] ?? Number.NaN),
    };
  }

  /** Adds a row; one of the same step gets its metrics. */
  add(row: MetricRow): void {
    const last = this.#rows.at(-1);
    if (last?.step === row.step) this.#rows[this.#rows.length - 1] = { ...last, ...row };
    else this.#rows.push(row);
  }

  /** Forgets the rows after a step. */
  cutAfter(step: number): void {
    const kept = this.#rows.filter((row) => row.step <= step);
    this.#rows.splice(0, this.#rows.length, ...kept);
  }

  /**
   * Draws curves over the steps: by default the losses; metrics that are measured now and then with their points.
   *
   * A value that is not finite is a gap.
   *
   * @throws InputError when there is no step yet, no step reported a metric that is asked for, or a logarithmic axis has
   *   no value above 0.
   */
  toView(options: MetricViewOptions = {}): View {
    for (const name of options.metrics ?? []) this.curve(name);
    return metricsView(this.#rows, options);
  }

  /** Shows the number of steps and the last row. */
  toString(): string {
    const { last } = this;
    if (last === undefined) return "MetricSeries (empty)";
    const values = Object.entries(last).map(([name, value]) => `${name} ${Number(value.toPrecision(5))}`);
    return `MetricSeries of ${this.length} rows, last: ${values.join(", ")}`;
  }
}

/**
 * Reads the metrics of a run from its `metrics.jsonl`.
 *
 * @throws FormatError that names the line when one is no JSON; a last line cut short by a killed process is left out.
 */
export async function readMetrics(path: string): Promise<MetricSeries> {
  const series = new MetricSeries();
  const lines: string[] = [];
  for await (const line of readLines(path)) lines.push(line);
  while (lines.at(-1) === "" || (lines.length > 0 && !isJson(lines.at(-1) ?? ""))) lines.pop();
  for (const [index, line] of lines.entries()) {
    const row = line === "" ? undefined : rowOf(parseJson(line, `${path}: line ${index + 1}`));
    if (row !== undefined) series.add(row);
  }
  return series;
}

/** NaN and infinities are written as strings. */
function jsonNumber(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

function rowOf(value: unknown): MetricRow | undefined {
  if (!isJsonObject(value)) return undefined;
  const entries = Object.entries(value).map(([name, one]) => [name, Number(one)] as const);
  const row = Object.fromEntries(entries);
  const { step } = row;
  return step === undefined ? undefined : { ...row, step };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Milliseconds between two writes. */
const flushMs = 1000;

/** Appends rows to a log file, in whole lines. */
export class MetricLog {
  readonly #path: string;
  #pending: string[] = [];
  #lastFlush = performance.now();

  constructor(path: string) {
    this.#path = path;
  }

  /** Adds a row; it is on the disk within a second, or after {@link MetricLog.flush}. */
  async add(row: MetricRow): Promise<void> {
    this.#pending.push(`${JSON.stringify(row, jsonNumber)}\n`);
    if (performance.now() - this.#lastFlush >= flushMs) await this.flush();
  }

  /** Writes what was added. */
  async flush(): Promise<void> {
    this.#lastFlush = performance.now();
    const text = this.#pending.join("");
    this.#pending = [];
    if (text === "") return;
    await mkdir(dirname(this.#path), { recursive: true });
    await appendFile(this.#path, text);
  }

  /** Cuts the file after the rows of a step, as a resumed run needs it; returns what is left. */
  async cutAfter(step: number): Promise<MetricSeries> {
    const isThere = await stat(this.#path).then(
      () => true,
      () => false,
    );
    if (!isThere) return new MetricSeries();
    const series = await readMetrics(this.#path);
    series.cutAfter(step);
    const lines = series.rows().map((row) => `${JSON.stringify(row, jsonNumber)}\n`);
    await writeFileAtomic(this.#path, lines.join(""));
    return series;
  }
}

function unknownMetric(name: string, names: readonly string[]): InputError {
  return new InputError({
    where: "metrics.curve",
    got: `"${name}", which no step reported`,
    expected: `one of ${names.join(", ")}`,
    fix: `Correct the name.${nearestHint(name, names)}`,
  });
}
