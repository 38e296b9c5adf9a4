/** Edge and node attribution: how much the metric would change, to first order, were one write changed. */
import { InputError, progressOf } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { checkEdits, type Donor } from "../patching/patches.js";
import type { TokenPair } from "../patching/prompts.js";
import { siteHook } from "../patching/sites.js";
import { memoryOf, provenanceOf } from "../patching/sweep.js";
import { type PromptRun, type PromptValues, runPrompts } from "../patching/values.js";
import { type EdgeMethod, EdgeScores, NodeScores, promptKey } from "./edge-result.js";
import { meanGradients, type WayPoint, wayPoints } from "./gradients.js";
import { findNodes, isUpstream, type Receiver, receiversOf, type Sender, sendersOf } from "./nodes.js";
import { type EdgeInput, edgeDonor, edgePairs } from "./paths.js";
import {
  checkAdditive,
  readHook,
  readSlice,
  receiverSlice,
  senderSlice,
  writeChanges,
  writeHook,
  writeHooks,
} from "./writes.js";

/** Options of `edges.nodes`. */
export interface NodeScoreOptions extends EdgeInput {
  /**
   * `"eap"`: gradients at the prompt (edge attribution patching, attribution patching for nodes). `"eap-ig"` (default):
   * mean gradients on the straight way from the prompt's embeddings to the changed ones, everything in between computed
   * again ("EAP-IG inputs").
   */
  readonly method?: Exclude<EdgeMethod, "exact">;
  /** Points on the way of `"eap-ig"`, at Gauss–Legendre places; default 8. */
  readonly steps?: number;
  /** Bytes that gradients may take at once; default 512 MiB or the model's own limit. */
  readonly memoryLimit?: number;
}

/** Options of `edges.scores`. */
export interface EdgeScoreOptions extends NodeScoreOptions {
  /** Inputs whose edges are scored, such as `["a1.h0.q", "logits"]`; default: all. */
  readonly receivers?: readonly string[];
}

/** Prompts with what their edges are scored by. */
interface ScoredGroup {
  readonly pairs: readonly TokenPair[];
  readonly run: PromptRun;
  readonly donor: Donor;
  readonly gradients: ReadonlyMap<string, PromptValues>;
}

function pointsOf({ method = "eap-ig", steps = 8 }: NodeScoreOptions, where: string): readonly WayPoint[] {
  if (method === "eap") return [{ at: 0, weight: 1 }];
  if (Number.isInteger(steps) && steps >= 1) return wayPoints(steps);
  throw new InputError({
    where: `${where}: steps`,
    got: String(steps),
    expected: "a whole number of at least 1",
    fix: "Use 5 to 64: more steps, less error.",
  });
}

/** What is added to the stream that enters layer 0 when all embeddings change. */
function entryChange(model: Model, run: PromptRun, donor: Donor): Float64Array {
  const hooks = sendersOf(model).flatMap((one) =>
    one.kind === "embed" || one.kind === "pos_embed" ? [writeHook(one)] : [],
  );
  const [first = "hook_embed"] = hooks;
  const out = new Float64Array(run.values(first).data.length);
  for (const hook of hooks) {
    const [own, other] = [run.values(hook).data, donor(hook).data];
    for (let i = 0; i < out.length; i++) out[i] = (out[i] ?? 0) + (other[i] ?? 0) - (own[i] ?? 0);
  }
  return out;
}

/** Prompts that are scored at once, padded to one length. */
const groupSize = 16;

