/** Path patching: every sender on its own against one set of receivers. */
import { InputError, type LongCallOptions, progressOf, throwIfAborted, UnsupportedError } from "../../core/index.js";
import { type Metric, type Model, promptRows, RowRunner } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { type AblationKind, ablationDonor } from "../ablation/donors.js";
import { openGroup, type PromptGroup } from "../patching/group.js";
import { checkEdits, copiedFrom, type Donor } from "../patching/patches.js";
import { byLength, type PatchInput, pairPrompts, promptTokens, type TokenPair } from "../patching/prompts.js";
import { batchFlops, rowFlops } from "../patching/rows.js";
import { siteHook } from "../patching/sites.js";
import { provenanceOf } from "../patching/sweep.js";
import { findNodes, type Receiver, receiversOf, type Sender, sendersOf } from "./nodes.js";
import { PathResult } from "./path-result.js";
import {
  type Between,
  type PathRow,
  type PathWork,
  receiverHook,
  runPathRows,
  type SenderPlace,
  senderHook,
} from "./path-rows.js";

/** What a sender's write becomes: that of the paired prompt, or an ablation's value. */
export type SenderChange = "patch" | AblationKind;

/** What path patching and edge methods take. */
export interface EdgeInput extends LongCallOptions {
  /** Prompts whose writes are taken; needed for `change: "patch"`, and the reference of means and resampling. */
  readonly from?: PatchInput;
  /** Prompts that are run; all parts but those patched are theirs. */
  readonly into: PatchInput;
  readonly metric: Metric;
  /** Default `"patch"`. */
  readonly change?: SenderChange;
  /** Of `change: "resample"`; default 0. */
  readonly seed?: number;
}

/** Options of `edges.paths`. */
export interface PathOptions extends EdgeInput {
  /** Names such as `"a3.h1"`, `"m2"`, `"embed"`; default: all. Each is patched on its own. */
  readonly senders?: readonly string[];
  /** Names such as `"a5.h2.q"`, `"m4"`, `"logits"`; they are patched together. */
  readonly receivers: readonly string[];
  /** What happens to the parts in between. */
  readonly between?: Between;
}

function placesOf(senders: readonly Sender[]): readonly SenderPlace[] {
  const places = new Map<string, { startAtLayer: number; senders: { sender: Sender; index: number }[] }>();
  senders.forEach((sender, index) => {
    const key = senderHook(sender);
    const startAtLayer = "layer" in sender ? sender.layer : 0;
    const known = places.get(key) ?? { startAtLayer, senders: [] };
    known.senders.push({ sender, index });
    places.set(key, known);
  });
  return [...places.values()];
}

/** Refuses edited models, whose streams may hold what no part wrote. */
export function checkUnedited({ edits }: Model, where: string): void {
  const [first] = edits;
  if (first === undefined) return;
  throw new UnsupportedError({
    where,
    got: `a model with edit.${first.name}`,
    expected: "a model without edits, whose stream is the sum of what its parts write",
    fix: "Use patching.sweep, edges.paths or ablation.sets on edited models.",
  });
}

/** The pairs of a call; each prompt is its own partner where nothing is copied. */
export function edgePairs(
  model: Model,
  { from, into, change = "patch", metric }: EdgeInput,
  where: string,
): readonly TokenPair[] {
  const rows = promptTokens(model, into, where);
  if (change === "patch" && from === undefined) throw noSource(where);
  const pairs =
    change === "patch" && from !== undefined
      ? pairPrompts(promptTokens(model, from, where), rows, where)
      : rows.map((tokens, index) => ({ index, from: tokens, into: tokens }));
  if (metric.prompts !== undefined) promptRows(where, metric, pairs.length, undefined);
  return pairs;
}

function noSource(where: string): InputError {
  return new InputError({
    where,
    got: 'change "patch" without from',
    expected: "prompts to take writes from",
    fix: 'Pass { from: prompts }, or change: "zero" or "mean".',
  });
}

/** What senders' writes become, for groups of prompts; the metric of the other prompts goes to `metrics`. */
export function edgeDonor(
  model: Model,
  input: EdgeInput,
  metrics: Float64Array,
  where: string,
): (pairs: readonly TokenPair[], hooks: readonly string[]) => Promise<Donor> {
  const { change = "patch", from, into, seed = 0, signal, metric } = input;
  const long = signal === undefined ? {} : { signal };
  if (change === "patch") return copiedFrom(model, metric, metrics, long);
  const prompts = promptTokens(model, from ?? into, `${where}: from`);
  return ablationDonor(model, { ...long, kind: change, prompts, seed, where });
}

function rowLimit(model: Model, startAtLayer: number, pos: number): number {
  return Math.max(2, Math.floor(batchFlops / rowFlops(model, startAtLayer, pos)));
}

