/** What diagnosing a dictionary found, and what to do about it. */
import { printsItself } from "../../core/index.js";
import { table, type View } from "../../viz/index.js";
import type { DictionaryConfig } from "../config.js";
import type { Dictionary } from "../dictionary.js";
import { type Convention, differences } from "./conventions.js";
import type { Measured } from "./measure.js";

/** How a dictionary does on the BOS token itself. */
export interface BosFinding {
  readonly tokens: number;
  /** ‖x − y‖² over ‖x‖², summed over the BOS tokens. */
  readonly relativeError: number;
  readonly l0: number;
}

/** What a diagnosis was: enough to repeat it. */
export interface DiagnosisProvenance {
  readonly model: string;
  readonly identity: string;
  readonly edits: readonly string[];
  /** Ordinary tokens that were measured. */
  readonly tokens: number;
  /** SHA-256 over the token ids. */
  readonly dataHash: string;
}

/**
 * `"as claimed"`: nothing fits better by more than a twentieth. `"other"`: another convention does. `"none"`: nothing fits, so
 * the model is most likely another one.
 */
export type Verdict = "as claimed" | "other" | "none";

interface DiagnosisParts {
  readonly name: string;
  readonly rows: readonly Measured[];
  readonly best: Measured;
  readonly bos: BosFinding | undefined;
  readonly dictionary: Dictionary;
  readonly claimedK: number | undefined;
  readonly claimedModel: DictionaryConfig["model"];
  readonly provenance: DiagnosisProvenance;
}

/** Above this fraction of unexplained variance no convention counts as fitting. */
const hopeless = 0.8;

/** The conventions of a dictionary, measured. */
export class Diagnosis {
  static {
    printsItself(this.prototype);
  }

  readonly name: string;
  /** Every convention measured, the best first; NaN where activations do not vary. */
  readonly rows: readonly Measured[];
  /** As the dictionary's files and options have it. */
  readonly claimed: Measured;
  /** The one with the least variance unexplained. */
  readonly best: Measured;
  readonly verdict: Verdict;
  /** The dictionary on BOS, which the rows leave out; absent when texts had none. */
  readonly bos: BosFinding | undefined;
  /**
   * The dictionary with the best convention as its own: hook points, normalisation, bias, and a factor on the input folded into
   * the weights. A centred stream is the model's part: `model.processed({ centerWritingWeights: true })`.
   */
  readonly dictionary: Dictionary;
  readonly provenance: DiagnosisProvenance;
  readonly #notes: readonly string[];

  /** @internal */
  constructor(parts: DiagnosisParts) {
    const { name, rows, best, bos, dictionary, provenance } = parts;
    const [claimed = best] = rows;
    this.name = name;
    this.claimed = claimed;
    this.best = best;
    this.rows = rows.toSorted((a, b) => order(a) - order(b));
    this.verdict = verdictOf(claimed, best);
    this.bos = bos;
    this.dictionary = dictionary;
    this.provenance = provenance;
    this.#notes = notes(parts);
  }

  /** In what the best convention differs from the claimed one; empty when in nothing. */
  get differences(): readonly string[] {
    return differences(this.best.convention, this.claimed.convention);
  }

