/** What a splice costs the model: cross-entropy and divergence, clean, spliced and ablated. */
import { GraphBuilder, Ops } from "../../graph/index.js";
import type { CountedBatch, Model, Run } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";

/**
 * What the model loses when a reconstruction stands in for its activation.
 *
 * Ablated: zeros in its place. Only counted tokens are replaced, in both; losses are those of the steps from counted tokens.
 */
export interface ReplacementLoss {
  /** Mean next-token loss of the model as it is, in nats. */
  readonly clean: number;
  /** With the reconstruction. */
  readonly spliced: number;
  /** With zeros. */
  readonly ablated: number;
  /** `(ablated − spliced) / (ablated − clean)`: 1 loses nothing, 0 is as bad as zeros. */
  readonly score: number;
  /** Mean KL divergence of the next-token distribution from the clean one, in nats. */
  readonly klSpliced: number;
  readonly klAblated: number;
  /** `(klAblated − klSpliced) / klAblated`. */
  readonly klScore: number;
  /** Steps that were counted. */
  readonly steps: number;
}

/** Which slots of a batch count, and from which of them a step is counted. */
export interface CountedSlots {
  /** 1 where the token counts, `[rows · pos]`. */
  readonly counted: Uint8Array;
  /** Slots whose token counts and whose next slot holds a real token. */
  readonly steps: readonly number[];
}

/** Returns the counted slots of a batch. */
export function countedSlots({ rows, pos, mask, tokens }: CountedBatch): CountedSlots {
  const counted = new Uint8Array(rows * pos);
  for (const slot of tokens.slots) counted[slot] = 1;
  const isReal = (slot: number): boolean => mask === undefined || mask[slot] === 1;
  const steps = Array.from(tokens.slots).filter((slot) => slot % pos !== pos - 1 && isReal(slot + 1));
  return { counted, steps };
}

/** KL(reference ‖ other) for each row of logits. */
export class Divergence {
  readonly #model: Model;
  readonly #graph: ReturnType<GraphBuilder["build"]>;

  constructor(model: Model) {
    const g = new GraphBuilder();
    const ops = new Ops(g);
    const { precision } = model.view;
    const logits = (name: string) => ops.logSoftmax(g.input(name, precision, ["rows", model.config.dVocabOut]), -1);
    const [reference, other] = [logits("reference"), logits("other")];
    const terms = ops.mul(ops.exp(reference), ops.sub(reference, other));
    this.#graph = g.build({ kl: ops.reduceSum(terms, [1], false) });
    this.#model = model;
  }

  /** Returns one number for each slot, in nats. */
  async of(reference: Tensor, other: Tensor): Promise<ArrayLike<number>> {
    const feed = (tensor: Tensor) => {
      const { dVocabOut } = this.#model.config;
      const { data, dtype } = tensor.contiguous();
      return { dtype: dtype as "float32", shape: [tensor.size / dVocabOut, dVocabOut], data: data as Float32Array };
    };
    const results = await this.#model.view.core.engine.run(
      { segments: [this.#graph], outputs: ["kl"] },
      { reference: feed(reference), other: feed(other) },
    );
    return (results["kl"]?.data ?? []) as ArrayLike<number>;
  }
}

/** Adds up the losses of one replacement and of its ablation. */
export class LossSums {
  readonly #ce = { clean: 0, spliced: 0, ablated: 0 };
  readonly #kl = { spliced: 0, ablated: 0 };
  #steps = 0;
  #tokens = 0;

  /** Adds the cross-entropy of a batch; call it for all three before `count`. */
  addLoss(kind: "ablated" | "clean" | "spliced", run: Run, { steps }: CountedSlots): void {
    const { data, shape } = run.lossPerToken.contiguous();
    const width = shape[1];
    // Losses have one slot less in each row.
    for (const slot of steps) this.#ce[kind] += data[slot - Math.floor(slot / (width + 1))] ?? 0;
  }

  /** Adds the divergence of a batch. */
  addDivergence(kind: "ablated" | "spliced", kl: ArrayLike<number>, { counted }: CountedSlots): void {
    for (let slot = 0; slot < counted.length; slot++) if (counted[slot] === 1) this.#kl[kind] += kl[slot] ?? 0;
  }

  /** Counts the steps and tokens of a batch. */
  count({ steps }: CountedSlots, tokens: number): void {
    this.#steps += steps.length;
    this.#tokens += tokens;
  }

  /** Returns means and scores. */
  finish(): ReplacementLoss {
    const [clean, spliced, ablated] = [this.#ce.clean, this.#ce.spliced, this.#ce.ablated].map(
      (sum) => sum / this.#steps,
    ) as [number, number, number];
    const [klSpliced, klAblated] = [this.#kl.spliced / this.#tokens, this.#kl.ablated / this.#tokens];
    return {
      clean,
      spliced,
      ablated,
      score: (ablated - spliced) / (ablated - clean),
      klSpliced,
      klAblated,
      klScore: (klAblated - klSpliced) / klAblated,
      steps: this.#steps,
    };
  }
}
