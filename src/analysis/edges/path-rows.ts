/**
 * Path patching of Wang et al. (2022), exactly, with senders and prompts on the batch axis.
 *
 * 1. The prompt runs with one sender's write taken from the other prompt. Heads in between keep their own unpatched
 *    writes (`attention: "frozen"`), MLPs in between are computed again (`mlps: "recomputed"`) or kept as well. What
 *    reaches the receivers' inputs is recorded.
 * 2. The prompt runs with nothing changed but the receivers' inputs, which are those recorded; everything behind them is
 *    computed again.
 */
import type { FloatArray, Metric, Model, RowRunner, RowsInput } from "../../model/index.js";
import { copyChosen, type Indices } from "../patching/copy.js";
import type { PromptGroup } from "../patching/group.js";
import { streams, windowValues } from "../patching/rows.js";
import { siteHook, siteShape } from "../patching/sites.js";
import { floatsOf, type PromptValues } from "../patching/values.js";
import { isUpstream, type Receiver, type Sender } from "./nodes.js";

/** What happens to the parts between sender and receivers. */
export interface Between {
  /** `"frozen"` (default): heads keep their unpatched writes. `"recomputed"`: paths through other heads count too. */
  readonly attention?: "frozen" | "recomputed";
  /** `"recomputed"` (default, as in the paper): paths through MLPs count. `"frozen"`: only the direct path does. */
  readonly mlps?: "frozen" | "recomputed";
}

/** Senders of one kind and layer enter at the same place. */
export interface SenderPlace {
  readonly startAtLayer: number;
  readonly senders: readonly { readonly sender: Sender; readonly index: number }[];
}

/** What rows of one group of prompts run with. */
export interface PathWork {
  readonly model: Model;
  readonly runner: RowRunner;
  readonly metric: Metric;
  readonly group: PromptGroup;
  readonly donor: (hook: string) => PromptValues;
  readonly between: Required<Between>;
  readonly signal?: AbortSignal;
}

/** One row: a sender and a prompt of the group. */
export interface PathRow {
  readonly sender: Sender;
  readonly prompt: number;
}

/** The hook point that a sender's write is patched at. */
export function senderHook(sender: Sender): string {
  if (sender.kind === "head") return siteHook("z", sender.layer);
  return sender.kind === "mlp" ? siteHook("mlp_out", sender.layer) : `hook_${sender.kind}`;
}

/** The hook point at which a receiver's input is recorded and given. */
export function receiverHook(model: Model, receiver: Receiver): string {
  if (receiver.kind === "head") return siteHook(receiver.input, receiver.layer);
  if (receiver.kind === "mlp") return siteHook("mlp_in", receiver.layer);
  return siteHook("resid_post", model.config.nLayers - 1);
}

function allPositions(
  prompts: readonly number[],
): readonly { prompt: number; slot: number; from: number; chosen: Indices }[] {
  return prompts.map((prompt) => ({ prompt, slot: 0, from: 0, chosen: [] }));
}

/** A hook point's unpatched values for each row. */
function unpatched({ model, group }: PathWork, hook: string, rows: readonly PathRow[]): FloatArray {
  const shape = { ...siteShape(model, hook, group.pos), from: 0 };
  const plain = allPositions(rows.map(({ prompt }) => prompt));
  return windowValues(plain, shape, group.run.values(hook), undefined);
}

/** The sender's hook point with the other prompt's values of each row's own sender. */
function sent(work: PathWork, hook: string, rows: readonly PathRow[]): FloatArray {
  const { model, group, donor } = work;
  const shape = { ...siteShape(model, hook, group.pos), from: 0 };
  const out = unpatched(work, hook, rows);
  const source = donor(hook);
  const size = out.length / rows.length;
  rows.forEach(({ sender, prompt }, i) => {
    const chosen = shape.axes.map((axis) => (axis === "head" && sender.kind === "head" ? [sender.head] : undefined));
    copyChosen(shape, chosen, { data: source.data, offset: prompt * source.stride }, { data: out, offset: i * size });
  });
  return out;
}