  /** The best conventions as a table. */
  toView(): View {
    const columns = [
      { name: "convention", kind: "text" as const },
      { name: "FVU", kind: "number" as const },
      { name: "L0", kind: "number" as const },
    ];
    const rows = this.#shown(20).map((row) => [this.#label(row), row.fvu, row.l0]);
    return table(columns, rows, { title: `Conventions of ${this.name}`, note: this.#conclusion() });
  }

  /** What was found, the best conventions, and what to do. */
  toString(): string {
    const lines = this.#shown(8).map(
      (row) => `  FVU ${row.fvu.toFixed(4)}  L0 ${row.l0.toFixed(1)}  ${this.#label(row)}`,
    );
    return [
      `Diagnosis of ${this.name}: ${this.#conclusion()}`,
      ...lines,
      ...this.#notes.map((note) => `  ${note}`),
    ].join("\n");
  }

  #conclusion(): string {
    const { claimed, best, verdict } = this;
    const tokens = `on ${this.provenance.tokens} tokens of ${this.provenance.model}`;
    if (verdict === "as claimed")
      return `right as claimed (FVU ${claimed.fvu.toFixed(4)}, L0 ${claimed.l0.toFixed(1)}) ${tokens}`;
    const found = `FVU ${best.fvu.toFixed(4)} in place of ${claimed.fvu.toFixed(4)}`;
    if (verdict === "other") return `not as claimed: ${this.differences.join(", ")} (${found}) ${tokens}`;
    return `nothing fits (least FVU ${best.fvu.toFixed(4)}) ${tokens}`;
  }

  /** The best rows, and the claimed one wherever it stands. */
  #shown(limit: number): readonly Measured[] {
    const first = this.rows.slice(0, limit);
    return first.includes(this.claimed) ? first : [...first, this.claimed];
  }

  #label({ convention }: Measured): string {
    const claimed = this.claimed.convention;
    const said = differences(convention, claimed);
    return said.length === 0 ? `as claimed: ${describe(claimed)}` : said.join(", ");
  }
}

function order({ fvu }: Measured): number {
  return Number.isNaN(fvu) ? Number.POSITIVE_INFINITY : fvu;
}

function describe(one: Convention): string {
  const places = one.readHook === one.writeHook ? one.readHook : `${one.readHook} -> ${one.writeHook}`;
  const bias = one.subtractsDecoderBias ? "b_dec subtracted" : "b_dec not subtracted";
  const bos = one.prependBos === undefined ? "" : one.prependBos ? ", texts with BOS" : ", texts without BOS";
  return `${places}, normalisation ${one.normalization}, ${bias}${bos}`;
}

function verdictOf(claimed: Measured, best: Measured): Verdict {
  if (best.fvu > hopeless) return "none";
  return claimed.fvu <= best.fvu * 1.05 + 0.002 ? "as claimed" : "other";
}

/** What to do, in sentences. */
function notes({ rows, best, bos, claimedK, claimedModel, provenance }: DiagnosisParts): readonly string[] {
  const [claimed = best] = rows;
  const verdict = verdictOf(claimed, best);
  const said = verdict === "other" ? remedies(best.convention, claimed.convention) : [];
  if (verdict === "none") {
    const made =
      claimedModel === undefined ? "which model it was made for" : `that it was made for ${claimedModel.name}`;
    said.push(`Check the model: the dictionary says ${made}; ${provenance.model} is loaded here.`);
  }
  if (claimedModel?.identity !== undefined && claimedModel.identity !== provenance.identity)
    said.push(`It was made for weights ${claimedModel.identity}; these are ${provenance.identity}.`);
  if (claimedK !== undefined && best.l0 < claimedK * 0.95)
    said.push(`Fewer features fire (${best.l0.toFixed(1)}) than its k of ${claimedK}: most are below zero there.`);
  if (bos !== undefined && bos.relativeError > 2 * Math.max(best.fvu, 0.05))
    said.push(
      `BOS itself is not reconstructed (relative error ${bos.relativeError.toFixed(2)}): leave it out of what you measure.`,
    );
  return said;
}

/** How to use the best convention. */
function remedies(best: Convention, claimed: Convention): string[] {
  const said = ["Use diagnosis.dictionary, which has the hook points, bias, normalisation and scale that fit best."];
  if (best.stream === "centred")
    said.push("Use it on model.processed({ centerWritingWeights: true }), whose stream is centred.");
  if (best.prependBos !== claimed.prependBos)
    said.push(
      `Run texts ${best.prependBos === true ? "with" : "without"} BOS: pass prependBos: ${String(best.prependBos)}.`,
    );
  return said;
}
