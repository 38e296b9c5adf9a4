/** What a run returns: logits, loss, activations, and a receipt. */
import { formatShape, InputError, printsItself } from "../../core/index.js";
import type { RawTensor } from "../../runtime/index.js";
import { Tensor } from "../../tensor/index.js";
import { ActivationCache } from "../cache/activation-cache.js";
import { runOrigin } from "../cache/origin.js";
import { capturePrefix } from "../plan/build.js";
import type { PreparedRun } from "./prepare.js";
import type { Receipt } from "./receipt.js";

type FloatTensor<A extends readonly string[]> = Tensor<"float32" | "float64", A>;
type Values = Readonly<Record<string, RawTensor>>;

function toTensor<A extends readonly string[]>(raw: RawTensor, axes: readonly [...A]): FloatTensor<A> {
  return Tensor.of(raw.data as Float32Array | Float64Array, raw.shape, axes);
}

function collectCache(run: PreparedRun, values: Values): ActivationCache {
  const tensors = run.request.captures.flatMap((name) => {
    const raw = values[`${capturePrefix}${name}`];
    const axes = run.points.get(name)?.axes;
    return raw === undefined || axes === undefined ? [] : [[name, toTensor(raw, [...axes])] as const];
  });
  return new ActivationCache(new Map(tensors), runOrigin(run));
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

/** Logits at the slots asked for, where the graph computed all of them for the loss. */
function wantedLogits({ logitSlots, request, batch }: PreparedRun, raw: RawTensor | undefined): RawTensor | undefined {
  if (raw === undefined || logitSlots === undefined || request.logits !== "all") return raw;
  const size = raw.shape[2] ?? 0;
  const source = raw.data as Float32Array;
  const data = source.slice(0, logitSlots.length * size);
  const count = logitSlots.length / batch.batch;
  logitSlots.forEach((slot, i) => {
    const from = (Math.floor(i / count) * batch.pos + slot) * size;
    data.set(source.subarray(from, from + size), i * size);
  });
  return { dtype: raw.dtype, shape: [batch.batch, count, size], data };
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
  readonly values: Values;
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
  /** What was bound, what fired, what was masked. */
  readonly receipt: Receipt;
  readonly #logits: RawTensor | undefined;
  readonly #stream: RawTensor | undefined;
  readonly #losses: Losses | undefined;

  /** @internal */
  constructor({ run, values, receipt }: RunParts) {
    const { tokens, batch, pos } = run.batch;
    this.cache = collectCache(run, values);
    this.tokens = Tensor.of(tokens ?? new Int32Array(0), [batch, tokens === undefined ? 0 : pos], ["batch", "pos"]);
    this.receipt = receipt;
    this.#logits = run.wantsLogits ? wantedLogits(run, values["logits"]) : undefined;
    this.#stream = values["stream"];
    this.#losses = values["loss"] === undefined ? undefined : losses(run, values["loss"]);
  }

  /**
   * Logits `[batch, pos, dVocabOut]`; `pos` counts only the positions asked for.
   *
   * @throws InputError when the run was asked for none.
   */
  get logits(): FloatTensor<readonly ["batch", "pos", "dVocabOut"]> {
    if (this.#logits === undefined) throw notAsked("logits", 'Pass logits: "all" or "last".');
    return toTensor(this.#logits, ["batch", "pos", "dVocabOut"]);
  }

  /** Mean next-token loss in nats over steps whose token and next token are both real. */
  get loss(): number {
    return this.#lossParts("loss").loss;
  }

  /** Loss per step `[batch, pos − 1]`, 0 where a step does not count. */
  get lossPerToken(): Tensor<"float32", readonly ["batch", "pos"]> {
    return this.#lossParts("lossPerToken").lossPerToken;
  }

  /** The stream after the last layer that ran, `[batch, pos, dModel]`; only with `stopAtLayer`. */
  get residual(): FloatTensor<readonly ["batch", "pos", "dModel"]> {
    if (this.#stream === undefined) throw notAsked("residual", "Pass stopAtLayer.");
    return toTensor(this.#stream, ["batch", "pos", "dModel"]);
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
      ...receipt.edits.map(
        ({ name, hooks }) => `  edit.${name} at ${hooks.slice(0, 3).join(", ")}${hooks.length > 3 ? ", …" : ""}`,
      ),
    ];
    return parts.join("\n");
  }
}
