/**
 * Judges models without some of their parts on the same sequences.
 *
 * The full model's final streams are kept (`dModel` numbers a token), not its logits: both models' logits are made again
 * chunk by chunk inside the graph that compares them. What is known of a set of parts is never computed twice.
 */
import { InternalError, type LongCallOptions, throwIfAborted, UnsupportedError } from "../../core/index.js";
import type { Graph } from "../../graph/index.js";
import { type Model, resolveHooks, type TokenRow } from "../../model/index.js";
import type { RawTensor } from "../../runtime/index.js";
import { type Part, partName, withoutParts } from "../parts.js";
import { comparisonGraph } from "./readout-graph.js";
import { groupRows, type RowGroup } from "./rows.js";

type Floats = Float32Array | Float64Array;

/** What a set of parts is worth, sequence by sequence: means over the tokens of each that predict another. */
export interface SequenceNumbers {
  /** Nats a token. */
  readonly loss: Float64Array;
  /** `KL(full ‖ pruned)`, nats a token. */
  readonly kl: Float64Array;
  /** Share of tokens whose likeliest next token is that of the full model. */
  readonly agreement: Float64Array;
}

/** Most numbers of one tensor of log-probabilities: 64 MiB of float32. */
const chunkNumbers = 2 ** 24;

const where = "evaluateParts";

/** Returns the name of the stream that a model's final norm reads. */
function finalHook(model: Model): string {
  const names = model.hookNames();
  const final = names.filter((name) => name.endsWith(".hook_resid_post")).at(-1) ?? "";
  const behind = new Set(names.slice(names.indexOf(final) + 1));
  // Masks of weights have no hook point, and no weight behind the last layer.
  const hooked = model.edits.filter(({ change }) => change.kind !== "keepWeights");
  const late = hooked.find(({ name, hook }) =>
    resolveHooks(hook, names, `edit.${name}`).some((one) => behind.has(one)),
  );
  if (late === undefined) return final;
  throw new UnsupportedError({
    where,
    got: `edit.${late.name} behind the last layer`,
    expected: "edits inside the layers",
    fix: "Evaluate the model without this edit: the final norm and the unembedding are read as they are.",
  });
}

/** The same set of parts has the same key, in whatever order. */
export function setKey(parts: readonly Part[]): string {
  return [...new Set(parts.map(partName))].sort().join();
}

/** What an evaluator knows already, and who is told what it finds. */
export interface EvaluatorMemory {
  /** By {@link setKey}. */
  readonly known?: ReadonlyMap<string, SequenceNumbers>;
  readonly onFound?: (key: string, numbers: SequenceNumbers) => void;
}

/** Evaluates sets of parts of one model on one list of sequences. */
export class PartEvaluator {
  readonly model: Model;
  /** Sequences. */
  readonly count: number;
  /** Tokens that predict another, in all and of each sequence. */
  readonly tokens: number;
  readonly weights: Float64Array;
  readonly #groups: readonly RowGroup[];
  readonly #graph: Graph;
  readonly #full: Floats[] = [];
  readonly #known: Map<string, SequenceNumbers>;
  readonly #onFound: EvaluatorMemory["onFound"];

  /** @throws InputError for rows that do not fit; UnsupportedError for edits behind the last layer. */
  constructor(model: Model, rows: readonly TokenRow[], { known, onFound }: EvaluatorMemory = {}) {
    this.#known = new Map(known);
    this.#onFound = onFound;
    finalHook(model);
    this.model = model;
    this.#groups = groupRows(model, rows, where);
    this.count = rows.length;
    this.weights = Float64Array.from(rows, ({ length }) => length - 1);
    this.tokens = this.weights.reduce((sum, one) => sum + one, 0);
    this.#graph = comparisonGraph(model);
  }

