/** Which logits a graph explains: the likely ones, chosen ones, or a difference. */
import { InputError } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { FrozenPrompt } from "./frozen.js";
import type { LinearModel } from "./linear-model.js";
import { logitTarget } from "./targets.js";
import type { WalkTarget } from "./walker.js";

/** Logits that are explained, and where. */
export interface LogitOptions {
  readonly target?: LogitTarget | undefined;
  /** The position after which the logits are; negative from the end. Default the last. */
  readonly pos?: number | undefined;
}

/** Tokens whose logits are explained, each above the mean logit; or a difference of two. */
export type LogitTarget =
  | readonly (number | string)[]
  | { readonly logitDiff: readonly [number | string, number | string] };

/** A target with its name, and its weight in the influence. */
export interface NamedTarget extends WalkTarget {
  readonly label: string;
  readonly weight: number;
  readonly token?: number;
  readonly versus?: number;
}

const share = 0.95;
const most = 10;

/** Influence flows from probabilities: below this there is nothing to follow. */
const leastMass = 1e-6;

/** Logits before a soft cap. */
function uncapped(logits: Float64Array, cap: number | undefined): Float64Array {
  return cap === undefined ? logits : logits.map((logit) => cap * Math.atanh(logit / cap));
}

function softmax(logits: Float64Array): Float64Array {
  const top = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const exps = logits.map((x) => Math.exp(x - top));
  const sum = exps.reduce((a, b) => a + b, 0);
  return exps.map((x) => x / sum);
}

function likely(probabilities: Float64Array): readonly number[] {
  const order = [...probabilities.keys()].sort((a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0));
  const chosen: number[] = [];
  let sum = 0;
  for (const token of order.slice(0, most)) {
    chosen.push(token);
    sum += probabilities[token] ?? 0;
    if (sum >= share) break;
  }
  return chosen;
}

/** The unembedding as numbers, and its mean over the vocabulary. */
class Unembedding {
  readonly #data: ArrayLike<number>;
  readonly #bias: ArrayLike<number>;
  readonly #vocab: number;
  readonly #mean: Float64Array;
  readonly #meanBias: number;

  constructor(W_U: Tensor, b_U: Tensor) {
    const [dModel = 0, vocab = 0] = W_U.shape;
    this.#data = W_U.data as ArrayLike<number>;
    this.#bias = b_U.data as ArrayLike<number>;
    this.#vocab = vocab;
    this.#mean = Float64Array.from({ length: dModel }, (_, i) => {
      let sum = 0;
      for (let v = 0; v < vocab; v++) sum += this.#data[i * vocab + v] ?? 0;
      return sum / vocab;
    });
    this.#meanBias = Array.from(this.#bias).reduce((a, b) => a + b, 0) / vocab;
  }

  /** Direction and bias of a logit above the mean logit. */
  centred(token: number): { readonly direction: Float64Array; readonly constant: number } {
    const direction = this.#mean.map((mean, i) => (this.#data[i * this.#vocab + token] ?? 0) - mean);
    return { direction, constant: (this.#bias[token] ?? 0) - this.#meanBias };
  }
}

/** Returns the text of a token; its id where the model has no tokenizer. */
export function tokenText(model: Model, token: number): string {
  return model.view.core.tokenizer !== undefined ? model.toString([token]) : `[${token}]`;
}

function tokenOf(model: Model, token: number | string): number {
  return typeof token === "number" ? token : model.toSingleToken(token);
}

/**
 * Returns a position counted from the front.
 *
 * @throws InputError for one that the prompt lacks.
 */
export function positionOf(asked: number | undefined, positions: number): number {
  const pos = (asked ?? -1) < 0 ? positions + (asked ?? -1) : (asked ?? 0);
  if (Number.isInteger(pos) && pos >= 0 && pos < positions) return pos;
  throw new InputError({
    where: "attributionGraph: pos",
    got: String(asked),
    expected: `a whole number from 0 to ${positions - 1}, or from -${positions} to -1 counted from the end`,
    fix: "Leave it out for the last position.",
  });
}

/** Returns logits as targets of a graph. */
export async function logitTargets(
  model: Model,
  linear: LinearModel,
  frozen: FrozenPrompt,
  { target, pos: asked }: LogitOptions,
): Promise<readonly NamedTarget[]> {
  const { data, shape } = frozen.run.logits;
  const vocab = shape.at(-1) ?? 0;
  const pos = positionOf(asked, frozen.positions);
  const given = Float64Array.from(data.slice(pos * vocab, (pos + 1) * vocab) as ArrayLike<number>);
  const probabilities = softmax(given);
  const logits = uncapped(given, model.config.outputLogitsSoftCap);
  const mean = logits.reduce((a, b) => a + b, 0) / vocab;
  const unembedding = new Unembedding(await model.weights.W_U(), await model.weights.b_U());
  const text = (token: number): string => tokenText(model, token);
  if (target !== undefined && "logitDiff" in target) {
    const [a, b] = target.logitDiff.map((token) => tokenOf(model, token)) as [number, number];
    const [one, other] = [unembedding.centred(a), unembedding.centred(b)];
    const direction = one.direction.map((x, i) => x - (other.direction[i] ?? 0));
    const value = (logits[a] ?? 0) - (logits[b] ?? 0);
    const walk = logitTarget(linear, pos, { direction, constant: one.constant - other.constant, value });
    return [
      { ...walk, label: `${JSON.stringify(text(a))} - ${JSON.stringify(text(b))}`, weight: 1, token: a, versus: b },
    ];
  }
  const chosen = target === undefined ? likely(probabilities) : target.map((token) => tokenOf(model, token));
  if (chosen.length === 0) throw badTarget("an empty list", "at least one token");
  const mass = chosen.reduce((sum, token) => sum + (probabilities[token] ?? 0), 0);
  if (mass < leastMass)
    throw badTarget(`tokens of probability ${mass.toExponential(1)}`, `at least ${leastMass} in all`);
  return chosen.map((token) => {
    const value = (logits[token] ?? 0) - mean;
    const walk = logitTarget(linear, pos, { ...unembedding.centred(token), value });
    return { ...walk, label: JSON.stringify(text(token)), weight: probabilities[token] ?? 0, token };
  });
}

function badTarget(got: string, expected: string): InputError {
  return new InputError({
    where: "attributionGraph: target",
    got,
    expected,
    fix: "Leave it out for the most likely tokens, or ask for a logitDiff, which needs no probability.",
  });
}
