/**
 * The greedy search for paths that explain a target, from the target back.
 *
 * 1. A path begins at the target. Each round takes the end of every open path apart into features of transcoders, heads with
 *    the position that they read, embeddings and learned positions.
 * 2. Of each path the `branches` strongest parts are kept, and of all paths of the round the `branches` strongest.
 * 3. With `cap`, a path counts as at most the smallest activation among the features that it goes through, target included:
 *    taking a part away cannot take more from a feature than it has.
 *
 * Dunefsky et al. 2024, "Transcoders Find Interpretable LLM Feature Circuits", algorithm 1.
 */
import { throwIfAborted } from "../../core/index.js";
import type { FrozenStream } from "./frozen-stream.js";
import type { Contribution, OpenDirection } from "./stream-parts.js";

/** What is left of a path's end beside the parts that were followed. */
export interface Remainder {
  /** What dictionaries leave of their MLPs' writes. */
  readonly error: number;
  readonly bias: number;
  /** Parts that were not followed; the whole of an end that was not taken apart. */
  readonly pruned: number;
}

/** A path up to one of its steps, as the step and where the path went before it. */
export interface PathPrefix {
  /** Which prefix it goes on from; -1 for steps from the target. */
  readonly parent: number;
  readonly step: Contribution;
  /** The contribution after the cap: what the search ranks by. */
  readonly capped: number;
  /** `undefined` for leaves: tokens and positions. */
  readonly remainder: Remainder | undefined;
}

/** How far a search goes. */
export interface SearchOptions {
  readonly branches: number;
  readonly iterations: number;
  readonly hasCap: boolean;
  readonly rank: "signed" | "size";
  readonly signal: AbortSignal | undefined;
  readonly onRound: (done: number) => void;
}

/** What a search found. */
export interface SearchResult {
  readonly prefixes: readonly PathPrefix[];
  /** What is left of the target itself. */
  readonly remainder: Remainder;
  /** Largest distance of parts from their whole, over the sum of the parts' sizes. */
  readonly certificate: number;
}

interface End {
  readonly parent: number;
  readonly step: Contribution;
  readonly capped: number;
  /** The smallest activation on the way. */
  readonly cap: number;
  readonly direction: OpenDirection;
  readonly whole: number;
}

interface Found {
  readonly prefixes: PathPrefix[];
  worst: number;
}

/** What the target is worth and where it is read. */
export interface SearchStart {
  readonly direction: OpenDirection;
  readonly value: number;
  /** The target's activation, when it is a feature; else infinite. */
  readonly cap: number;
}

interface Candidate {
  readonly end: number;
  readonly step: Contribution;
  readonly capped: number;
}

function strength(rank: SearchOptions["rank"]): (candidate: Candidate) => number {
  return ({ capped }) => (rank === "signed" ? capped : Math.abs(capped));
}

function strongest(candidates: readonly Candidate[], { branches, rank }: SearchOptions): readonly Candidate[] {
  const of = strength(rank);
  return [...candidates].sort((a, b) => of(b) - of(a)).slice(0, branches);
}

/** An end taken apart: its candidates, and what of it is no candidate. */
interface Opened {
  readonly all: readonly Contribution[];
  readonly error: number;
  readonly bias: number;
}

function open(stream: FrozenStream, direction: OpenDirection, whole: number, found: Found): Opened {
  const { sources, error, bias } = stream.parts(direction);
  const sum = sources.reduce((total, { contribution }) => total + contribution, error + bias);
  const size = sources.reduce((total, { contribution }) => total + Math.abs(contribution), Math.abs(error + bias));
  found.worst = Math.max(found.worst, Math.abs(sum - whole) / Math.max(size, 1e-30));
  return { all: sources, error, bias };
}

function remainderOf({ all, error, bias }: Opened, kept: ReadonlySet<Contribution>): Remainder {
  const pruned = all.reduce((sum, one) => sum + (kept.has(one) ? 0 : one.contribution), 0);
  return { error, bias, pruned };
}

function capOf({ step, cap }: Pick<End, "cap" | "step">): number {
  return step.source.kind === "feature" ? Math.min(cap, step.source.activation) : cap;
}

interface Round {
  readonly ends: readonly Pick<End, "cap" | "direction" | "whole">[];
  readonly places: readonly number[];
}

/** Takes every end of a round apart and keeps the strongest; returns the ends of the next. */
function advance(
  stream: FrozenStream,
  { ends, places }: Round,
  options: SearchOptions,
  found: Found,
): { readonly next: Round; readonly remainders: readonly Remainder[] } {
  const opened = ends.map(({ direction, whole }) => open(stream, direction, whole, found));
  const candidates = opened.flatMap(({ all }, end) => {
    const cap = options.hasCap ? (ends[end]?.cap ?? 0) : Number.POSITIVE_INFINITY;
    const own = all.map((step) => ({ end, step, capped: Math.min(step.contribution, cap) }));
    return strongest(own, options);
  });
  const kept = strongest(candidates, options).filter(({ capped }) => options.rank === "size" || capped > 0);
  const steps = new Set(kept.map(({ step }) => step));
  const next: { ends: Round["ends"][number][]; places: number[] } = { ends: [], places: [] };
  for (const { end, step, capped } of kept) {
    const from = ends[end];
    if (from === undefined) continue;
    const direction = stream.behind(from.direction, step);
    const whole = step.contribution;
    const remainder = direction === undefined ? undefined : { error: 0, bias: 0, pruned: whole };
    found.prefixes.push({ parent: places[end] ?? -1, step, capped, remainder });
    if (direction === undefined) continue;
    next.ends.push({ direction, whole, cap: capOf({ step, cap: from.cap }) });
    next.places.push(found.prefixes.length - 1);
  }
  return { next, remainders: opened.map((one) => remainderOf(one, steps)) };
}

/** Searches from a target; contributions of 0 or less are followed only when ranked by size. */
export function searchPaths(stream: FrozenStream, start: SearchStart, options: SearchOptions): SearchResult {
  const found: Found = { prefixes: [], worst: 0 };
  let round: Round = { ends: [{ ...start, whole: start.value }], places: [-1] };
  let ofTarget: Remainder = { error: 0, bias: 0, pruned: start.value };
  for (let done = 0; done < options.iterations && round.ends.length > 0; done++) {
    throwIfAborted(options.signal, "transcoderPaths");
    options.onRound(done);
    const { next, remainders } = advance(stream, round, options, found);
    for (const [i, remainder] of remainders.entries()) {
      const place = round.places[i] ?? -1;
      const prefix = found.prefixes[place];
      if (prefix === undefined) ofTarget = remainder;
      else found.prefixes[place] = { ...prefix, remainder };
    }
    round = next;
  }
  return { prefixes: found.prefixes, remainder: ofTarget, certificate: found.worst };
}