/** The stream that enters layer 0, with the other prompt's embedding in place of its own. */
function embedded(work: PathWork, hook: string, rows: readonly PathRow[]): FloatArray {
  const [own, other] = [work.group.run.values(hook), work.donor(hook)];
  const out = entryStream(work, rows, 0);
  rows.forEach(({ prompt }, row) => {
    const start = prompt * own.stride;
    for (let i = 0; i < own.stride; i++) {
      const change = (other.data[start + i] ?? 0) - (own.data[start + i] ?? 0);
      out[row * own.stride + i] = (out[row * own.stride + i] ?? 0) + change;
    }
  });
  return out;
}

/** Where frozen parts lie: from the sender's layer to the last receiver's. */
interface Stretch {
  readonly start: number;
  readonly end: number;
  /** Whether attention of the last layer lies before the last receiver. */
  readonly passesLast: boolean;
  /** The hook point of the sender, which is not frozen. */
  readonly own: string | undefined;
}

/** Attention's hook point in one layer, where it keeps its unpatched write. */
function frozenAttention(
  { between }: PathWork,
  layer: number,
  { start, end, passesLast, own }: Stretch,
): readonly string[] {
  // Where an MLP sends, its layer's attention is given with its write as it was, whatever else is recomputed.
  const isBeside = layer === start && own?.endsWith("hook_mlp_out") === true;
  if (!isBeside && between.attention !== "frozen") return [];
  const hook = siteHook(isBeside ? "attn_out" : "z", layer);
  const isPassed = layer < end || (passesLast && layer === end);
  return isPassed && hook !== own ? [hook] : [];
}

function frozenMlp({ model, between }: PathWork, layer: number, { end, own }: Stretch): readonly string[] {
  const hook = siteHook("mlp_out", layer);
  const isFrozen = between.mlps === "frozen" && !model.config.attnOnly && layer < end;
  return isFrozen && hook !== own ? [hook] : [];
}

/** Hook points between the sender and the last receiver that keep their unpatched values. */
function frozenHooks(work: PathWork, start: number, own: string | undefined, last: Receiver): readonly string[] {
  const { nLayers, parallelAttnMlp } = work.model.config;
  const end = last.kind === "logits" ? nLayers : last.layer;
  const stretch = { start, end, own, passesLast: last.kind === "mlp" && !parallelAttnMlp };
  const layers = Array.from({ length: Math.max(0, end + 1 - start) }, (_, i) => start + i).filter((l) => l < nLayers);
  return layers.flatMap((layer) => [...frozenAttention(work, layer, stretch), ...frozenMlp(work, layer, stretch)]);
}

function baseInput(
  work: PathWork,
  rows: readonly PathRow[],
  startAtLayer: number,
): Omit<RowsInput, "residual" | "replace"> {
  const { model, group } = work;
  const layers = model.config.nLayers - startAtLayer;
  const none = new (model.view.precision === "float64" ? Float64Array : Float32Array)(0);
  const tokens = Int32Array.from(rows.flatMap(({ prompt }) => group.tokens[prompt] ?? []));
  return {
    startAtLayer,
    batch: rows.length,
    from: 0,
    to: group.pos,
    past: Array.from({ length: layers }, () => ({ key: none, value: none })),
    pastRows: rows.map(() => 0),
    tokens,
  };
}

function entryStream(work: PathWork, rows: readonly PathRow[], layer: number): FloatArray {
  const plain = allPositions(rows.map(({ prompt }) => prompt));
  return streams(plain, layer, 0, work);
}

function questionOf(
  { metric, group, signal }: PathWork,
  rows: readonly PathRow[],
): { metric: Metric; metricRows: readonly number[]; signal?: AbortSignal } {
  const metricRows = rows.map(({ prompt }) => group.indices[prompt] ?? 0);
  return { metric, metricRows, ...(signal === undefined ? {} : { signal }) };
}

/** The last of some receivers, in the order of computation. */
function lastOf(receivers: readonly Receiver[]): Receiver {
  const order = (one: Receiver): number =>
    one.kind === "logits" ? Number.POSITIVE_INFINITY : 2 * one.layer + (one.kind === "mlp" ? 1 : 0);
  return receivers.reduce((a, b) => (order(b) > order(a) ? b : a));
}

