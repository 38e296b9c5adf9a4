/** What a run returns: logits, loss, activations, and a receipt. */
import { formatShape, InputError, printsItself } from "../../core/index.js";
import type { RawTensor } from "../../runtime/index.js";
import { Tensor } from "../../tensor/index.js";
import { ActivationCache } from "../cache/activation-cache.js";
import { runOrigin } from "../cache/origin.js";
import { RunGradients } from "../gradient/result.js";
import { metricOutput } from "../metric/trace.js";
import { capturePrefix } from "../plan/build.js";
import { LazyMap } from "./lazy-map.js";
import type { PreparedRun } from "./prepare.js";
import type { Receipt } from "./receipt.js";
import type { Shelf } from "./shelf.js";

type FloatTensor<A extends readonly string[]> = Tensor<"float32" | "float64", A>;

function toTensor<A extends readonly string[]>(raw: RawTensor, axes: readonly [...A]): FloatTensor<A> {
  return Tensor.of(raw.data as Float32Array | Float64Array, raw.shape, axes);
}

/** Captured activations, each a tensor from the moment it is asked for. */
function captured({ request, points }: PreparedRun, shelf: Shelf): ReadonlyMap<string, Tensor> {
  return new LazyMap(request.captures, (name) => {
    const axes = points.get(name)?.axes ?? [];
    return toTensor(shelf.take(`${capturePrefix}${name}`), [...axes]);
  });
}

interface Losses {
  readonly loss: number;
  readonly lossPerToken: Tensor<"float32", readonly ["batch", "pos"]>;
}

/** Mean and per-step loss; the last slot predicts nothing and is dropped. */
function losses(run: PreparedRun, raw: RawTensor): Losses {
  const { batch, pos, mask } = run.batch;
  const data = new Float32Array(batch * (pos - 1));
  let sum = 0;
  let count = 0;
  for (let row = 0; row < batch; row++) {
    for (let p = 0; p < pos - 1; p++) {
      const at = row * pos + p;
      if (mask !== undefined && (mask[at] === 0 || mask[at + 1] === 0)) continue;
      const loss = Number(raw.data[at]);
      data[row * (pos - 1) + p] = loss;
      sum += loss;
      count += 1;
    }
  }
  return { loss: sum / count, lossPerToken: Tensor.of(data, [batch, pos - 1], ["batch", "pos"] as const) };
}

/** How the logits of a run are read. */
interface LogitReader {
  readonly shape: readonly number[];
  readonly read: () => RawTensor;
}

/** Reads logits at the slots asked for, also where the graph computed all of them for the loss. */
function logitReader({ logitSlots, request, batch, wantsLogits }: PreparedRun, shelf: Shelf): LogitReader | undefined {
  const computed = shelf.shape("logits");
  if (!wantsLogits || computed === undefined) return undefined;
  if (logitSlots === undefined || request.logits !== "all")
    return { shape: computed, read: () => shelf.take("logits") };
  const { batch: rows, pos } = batch;
  const shape = [rows, logitSlots.length / rows, computed[2] ?? 0];
  return { shape, read: () => atSlots(shelf.take("logits"), logitSlots, { shape, pos }) };
}

/** Picks slots of logits `[batch, pos, dVocabOut]`, the same number in every row. */
function atSlots(
  { dtype, data: source }: RawTensor,
  slots: Int32Array,
  { shape, pos }: { readonly shape: readonly number[]; readonly pos: number },
): RawTensor {
  const [, count = 0, size = 0] = shape;
  const data = (source as Float32Array).slice(0, slots.length * size);
  slots.forEach((slot, i) => {
    const from = (Math.floor(i / count) * pos + slot) * size;
    data.set((source as Float32Array).subarray(from, from + size), i * size);
  });
  return { dtype, shape, data };
}

function gradientsOf({ request, gradients, points }: PreparedRun, shelf: Shelf): RunGradients | undefined {
  if (gradients === undefined || request.metric === undefined) return undefined;
  const { metric } = request.metric;
  const axesOf = (hook: string): readonly string[] => points.get(hook)?.axes ?? [];
  return new RunGradients({ metric, resolved: gradients, shelf, axesOf, checks: request.checks });
}

function notAsked(what: string, fix: string): InputError {
  return new InputError({
    where: `run.${what}`,
    got: "a run that did not compute it",
    expected: "a run that was asked for it",
    fix,
  });
}

/** What {@link Run} is made from. */
interface RunParts {
  readonly run: PreparedRun;
  readonly shelf: Shelf;
  readonly receipt: Receipt;
}

/** One finished run. Parts that were not asked for throw and say what to ask. */
export class Run {
  static {
    printsItself(this.prototype);
  }

  /** Captured activations. */
  readonly cache: ActivationCache;
  /** Token ids that ran, `[batch, pos]`; empty for embeddings and residual streams. */
  readonly tokens: Tensor<"int32", readonly ["batch", "pos"]>;
  /** 1 where a slot holds a real token, `[batch, pos]`; absent when nothing is padded. */
  readonly attentionMask: Tensor<"int32", readonly ["batch", "pos"]> | undefined;
  /** What was bound, what fired, what was masked. */
  readonly receipt: Receipt;
  readonly #shelf: Shelf;
  readonly #logits: LogitReader | undefined;
  readonly #losses: Losses | undefined;
  readonly #gradients: RunGradients | undefined;
  readonly #release: (() => void) | undefined;

