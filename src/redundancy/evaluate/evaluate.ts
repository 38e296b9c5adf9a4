/** `evaluateParts`: loss, divergence and agreement of a model without each of some sets of parts. */
import { interruptible, type LongCallOptions, printsItself, progressOf } from "../../core/index.js";
import type { Model, TokenRow } from "../../model/index.js";
import { table, type View } from "../../viz/index.js";
import type { Part } from "../parts.js";
import { effectOf, type PartEffect, setName } from "./effect.js";
import { PartEvaluator } from "./evaluator.js";

/** What a {@link PartEvaluation} is made from. */
interface PartEvaluationParts {
  readonly model: string;
  readonly full: PartEffect;
  readonly sets: readonly PartEffect[];
  readonly sequences: number;
  readonly tokens: number;
}

/** A model judged without each of some sets of parts. */
export class PartEvaluation {
  static {
    printsItself(this.prototype);
  }

  /** The model as it was named when loaded. */
  readonly model: string;
  /** The model as it is. */
  readonly full: PartEffect;
  /** In the order of the sets given. */
  readonly sets: readonly PartEffect[];
  readonly sequences: number;
  /** Tokens that predict another. */
  readonly tokens: number;

  /** @internal */
  constructor({ model, full, sets, sequences, tokens }: PartEvaluationParts) {
    this.model = model;
    this.full = full;
    this.sets = sets;
    this.sequences = sequences;
    this.tokens = tokens;
  }

  /** Returns a table of the sets. */
  toView(): View {
    return table(
      [
        { name: "without", kind: "text" },
        ...["loss", "increase %", "low", "high", "KL", "same top token %"].map((name) => ({
          name,
          kind: "number" as const,
        })),
      ],
      [this.full, ...this.sets].map(({ parts, loss, relative, kl, agreement }) => [
        setName(parts),
        loss,
        100 * relative.value,
        100 * relative.low,
        100 * relative.high,
        kl.value,
        100 * agreement.value,
      ]),
      { title: `${this.model} without parts`, note: `${this.tokens} tokens in ${this.sequences} sequences` },
    );
  }

  /** One line for each set. */
  toString(): string {
    const line = ({ parts, loss, relative, kl, agreement }: PartEffect): string =>
      `  ${loss.toFixed(4)} nats (${signed(relative.value)} %, ${signed(relative.low)} to ${signed(relative.high)}), KL ${kl.value.toFixed(4)}, same top token ${(100 * agreement.value).toFixed(1)} %: without ${setName(parts)}`;
    const head = `PartEvaluation of ${this.model}: ${this.full.loss.toFixed(4)} nats a token, ${this.tokens} tokens in ${this.sequences} sequences`;
    return [head, ...this.sets.map(line)].join("\n");
  }
}

function signed(share: number): string {
  return `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(2)}`;
}

/**
 * Judges a model without each of some sets of parts, on sequences of token ids.
 *
 * Intervals are bootstraps over sequences that compare each with itself. Memory: the final stream of the full model,
 * `dModel` numbers a token, and 64 MiB of logits.
 *
 * @throws InputError for rows or parts that do not fit; UnsupportedError for edits behind the last layer; AbortedError.
 */
export async function evaluateParts(
  model: Model,
  rows: readonly TokenRow[],
  sets: readonly (readonly Part[])[],
  given: LongCallOptions = {},
): Promise<PartEvaluation> {
  const options = interruptible(given);
  const report = progressOf(options);
  const evaluator = new PartEvaluator(model, rows);
  const full = await evaluator.evaluate([], options);
  const effects: PartEffect[] = [];
  for (const [i, parts] of sets.entries()) {
    effects.push(effectOf(evaluator, parts, await evaluator.evaluate(parts, options), full));
    report?.({ done: i + 1, total: sets.length, label: "models without parts" });
  }
  const { count, tokens } = evaluator;
  return new PartEvaluation({
    model: model.id,
    full: effectOf(evaluator, [], full, full),
    sets: effects,
    sequences: count,
    tokens,
  });
}