/** Step 1: the sender's write from the other prompt; returns the metric, or what reaches the receivers. */
async function send(
  work: PathWork,
  rows: readonly PathRow[],
  startAtLayer: number,
  receivers: readonly Receiver[],
): Promise<{ metric: FloatArray; reached: ReadonlyMap<string, FloatArray> }> {
  const { model, runner } = work;
  const hook = rows[0] === undefined ? "" : senderHook(rows[0].sender);
  const isStream = hook.startsWith("hook_");
  const own = isStream ? undefined : hook;
  const frozen = frozenHooks(work, startAtLayer, own, lastOf(receivers));
  const replace = new Map(frozen.map((name) => [name, unpatched(work, name, rows)]));
  if (own !== undefined) replace.set(own, sent(work, own, rows));
  const residual = isStream ? embedded(work, hook, rows) : entryStream(work, rows, startAtLayer);
  const input = { ...baseInput(work, rows, startAtLayer), residual, replace };
  const isDirect = receivers.every(({ kind }) => kind === "logits");
  const { metric, ...question } = questionOf(work, rows);
  const capture = isDirect ? [] : [...new Set(receivers.map((one) => receiverHook(model, one)))];
  const result = await runner.run(input, isDirect ? { metric, ...question } : { ...question, capture });
  return {
    metric: result.metric,
    reached: new Map([...result.captured].map(([name, tensor]) => [name, floatsOf(tensor)])),
  };
}

function headsOf(receivers: readonly Receiver[], model: Model): ReadonlyMap<string, readonly number[]> {
  const heads = new Map<string, number[]>();
  for (const one of receivers) {
    if (one.kind !== "head") continue;
    const hook = receiverHook(model, one);
    heads.set(
      hook,
      [...(heads.get(hook) ?? []), one.head].sort((a, b) => a - b),
    );
  }
  return heads;
}

/** Step 2: the receivers' inputs as recorded. */
async function receive(
  work: PathWork,
  rows: readonly PathRow[],
  receivers: readonly Receiver[],
  reached: ReadonlyMap<string, FloatArray>,
): Promise<FloatArray> {
  const { model, runner } = work;
  const inner = receivers.filter((one) => one.kind !== "logits");
  const startAtLayer = Math.min(...inner.map((one) => one.layer));
  const hooks = [...new Set(inner.map((one) => receiverHook(model, one)))];
  const replace = new Map(hooks.map((hook) => [hook, reached.get(hook) ?? new Float32Array(0)]));
  const residual = entryStream(work, rows, startAtLayer);
  const input = { ...baseInput(work, rows, startAtLayer), residual, replace, heads: headsOf(inner, model) };
  if (inner.length === receivers.length) return (await runner.run(input, questionOf(work, rows))).metric;
  return receiveAtLogits(work, rows, input, reached);
}

/** With the logits among the receivers, what reached them is added to what the other receivers make of the stream. */
async function receiveAtLogits(
  work: PathWork,
  rows: readonly PathRow[],
  input: RowsInput,
  reached: ReadonlyMap<string, FloatArray>,
): Promise<FloatArray> {
  const { model, runner } = work;
  const final = siteHook("resid_post", model.config.nLayers - 1);
  const { captured } = await runner.run(input, { capture: [final] });
  const before = unpatched(work, final, rows);
  const direct = reached.get(final) ?? before;
  const tensor = captured.get(final);
  const after = tensor === undefined ? before : floatsOf(tensor);
  const stream = after.map((value, i) => value + (direct[i] ?? 0) - (before[i] ?? 0));
  const last = model.config.nLayers - 1;
  const whole = {
    ...baseInput(work, rows, last),
    residual: entryStream(work, rows, last),
    replace: new Map([[final, stream]]),
  };
  return (await runner.run(whole, questionOf(work, rows))).metric;
}

/** The metric of rows whose senders share a place; `undefined` for rows whose sender reaches no receiver. */
export async function runPathRows(
  work: PathWork,
  rows: readonly PathRow[],
  startAtLayer: number,
  receivers: readonly Receiver[],
): Promise<FloatArray | undefined> {
  const [first] = rows;
  const reachable = receivers.filter((one) => first !== undefined && isUpstream(work.model, first.sender, one));
  if (reachable.length === 0) return undefined;
  // A single row runs twice: products with one row round otherwise.
  const all = rows.length === 1 ? [...rows, ...rows] : rows;
  const { metric, reached } = await send(work, all, startAtLayer, reachable);
  const isDirect = reachable.every(({ kind }) => kind === "logits");
  return isDirect ? metric : receive(work, all, reachable, reached);
}
