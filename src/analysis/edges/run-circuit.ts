/**
 * Runs a circuit exactly: every input of every part is the sum of what the circuit's edges bring from this run and what
 * all other edges bring from the ablated one.
 *
 * The parts run in the model itself; at each input a function puts the sum together from the writes so far.
 */
import {
  type CallbackContext,
  type Edit,
  type EditCallback,
  edit,
  type FloatArray,
  type Metric,
  type Model,
} from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import type { Donor } from "../patching/patches.js";
import type { TokenPair } from "../patching/prompts.js";
import { siteHook } from "../patching/sites.js";
import { floatsOf, type PromptRun, type PromptValues, runPrompts } from "../patching/values.js";
import type { Circuit } from "./circuit.js";
import { type Edge, isUpstream, type Receiver, receiversOf, type Sender, sendersOf } from "./nodes.js";
import { readHook, readSlice, receiverSlice, senderSlice, writeHook, writeHooks } from "./writes.js";

type Vectors = readonly Float64Array[];

/** Prompts, padded to one length, run as they are, with what ablated edges bring. */
export interface CircuitGroup {
  readonly pairs: readonly TokenPair[];
  /** The metric of the plain run, `[prompt]`. */
  readonly metric: Float64Array;
  /** What each sender writes in the plain run, `[sender][prompt]` of `[pos, dModel]`. */
  readonly plain: readonly Vectors[];
  /** What each sender writes where its edges are ablated. */
  readonly ablated: readonly Vectors[];
  /** The stream with every edge ablated, by hook point, `[prompt]` of `[pos, dModel]`. */
  readonly empty: ReadonlyMap<string, Vectors>;
}

/** What one receiver reads. */
interface Inlet {
  readonly receiver: Receiver;
  /** Senders whose writes come from this run (`isKept`), or all others: the shorter list. */
  readonly senders: readonly number[];
  readonly isKept: boolean;
}

/** Hook points whose unpatched values a circuit needs. */
function circuitHooks(model: Model): readonly string[] {
  return [...writeHooks(model), ...new Set(receiversOf(model).map((receiver) => streamHook(model, receiver)))];
}

/** The hook point of the stream that a receiver reads. */
function streamHook({ config }: Model, receiver: Receiver): string {
  if (receiver.kind === "logits") return siteHook("resid_post", config.nLayers - 1);
  const isMid = receiver.kind === "mlp" && !config.parallelAttnMlp;
  return siteHook(isMid ? "resid_mid" : "resid_pre", receiver.layer);
}

/** The prompts and the circuit of a run, and what its senders have written so far. */
interface Running {
  readonly group: CircuitGroup;
  readonly inlets: ReadonlyMap<string, readonly Inlet[]>;
  readonly writes: Vectors[];
}

/** Runs circuits of one model; the graph is built once. */
export class CircuitRunner {
  readonly #model: Model;
  readonly #senders: readonly Sender[];
  readonly #edited: Model;
  #running: Running | undefined;

  constructor(model: Model) {
    this.#model = model;
    this.#senders = sendersOf(model);
    const watch: EditCallback = (value, context) => this.#watch(value, context);
    const give: EditCallback = (value, context) => this.#give(value, context);
    const written = this.#senders.filter(({ kind }) => kind === "head" || kind === "mlp").map(writeHook);
    const read = receiversOf(model).map((receiver) => readHook(model, receiver));
    const edits: readonly Edit[] = [
      ...[...new Set(written)].map((hook) => edit.callback(hook, watch)),
      ...[...new Set(read)].map((hook) => edit.callback(hook, give)),
    ];
    this.#edited = model.with(...edits);
  }

  /** The metric of each prompt when only a circuit's edges bring what this run computes. */
  async run(group: CircuitGroup, circuit: Circuit, { metric, signal }: CircuitQuestion): Promise<Float64Array> {
    const inlets = inletsOf(this.#model, this.#senders, circuit.edges);
    this.#running = { group, inlets, writes: [...group.plain] };
    // A single prompt runs twice: products with one row round otherwise.
    const pairs = group.pairs.length === 1 ? [...group.pairs, ...group.pairs] : group.pairs;
    const run = await this.#edited.run(
      pairs.map(({ into }) => into),
      {
        metric,
        metricRows: pairs.map(({ index }) => index),
        padding: "right",
        ...(signal === undefined ? {} : { signal }),
      },
    );
    this.#running = undefined;
    return Float64Array.from(Array.from(run.metric.data, Number).slice(0, group.pairs.length));
  }

