/** How closely a model's surprise at each token follows a bigram's. */
import { InputError, type LongCallOptions, printsItself, progressOf, throwIfAborted } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { pearson } from "../../stats/index.js";
import { scatter, tokens, type View } from "../../viz/index.js";
import type { BigramTable } from "../bigram/table.js";

/** Options of {@link surprisalCorrelation}. */
export interface SurprisalOptions extends LongCallOptions {
  /** Rows in one run. Default 16. */
  readonly batch?: number;
}

/** Surprisals of a model and of a bigram at the same tokens. Immutable. */
export class SurprisalCorrelation {
  static {
    printsItself(this.prototype);
  }

  /** Pearson's r in which pairs that the table never saw count as its largest finite surprisal. */
  readonly r: number;
  /** Pearson's r without those pairs. */
  readonly rSeen: number;
  /** Share of the tokens whose pair the table never saw. */
  readonly unseen: number;
  /** Bits, token by token; infinite where the table gives no probability. */
  readonly model: Float64Array;
  readonly bigram: Float64Array;

  /** @internal Use `surprisalCorrelation`. */
  constructor(model: Float64Array, bigram: Float64Array) {
    const finite = bigram.filter((bits) => Number.isFinite(bits));
    const most = finite.reduce((a, b) => Math.max(a, b), 0);
    const seen = [...bigram.keys()].filter((i) => Number.isFinite(bigram[i]));
    this.model = model;
    this.bigram = bigram;
    this.r = pearson(
      model,
      bigram.map((bits) => (Number.isFinite(bits) ? bits : most)),
    );
    this.rSeen = pearson(
      Float64Array.from(seen, (i) => model[i] ?? 0),
      finite,
    );
    this.unseen = 1 - seen.length / bigram.length;
  }

  /** Mean surprisal of the model, bits a token. */
  get meanBits(): number {
    return this.model.reduce((a, b) => a + b, 0) / this.model.length;
  }

  /** Draws token by token, at most 4,000 of them, evenly spaced. */
  toView(): View {
    const step = Math.max(1, Math.ceil(this.model.length / 4000));
    const places = [...this.model.keys()].filter((i) => i % step === 0 && Number.isFinite(this.bigram[i]));
    return scatter(
      places.map((i) => this.bigram[i] ?? 0),
      places.map((i) => this.model[i] ?? 0),
      {
        title: `Surprisal of the model and of the bigram: r ${this.r.toFixed(3)}`,
        x: { name: "bigram, bits" },
        y: { name: "model, bits" },
      },
    );
  }

  /** One line. */
  toString(): string {
    return `SurprisalCorrelation: r ${this.r.toFixed(3)} over ${this.model.length} tokens (${this.rSeen.toFixed(3)} without the ${(100 * this.unseen).toFixed(1)} % that the bigram never saw); model ${this.meanBits.toFixed(2)} bits a token`;
  }
}

function checkRows(model: Model, table: BigramTable, rows: readonly ArrayLike<number>[]): void {
  const where = "surprisalCorrelation";
  if (table.vocabulary !== model.config.dVocabOut)
    throw new InputError({
      where: `${where}: table`,
      got: `a vocabulary of ${table.vocabulary}`,
      expected: `${model.config.dVocabOut}, the model's`,
      fix: "Count with config.dVocab of this model.",
    });
  if (rows.some((row) => row.length > 1)) return;
  throw new InputError({
    where: `${where}: rows`,
    got: "no row of two tokens",
    expected: "rows of token ids",
    fix: "Check the text.",
  });
}

/** Rows in batches of one length, in order. */
function batches(rows: readonly ArrayLike<number>[], size: number): readonly (readonly number[])[][] {
  const found: number[][][] = [];
  for (const row of rows) {
    if (row.length < 2) continue;
    const last = found.at(-1);
    const own = Array.from(row);
    if (last !== undefined && last.length < size && last[0]?.length === own.length) last.push(own);
    else found.push([own]);
  }
  return found;
}

/**
 * Compares a model's surprisal at every token with a bigram's, in bits.
 *
 * @param rows - Token ids. The first token of each is not predicted.
 * @throws InputError for a table of another vocabulary, and for no text.
 */
export async function surprisalCorrelation(
  model: Model,
  table: BigramTable,
  rows: readonly ArrayLike<number>[],
  options: SurprisalOptions = {},
): Promise<SurprisalCorrelation> {
  checkRows(model, table, rows);
  const { batch = 16, signal } = options;
  const report = progressOf(options);
  const [own, theirs]: [number[], number[]] = [[], []];
  const all = batches(rows, batch);
  for (const [done, part] of all.entries()) {
    throwIfAborted(signal, "surprisalCorrelation");
    report?.({ done, total: all.length, label: "surprisal" });
    const { lossPerToken } = await model.run(part, { prependBos: false, loss: true, logits: "none" });
    for (const loss of lossPerToken.data) own.push(loss / Math.LN2);
    for (const row of part)
      for (let i = 1; i < row.length; i++) theirs.push(table.surprisal(row[i - 1] ?? 0, row[i] ?? 0));
  }
  report?.({ done: all.length, total: all.length, label: "surprisal" });
  return new SurprisalCorrelation(Float64Array.from(own), Float64Array.from(theirs));
}

/**
 * Draws a text whose tokens are coloured by where a model and a bigram disagree.
 *
 * Channels: bits by which the model is more surprised than the bigram (below 0 where it knows better), and both surprisals. The first
 * token is not predicted, and pairs that the table never saw have no surprisal: both are left blank.
 *
 * @param row - Token ids.
 * @throws what `surprisalCorrelation` throws.
 */
export async function surprisalTokens(model: Model, table: BigramTable, row: ArrayLike<number>): Promise<View> {
  const found = await surprisalCorrelation(model, table, [row]);
  const drawn = (bits: Float64Array): readonly number[] => [
    Number.NaN,
    ...Array.from(bits, (value) => (Number.isFinite(value) ? value : Number.NaN)),
  ];
  const [own, theirs] = [drawn(found.model), drawn(found.bigram)];
  const channels = {
    "model − bigram": own.map((value, i) => value - (theirs[i] ?? Number.NaN)),
    model: own,
    bigram: theirs,
  };
  const ids = Array.from(row);
  const hasText = model.view.core.tokenizer !== undefined;
  return tokens(hasText ? [...model.toStrTokens(ids, { prependBos: false })] : ids.map(String), channels, {
    title: "Where the model and the bigram disagree",
    note: `model ${found.meanBits.toFixed(2)} bits a token; blank: not predicted, or a pair that was never counted`,
    unit: "bits",
  });
}
