/** Runs prompts and measures what every head looks at. */
import { InputError, type LongCallOptions, progressOf, throwIfAborted, UnsupportedError } from "../../core/index.js";
import type { InputOptions, Model, Run } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { groupByLength, type PromptGroup, type Prompts, pickInput, readPrompts } from "../prompts.js";
import { type AttentionBlock, keysFor, MassMeter, ShapeMeter } from "./measure.js";
import { findPattern, type HeadPattern, type HeadPatternName } from "./patterns.js";
import { HeadScores } from "./result.js";

/** Options of `heads.detect`. */
export interface DetectOptions extends InputOptions, LongCallOptions {
  /** Names of known patterns, or patterns of your own by name; default all known ones. */
  readonly patterns?: readonly HeadPatternName[] | Readonly<Record<string, HeadPattern>>;
  /**
   * Accepts prompts of different lengths. Scores are means over queries, so long prompts count more; by default they are
   * refused.
   */
  readonly allowUnequal?: boolean;
}

const where = "heads.detect";
const every: readonly HeadPatternName[] = [
  "previousToken",
  "duplicateToken",
  "induction",
  "firstToken",
  "currentToken",
];

type NamedPattern = readonly [name: string, pattern: HeadPattern];

function namedPatterns(patterns: DetectOptions["patterns"] = every): readonly NamedPattern[] {
  const named = Array.isArray(patterns)
    ? patterns.map((name): NamedPattern => [String(name), findPattern(String(name))])
    : Object.entries(patterns as Readonly<Record<string, HeadPattern>>);
  if (named.length > 0) return named;
  throw new InputError({
    where: `${where}: patterns`,
    got: "none",
    expected: "one or more",
    fix: "Leave it out for all.",
  });
}

function checkLengths(groups: readonly PromptGroup[], allowUnequal: boolean | undefined): void {
  if (groups.length === 1 || allowUnequal === true) return;
  throw new InputError({
    where: `${where}: prompts`,
    got: `prompts of ${groups.map(({ length }) => length).join(", ")} tokens`,
    expected: "prompts of one length",
    fix: "Scores are means over queries, so long prompts would count more: cut them to one length, or pass allowUnequal: true.",
  });
}

/** Layers whose attention has a pattern. */
function patternLayers(model: Model): readonly number[] {
  const found = [...model.hookNames()].flatMap((name) => /^blocks\.(\d+)\.attn\.hook_pattern$/.exec(name)?.[1] ?? []);
  if (found.length > 0) return found.map(Number);
  throw new UnsupportedError({
    where,
    got: `the model "${model.id}", which has no attention pattern`,
    expected: "a model with hook_pattern",
    fix: "Heads can only be told apart by what they attend to.",
  });
}

/** The meters of one call. */
class Meters {
  readonly #patterns: readonly NamedPattern[];
  readonly #layers: readonly number[];
  readonly #heads: number;
  readonly masses: readonly MassMeter[];
  readonly shape: ShapeMeter;

  constructor(patterns: readonly NamedPattern[], layers: readonly number[], heads: number) {
    this.#patterns = patterns;
    this.#layers = layers;
    this.#heads = heads;
    this.masses = patterns.map(() => new MassMeter(layers.length * heads));
    this.shape = new ShapeMeter(layers.length * heads);
  }

  /** Adds all layers of a run over prompts of one length. */
  add({ cache }: Run, rows: readonly Int32Array[]): void {
    const keys = rows.map((tokens) => this.#patterns.map(([name, pattern]) => keysFor(name, pattern, tokens)));
    this.#layers.forEach((layer, i) => {
      const pattern = cache.get("pattern", layer).contiguous();
      const [batch, heads, queries] = pattern.shape;
      const block: AttentionBlock = { data: pattern.data, batch, heads, queries };
      rows.forEach((_, row) => {
        this.masses.forEach((meter, p) => {
          meter.add(block, row, i * this.#heads, keys[row]?.[p] ?? []);
        });
        this.shape.add(block, row, i * this.#heads);
      });
    });
    for (const row of keys) row.forEach((of, p) => this.masses[p]?.count(of));
    this.shape.queries += rows.reduce((sum, tokens) => sum + tokens.length - 1, 0);
  }
}

/** Rows that run together: their patterns take at most some 64 MB. */
function* chunks({ rows, length }: PromptGroup, perPair: number): Generator<readonly Int32Array[]> {
  const size = Math.max(1, Math.floor(16e6 / (perPair * length * length)));
  for (let from = 0; from < rows.length; from += size) yield rows.slice(from, from + size);
}

/**
 * Returns how much every head attends where a kind of head would, with the entropy and distance of its attention.
 *
 * The score of a pattern is the mean, over queries that have keys, of the attention on these keys; `excess` takes off what
 * equal attention to all visible keys would put there, so that frequent patterns do not look like skill.
 *
 * @param prompts - Of one length, unless `allowUnequal`. Repeated random tokens tell induction from other habits:
 *   `tasks.repeated(model).clean`.
 * @throws InputError for prompts of different lengths, unknown patterns, and a pattern that no query of any prompt has;
 *   UnsupportedError for models without attention patterns.
 * @see Olsson et al. 2022, "In-context Learning and Induction Heads"
 */
export async function detect(model: Model, prompts: Prompts, options: DetectOptions = {}): Promise<HeadScores> {
  const patterns = namedPatterns(options.patterns);
  const groups = groupByLength(readPrompts(model, prompts, options, where));
  checkLengths(groups, options.allowUnequal);
  const layers = patternLayers(model);
  const heads = model.config.nHeads;
  const meters = new Meters(patterns, layers, heads);
  const total = groups.reduce((sum, { rows }) => sum + rows.length, 0);
  const onProgress = progressOf(options);
  let done = 0;
  for (const group of groups)
    for (const rows of chunks(group, layers.length * heads)) {
      throwIfAborted(options.signal, where);
      const run = await model.run(rows, { ...pickInput(options), capture: "pattern", logits: "none" });
      meters.add(run, rows);
      run.release();
      done += rows.length;
      onProgress?.({ done, total, label: "heads" });
    }
  return scoresOf(model, { patterns, layers, meters, prompts: total });
}

interface Measured {
  readonly patterns: readonly NamedPattern[];
  readonly layers: readonly number[];
  readonly meters: Meters;
  readonly prompts: number;
}

function scoresOf(model: Model, { patterns, layers, meters, prompts }: Measured): HeadScores {
  const mean = (sums: Float64Array, count: number): Tensor =>
    Tensor.of(
      sums.map((sum) => sum / count),
      [layers.length, model.config.nHeads],
      ["layer", "head"],
    );
  const scores = patterns.map(([name], p) => {
    const { mass, excess, queries } = meters.masses[p] ?? new MassMeter(0);
    if (queries === 0) throw noQueries(name);
    return { name, mass: mean(mass, queries), excess: mean(excess, queries), queries };
  });
  const { entropy, distance, queries } = meters.shape;
  return new HeadScores({
    patterns: scores,
    entropy: mean(entropy, queries),
    distance: mean(distance, queries),
    layers,
    prompts,
    provenance: {
      model: model.id,
      identity: model.view.core.checkpoint.identity,
      edits: model.view.edits.map(({ name }) => name),
    },
  });
}

function noQueries(name: string): InputError {
  return new InputError({
    where: `${where}: pattern "${name}"`,
    got: "prompts in which no query has a key of this pattern",
    expected: "at least one such query",
    fix: "Use prompts that repeat tokens, such as tasks.repeated(model).clean, or leave the pattern out.",
  });
}
