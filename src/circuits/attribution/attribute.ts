/** From a prompt to its attribution graph. */
import { InputError, type LongCallOptions, progressOf, throwIfAborted } from "../../core/index.js";
import type { DictionarySet } from "../../dictionary/index.js";
import type { Model } from "../../model/index.js";
import { Engine } from "../../runtime/index.js";
import { chosenTargets, type LogitChoice, targetHooks } from "./choice.js";
import { type FrozenPrompt, freezePrompt } from "./frozen.js";
import { AttributionGraph, type Certificate } from "./graph.js";
import { type EdgeRow, influence } from "./influence.js";
import { type LinearModel, linearModel } from "./linear-model.js";
import { type NamedTarget, tokenText } from "./logits.js";
import { type GraphNode, nodeId } from "./nodes.js";
import { type RowsContext, RowWalker, type WalkRow } from "./rows.js";
import { featureTarget } from "./targets.js";

/** Options of {@link attributionGraph}. */
export interface AttributionGraphOptions extends LogitChoice, LongCallOptions {
  /** Most features that get edges of their own; those with the most influence. Default 8,192. */
  readonly maxFeatureNodes?: number;
  /** The first position whose MLP writes are split into features; before it they are errors. Default 1. */
  readonly firstPosition?: number;
  /** `"float64"` makes the certificate about 1e-9. Default `"float32"`. */
  readonly precision?: "float32" | "float64";
  /** Targets walked at a time. Default 256. */
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
      const own = features.filter((index) => frozen.features[index]?.layer === layer);
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

function absoluteRest({ errors, tokens, positions, attentionBias, decoderBias, constant }: WalkRow): number {
  const own = Math.abs(bias({ attentionBias, decoderBias, constant }));
  return own + sumOfSizes(errors) + sumOfSizes(tokens) + sumOfSizes(positions);
}

function sumOfSizes(numbers: Float32Array | Float64Array): number {
  let sum = 0;
  for (const value of numbers) sum += Math.abs(value);
  return sum;
}

function bias({
  attentionBias,
  decoderBias,
  constant,
}: Pick<WalkRow, "attentionBias" | "constant" | "decoderBias">): number {
  return [...attentionBias, ...decoderBias].reduce((a, b) => a + b, constant);
}

interface Walked {
  readonly tops: readonly TargetRow[];
  readonly found: ReadonlyMap<number, WalkRow>;
  /** Active features below the targets: all before this index. */
  readonly below: number;
}

interface TargetRow {
  readonly target: NamedTarget;
  readonly row: WalkRow;
}

/** Walks from every target, then from features until the budget is spent. */
async function walkAll(
  context: RowsContext,
  targets: readonly NamedTarget[],
  options: AttributionGraphOptions,
): Promise<Walked> {
  const { maxFeatureNodes = 8192, batch = 256, signal } = options;
  const report = progressOf(options);
  const walker = new RowWalker(context, "attribution");
  const rows = new Rows(walker, context);
  try {
    const walked = await walker.rows(targets);
    const tops = targets.flatMap((target, i) => (walked[i] === undefined ? [] : [{ target, row: walked[i] }]));
    const below = tops.reduce((most, { row }) => Math.max(most, row.features.length), 0);
    const count = Math.min(maxFeatureNodes, below);
    // When all fit, their order does not matter; else each round ranks anew what is left.
    const round = count === below ? count : 4 * batch;
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

/** Collects the edges into one node; those of weight 0 are none. */
class EdgeList {
  readonly #sources: Int32Array;
  readonly #weights: Float64Array;
  #count = 0;

  constructor(most: number) {
    this.#sources = new Int32Array(most);
    this.#weights = new Float64Array(most);
  }

  add(source: number, weight: number): void {
    if (weight === 0) return;
    this.#sources[this.#count] = source;
    this.#weights[this.#count] = weight;
    this.#count++;
  }

  row(): EdgeRow {
    return { sources: this.#sources.slice(0, this.#count), weights: this.#weights.slice(0, this.#count) };
  }
}

/** Puts rows into the order of nodes: targets, features from the last layer down, leaves. */
function assemble(
  linear: LinearModel,
  frozen: FrozenPrompt,
  { tops, found }: Walked,
  tokens: readonly number[],
): {
  readonly nodes: readonly GraphNode[];
  readonly rows: ReadonlyMap<number, EdgeRow>;
  readonly certificate: Certificate;
} {
  const kept = [...found.keys()].sort((a, b) => b - a);
  const nodes: GraphNode[] = tops.map(({ target: { pos, label, weight, token, versus } }) => {
    const tokens = { ...(token === undefined ? {} : { token }), ...(versus === undefined ? {} : { versus }) };
    return { kind: "target", pos, label, weight, ...tokens };
  });
  const firstFeature = nodes.length;
  const featureAt = new Map(kept.map((index, i) => [index, firstFeature + i]));
  for (const index of kept) {
    const active = frozen.features[index];
    if (active === undefined) continue;
    const { layer, pos, feature, activation } = active;
    nodes.push({ kind: "feature", layer, pos, feature, activation });
  }
  const firstError = nodes.length;
  for (let layer = 0; layer < linear.nLayers; layer++)
    for (let pos = 0; pos < frozen.positions; pos++) nodes.push({ kind: "error", layer, pos });
  const firstToken = nodes.length;
  tokens.forEach((token, pos) => nodes.push({ kind: "token", pos, token }));
  const firstPosition = nodes.length;
  if (linear.hasPositions) for (let pos = 0; pos < frozen.positions; pos++) nodes.push({ kind: "position", pos });
  const biasNode = nodes.length;
  nodes.push({ kind: "bias" });
  const toRow = (row: WalkRow): EdgeRow => {
    const edges = new EdgeList(kept.length + (linear.nLayers + 2) * frozen.positions + 1);
    kept.forEach((index, i) => edges.add(firstFeature + i, row.features[index] ?? 0));
    row.errors.forEach((weight, i) => edges.add(firstError + i, weight));
    row.tokens.forEach((weight, i) => edges.add(firstToken + i, weight));
    if (linear.hasPositions) row.positions.forEach((weight, i) => edges.add(firstPosition + i, weight));
    edges.add(biasNode, bias(row));
    return edges.row();
  };
  const rows = new Map<number, EdgeRow>();
  tops.forEach(({ row }, i) => rows.set(i, toRow(row)));
  for (const index of kept) {
    const row = found.get(index);
    if (row !== undefined) rows.set(featureAt.get(index) ?? -1, toRow(row));
  }
  const named = (i: number): string => nodeId(nodes[i] ?? { kind: "bias" });
  const checked = [
    ...tops.map(({ row }, i) => [named(i), row] as const),
    ...kept.flatMap((index) => {
      const row = found.get(index);
      return row === undefined ? [] : [[named(featureAt.get(index) ?? -1), row] as const];
    }),
  ];
  return { nodes, rows, certificate: certify(checked) };
}

function certify(rows: readonly (readonly [string, WalkRow])[]): Certificate {
  let worst = { worst: 0, at: "no node" };
  for (const [at, row] of rows) {
    const size = sumOfSizes(row.features) + absoluteRest(row);
    const distance = Math.abs(row.residual) / Math.max(size, 1e-30);
    if (distance > worst.worst) worst = { worst: distance, at };
  }
  return { ...worst, checked: rows.length };
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
 * @param set - Transcoders of MLPs. A layer without one counts as an error as a whole, and the graph names it; ReLU neurons
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
    const whole = [...linear.blocks.keys()].filter((layer) => !frozen.dictionaries.has(layer));
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
