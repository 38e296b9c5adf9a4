/** What a lens saw: predictions and statistics at every layer and position. */
import { formatCount, InputError, printsItself } from "../../core/index.js";
import type { Model, Receipt } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import type { View } from "../../viz/index.js";
import { type PromptGroup, type PromptTokens, piecesOf } from "../prompts.js";
import type { LensNumbers } from "./measure.js";
import type { LensRow } from "./rows.js";
import { checkStatistic } from "./statistics.js";
import type { LensPrompt, LensStatistic, LensTensor, TokenChance } from "./types.js";
import { type LensViewOptions, lensView } from "./view.js";

/** One group of prompts as it was measured. */
export interface LensReading {
  readonly group: PromptGroup;
  readonly numbers: LensNumbers;
  /** Token ids that were followed; -1 is the prediction, -2 none. */
  readonly wanted: Int32Array;
}

/** What a {@link LogitLensResult} is made from. */
export interface LensResultParts {
  readonly model: Model;
  readonly kind: { readonly rows: readonly LensRow[]; readonly name: string; readonly where: string };
  readonly topK: number;
  readonly read: readonly PromptTokens[];
  readonly readings: readonly LensReading[];
  readonly receipt: Receipt | undefined;
}

/** Where a result comes from. */
export interface LensProvenance {
  /** The model as it was named when loaded, and the identity of its weights. */
  readonly model: string;
  readonly identity: string;
  readonly edits: readonly string[];
  readonly precision: "float32" | "float64";
}

/** The numbers of one prompt within its group. */
interface Slot {
  readonly reading: LensReading;
  /** Which row of the group. */
  readonly index: number;
}

/** `[layer, pos]` of one prompt out of `[layer, place, width]` of its group. */
function cut(
  { reading, index }: Slot,
  source: ArrayLike<number>,
  rows: number,
  map: (x: number) => number,
): LensTensor {
  const { group } = reading;
  const places = group.rows.length * group.length;
  const data = new Float64Array(rows * group.length);
  for (let row = 0; row < rows; row++)
    for (let pos = 0; pos < group.length; pos++)
      data[row * group.length + pos] = map(source[row * places + index * group.length + pos] ?? Number.NaN);
  return Tensor.of(data, [rows, group.length], ["layer", "pos"]);
}

function isWanted({ reading, index }: Slot, pos: number): boolean {
  return (reading.wanted[index * reading.group.length + pos] ?? -1) >= -1;
}

/** NaN where no token was followed. */
function whereWanted(slot: Slot, tensor: LensTensor): LensTensor {
  const width = tensor.sizeOf("pos");
  const data = Float64Array.from(tensor.data, (x, i) => (isWanted(slot, i % width) ? x : Number.NaN));
  return Tensor.of(data, tensor.shape, ["layer", "pos"]);
}

function chancesAt(
  { reading, index }: Slot,
  row: number,
  { topK, spell }: { topK: number; spell: (id: number) => string },
): readonly (readonly TokenChance[])[] {
  const { group, numbers } = reading;
  const places = group.rows.length * group.length;
  return Array.from({ length: group.length }, (_, pos) => {
    const start = (row * places + index * group.length + pos) * topK;
    return Array.from({ length: topK }, (_entry, rank) => {
      const id = numbers.topIds[start + rank] ?? -1;
      return { token: spell(id), id, probability: Math.exp(numbers.topLogProbs[start + rank] ?? Number.NaN) };
    });
  });
}

function targetsOf(slot: Slot, spell: (id: number) => string): readonly string[] {
  const { group, numbers } = slot.reading;
  return Array.from({ length: group.length }, (_, pos) =>
    isWanted(slot, pos) ? spell(numbers.target[slot.index * group.length + pos] ?? -1) : "",
  );
}

/** Rounding may leave a divergence of equal distributions a little below 0. */
const atLeastZero = (x: number): number => Math.max(0, x);
const same = (x: number): number => x;

function promptOf(slot: Slot, prompt: PromptTokens, { model, kind, topK }: LensResultParts): LensPrompt {
  const { numbers } = slot.reading;
  const rows = kind.rows.length;
  const spellings = new Map<number, string>();
  const spell = (id: number): string => {
    const text = spellings.get(id) ?? piecesOf(model, [id])[0] ?? `#${id}`;
    spellings.set(id, text);
    return text;
  };
  const best = numbers.topLogProbs.filter((_, i) => i % topK === 0);
  return {
    tokens: prompt.pieces,
    ids: Array.from(prompt.ids),
    top: kind.rows.map((_, row) => chancesAt(slot, row, { topK, spell })),
    kl: cut(slot, numbers.kl, rows, atLeastZero),
    reverseKl: cut(slot, numbers.reverseKl, rows, atLeastZero),
    entropy: cut(slot, numbers.entropy, rows, atLeastZero),
    probability: cut(slot, best, rows, Math.exp),
    rank: whereWanted(slot, cut(slot, numbers.rank, rows, same)),
    targetProbability: whereWanted(slot, cut(slot, numbers.targetLogProb, rows, Math.exp)),
    overlap: cut(slot, numbers.overlap, rows, (count) => count / topK),
    targets: targetsOf(slot, spell),
  };
}

function promptsOf(parts: LensResultParts): readonly LensPrompt[] {
  return parts.read.map((prompt, place) => {
    const reading = parts.readings.find(({ group }) => group.places.includes(place));
    if (reading === undefined) throw severalPrompts(parts.kind.where, place);
    return promptOf({ reading, index: reading.group.places.indexOf(place) }, prompt, parts);
  });
}

function severalPrompts(where: string, count: number): InputError {
  return new InputError({
    where,
    got: `a result for ${count} prompts`,
    expected: "a result for one",
    fix: "Say which with result.prompt(i).",
  });
}

