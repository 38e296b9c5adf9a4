/** From a prompt to its attribution graph. */
import { InputError, type LongCallOptions, progressOf, throwIfAborted } from "../../core/index.js";
import type { DictionarySet } from "../../dictionary/index.js";
import type { Model } from "../../model/index.js";
import { Engine } from "../../runtime/index.js";
import { absoluteRest, assemble, type TargetRow, type Walked } from "./assemble.js";
import { chosenTargets, type LogitChoice, targetHooks } from "./choice.js";
import { type FrozenPrompt, freezePrompt } from "./frozen.js";
import { AttributionGraph } from "./graph.js";
import { type EdgeRow, influence } from "./influence.js";
import { linearModel } from "./linear-model.js";
import { type NamedTarget, tokenText } from "./logits.js";
import { RowWalker, type WalkRow } from "./rows.js";
import { featureTarget } from "./targets.js";
import type { RowsContext } from "./walker.js";

/** Options of {@link attributionGraph}. */
export interface AttributionGraphOptions extends LogitChoice, LongCallOptions {
  /** Most features that get edges of their own; those with the most influence. Default 8,192. */
  readonly maxFeatureNodes?: number;
  /** The first position whose MLP writes are split into features; before it they are errors. Default 1. */
  readonly firstPosition?: number;
  /** `"float64"` makes the certificate about 1e-9. Default `"float32"`. */
  readonly precision?: "float32" | "float64";
  /** Targets walked at a time. Default 128. */
  readonly batch?: number;
}

/** The features that get rows, the most influential first. */
class Rows {
  readonly found = new Map<number, WalkRow>();
  readonly #walker: RowWalker;
  readonly #context: RowsContext;

  constructor(walker: RowWalker, context: RowsContext) {
    this.#walker = walker;
    this.#context = context;
  }

  /** Computes the rows of some features, in batches of one layer each; calls back before every batch. */
  async add(features: readonly number[], batch: number, beforeBatch: () => void): Promise<void> {
    const { linear, frozen } = this.#context;
    for (let layer = 0; layer < linear.nLayers; layer++) {
      // By position, so that a batch walks no farther than it must.
      const own = features.filter((index) => frozen.features[index]?.layer === layer).sort((a, b) => a - b);
      for (let from = 0; from < own.length; from += batch) {
        beforeBatch();
        await this.#addBatch(own.slice(from, from + batch));
      }
    }
  }

  async #addBatch(features: readonly number[]): Promise<void> {
    const { linear, frozen } = this.#context;
    const targets = features.flatMap((index) => {
      const active = frozen.features[index];
      return active === undefined ? [] : [featureTarget(linear, frozen, active)];
    });
    const rows = await this.#walker.rows(targets);
    rows.forEach((row, i) => {
      this.found.set(features[i] ?? -1, row);
    });
  }
}

/** Features ranked by the influence that the rows so far give them. */
function ranked(
  frozen: FrozenPrompt,
  found: ReadonlyMap<number, WalkRow>,
  tops: readonly TargetRow[],
): readonly number[] {
  const count = frozen.features.length;
  const order = [...tops.keys()].map((i) => count + i);
  const byLayer = [...frozen.features.keys()].sort(
    (a, b) => (frozen.features[b]?.layer ?? 0) - (frozen.features[a]?.layer ?? 0),
  );
  const places = Int32Array.from({ length: count }, (_, i) => i);
  const all = (row: WalkRow): EdgeRow => {
    const reached = row.features.length;
    const [sources, weights] = [new Int32Array(reached + 1), new Float64Array(reached + 1)];
    sources.set(places.subarray(0, reached));
    sources[reached] = count + tops.length;
    weights.set(row.features);
    weights[reached] = absoluteRest(row);
    return { sources, weights };
  };
  const rows = new Map<number, EdgeRow>();
  tops.forEach(({ row }, i) => rows.set(count + i, all(row)));
  for (const [index, row] of found) rows.set(index, all(row));
  const start = new Float64Array(count + tops.length + 1);
  tops.forEach(({ target }, i) => {
    start[count + i] = target.weight;
  });
  const flow = influence({ order: [...order, ...byLayer], rows, size: start.length }, start);
  return [...frozen.features.keys()].filter((i) => !found.has(i)).sort((a, b) => (flow[b] ?? 0) - (flow[a] ?? 0));
}