  /** @internal */
  constructor({ run, shelf, receipt }: RunParts) {
    const { tokens, mask, batch, pos } = run.batch;
    this.cache = new ActivationCache(captured(run, shelf), runOrigin(run));
    this.tokens = Tensor.of(tokens ?? new Int32Array(0), [batch, tokens === undefined ? 0 : pos], ["batch", "pos"]);
    this.attentionMask = mask && Tensor.of(Int32Array.from(mask), [batch, pos], ["batch", "pos"] as const);
    this.receipt = receipt;
    this.#shelf = shelf;
    this.#logits = logitReader(run, shelf);
    const { engine } = run.view.core;
    this.#release = run.built.calls.length === 0 ? () => shelf.release(engine) : undefined;
    this.#gradients = gradientsOf(run, shelf);
    this.#losses = shelf.shape("loss") === undefined ? undefined : losses(run, shelf.take("loss"));
  }

  /**
   * Logits `[batch, pos, dVocabOut]`; `pos` counts only the positions asked for.
   *
   * @throws InputError when the run was asked for none.
   */
  get logits(): FloatTensor<readonly ["batch", "pos", "dVocabOut"]> {
    if (this.#logits === undefined) throw notAsked("logits", 'Pass logits: "all" or "last".');
    return toTensor(this.#logits.read(), ["batch", "pos", "dVocabOut"]);
  }

  /** Mean next-token loss in nats over steps whose token and next token are both real. */
  get loss(): number {
    return this.#lossParts("loss").loss;
  }

  /** Loss per step `[batch, pos − 1]`, 0 where a step does not count. */
  get lossPerToken(): Tensor<"float32", readonly ["batch", "pos"]> {
    return this.#lossParts("lossPerToken").lossPerToken;
  }

  /**
   * The metric of each row, `[batch]`, in the metric's unit.
   *
   * @throws InputError when the run was asked for none.
   */
  get metric(): FloatTensor<readonly ["batch"]> {
    if (this.#shelf.shape(metricOutput) === undefined) throw notAsked("metric", "Pass a metric.");
    return toTensor(this.#shelf.take(metricOutput), ["batch"]);
  }

  /**
   * Gradients of the metric at hook points and of weights.
   *
   * @throws InputError when the run was asked for none.
   */
  get gradients(): RunGradients {
    if (this.#gradients === undefined) throw notAsked("gradients", "Pass gradients: { of: metric, wrt: [...] }.");
    return this.#gradients;
  }

  /** The stream after the last layer that ran, `[batch, pos, dModel]`; only with `stopAtLayer`. */
  get residual(): FloatTensor<readonly ["batch", "pos", "dModel"]> {
    if (this.#shelf.shape("stream") === undefined) throw notAsked("residual", "Pass stopAtLayer.");
    return toTensor(this.#shelf.take("stream"), ["batch", "pos", "dModel"]);
  }

  /**
   * Gives back the memory of every result that was not read, for later runs to write into.
   *
   * Tensors that were read stay as they are; reading another one afterwards is an InputError. Optional: without it the
   * memory is freed by garbage collection, more slowly in a loop over runs with large captures. Does nothing after a run
   * with callbacks, which may hold the same memory.
   */
  release(): void {
    this.#release?.();
  }

  #metricLines(): readonly string[] {
    const { metric, gradients } = this.receipt;
    if (metric === undefined) return [];
    const count = (gradients?.wrt.length ?? 0) + (gradients?.weights.length ?? 0);
    return [`  metric ${metric}${gradients === undefined ? "" : `; ${count} gradients`}`];
  }

  #lossParts(what: string): Losses {
    if (this.#losses === undefined) throw notAsked(what, "Pass loss: true.");
    return this.#losses;
  }

  /** A few lines: what ran, what came back. */
  toString(): string {
    const { receipt, cache } = this;
    const logits = this.#logits === undefined ? "none" : formatShape(this.#logits.shape, ["batch", "pos", "dVocabOut"]);
    const parts = [
      `Run of "${receipt.model}": batch ${receipt.batch} × ${receipt.pos} tokens, ${receipt.layers.length} layers, ${receipt.precision}`,
      `  logits ${logits}; ${cache.size} captured; BOS: ${receipt.bos}; ${receipt.maskedSlots} padding slots`,
      ...(this.#losses === undefined ? [] : [`  loss ${this.#losses.loss.toFixed(4)} nats per token`]),
      ...this.#metricLines(),
      ...receipt.edits.map(
        ({ name, hooks }) => `  edit.${name} at ${hooks.slice(0, 3).join(", ")}${hooks.length > 3 ? ", …" : ""}`,
      ),
    ];
    return parts.join("\n");
  }
}
