/** Activations that a model makes while the dictionary is trained: nothing is stored. */
import { createHash } from "node:crypto";
import { HookNotFoundError, InputError, type LongCallOptions } from "../../core/index.js";
import {
  type Accumulator,
  type ActivationBatch,
  type HookSpec,
  type Model,
  printSpec,
  type ReducedPoint,
  type Reducer,
  resolveHooks,
} from "../../model/index.js";
import { checkVectors } from "./finite.js";
import { readRows, type TokenRows, type TrainingData } from "./rows.js";
import type { ActivationSource, Piece, SourceHook, Vectors } from "./source.js";

/** Which tokens are trained on, and how the model is run. */
export interface HarvestOptions {
  /** Tokens of a row. Default the model's context, at most 1,024. */
  readonly contextLength?: number;
  /** Leaves out control tokens (BOS, EOS, …). Default true. */
  readonly excludeSpecial?: boolean;
  /** Leaves out the first token of every row. Default false. */
  readonly excludeFirst?: boolean;
  /** Leaves out tokens with these ids. */
  readonly excludeTokens?: readonly number[];
  /** Most tokens in one run of the model. Default 4,096. */
  readonly runTokens?: number;
}

/** What a source over a model needs. */
export interface ModelSourceOptions extends HarvestOptions, LongCallOptions {
  readonly hooks: readonly string[];
  readonly seed: number;
  /** Tokens that training will read; more text than that is not kept. */
  readonly enough: number;
}

const defaultLength = 1024;
const defaultRunTokens = 4096;

/**
 * Returns the one hook point that a spec means.
 *
 * @throws HookNotFoundError when the model lacks it; InputError when it means several.
 */
export function oneHook(model: Model, spec: HookSpec, option: string): string {
  const where = `trainDictionary: ${option}`;
  const hooks = resolveHooks(spec, model.hookNames(), where);
  const [only] = hooks;
  if (only !== undefined && hooks.length === 1) return only;
  throw new InputError({
    where,
    got: `${printSpec(spec)}, which means ${hooks.length} hook points`,
    expected: "one hook point, such as at.residPost(3)",
    fix: "Name the layer; trainDictionaries trains one dictionary for each of several.",
  });
}

/** Numbers of one token at each hook point. */
function widthsOf(model: Model, hooks: readonly string[]): readonly SourceHook[] {
  const points = model.hookPoints();
  return hooks.map((name) => {
    const { axes = [], shape = [] } = points.get(name) ?? {};
    const own = shape.filter((_, i) => !["batch", "pos"].includes(axes[i] ?? ""));
    const isVector = axes[0] === "batch" && axes[1] === "pos" && own.every((size) => typeof size === "number");
    if (!isVector) throw noVector(name, axes);
    return { name, width: own.reduce<number>((product, size) => product * (typeof size === "number" ? size : 1), 1) };
  });
}

/** Opens a source over a model: reads the texts, runs nothing yet. */
export async function modelSource(
  model: Model,
  data: TrainingData,
  options: ModelSourceOptions,
): Promise<ActivationSource> {
  const hooks = widthsOf(model, options.hooks);
  const contextLength = checkedLength(options.contextLength, model.config.nCtx);
  const rules = exclusionRules(model, options);
  const rows = await readRows(model, data, { ...options, contextLength, counts: rules.counts });
  const counts = options.excludeFirst === true ? withoutFirst(rows, rules.counts) : rows.counts;
  const tokenizer = model.view.core.tokenizer;
  const { checkpoint } = model.view.core;
  return {
    hooks,
    unitTokens: counts,
    about: {
      model: checkpoint.identity,
      edits: model.edits.map(({ name }) => name),
      precision: model.view.precision,
      data: hashRows(rows),
      excluded: rules.description,
    },
    readsAhead: false,
    contextSize: contextLength,
    ...(tokenizer === undefined ? {} : { prependBos: tokenizer.prependsBos }),
    model: { name: checkpoint.id, identity: checkpoint.identity },
    read: (pieces, long) => harvest(model, { rows, hooks, pieces, options, excluded: rules.over }, long),
  };
}

interface Exclusion {
  readonly counts: (id: number) => boolean;
  readonly over: Readonly<Record<string, unknown>>;
  readonly description: unknown;
}

function exclusionRules(model: Model, options: HarvestOptions): Exclusion {
  const tokenizer = model.view.core.tokenizer;
  const { excludeSpecial = tokenizer !== undefined, excludeFirst = false, excludeTokens = [] } = options;
  const ids = new Set(excludeTokens);
  const over = { excludeSpecial, excludeFirst, excludeTokens };
  const isSpecial = (id: number): boolean => excludeSpecial && tokenizer?.isSpecial(id) === true;
  return { counts: (id) => !ids.has(id) && !isSpecial(id), over, description: over };
}

function withoutFirst({ rows, counts }: TokenRows, isCounted: (id: number) => boolean): Int32Array {
  return counts.map((count, i) => count - (isCounted(rows[i]?.[0] ?? 0) ? 1 : 0));
}