  /** Keeps what senders wrote. */
  #watch(value: Tensor, { hook }: CallbackContext): undefined {
    const running = this.#running;
    if (running === undefined) return undefined;
    const values = { data: floatsOf(value), stride: value.data.length / (value.shape[0] ?? 1) };
    this.#senders.forEach((sender, i) => {
      if (writeHook(sender) === hook) running.writes[i] = slicesOf(this.#model, sender, values, running.group.pairs);
    });
    return undefined;
  }

  /** Puts together what receivers read. */
  #give(value: Tensor, { hook }: CallbackContext): Tensor {
    const out = floatsOf(value).slice();
    const rows = value.shape[0] ?? 1;
    const stride = out.length / rows;
    for (const inlet of this.#running?.inlets.get(hook) ?? [])
      for (let row = 0; row < rows; row++) this.#fill(out, { inlet, row, stride });
    return Tensor.of(out, value.shape, value.axes);
  }

  #fill(
    out: FloatArray,
    { inlet, row, stride }: { readonly inlet: Inlet; readonly row: number; readonly stride: number },
  ): void {
    const running = this.#running;
    if (running === undefined) return;
    const { group, writes } = running;
    const prompt = row % group.pairs.length;
    const slice = receiverSlice(this.#model, inlet.receiver);
    const width = this.#model.config.dModel;
    const input = inlet.isKept
      ? Float64Array.from(group.empty.get(streamHook(this.#model, inlet.receiver))?.[prompt] ?? [])
      : readSlice({ data: out, stride }, row, slice, width);
    for (const i of inlet.senders) {
      const [own, other] = [writes[i]?.[prompt], group.ablated[i]?.[prompt]];
      if (inlet.isKept) addDifference(input, own, other);
      else addDifference(input, other, own);
    }
    for (let p = 0; p < input.length / width; p++)
      out.set(input.subarray(p * width, (p + 1) * width), row * stride + (p * slice.heads + slice.head) * width);
  }
}

/** What is asked of a circuit's run. */
export interface CircuitQuestion {
  readonly metric: Metric;
  readonly signal?: AbortSignal;
}

function slicesOf(model: Model, sender: Sender, values: PromptValues, pairs: readonly TokenPair[]): Vectors {
  return pairs.map((_, prompt) => readSlice(values, prompt, senderSlice(model, sender), model.config.dModel));
}

function addDifference(stream: Float64Array, plus: Float64Array | undefined, minus: Float64Array | undefined): void {
  for (let i = 0; i < stream.length; i++) stream[i] = (stream[i] ?? 0) + (plus?.[i] ?? 0) - (minus?.[i] ?? 0);
}

/** Receivers by the hook point that gives them their input, each with the shorter list of senders. */
function inletsOf(
  model: Model,
  senders: readonly Sender[],
  edges: readonly Edge[],
): ReadonlyMap<string, readonly Inlet[]> {
  const kept = new Map<string, Set<string>>();
  for (const { from, to } of edges) kept.set(to, (kept.get(to) ?? new Set()).add(from));
  const inlets = new Map<string, Inlet[]>();
  for (const receiver of receiversOf(model)) {
    const upstream = senders.flatMap((sender, i) => (isUpstream(model, sender, receiver) ? [i] : []));
    const own = kept.get(receiver.name) ?? new Set();
    const inside = upstream.filter((i) => own.has(senders[i]?.name ?? ""));
    const outside = upstream.filter((i) => !own.has(senders[i]?.name ?? ""));
    const isKept = inside.length < outside.length;
    const inlet = { receiver, isKept, senders: isKept ? inside : outside };
    const hook = readHook(model, receiver);
    inlets.set(hook, [...(inlets.get(hook) ?? []), inlet]);
  }
  return inlets;
}

/** The stream that each kind of receiver reads, were every edge ablated. */
function emptyStreams(
  model: Model,
  run: PromptRun,
  group: Pick<CircuitGroup, "pairs" | "plain" | "ablated">,
): ReadonlyMap<string, Vectors> {
  const receivers = new Map(receiversOf(model).map((receiver) => [streamHook(model, receiver), receiver]));
  return new Map(
    [...receivers].map(([hook, receiver]) => {
      const streams = group.pairs.map((_, prompt) => {
        const stream = readSlice(run.values(hook), prompt, { head: 0, heads: 1 }, model.config.dModel);
        sendersOf(model).forEach((sender, i) => {
          if (isUpstream(model, sender, receiver))
            addDifference(stream, group.ablated[i]?.[prompt], group.plain[i]?.[prompt]);
        });
        return stream;
      });
      return [hook, streams];
    }),
  );
}

/** Runs a group of prompts plainly, for circuits. */
export async function openCircuitGroup(
  model: Model,
  pairs: readonly TokenPair[],
  donate: (pairs: readonly TokenPair[], hooks: readonly string[]) => Promise<Donor>,
  { metric, signal }: CircuitQuestion,
): Promise<CircuitGroup> {
  const tokens = pairs.map(({ into }) => into);
  const metricRows = pairs.map(({ index }) => index);
  const hooks = circuitHooks(model);
  const run = await runPrompts(model, tokens, {
    ...(signal === undefined ? {} : { signal }),
    hooks,
    metric,
    metricRows,
  });
  const donor = await donate(pairs, writeHooks(model));
  const senders = sendersOf(model);
  const plain = senders.map((sender) => slicesOf(model, sender, run.values(writeHook(sender)), pairs));
  const ablated = senders.map((sender) => slicesOf(model, sender, donor(writeHook(sender)), pairs));
  return { pairs, metric: run.metric, plain, ablated, empty: emptyStreams(model, run, { pairs, plain, ablated }) };
}
