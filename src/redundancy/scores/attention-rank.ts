/**
 * ARank (γ-MoD, Luo et al. 2024): the mean rank of a layer's attention patterns below the diagonal; low means redundant.
 *
 * The numeric rank counts singular values above `σ_max · T · ε`, ε that of float32, as `matrix_rank` does; it depends on that
 * tolerance, so the effective rank `exp H(σ / Σ σ)` stands beside it.
 */
import { InputError, type LongCallOptions, progressOf, throwIfAborted } from "../../core/index.js";
import { svd } from "../../linalg/index.js";
import type { Model, TokenRow } from "../../model/index.js";
import { bootstrapIntervals } from "../../stats/index.js";
import { Tensor } from "../../tensor/index.js";
import { groupRows } from "../evaluate/rows.js";
import type { Score } from "../parts.js";

/** Options of {@link attentionRank}. */
export interface AttentionRankOptions extends LongCallOptions {
  /** Positions of each row that are taken, from its start; a causal pattern there does not depend on what follows. Default 64. */
  readonly positions?: number;
}

const epsilon = 2 ** -23;

/** Numeric and effective rank of a pattern `[T, T]` below its diagonal. */
export function patternRank(
  pattern: ArrayLike<number>,
  size: number,
): { readonly rank: number; readonly effective: number } {
  const lower = Float64Array.from({ length: size * size }, (_, i) =>
    i % size < Math.floor(i / size) ? (pattern[i] ?? 0) : 0,
  );
  const { data } = svd(Tensor.of(lower, [size, size], ["queryPos", "keyPos"])).S;
  const most = data[0] ?? 0;
  const total = data.reduce((a, b) => a + b, 0);
  if (total === 0) return { rank: 0, effective: 0 };
  const entropy = data.reduce((sum, value) => (value > 0 ? sum - (value / total) * Math.log(value / total) : sum), 0);
  return { rank: data.filter((value) => value > most * size * epsilon).length, effective: Math.exp(entropy) };
}

/**
 * Scores every attention sublayer by the rank of its patterns, averaged over heads, then over rows.
 *
 * @returns The numeric and the effective rank; LOW values can go first. Intervals are bootstraps over rows.
 * @throws InputError for rows that do not fit, and fewer than two positions; AbortedError.
 */
export async function attentionRank(
  model: Model,
  rows: readonly TokenRow[],
  options: AttentionRankOptions = {},
): Promise<readonly Score[]> {
  const { positions = 64, signal } = options;
  if (!Number.isInteger(positions) || positions < 2)
    throw new InputError({
      where: "attentionRank: positions",
      got: String(positions),
      expected: "a whole number of 2 or more",
      fix: "Leave it out for 64.",
    });
  const { layers } = model.view;
  const last = model.hookNames().findLast((name) => name.endsWith(".hook_resid_post")) ?? "";
  const hooks = layers.map((layer) => `blocks.${layer}.attn.hook_pattern`);
  const cut = rows.map((row) => Array.from(row).slice(0, positions));
  const report = progressOf(options);
  const found: { rank: number; effective: number }[][] = layers.map(() => []);
  let done = 0;
  for (const { rows: own, length } of groupRows(model, cut, "attentionRank"))
    for (const row of own) {
      throwIfAborted(signal, "attentionRank");
      report?.({ done: done++, total: rows.length, label: "ranks of patterns" });
      const { cache } = await model.run([row], { capture: [...hooks, last], logits: "none" });
      hooks.forEach((hook, i) => found[i]?.push(meanRank(cache.get(hook), length)));
    }
  report?.({ done, total: rows.length, label: "ranks of patterns" });
  const parts = layers.map((layer) => ({ kind: "attention", layer }) as const);
  const score = (name: string, title: string, pick: (one: { rank: number; effective: number }) => number): Score => {
    const values = (weights?: ArrayLike<number>): number[] => found.map((own) => weightedMean(own.map(pick), weights));
    const intervals = bootstrapIntervals(rows.length, (weights) => values(weights), { resamples: 300 });
    return {
      name,
      title,
      parts,
      values: Float64Array.from(values()),
      low: Float64Array.from(intervals, ({ low }) => low),
      high: Float64Array.from(intervals, ({ high }) => high),
    };
  };
  return [
    score("attentionRank", "ARank", ({ rank }) => rank),
    score("effectiveRank", "effective rank of attention", ({ effective }) => effective),
  ];
}

function meanRank(patterns: Tensor, size: number): { rank: number; effective: number } {
  const data = patterns.contiguous().data as ArrayLike<number>;
  const heads = data.length / (size * size);
  const sum = { rank: 0, effective: 0 };
  for (let head = 0; head < heads; head++) {
    const own = Array.from({ length: size * size }, (_, i) => data[head * size * size + i] ?? 0);
    const { rank, effective } = patternRank(own, size);
    sum.rank += rank / heads;
    sum.effective += effective / heads;
  }
  return sum;
}

function weightedMean(values: readonly number[], weights?: ArrayLike<number>): number {
  let [sum, total] = [0, 0];
  values.forEach((value, i) => {
    sum += (weights?.[i] ?? 1) * value;
    total += weights?.[i] ?? 1;
  });
  return sum / total;
}
