/** What stands in the place of an ablated activation: zeros, means, or another prompt's values. */
import { createRandom, InputError, type LongCallOptions, UnsupportedError } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import type { Donor, PatchRowsSpec } from "../patching/patches.js";
import type { TokenPair } from "../patching/prompts.js";
import { patchAxis, siteShape } from "../patching/sites.js";
import { type PromptValues, runPrompts } from "../patching/values.js";

/**
 * What is written over an activation: zeros; the mean over reference prompts and positions; the mean over reference
 * prompts at each position; the values of another reference prompt of the same length, drawn with a seed.
 */
export type AblationKind = "zero" | "mean" | "meanByPosition" | "resample";

/** Where means and other prompts' values come from. */
export interface Reference extends LongCallOptions {
  readonly kind: AblationKind;
  readonly prompts: readonly (readonly number[])[];
  readonly seed: number;
  readonly where: string;
}

/** Tokens that run at once for a mean. */
const batchTokens = 4096;

/** Sums of one hook point over reference prompts, by position. */
interface Sums {
  /** `[pos, …rest]`. */
  readonly totals: Float64Array[];
  readonly counts: number[];
}

function addPrompt(sums: Sums, values: PromptValues, prompt: number, pos: number): void {
  const size = values.stride / pos;
  for (let p = 0; p < pos; p++) {
    const total = sums.totals[p] ?? new Float64Array(size);
    const start = prompt * values.stride + p * size;
    for (let i = 0; i < size; i++) total[i] = (total[i] ?? 0) + (values.data[start + i] ?? 0);
    sums.totals[p] = total;
    sums.counts[p] = (sums.counts[p] ?? 0) + 1;
  }
}

function groupsOf(prompts: readonly (readonly number[])[]): readonly (readonly (readonly number[])[])[] {
  const lengths = [...new Set(prompts.map(({ length }) => length))];
  return lengths.flatMap((length) => {
    const own = prompts.filter((prompt) => prompt.length === length);
    const batch = Math.max(1, Math.floor(batchTokens / length));
    return Array.from({ length: Math.ceil(own.length / batch) }, (_, i) => own.slice(i * batch, (i + 1) * batch));
  });
}

function checkAveraged(model: Model, hooks: readonly string[], where: string): void {
  const bad = hooks.find((hook) => siteShape(model, hook, 1).axes.some((axis) => patchAxis(axis) === "keyPos"));
  if (bad === undefined) return;
  throw new UnsupportedError({
    where: `${where}: ${bad}`,
    got: "a mean of attention patterns or scores, which mean other tokens in every prompt",
    expected: 'kind "zero" or "resample" here, or a mean at z, q, k or v',
    fix: "Ablate the heads' z, or resample.",
  });
}

/** Sums of hook points over the reference prompts. */
async function referenceSums(
  model: Model,
  hooks: readonly string[],
  reference: Reference,
): Promise<ReadonlyMap<string, Sums>> {
  checkAveraged(model, hooks, reference.where);
  const sums = new Map(hooks.map((hook): [string, Sums] => [hook, { totals: [], counts: [] }]));
  const signal = reference.signal === undefined ? {} : { signal: reference.signal };
  for (const prompts of groupsOf(reference.prompts)) {
    const run = await runPrompts(model, prompts, { ...signal, hooks });
    const pos = prompts[0]?.length ?? 1;
    for (const [hook, own] of sums) prompts.forEach((_, i) => addPrompt(own, run.values(hook), i, pos));
  }
  return sums;
}

/** Means of hook points: one for all positions, or one for each. */
export interface ReferenceMeans {
  /** `[…rest]`: the mean over all tokens of the reference prompts. */
  overall(hook: string): Float64Array;
  /** `[pos, …rest]` of a prompt of `pos` tokens. */
  byPosition(hook: string, pos: number): Float64Array;
}