function hashRows({ rows }: TokenRows): string {
  const hash = createHash("sha256");
  for (const row of rows) hash.update(new Uint8Array(row.buffer, row.byteOffset, row.byteLength));
  return hash.digest("hex").slice(0, 16);
}

interface Harvest {
  readonly rows: TokenRows;
  readonly hooks: readonly SourceHook[];
  readonly pieces: readonly Piece[];
  readonly options: ModelSourceOptions;
  readonly excluded: Readonly<Record<string, unknown>>;
}

/** Runs the rows of a block through the model, all hook points in one pass. */
async function harvest(model: Model, parts: Harvest, { signal, onProgress }: LongCallOptions): Promise<Vectors> {
  const { rows, hooks, pieces, options, excluded } = parts;
  const length = rows.rows[0]?.length ?? 1;
  const perRun = Math.max(1, Math.floor((options.runTokens ?? defaultRunTokens) / length));
  const collect = collector(pieces);
  const total = pieces.reduce((sum, { from, to }) => sum + to - from, 0);
  const { vectors } = await model.over(batchesOf(rows, pieces, perRun), {
    ...excluded,
    capture: hooks.map(({ name }) => name),
    reduce: { vectors: collect },
    checks: false,
    // Rows are cut from a stream of documents: one may begin with the ends of two.
    prependBos: false,
    memoryLimit: Number.POSITIVE_INFINITY,
    onProgress: ({ done }) => onProgress?.({ done: Math.min(done, total), total, label: "harvest activations" }),
    ...(signal === undefined ? {} : { signal }),
  });
  return new Map(hooks.map(({ name }) => [name, vectors.get(name)] as const));
}

/** A row that two blocks share is run for both. */
function* batchesOf({ rows }: TokenRows, pieces: readonly Piece[], perRun: number): Generator<readonly Int32Array[]> {
  for (let i = 0; i < pieces.length; i += perRun)
    yield pieces.slice(i, i + perRun).map(({ unit }) => rows[unit] ?? new Int32Array(0));
}

/** Keeps the vectors of the tokens that pieces name. */
function collector(pieces: readonly Piece[]): Reducer<Float32Array> {
  return {
    name: "vectors",
    description: "vectors",
    isResumable: false,
    bytes: () => 0,
    start: (point) => new Collector(pieces, point),
  };
}

class Collector implements Accumulator<Float32Array> {
  readonly #pieces: readonly Piece[];
  readonly #point: ReducedPoint;
  readonly #data: Float32Array;
  #fill = 0;
  /** The row that is being read, and how many of its tokens were. */
  #row = -1;
  #place = 0;

  constructor(pieces: readonly Piece[], point: ReducedPoint) {
    this.#pieces = pieces;
    this.#point = point;
    this.#data = new Float32Array(pieces.reduce((sum, { from, to }) => sum + to - from, 0) * point.dim);
  }

  update({ vectors, tokens }: ActivationBatch): void {
    const { dim, name } = this.#point;
    const first = this.#fill;
    const places: number[] = [];
    for (let i = 0; i < vectors.count; i++) {
      if (!this.#isWanted(tokens.rows[i] ?? 0)) continue;
      const start = vectors.starts[i] ?? 0;
      this.#data.set(vectors.data.subarray(start, start + dim), this.#fill);
      this.#fill += dim;
      places.push(i);
    }
    const placeOf = (index: number): string => {
      const at = places[index] ?? 0;
      return `token id ${tokens.ids[at] ?? -1} at position ${tokens.positions[at] ?? 0} of a row`;
    };
    checkVectors(name, this.#data.subarray(first, this.#fill), placeOf, dim);
  }

  #isWanted(row: number): boolean {
    if (row !== this.#row) [this.#row, this.#place] = [row, 0];
    const { from, to } = this.#pieces[row] ?? { from: 0, to: 0 };
    const place = this.#place++;
    return place >= from && place < to;
  }

  finish(): Float32Array {
    return this.#data;
  }

  save(): Readonly<Record<string, never>> {
    return {};
  }

  load(): void {
    // Blocks are read again.
  }
}

function checkedLength(wanted: number | undefined, nCtx: number): number {
  if (wanted === undefined) return Math.min(nCtx, defaultLength);
  if (Number.isSafeInteger(wanted) && wanted >= 2 && wanted <= nCtx) return wanted;
  throw new InputError({
    where: "trainDictionary: contextLength",
    got: String(wanted),
    expected: `a whole number from 2 to ${nCtx}, the model's context`,
    fix: "Leave it out for the model's own.",
  });
}

function noVector(name: string, axes: readonly string[]): HookNotFoundError {
  return new HookNotFoundError({
    where: `trainDictionary: ${name}`,
    got: `axes [${axes.join(", ")}]`,
    expected: "a hook point with one vector for each token, [batch, pos, …]",
    fix: "Choose a stream, an attention output, an MLP's input or output, or hook_z.",
  });
}
