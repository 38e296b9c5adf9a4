/** What is verified, with which inputs, and how much of it. */
import { createRandom, type LongCallOptions } from "../../core/index.js";
import { sizeOf } from "../../io/index.js";
import type { Model } from "../model.js";
import type { ModelInput } from "../run/input-types.js";
import type { RunOptions } from "../run/options.js";
import type { Run } from "../run/result.js";
import { expectedWeights } from "../weights/expected.js";

/** How thorough a verification is. */
export interface VerifyOptions extends LongCallOptions {
  /** First, middle and last layer, short inputs, and no reading of all weights. Default false. */
  readonly quick?: boolean;
  /** Every layer, however large the model. Default: up to 50 million parameters. */
  readonly allLayers?: boolean;
}

/** A model under verification. */
export interface Subject {
  readonly model: Model;
  readonly options: VerifyOptions;
  /** Layers whose hook points are read and edited. */
  readonly layers: readonly number[];
  /** Two different rows of token ids of equal length. */
  readonly rows: readonly [readonly number[], readonly number[]];
  readonly inputs: "text" | "random tokens";
  readonly nParameters: number;
  readonly isCausal: boolean;
  /** Runs the model, or a view of it, with the caller's signal. */
  run(input: ModelInput, options?: RunOptions, view?: Model): Promise<Run>;
}

/** Models up to this size are covered in full, parameters. */
const smallModel = 50e6;

/** Most tokens of an input. */
const tokenCounts = { quick: 6, full: 12 } as const;

const texts = [
  "When the sun rose over the harbour, the old captain counted his ships and found that one was missing.",
  "Mary and John went to the market in London, where John gave a basket of apples to the president.",
] as const;

/** Names and shapes of the weights that the architecture needs; masks and other buffers are none. */
export function expectedOf(model: Model): ReadonlyMap<string, readonly number[]> {
  return expectedWeights(model.view.core.map, model.config);
}

function countParameters(model: Model): number {
  return [...expectedOf(model).values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
}

/** First, middle and last, or all. */
function coveredLayers(nLayers: number, all: boolean): readonly number[] {
  const layers = Array.from({ length: nLayers }, (_, layer) => layer);
  return all ? layers : layers.filter((layer) => [0, Math.floor(nLayers / 2), nLayers - 1].includes(layer));
}

/** Ids that are no control tokens, so that no input is refused for them. */
function randomRow(model: Model, length: number, seed: number): readonly number[] {
  const random = createRandom(seed);
  const { tokenizer } = model.view.core;
  const draw = (): number => {
    const ids = Array.from({ length: 50 }, () => random.int(0, model.config.dVocab));
    return ids.find((id) => tokenizer?.isSpecial(id) !== true) ?? 0;
  };
  return Array.from({ length }, draw);
}

/** Text through the model's own tokenizer where it gives enough tokens, else random ids. */
function sampleRows(model: Model, length: number): Pick<Subject, "rows" | "inputs"> {
  const encoded = texts.map((text) =>
    model.view.core.tokenizer === undefined ? [] : Array.from(model.tokenizer.encode(text).ids).slice(0, length),
  );
  const [first = [], second = []] = encoded;
  if (first.length === length && second.length === length) return { rows: [first, second], inputs: "text" };
  return { rows: [randomRow(model, length, 1), randomRow(model, length, 2)], inputs: "random tokens" };
}

/** A run of an edited view must ask for something that its edits can reach: one row of logits will do. */
function withReach(view: Model, options: RunOptions): RunOptions {
  return view.edits.length > 0 && options.logits === "none" ? { ...options, logits: "last" } : options;
}

/** Chooses inputs and coverage for a model. */
export function makeSubject(model: Model, options: VerifyOptions): Subject {
  const nParameters = countParameters(model);
  const { nLayers, nCtx, attentionDirection } = model.config;
  const all = options.allLayers === true || (options.quick !== true && nParameters <= smallModel);
  const length = Math.min(options.quick === true ? tokenCounts.quick : tokenCounts.full, nCtx);
  const long = options.signal === undefined ? {} : { signal: options.signal };
  return {
    model,
    options,
    layers: coveredLayers(nLayers, all),
    ...sampleRows(model, length),
    nParameters,
    isCausal: attentionDirection === "causal",
    run: (input, runOptions = {}, view = model) => view.run(input, { ...withReach(view, runOptions), ...long }),
  };
}

/** The shortest input on which positions can be told apart. */
export const leastTokens = 4;

/** Why a law about positions cannot be measured, or `undefined`. */
export function tooShort({ rows, model }: Subject): string | undefined {
  return rows[0].length >= leastTokens ? undefined : `the model's context is only ${model.config.nCtx} tokens`;
}