/** Computes the means of hook points over reference prompts, in float64. */
export async function referenceMeans(
  model: Model,
  hooks: readonly string[],
  reference: Reference,
): Promise<ReferenceMeans> {
  const sums = await referenceSums(model, [...new Set(hooks)], reference);
  const of = (hook: string): Sums => sums.get(hook) ?? { totals: [], counts: [] };
  return {
    overall: (hook) => {
      const { totals, counts } = of(hook);
      const count = counts.reduce((a, b) => a + b, 0);
      return Float64Array.from(totals[0] ?? [], (_, i) => totals.reduce((sum, one) => sum + (one[i] ?? 0), 0) / count);
    },
    byPosition: (hook, pos) => {
      const { totals, counts } = of(hook);
      if (totals.length < pos) throw tooShort(pos, totals.length, reference.where);
      const flat = totals.slice(0, pos).map((total, p) => Array.from(total, (value) => value / (counts[p] ?? 1)));
      return Float64Array.from(flat.flat());
    },
  };
}

function tooShort(pos: number, longest: number, where: string): InputError {
  return new InputError({
    where,
    got: `a prompt of ${pos} tokens and reference prompts of at most ${longest}`,
    expected: "a reference prompt that has every position",
    fix: 'Give longer reference prompts, or use kind: "mean".',
  });
}

/** The same values for every prompt of a group, in the model's precision. */
function repeated(model: Model, values: Float64Array, times: number): PromptValues {
  const length = values.length * times;
  const data = model.view.precision === "float64" ? new Float64Array(length) : new Float32Array(length);
  for (let i = 0; i < times; i++) data.set(values, i * values.length);
  return { data, stride: values.length };
}

/** Tokens of the longest prompt: shorter ones are padded. */
function longest(pairs: readonly TokenPair[]): number {
  return Math.max(1, ...pairs.map(({ into }) => into.length));
}

function elements(model: Model, hook: string, pos: number): number {
  return siteShape(model, hook, pos).sizes.reduce((a, b) => a * b, 1);
}

function meanDonor(model: Model, means: ReferenceMeans, pairs: readonly TokenPair[], kind: AblationKind): Donor {
  const pos = longest(pairs);
  return (hook) => {
    if (kind === "meanByPosition") return repeated(model, means.byPosition(hook, pos), pairs.length);
    const one = means.overall(hook);
    const all = new Float64Array(one.length * pos);
    for (let p = 0; p < pos; p++) all.set(one, p * one.length);
    return repeated(model, all, pairs.length);
  };
}

/** Another reference prompt of the same length for each prompt. */
function partners(pairs: readonly TokenPair[], { prompts, seed, where }: Reference): readonly (readonly number[])[] {
  return pairs.map(({ index, into }) => {
    const key = into.join();
    const others = prompts.filter((prompt) => prompt.length === into.length && prompt.join() !== key);
    if (others.length === 0) throw noPartner(index, into.length, where);
    // One stream of random numbers for each prompt: the draw does not depend on which others are evaluated.
    return others[Math.floor(createRandom(seed + 7919 * index).uniform() * others.length)] ?? into;
  });
}

function noPartner(index: number, length: number, where: string): InputError {
  return new InputError({
    where: `${where}: prompt ${index}`,
    got: `no other reference prompt of ${length} tokens`,
    expected: "at least one to take values from",
    fix: 'Give reference prompts of the same lengths, or use kind: "mean".',
  });
}

/** What is written over the activations of each group of prompts; means are computed once. */
export function ablationDonor(model: Model, reference: Reference): PatchRowsSpec["donor"] {
  let means: Promise<ReferenceMeans> | undefined;
  const signal = reference.signal === undefined ? {} : { signal: reference.signal };
  return async (pairs, hooks) => {
    const pos = longest(pairs);
    if (reference.kind === "zero")
      return (hook) => repeated(model, new Float64Array(elements(model, hook, pos)), pairs.length);
    if (reference.kind === "resample")
      return (await runPrompts(model, partners(pairs, reference), { ...signal, hooks: [...new Set(hooks)] })).values;
    means ??= referenceMeans(model, hooks, reference);
    return meanDonor(model, await means, pairs, reference.kind);
  };
}
