/** Ablations: one component at a time, sets of components together, or a model without them. */
import { InputError, type LongCallOptions, progressOf, throwIfAborted } from "../../core/index.js";
import { type Edit, edit, type Metric, type Model } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { type Patch, patchRows } from "../patching/patches.js";
import { byLength, type PatchInput, promptTokens, type TokenPair } from "../patching/prompts.js";
import { mean } from "../patching/result.js";
import { type PatchSite, siteHook, siteShape } from "../patching/sites.js";
import {
  memoryOf,
  provenanceOf,
  type SitePatches,
  type SweepSpan,
  siteEffect,
  sitePatches,
} from "../patching/sweep.js";
import { runPrompts } from "../patching/values.js";
import { ablatingEdits, selectionOf } from "./components.js";
import { type AblationKind, ablationDonor, type Reference, referenceMeans } from "./donors.js";
import { type AblatedSet, type AblationProvenance, AblationSets, AblationSweep } from "./result.js";

/** What ablations take. */
export interface AblationOptions extends LongCallOptions {
  readonly prompts: PatchInput;
  readonly metric: Metric;
  /** What is written in the place of an activation; default `"mean"`. */
  readonly kind?: AblationKind;
  /** Prompts that means are taken over and other values drawn from; default: the prompts themselves. */
  readonly reference?: PatchInput;
  /** Of `"resample"`; default 0. */
  readonly seed?: number;
  /** Bytes that activations may take; default 512 MiB or the model's own limit. */
  readonly memoryLimit?: number;
}

/** Options of `ablation.sweep`. */
export interface AblationSweepOptions extends AblationOptions, SweepSpan {
  readonly sites: readonly PatchSite[];
}

/** Options of `ablation.sets`. */
export interface AblationSetsOptions extends AblationOptions {
  /** Components to ablate together, by the set's name. */
  readonly sets: Readonly<Record<string, readonly Patch[]>>;
}

/** Options of `ablation.ablate`. */
export interface AblateOptions extends LongCallOptions {
  /** Default `"mean"`. */
  readonly kind?: Exclude<AblationKind, "resample">;
  /** Prompts that means are taken over; needed for them. */
  readonly reference?: PatchInput;
}

function selfPairs(model: Model, prompts: PatchInput, where: string): readonly TokenPair[] {
  return promptTokens(model, prompts, where).map((tokens, index) => ({ index, from: tokens, into: tokens }));
}

function longOf({ signal, onProgress }: LongCallOptions): LongCallOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) };
}

function referenceOf(model: Model, options: AblationOptions, where: string): Reference {
  const { kind = "mean", seed = 0, prompts, reference = prompts } = options;
  return { ...longOf(options), kind, seed, where, prompts: promptTokens(model, reference, `${where}: reference`) };
}

function aboutOf(
  model: Model,
  metric: Metric,
  { kind, seed, prompts: reference }: Reference,
  counts: { readonly prompts: number; readonly patches: number },
): AblationProvenance {
  return { ...provenanceOf(model, metric, counts), kind, seed, reference: reference.length };
}

/** Ablates one component at a time. */
export async function ablationSweep(model: Model, options: AblationSweepOptions): Promise<AblationSweep> {
  const where = "ablation.sweep";
  const { metric, sites } = options;
  const pairs = selfPairs(model, options.prompts, where);
  const reference = referenceOf(model, options, where);
  const pos = Math.max(...pairs.map(({ into }) => into.length));
  const all: readonly SitePatches[] = sites.map((site) => sitePatches(model, site, { ...options, where }, pos));
  const patches = all.flatMap((one) => one.patches);
  if (patches.length === 0) throw nothing(where);
  const donor = ablationDonor(model, reference);
  const memoryLimit = memoryOf(model, options.memoryLimit);
  const spec = { ...longOf(options), pairs, patches, metric, donor, memoryLimit, where };
  const { patched, unpatched } = await patchRows(model, spec);
  const baselines = { clean: unpatched, corrupted: unpatched, direction: "noising" } as const;
  let start = 0;
  const effects = all.map((one) => {
    const size = one.patches.length * pairs.length;
    const own = patched.subarray(start, start + size);
    start += size;
    return siteEffect(model, one, { patched: own, pairs }, { baselines, title: `Ablating ${one.site}` });
  });
  const counts = { prompts: pairs.length, patches: patched.length };
  return new AblationSweep({
    sites: effects,
    metric: mean(unpatched),
    provenance: aboutOf(model, metric, reference, counts),
  });
}