/** The next-token prediction at every layer and position, with statistics against the final layer. */
export class LogitLensResult {
  static {
    printsItself(this.prototype);
  }

  /** `"logit lens"` or `"tuned lens"`. */
  readonly lens: string;
  /** Layer of each row: `i` reads at block `i`, -1 the embeddings. */
  readonly layers: readonly number[];
  /** What each row reads: `"embed"`, `"0_post"`, `"1_attn_out"`, … */
  readonly labels: readonly string[];
  /** One entry for each prompt, in the order given. */
  readonly prompts: readonly LensPrompt[];
  /** How many tokens are kept at each place. */
  readonly topK: number;
  readonly provenance: LensProvenance;
  readonly #where: string;

  /** @internal */
  constructor(parts: LensResultParts) {
    const { model, kind, topK, receipt } = parts;
    this.lens = kind.name;
    this.#where = kind.where;
    this.layers = kind.rows.map(({ layer }) => layer);
    this.labels = kind.rows.map(({ label }) => label);
    this.topK = topK;
    this.prompts = promptsOf(parts);
    this.provenance = {
      model: model.id,
      identity: receipt?.identity ?? "",
      edits: receipt?.edits.map(({ name }) => name) ?? [],
      precision: model.view.precision,
    };
  }

  /**
   * Returns one prompt's part of the result.
   *
   * @throws InputError when there is no such prompt.
   */
  prompt(i: number): LensPrompt {
    const found = this.prompts[i];
    if (found !== undefined) return found;
    throw new InputError({
      where: `${this.#where}: result.prompt`,
      got: String(i),
      expected: `a whole number from 0 to ${this.prompts.length - 1}`,
      fix: "Count prompts from 0.",
    });
  }

  get #only(): LensPrompt {
    if (this.prompts.length > 1) throw severalPrompts(`${this.#where}: result`, this.prompts.length);
    return this.prompt(0);
  }

  /** The prompt's tokens; for several prompts use `prompt(i)`, as for all that follows. */
  get tokens(): readonly string[] {
    return this.#only.tokens;
  }

  /** `[layer][pos]`, best first. */
  get top(): readonly (readonly (readonly TokenChance[])[])[] {
    return this.#only.top;
  }

  /** `KL(final ‖ lens)` in nats, `[layer, pos]`. */
  get kl(): LensTensor {
    return this.#only.kl;
  }

  /** `KL(lens ‖ final)` in nats, `[layer, pos]`. */
  get reverseKl(): LensTensor {
    return this.#only.reverseKl;
  }

  /** Entropy in nats, `[layer, pos]`. */
  get entropy(): LensTensor {
    return this.#only.entropy;
  }

  /** How many tokens come before the target, `[layer, pos]`. */
  get rank(): LensTensor {
    return this.#only.rank;
  }

  /** Probability of the target, `[layer, pos]`. */
  get targetProbability(): LensTensor {
    return this.#only.targetProbability;
  }

  /** Share of the final layer's top-k tokens that are among the row's, `[layer, pos]`. */
  get overlap(): LensTensor {
    return this.#only.overlap;
  }

  /**
   * Returns a statistic's mean over positions of all prompts, one number for each row; positions without a target do not
   * count.
   *
   * With `pos: "last"` only the last position of each prompt counts.
   */
  mean(statistic: LensStatistic, options: { readonly pos?: "all" | "last" } = {}): readonly number[] {
    checkStatistic(statistic, `${this.#where}: result.mean`);
    return this.labels.map((_, row) => {
      const values = this.prompts.flatMap((prompt) => {
        const ofRow = Array.from(prompt[statistic].at({ layer: row }).contiguous().data, Number);
        return options.pos === "last" ? ofRow.slice(-1) : ofRow;
      });
      const counted = values.filter((value) => !Number.isNaN(value));
      return counted.reduce((sum, value) => sum + value, 0) / counted.length;
    });
  }

  /**
   * Returns layers against positions with the first token in each cell, coloured by its probability (or another
   * statistic), the top k behind it; for several prompts the mean by layer, unless one is named.
   */
  toView(options: LensViewOptions = {}): View {
    const { of = this.prompts.length > 1 ? "kl" : "probability", prompt } = options;
    checkStatistic(of, `${this.#where}: result.toView`);
    return lensView(this, { of, prompt: prompt ?? (this.prompts.length > 1 ? undefined : 0) });
  }

  /** Returns the mean of the main statistics by layer, as text. */
  toString(): string {
    const { model, edits } = this.provenance;
    const count = this.prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
    const edited = edits.length === 0 ? "" : ` with ${edits.map((name) => `edit.${name}`).join(", ")}`;
    const head = `${this.lens} of "${model}"${edited}: ${this.labels.length} layers, ${this.prompts.length} ${this.prompts.length === 1 ? "prompt" : "prompts"}, ${formatCount(count)} positions`;
    const [kl, entropy, overlap] = [this.mean("kl"), this.mean("entropy"), this.mean("overlap")];
    const width = Math.max(...this.labels.map(({ length }) => length));
    const lines = this.labels.map((label, row) => {
      const last = this.prompts.length === 1 ? `  ${lastTop(this.prompt(0), row)}` : "";
      return `  ${label.padEnd(width)}  KL to final ${(kl[row] ?? 0).toFixed(3)}  entropy ${(entropy[row] ?? 0).toFixed(3)}  top-${this.topK} overlap ${(overlap[row] ?? 0).toFixed(2)}${last}`;
    });
    return [head, ...lines].join("\n");
  }
}

function lastTop({ top }: LensPrompt, row: number): string {
  const best = top[row]?.at(-1)?.[0];
  return best === undefined ? "" : `→ ${JSON.stringify(best.token)} ${best.probability.toFixed(3)}`;
}