  /** Returns what is known of a set of parts, computing it where it is not. */
  async evaluate(parts: readonly Part[], options: LongCallOptions = {}): Promise<SequenceNumbers> {
    const key = setKey(parts);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const pruned = withoutParts(this.model, parts);
    const hook = finalHook(pruned);
    const numbers = {
      loss: new Float64Array(this.count),
      kl: new Float64Array(this.count),
      agreement: new Float64Array(this.count),
    };
    for (const [index, group] of this.#groups.entries()) {
      throwIfAborted(options.signal, where);
      const full = await this.#fullStream(index, group, options);
      const own = parts.length === 0 ? full : await this.#stream(pruned, hook, group, options);
      await this.#compare(group, { full, own }, numbers, options);
    }
    this.#known.set(key, numbers);
    this.#onFound?.(key, numbers);
    return numbers;
  }

  async #fullStream(index: number, group: RowGroup, options: LongCallOptions): Promise<Floats> {
    const known = this.#full[index];
    if (known !== undefined) return known;
    const found = await this.#stream(this.model, finalHook(this.model), group, options);
    this.#full[index] = found;
    return found;
  }

  /** `[row, pos, dModel]`. */
  async #stream(model: Model, hook: string, { rows }: RowGroup, { signal }: LongCallOptions): Promise<Floats> {
    const given = signal === undefined ? {} : { signal };
    const run = await model.run(rows, { capture: [hook], logits: "none", ...given });
    const { data } = run.cache.get(hook).contiguous();
    if (data instanceof Float32Array || data instanceof Float64Array) return data;
    throw notFloats(hook);
  }

  async #compare(
    group: RowGroup,
    { full, own }: { readonly full: Floats; readonly own: Floats },
    numbers: SequenceNumbers,
    { signal }: LongCallOptions,
  ): Promise<void> {
    const { core } = this.model.view;
    const { dModel, dVocabOut } = this.model.config;
    const perRow = group.length;
    const step = Math.max(1, Math.floor(chunkNumbers / (dVocabOut * perRow)));
    const program = { segments: [this.#graph], outputs: ["loss", "kl", "same"] };
    for (let from = 0; from < group.rows.length; from += step) {
      throwIfAborted(signal, where);
      const rows = group.rows.slice(from, from + step);
      const [start, end] = [from * perRow * dModel, (from + rows.length) * perRow * dModel];
      const feeds = {
        full: this.#feed(full.slice(start, end)),
        pruned: this.#feed(own.slice(start, end)),
        labels: labelsOf(rows, perRow),
      };
      const found = await core.engine.run(program, feeds, signal === undefined ? {} : { signal });
      rows.forEach((_, i) => {
        const place = group.places[from + i] ?? 0;
        numbers.loss[place] = meanOf(found["loss"], i, perRow);
        numbers.kl[place] = meanOf(found["kl"], i, perRow);
        numbers.agreement[place] = meanOf(found["same"], i, perRow);
      });
    }
  }

  #feed(data: Floats): RawTensor {
    const { dModel } = this.model.config;
    return { dtype: this.model.view.precision, shape: [1, data.length / dModel, dModel], data };
  }
}

/** The next token at each place; the last of a row means nothing. */
function labelsOf(rows: readonly Int32Array[], length: number): RawTensor {
  const data = new BigInt64Array(rows.length * length);
  for (const [r, row] of rows.entries())
    for (let p = 0; p + 1 < length; p++) data[r * length + p] = BigInt(row[p + 1] ?? 0);
  return { dtype: "int64", shape: [1, data.length, 1], data };
}

/** Mean over the places of a row that predict another. */
function meanOf(raw: RawTensor | undefined, row: number, length: number): number {
  let sum = 0;
  for (let p = 0; p + 1 < length; p++) sum += Number(raw?.data[row * length + p]);
  return sum / (length - 1);
}

function notFloats(hook: string): InternalError {
  return new InternalError({
    where: `${where}: ${hook}`,
    got: "values that are no floating-point numbers",
    expected: "the residual stream",
    fix: "Report this as a bug of limpid.",
  });
}
