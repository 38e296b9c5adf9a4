/**
 * Why heads of a graph looked where they did.
 *
 * Edges are exact with patterns held, so what makes the patterns does not show in them. Here it does: the score of each of the
 * strongest moves, above the mean score of all keys that the query could look at, as products of parts of the two streams.
 */
import { type QkAttribution, qk } from "../../analysis/index.js";
import { InputError, type LongCallOptions, printsItself, progressOf } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { table, type View } from "../../viz/index.js";
import type { HeadAddress } from "../paths/directions.js";
import { type GraphHeads, type HeadMove, moveText } from "./result.js";

/** Options of {@link attentionCauses}. */
export interface AttentionCausesOptions extends LongCallOptions {
  /** How many of the strongest moves are explained. Default 8. */
  readonly moves?: number;
}

/** A move, and its score taken apart. */
export interface AttentionCause {
  readonly move: HeadMove;
  readonly score: QkAttribution;
}

/** A head whose writes made others look. */
export interface HeadCause extends HeadAddress {
  readonly flow: number;
}

/** What made heads look where they did. Immutable. */
export class AttentionCauses {
  static {
    printsItself(this.prototype);
  }

  /** The strongest move first. */
  readonly causes: readonly AttentionCause[];
  /** Heads whose writes made the scores, the one with most of them first; `flow` is what of the moves they answer for. */
  readonly heads: readonly HeadCause[];
  readonly #prompt: readonly string[];

  /** @internal Use `attentionCauses`. */
  constructor(causes: readonly AttentionCause[], prompt: readonly string[]) {
    this.causes = causes;
    this.heads = headsOf(causes);
    this.#prompt = prompt;
  }

  /** Returns the strongest products of every move. */
  toView(): View {
    const rows = this.causes.flatMap(({ move, score }) =>
      score.top(4).map(({ query, key, value }) => [moveText(move, this.#prompt), query, key, value] as const),
    );
    const columns = ["move", "query", "key"].map((name) => ({ name, kind: "text" }) as const);
    return table([...columns, { name: "score", kind: "number" }], rows, {
      title: "Why heads looked where they did",
      note: "Scores above the mean over keys, as products of what wrote the query and what wrote the key.",
    });
  }

  /** Returns each move with its strongest product. */
  toString(): string {
    const lines = this.causes.map(({ move, score }) => {
      const [best] = score.top(1);
      const product = best === undefined ? "nothing" : `${best.query} × ${best.key} ${best.value.toFixed(2)}`;
      return `  ${moveText(move, this.#prompt)}: score ${score.score.toFixed(2)} above the mean, most of it ${product}`;
    });
    return ["AttentionCauses:", ...lines].join("\n");
  }
}

function headOf(label: string): HeadAddress | undefined {
  const [, layer, head] = /^L(\d+)H(\d+)$/.exec(label) ?? [];
  return layer === undefined ? undefined : { layer: Number(layer), head: Number(head) };
}

/** Shares of the positive part of each score by the heads in its products, weighted by the flow of the move. */
function headsOf(causes: readonly AttentionCause[]): readonly HeadCause[] {
  const flows = new Map<string, number>();
  for (const { move, score } of causes) {
    const parts = score.top(Number.POSITIVE_INFINITY).filter(({ value }) => value > 0);
    const whole = parts.reduce((sum, { value }) => sum + value, 0);
    for (const { query, key, value } of parts)
      for (const label of new Set([query, key]))
        if (headOf(label) !== undefined) flows.set(label, (flows.get(label) ?? 0) + (move.flow * value) / whole);
  }
  const found = [...flows].flatMap(([label, flow]) => {
    const head = headOf(label);
    return head === undefined ? [] : [{ ...head, flow }];
  });
  return found.sort((a, b) => b.flow - a.flow);
}

/**
 * Takes the scores of a graph's strongest moves apart: which heads, MLPs and embeddings wrote what the query asked for and
 * what the key answered.
 *
 * @throws InputError for a count that is no whole number of 1 or more; what `qk.attribution` throws.
 */
export async function attentionCauses(
  model: Model,
  heads: GraphHeads,
  options: AttentionCausesOptions = {},
): Promise<AttentionCauses> {
  const { moves = 8, signal } = options;
  if (!Number.isInteger(moves) || moves < 1) throw badCount(moves);
  const report = progressOf(options);
  const strongest = heads.moves(moves);
  const causes: AttentionCause[] = [];
  for (const move of strongest) {
    report?.({ done: causes.length, total: strongest.length, label: "scores of heads" });
    const { layer, head, from, to } = move;
    const place = { layer, head, queryPos: to, keyPos: from, above: "mean" } as const;
    const score = await qk.attribution(model, heads.tokens, { ...place, ...(signal === undefined ? {} : { signal }) });
    causes.push({ move, score });
  }
  return new AttentionCauses(causes, heads.prompt);
}

function badCount(got: number): InputError {
  return new InputError({
    where: "attentionCauses: moves",
    got: String(got),
    expected: "a whole number of 1 or more",
    fix: "Leave it out for 8.",
  });
}