async function* scoredGroups(
  model: Model,
  options: NodeScoreOptions,
  wrt: readonly string[],
  where: string,
): AsyncGenerator<ScoredGroup & { readonly metrics: { into: Float64Array; from: Float64Array } }> {
  checkEdits(model, where);
  checkAdditive(model, where);
  const { metric, signal } = options;
  const points = pointsOf(options, where);
  const all = edgePairs(model, options, where);
  const metrics = { into: new Float64Array(all.length), from: new Float64Array(all.length).fill(Number.NaN) };
  const donate = edgeDonor(model, options, metrics.from, where);
  const long = signal === undefined ? {} : { signal };
  const report = progressOf(options);
  let done = 0;
  const hooks = [...writeHooks(model), siteHook("resid_pre", 0)];
  const groups = Array.from({ length: Math.ceil(all.length / groupSize) }, (_, i) =>
    all.slice(i * groupSize, (i + 1) * groupSize),
  );
  for (const pairs of groups) {
    const indices = pairs.map(({ index }) => index);
    const tokens = pairs.map(({ into }) => into);
    const run = await runPrompts(model, tokens, { ...long, hooks, metric, metricRows: indices });
    indices.forEach((index, i) => {
      metrics.into[index] = run.metric[i] ?? Number.NaN;
    });
    const donor = await donate(pairs, writeHooks(model));
    const stream = run.values(siteHook("resid_pre", 0));
    const change = entryChange(model, run, donor);
    const memoryLimit = memoryOf(model, options.memoryLimit);
    const gradients = await meanGradients(model, {
      ...long,
      metric,
      indices,
      tokens,
      wrt,
      stream,
      change,
      points,
      memoryLimit,
    });
    done += pairs.length;
    report?.({ done, total: all.length, label: "attribution" });
    yield { pairs, run, donor, gradients, metrics };
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** Every edge to some receivers. */
export function edgesOf(
  model: Model,
  receivers: readonly Receiver[] = receiversOf(model),
): readonly { readonly sender: Sender; readonly receiver: Receiver }[] {
  const senders = sendersOf(model);
  return receivers.flatMap((receiver) =>
    senders.filter((sender) => isUpstream(model, sender, receiver)).map((sender) => ({ sender, receiver })),
  );
}

/** Adds the scores of one prompt to `scores`, edge by edge in the order of {@link edgesOf}. */
function addPrompt(
  model: Model,
  { group, prompt }: { readonly group: ScoredGroup; readonly prompt: number },
  receivers: readonly Receiver[],
  scores: Float64Array,
): void {
  const senders = sendersOf(model);
  const changes = writeChanges(model, senders, { ...group, prompt });
  let edge = 0;
  for (const receiver of receivers) {
    const values = group.gradients.get(readHook(model, receiver)) ?? { data: new Float64Array(0), stride: 0 };
    const gradient = readSlice(values, prompt, receiverSlice(model, receiver), model.config.dModel);
    senders.forEach((sender, i) => {
      if (!isUpstream(model, sender, receiver)) return;
      scores[edge] = (scores[edge] ?? 0) + dot(changes[i] ?? new Float64Array(0), gradient);
      edge += 1;
    });
  }
}

function methodName({ method = "eap-ig" }: NodeScoreOptions): EdgeMethod {
  return method;
}

/**
 * Scores every edge: the change of what the sender writes, times the gradient at what the receiver reads, summed over
 * positions, mean over prompts.
 */
export async function edgeScores(model: Model, options: EdgeScoreOptions): Promise<EdgeScores> {
  const known = receiversOf(model);
  const receivers =
    options.receivers === undefined ? known : findNodes(options.receivers, known, "edges.scores: receivers");
  const all = edgesOf(model, receivers);
  const wrt = [...new Set(receivers.map((receiver) => readHook(model, receiver)))];
  const scores = new Float64Array(all.length);
  const keys = new Set<string>();
  let prompts = 0;
  for await (const group of scoredGroups(model, options, wrt, "edges.scores")) {
    group.pairs.forEach(({ into }, prompt) => {
      addPrompt(model, { group, prompt }, receivers, scores);
      keys.add(promptKey(into));
    });
    prompts += group.pairs.length;
  }
  return new EdgeScores({
    method: methodName(options),
    edges: all.map(({ sender, receiver }) => ({ from: sender.name, to: receiver.name })),
    scores: scores.map((sum) => sum / prompts),
    prompts: keys,
    provenance: provenanceOf(model, options.metric, { prompts, patches: 0 }),
  });
}

/** Scores every sender as a whole. */
export async function nodeScores(model: Model, options: NodeScoreOptions): Promise<NodeScores> {
  const senders = sendersOf(model);
  const stream = siteHook("resid_pre", 0);
  const isEntry = (sender: Sender): boolean => sender.kind === "embed" || sender.kind === "pos_embed";
  const gradientHook = (sender: Sender): string => (isEntry(sender) ? stream : writeHook(sender));
  const wrt = [...new Set(senders.map(gradientHook))];
  const scores = new Float64Array(senders.length);
  const metrics = { into: 0, from: 0 };
  let prompts = 0;
  for await (const group of scoredGroups(model, options, wrt, "edges.nodes")) {
    group.pairs.forEach(({ index }, prompt) => {
      const changes = writeChanges(model, senders, { ...group, prompt });
      senders.forEach((sender, i) => {
        const values = group.gradients.get(gradientHook(sender)) ?? { data: new Float64Array(0), stride: 0 };
        const gradient = readSlice(values, prompt, senderSlice(model, sender), model.config.dModel);
        scores[i] = (scores[i] ?? 0) + dot(changes[i] ?? new Float64Array(0), gradient);
      });
      metrics.into += group.metrics.into[index] ?? Number.NaN;
      metrics.from += group.metrics.from[index] ?? Number.NaN;
    });
    prompts += group.pairs.length;
  }
  return new NodeScores({
    method: methodName(options),
    nodes: senders.map(({ name }) => name),
    scores: scores.map((sum) => sum / prompts),
    intoMetric: metrics.into / prompts,
    fromMetric: metrics.from / prompts,
    provenance: provenanceOf(model, options.metric, { prompts, patches: 0 }),
  });
}