function nothing(where: string): InputError {
  return new InputError({
    where,
    got: "nothing to ablate",
    expected: "at least one component",
    fix: "Name sites or sets.",
  });
}

/** Metrics of prompts of one length without a set of components. */
async function runSet(
  model: Model,
  pairs: readonly TokenPair[],
  edits: readonly Edit[],
  { metric, signal }: AblationOptions,
): Promise<Float64Array> {
  const run = await runPrompts(
    model.with(...edits),
    pairs.map(({ into }) => into),
    {
      ...(signal === undefined ? {} : { signal }),
      hooks: [],
      metric,
      metricRows: pairs.map(({ index }) => index),
    },
  );
  return run.metric;
}

/** Prompts of one length that run at once. */
const groupSize = 64;

function groupsOf(pairs: readonly TokenPair[]): readonly (readonly TokenPair[])[] {
  return byLength(pairs).flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / groupSize) }, (_, i) =>
      group.slice(i * groupSize, (i + 1) * groupSize),
    ),
  );
}

/** Ablates sets of components, each set together. */
export async function ablationSets(model: Model, options: AblationSetsOptions): Promise<AblationSets> {
  const where = "ablation.sets";
  const sets = Object.entries(options.sets);
  if (sets.length === 0 || sets.some(([, components]) => components.length === 0)) throw nothing(where);
  const pairs = selfPairs(model, options.prompts, where);
  const reference = referenceOf(model, options, where);
  const donate = ablationDonor(model, reference);
  const hooks = sets.flatMap(([, components]) => components.map(({ site, layer }) => siteHook(site, layer)));
  const values = sets.map(() => new Float64Array(pairs.length));
  const whole = new Float64Array(pairs.length);
  const report = progressOf(options);
  let done = 0;
  for (const group of groupsOf(pairs)) {
    const donor = await donate(group, hooks);
    const put = (target: Float64Array, found: Float64Array): void =>
      group.forEach(({ index }, i) => {
        target[index] = found[i] ?? Number.NaN;
      });
    put(whole, await runSet(model, group, [], options));
    for (const [i, [, components]] of sets.entries()) {
      throwIfAborted(options.signal, where);
      put(values[i] ?? whole, await runSet(model, group, ablatingEdits(model, components, donor, group), options));
      done += group.length;
      report?.({ done, total: pairs.length * sets.length, label: "ablations" });
    }
  }
  const metric = mean(whole);
  const results = sets.map(([name], i): AblatedSet => {
    const perPrompt = values[i] ?? whole;
    return { name, perPrompt, metric: mean(perPrompt), change: mean(perPrompt) - metric };
  });
  const counts = { prompts: pairs.length, patches: sets.length * pairs.length };
  const provenance = aboutOf(model, options.metric, reference, counts);
  return new AblationSets({ sets: results, metric, perPrompt: whole, provenance });
}

function zeroEdit(component: Patch): Edit {
  return edit.zero(siteHook(component.site, component.layer), selectionOf(component));
}

/** Returns the model without components. */
export async function ablate(model: Model, components: readonly Patch[], options: AblateOptions = {}): Promise<Model> {
  const where = "ablation.ablate";
  const { kind = "mean", reference } = options;
  if (components.length === 0) throw nothing(where);
  if (kind === "zero") return model.with(...components.map(zeroEdit));
  if (reference === undefined) throw noReference(kind);
  const prompts = promptTokens(model, reference, `${where}: reference`);
  const hooks = components.map(({ site, layer }) => siteHook(site, layer));
  const means = await referenceMeans(model, hooks, { ...longOf(options), kind, prompts, seed: 0, where });
  const pos = Math.max(...prompts.map(({ length }) => length));
  const edits = components.map((component) => {
    const hook = siteHook(component.site, component.layer);
    const { axes, sizes } = siteShape(model, hook, pos);
    const isFlat = kind === "mean";
    const data = isFlat ? means.overall(hook) : means.byPosition(hook, pos);
    const drop = isFlat ? 1 : 0;
    return edit.mean(hook, Tensor.of(data, sizes.slice(drop), axes.slice(drop)), selectionOf(component));
  });
  return model.with(...edits);
}

function noReference(kind: AblationKind): InputError {
  return new InputError({
    where: "ablation.ablate",
    got: `kind "${kind}" without reference prompts`,
    expected: "prompts to take the mean over",
    fix: 'Pass { reference: prompts }, or kind: "zero".',
  });
}
