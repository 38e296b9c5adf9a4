/** A metric in two forms: nodes of a graph, and plain float64 arithmetic on logits that are there. */
import { formatShape, InputError, printsItself, ShapeError } from "../../core/index.js";
import type { Value } from "../../graph/index.js";
import { type Metric, type MetricRows, type MetricScope, type PromptData, promptRows } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";

/** One row of logits, for the plain form. */
export interface LogitRow {
  /** Logits of each position; of one for metrics of the last. */
  readonly logits: readonly Float64Array[];
  /** Which prompt the row is. */
  readonly prompt: number;
  /** Whether each position holds a real token. */
  readonly isReal: readonly boolean[];
  /** Token ids, where they were given. */
  readonly tokens?: readonly number[];
}

/** What a metric is made of. */
export interface MetricParts {
  readonly name: string;
  readonly unit: string;
  readonly logits: "last" | "all";
  readonly prompts?: number;
  /** Equal texts promise equal nodes; absent for functions of the caller's own. */
  readonly structure?: string;
  readonly data?: Readonly<Record<string, PromptData>>;
  readonly trace: (scope: MetricScope) => Value;
  readonly ofRow: (row: LogitRow) => number;
}

/** A metric made from its two forms; prints itself. */
export class MadeMetric implements Metric {
  static {
    printsItself(this.prototype);
  }

  readonly name: string;
  readonly unit: string;
  readonly logits: "last" | "all";
  readonly prompts: number | undefined;
  readonly structure?: string;
  readonly data: Readonly<Record<string, PromptData>>;
  readonly trace: (scope: MetricScope) => Value;
  readonly #ofRow: (row: LogitRow) => number;

  constructor({ name, unit, logits, prompts, structure, data = {}, trace, ofRow }: MetricParts) {
    this.name = name;
    this.unit = unit;
    this.logits = logits;
    this.prompts = prompts;
    if (structure !== undefined) this.structure = structure;
    this.data = data;
    this.trace = trace;
    this.#ofRow = ofRow;
  }

  /** Computes it from logits, in float64. */
  of(logits: Tensor, options: MetricRows = {}): Tensor<"float64", readonly ["batch"]> {
    const rows = logitRows(this, logits, options);
    return Tensor.of(
      Float64Array.from(rows, (row) => this.#ofRow(row)),
      [rows.length],
      ["batch"] as const,
    );
  }

  /** One line: its name, unit, and how many prompts it has answers for. */
  toString(): string {
    const read = this.logits === "last" ? "the last position" : "all positions";
    return `metric ${this.name} in ${this.unit} at ${read}${this.prompts === undefined ? "" : `, ${this.prompts} prompts`}`;
  }
}

function checkShape(where: string, { shape, axes }: Tensor, reads: "last" | "all"): void {
  const isFlat = shape.length === 2 && reads === "last";
  if (isFlat || (shape.length === 3 && (reads === "all" || shape[1] === 1))) return;
  throw new ShapeError({
    where,
    got: `logits ${formatShape(shape, axes)}`,
    expected: reads === "last" ? "[batch, 1, dVocabOut] or [batch, dVocabOut]" : "[batch, pos, dVocabOut]",
    fix: reads === "last" ? 'Take them from a run with logits: "last".' : 'Take them from a run with logits: "all".',
  });
}

function perPosition(where: string, what: string, tensor: Tensor | undefined, shape: readonly number[]): number[][] {
  if (tensor === undefined) return [];
  const [batch = 0, pos = 0] = shape;
  if (tensor.shape.length !== 2 || tensor.shape[0] !== batch || tensor.shape[1] !== pos) {
    throw new ShapeError({
      where: `${where}: ${what}`,
      got: formatShape(tensor.shape, tensor.axes),
      expected: `[${batch}, ${pos}], as the logits have`,
      fix: "Pass those of the run that the logits come from.",
    });
  }
  const flat = Array.from(tensor.data as Iterable<number | bigint>, Number);
  return Array.from({ length: batch }, (_, row) => flat.slice(row * pos, (row + 1) * pos));
}

/** The logits of each row with its prompt, mask and tokens. */
function logitRows(metric: Metric, logits: Tensor, options: MetricRows): readonly LogitRow[] {
  const where = `metric ${metric.name}.of`;
  checkShape(where, logits, metric.logits);
  const size = logits.shape.at(-1) ?? 0;
  const batch = logits.shape[0] ?? 0;
  const pos = logits.shape.length === 2 ? 1 : (logits.shape[1] ?? 0);
  checkVocabulary(where, metric, size);
  const prompts = promptRows(where, metric, batch, options.rows);
  const tokens = perPosition(where, "tokens", options.tokens, [batch, pos]);
  const mask = perPosition(where, "attentionMask", options.attentionMask, [batch, pos]);
  const data = Float64Array.from(logits.data as ArrayLike<number>);
  return prompts.map((prompt, row) => ({
    prompt,
    logits: Array.from({ length: pos }, (_, slot) =>
      data.subarray((row * pos + slot) * size, (row * pos + slot + 1) * size),
    ),
    isReal: mask[row]?.map((real) => real !== 0) ?? Array.from({ length: pos }, () => true),
    ...(tokens[row] === undefined ? {} : { tokens: tokens[row] }),
  }));
}

function checkVocabulary(where: string, { data }: Metric, size: number): void {
  for (const { kind, prompts } of Object.values(data)) {
    const bad =
      kind === "id" ? prompts.flatMap((ids) => Array.from(ids)).find((id) => id < 0 || id >= size) : undefined;
    if (bad === undefined) continue;
    throw new InputError({
      where,
      got: `the token id ${bad} with ${size} logits`,
      expected: `an id from 0 to ${size - 1}`,
      fix: "Take ids from this model's tokenizer.",
    });
  }
}