/** Hook points that frozen parts and receivers take their unpatched values from. */
function keptHooks(model: Model, senders: readonly Sender[]): readonly string[] {
  const { nLayers, attnOnly } = model.config;
  const layers = Array.from({ length: nLayers }, (_, layer) => layer);
  const sites = ["z", ...(attnOnly ? [] : (["attn_out", "mlp_out"] as const))] as const;
  const embeddings = senders.flatMap((one) =>
    one.kind === "embed" || one.kind === "pos_embed" ? [senderHook(one)] : [],
  );
  return [
    ...sites.flatMap((site) => layers.map((layer) => siteHook(site, layer))),
    siteHook("resid_post", nLayers - 1),
    ...embeddings,
  ];
}

interface PathJob {
  readonly senders: readonly Sender[];
  readonly receivers: readonly Receiver[];
  readonly between: Required<Between>;
  readonly pairs: readonly TokenPair[];
  /** `[sender, prompt]`. */
  readonly out: Float64Array;
  readonly unpatched: Float64Array;
  readonly input: EdgeInput;
  readonly report: (rows: number) => void;
}

async function patchPlace(place: SenderPlace, work: PathWork, job: PathJob): Promise<void> {
  const { model, group, signal } = work;
  const all = place.senders.flatMap(({ sender, index }) =>
    group.indices.map((prompt, i) => ({ sender, prompt: i, slot: index * job.pairs.length + prompt, whole: prompt })),
  );
  const size = rowLimit(model, place.startAtLayer, group.pos);
  for (let start = 0; start < all.length; start += size) {
    throwIfAborted(signal, "edges.paths");
    const rows = all.slice(start, start + size);
    const plain: readonly PathRow[] = rows;
    const found = await runPathRows(work, plain, place.startAtLayer, job.receivers);
    rows.forEach(({ slot, whole }, i) => {
      job.out[slot] = (found === undefined ? job.unpatched[whole] : found[i]) ?? Number.NaN;
    });
    job.report(rows.length);
  }
}

async function patchGroup(
  model: Model,
  pairs: readonly TokenPair[],
  donate: ReturnType<typeof edgeDonor>,
  job: PathJob,
): Promise<void> {
  const { signal, metric } = job.input;
  const long = signal === undefined ? {} : { signal };
  const hooks = [...keptHooks(model, job.senders), ...job.receivers.map((one) => receiverHook(model, one))];
  const group: PromptGroup = await openGroup(model, {
    ...long,
    metric,
    indices: pairs.map(({ index }) => index),
    tokens: pairs.map(({ into }) => into),
    firstLayer: 0,
    hooks,
  });
  group.indices.forEach((prompt, i) => {
    job.unpatched[prompt] = group.run.metric[i] ?? Number.NaN;
  });
  const donor = await donate(pairs, [...new Set(job.senders.map(senderHook))]);
  const work: PathWork = {
    ...long,
    model,
    runner: new RowRunner(model.view),
    metric,
    group,
    donor,
    between: job.between,
  };
  for (const place of placesOf(job.senders)) await patchPlace(place, work, job);
}

/** Runs senders against receivers: `[sender, prompt]` metrics, and those of the unpatched runs. */
export async function runPaths(
  model: Model,
  input: EdgeInput,
  nodes: { readonly senders: readonly Sender[]; readonly receivers: readonly Receiver[]; readonly between: Between },
  where: string,
): Promise<{ patched: Float64Array; unpatched: Float64Array; from: Float64Array }> {
  checkEdits(model, where);
  const pairs = edgePairs(model, input, where);
  const from = new Float64Array(pairs.length).fill(Number.NaN);
  const out = new Float64Array(nodes.senders.length * pairs.length).fill(Number.NaN);
  const unpatched = new Float64Array(pairs.length);
  const onProgress = progressOf(input);
  let done = 0;
  const report = (rows: number): void => {
    done += rows;
    onProgress?.({ done, total: out.length, label: "paths" });
  };
  const { attention = "frozen", mlps = "recomputed" } = nodes.between;
  const job: PathJob = { ...nodes, between: { attention, mlps }, pairs, out, unpatched, input, report };
  const donate = edgeDonor(model, input, from, where);
  for (const group of byLength(pairs)) await patchGroup(model, group, donate, job);
  return { patched: out, unpatched, from };
}

/** Patches the paths from each sender to the receivers. */
export async function paths(model: Model, options: PathOptions): Promise<PathResult> {
  const where = "edges.paths";
  const { senders: names, receivers: targets, between = {}, ...input } = options;
  if (targets.length === 0)
    throw new InputError({ where, got: "no receivers", expected: "at least one", fix: 'Name one, such as "logits".' });
  const receivers = findNodes(targets, receiversOf(model), `${where}: receivers`);
  const known = sendersOf(model);
  const senders = names === undefined ? known : findNodes(names, known, `${where}: senders`);
  const { patched, unpatched, from } = await runPaths(model, input, { senders, receivers, between }, where);
  const counts = { prompts: unpatched.length, patches: patched.length };
  return new PathResult({
    senders: senders.map(({ name }) => name),
    receivers: targets,
    between: { attention: between.attention ?? "frozen", mlps: between.mlps ?? "recomputed" },
    perPrompt: Tensor.of(patched, [senders.length, unpatched.length], ["sender", "prompt"]),
    fromMetric: from,
    intoMetric: unpatched,
    provenance: provenanceOf(model, input.metric, counts),
  });
}