/** Walks from every target, then from features until the budget is spent. */
async function walkAll(
  context: RowsContext,
  targets: readonly NamedTarget[],
  options: AttributionGraphOptions,
): Promise<Walked> {
  const { maxFeatureNodes = 8192, batch = 128, signal } = options;
  const report = progressOf(options);
  const walker = new RowWalker(context, "attribution");
  const rows = new Rows(walker, context);
  try {
    const walked = await walker.rows(targets);
    const tops = targets.flatMap((target, i) => (walked[i] === undefined ? [] : [{ target, row: walked[i] }]));
    const below = tops.reduce((most, { row }) => Math.max(most, row.features.length), 0);
    const count = Math.min(maxFeatureNodes, below);
    // When all fit, their order does not matter; else each round ranks anew what is left.
    const round = count === below ? count : 8 * batch;
    const beforeBatch = (): void => {
      throwIfAborted(signal, "attributionGraph");
      report?.({ done: rows.found.size, total: count, label: "walk back from features" });
    };
    while (rows.found.size < count) {
      const left = ranked(context.frozen, rows.found, tops).filter((index) => index < below);
      const next = left.slice(0, Math.min(round, count - rows.found.size));
      await rows.add(next, batch, beforeBatch);
    }
    report?.({ done: count, total: count, label: "walk back from features" });
    return { tops, found: rows.found, below };
  } finally {
    await walker.close();
  }
}

/** Returns one row of token ids; `where` names the call in the error for a prompt of one token. */
export function promptTokens(model: Model, prompt: string | readonly number[], where: string): readonly number[] {
  const tokens =
    typeof prompt === "string" ? [...(model.toTokens(prompt).data as Iterable<number>)].map(Number) : prompt;
  if (tokens.length > 1) return tokens;
  throw new InputError({
    where: `${where}: prompt`,
    got: `${tokens.length} token`,
    expected: "two tokens or more: the first is not split into features",
    fix: "Give a longer prompt.",
  });
}

/**
 * Traces what made a model predict what it predicts after a prompt.
 *
 * @param set - Transcoders of MLPs. A layer without one counts as an error as a whole, and the graph names it; neurons
 *   can stand in: `mlpNeurons`. Without a set, every MLP is one error at each position.
 * @throws InputError for a prompt of one token, a budget below 1, targets that are not there or have no probability;
 *   UnsupportedError for dictionaries whose pre-activations are not linear in what they read.
 */
export async function attributionGraph(
  model: Model,
  prompt: string | readonly number[],
  set?: DictionarySet,
  options: AttributionGraphOptions = {},
): Promise<AttributionGraph> {
  const { precision = "float32", firstPosition = 1, maxFeatureNodes = 8192 } = options;
  if (!Number.isInteger(maxFeatureNodes) || maxFeatureNodes < 1) throw badBudget(maxFeatureNodes);
  const tokens = promptTokens(model, prompt, "attributionGraph");
  const linear = await linearModel(model);
  const capture = targetHooks(model, options);
  const frozen = await freezePrompt(model, tokens, set, { linear, precision, firstPosition, capture });
  const targets = await chosenTargets(model, linear, frozen, options);
  const engine = Engine.create({});
  try {
    const walked = await walkAll({ linear, frozen, precision, engine }, targets, options);
    const { model: name, identity } = frozen.run.receipt;
    const whole = (linear.hasMlps ? [...linear.blocks.keys()] : []).filter((layer) => !frozen.dictionaries.has(layer));
    return new AttributionGraph({
      ...assemble(linear, frozen, walked, tokens),
      prompt: tokens.map((token) => tokenText(model, token)),
      omittedFeatures: walked.below - walked.found.size,
      provenance: {
        model: name,
        identity,
        dictionaries: set?.name ?? "none",
        tokens,
        firstPosition,
        ...(whole.length === 0 ? {} : { wholeMlps: whole }),
      },
    });
  } finally {
    await engine.close();
  }
}

function badBudget(got: number): InputError {
  return new InputError({
    where: "attributionGraph: maxFeatureNodes",
    got: String(got),
    expected: "a whole number of 1 or more",
    fix: "Leave it out for 8,192.",
  });
}
