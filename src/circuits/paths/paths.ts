/** From a prompt to the paths through transcoder features that explain a feature, a logit or a direction. */
import { InputError, type LongCallOptions, printsItself, progressOf, UnsupportedError } from "../../core/index.js";
import type { DictionarySet } from "../../dictionary/index.js";
import type { Model } from "../../model/index.js";
import { table, type View } from "../../viz/index.js";
import { promptTokens } from "../attribution/attribute.js";
import { chosenTargets, type LogitChoice, targetHooks } from "../attribution/choice.js";
import { freezePrompt } from "../attribution/frozen.js";
import { linearModel } from "../attribution/linear-model.js";
import { type NamedTarget, tokenText } from "../attribution/logits.js";
import { FrozenStream, streamHooks } from "./frozen-stream.js";
import { type PathPrefix, type Remainder, searchPaths } from "./search.js";
import type { Contribution, Source } from "./stream-parts.js";

/** Options of `transcoderPaths`. */
export interface TranscoderPathOptions extends LogitChoice, LongCallOptions {
  /** Parts followed from each path, and paths kept in each round. Default 5. */
  readonly branches?: number;
  /** Rounds: the most steps of a path. Default 3. */
  readonly iterations?: number;
  /** Whether paths count as at most the smallest activation on them. Default true. */
  readonly cap?: boolean;
  /** `"signed"` follows what adds to the target; `"size"` what takes from it too. Default `"signed"`. */
  readonly rank?: "signed" | "size";
  /** The first position whose MLP writes are split into features. Default 1. */
  readonly firstPosition?: number;
  /** Of the run; paths are always computed in float64. Default `"float32"`. */
  readonly precision?: "float32" | "float64";
}

/** What is explained. */
export interface PathTarget {
  readonly label: string;
  readonly pos: number;
  /** Its pre-activation, its logit above the mean logit, or what lies along the direction. */
  readonly value: number;
}

/** A path from the target back. */
export interface TranscoderPath {
  /** From the target outwards; each contribution is that of the whole path so far. */
  readonly steps: readonly Contribution[];
  /** What the path adds to the target. */
  readonly contribution: number;
  /** The same, at most the smallest activation on the path. */
  readonly capped: number;
}

/** The parts of a result. */
export interface TranscoderPathsParts {
  readonly target: PathTarget;
  readonly prompt: readonly string[];
  readonly prefixes: readonly PathPrefix[];
  readonly remainder: Remainder;
  readonly certificate: number;
  readonly provenance: PathProvenance;
}

/** What paths were made from. */
export interface PathProvenance {
  readonly model: string;
  readonly identity: string;
  readonly dictionaries: string;
  readonly tokens: readonly number[];
  readonly firstPosition: number;
  readonly branches: number;
  readonly iterations: number;
  readonly cap: boolean;
  readonly rank: "signed" | "size";
}

/** Returns a short, readable name of a source: `L3 #123 @5`, `L2H4 @7<-@3`. */
export function sourceName(source: Source): string {
  if (source.kind === "feature") return `L${source.layer} #${source.feature} @${source.pos}`;
  if (source.kind === "head") return `L${source.layer}H${source.head} @${source.to}<-@${source.pos}`;
  return source.kind === "skip" ? `L${source.layer} skip @${source.pos}` : `${source.kind} @${source.pos}`;
}

/** Paths that explain a target, and what they leave out. Immutable. */
export class TranscoderPaths {
  static {
    printsItself(this.prototype);
  }

  readonly target: PathTarget;
  readonly prompt: readonly string[];
  /** Every path and every beginning of one, in the order in which they were found. */
  readonly prefixes: readonly PathPrefix[];
  /** What of the target no first step takes up. */
  readonly remainder: Remainder;
  /** Largest distance of the parts of a path's end from the end, over the sum of the parts' sizes. */
  readonly certificate: number;
  readonly provenance: PathProvenance;

  /** @internal Use `transcoderPaths`. */
  constructor(parts: TranscoderPathsParts) {
    this.target = parts.target;
    this.prompt = parts.prompt;
    this.prefixes = parts.prefixes;
    this.remainder = parts.remainder;
    this.certificate = parts.certificate;
    this.provenance = parts.provenance;
  }

  /** Returns the paths that go no further, the strongest first. */
  get paths(): readonly TranscoderPath[] {
    const hasChild = new Set(this.prefixes.map(({ parent }) => parent));
    const ends = [...this.prefixes.entries()].filter(([index]) => !hasChild.has(index));
    const paths = ends.map(([index, { step, capped }]) => {
      return { steps: this.#stepsTo(index), contribution: step.contribution, capped };
    });
    return paths.sort((a, b) => Math.abs(b.capped) - Math.abs(a.capped));
  }

  #stepsTo(index: number): readonly Contribution[] {
    const steps: Contribution[] = [];
    for (let at = index; at >= 0; at = this.prefixes[at]?.parent ?? -1) {
      const prefix = this.prefixes[at];
      if (prefix !== undefined) steps.unshift(prefix.step);
    }
    return steps;
  }

  #named(source: Source): string {
    return source.kind === "token" ? JSON.stringify(this.prompt[source.pos] ?? "") : sourceName(source);
  }

  #text({ steps }: TranscoderPath): string {
    return steps.map(({ source }) => this.#named(source)).join(" <- ");
  }

  /** Returns a table of the strongest paths. */
  toView(): View {
    const rows = this.paths.slice(0, 20).map((path) => {
      const last = path.steps.at(-1);
      return [this.#text(path), path.contribution, path.capped, last?.invariant ?? 0, last?.dependent ?? 0];
    });
    const number = (name: string): { name: string; kind: "number" } => ({ name, kind: "number" });
    const columns = ["contribution", "capped", "by weights", "by the prompt"].map(number);
    return table([{ name: "path", kind: "text" }, ...columns], rows, {
      title: `Paths into ${this.target.label} @${this.target.pos}`,
      note: `worth ${this.target.value.toFixed(3)}`,
    });
  }

  /** Returns the strongest paths as text. */
  toString(): string {
    const { label, pos, value } = this.target;
    const lines = this.paths.slice(0, 8).map((path) => {
      const { contribution } = path;
      return `  ${contribution < 0 ? "-" : "+"}${Math.abs(contribution).toFixed(3)} ${this.#text(path)}`;
    });
    const found = `TranscoderPaths into ${label} @${pos}, worth ${value.toFixed(3)}: ${this.prefixes.length} steps`;
    return [`${found}, parts sum within ${this.certificate.toExponential(1)}`, ...lines].join("\n");
  }
}

function checkCount(name: "branches" | "iterations", got: number): void {
  if (Number.isInteger(got) && got >= 1) return;
  throw new InputError({
    where: `transcoderPaths: ${name}`,
    got: String(got),
    expected: "a whole number of 1 or more",
    fix: `Leave it out for ${name === "branches" ? 5 : 3}.`,
  });
}

/** Returns the one target; by default the likeliest token. */
export function onlyTarget(targets: readonly NamedTarget[], isChosen: boolean, where: string): NamedTarget {
  const [target] = targets;
  if (target !== undefined && (!isChosen || targets.length === 1)) return target;
  throw new InputError({
    where: `${where}: target`,
    got: `${targets.length} tokens`,
    expected: "one target",
    fix: "Search once for each, or ask for a logitDiff.",
  });
}

/**
 * Finds the paths through transcoder features, heads and embeddings that explain a target, greedily from the target back.
 *
 * Attention patterns and norm scales are held as they were. Every step is a product: what weights decide (`invariant`) times
 * what the prompt decides (`dependent`). What is not followed is counted: `pathsToGraph` shows where.
 *
 * @param options - `target` as for `attributionGraph`, but one; by default the likeliest next token.
 * @throws InputError for a prompt of one token, several targets, or targets that are not there; UnsupportedError for
 *   dictionaries whose pre-activations are not linear in what they read.
 */
export async function transcoderPaths(
  model: Model,
  prompt: string | readonly number[],
  set: DictionarySet,
  options: TranscoderPathOptions = {},
): Promise<TranscoderPaths> {
  const { branches = 5, iterations = 3, cap = true, rank = "signed" } = options;
  const { firstPosition = 1, precision = "float32", signal } = options;
  checkRectified(set);
  checkCount("branches", branches);
  checkCount("iterations", iterations);
  const report = progressOf(options);
  const tokens = promptTokens(model, prompt, "transcoderPaths");
  const linear = await linearModel(model);
  const capture = [...targetHooks(model, options), ...streamHooks(linear)];
  const frozen = await freezePrompt(model, tokens, set, { linear, precision, firstPosition, capture });
  const target = onlyTarget(
    await chosenTargets(model, linear, frozen, options),
    options.target !== undefined,
    "transcoderPaths",
  );
  const stream = new FrozenStream(linear, frozen, { tokens, firstPosition });
  const isFiring = target.start.kind === "dictionary" && target.value > 0;
  const found = searchPaths(
    stream,
    { direction: stream.root(target), value: target.value, cap: isFiring ? target.value : Number.POSITIVE_INFINITY },
    {
      branches,
      iterations,
      hasCap: cap,
      rank,
      signal,
      onRound: (done) => report?.({ done, total: iterations, label: "follow paths back" }),
    },
  );
  report?.({ done: iterations, total: iterations, label: "follow paths back" });
  const { model: name, identity } = frozen.run.receipt;
  const made = { model: name, identity, dictionaries: set.name, tokens, firstPosition };
  return new TranscoderPaths({
    ...found,
    target: { label: target.label, pos: target.pos, value: target.value },
    prompt: tokens.map((token) => tokenText(model, token)),
    provenance: { ...made, branches, iterations, cap, rank },
  });
}

/** Paths pass what a feature reads on as what it writes, which holds for rectified features alone. */
function checkRectified(set: DictionarySet): void {
  const smooth = [...set].find(({ config }) => config.activation.kind === "smooth");
  if (smooth === undefined) return;
  throw new UnsupportedError({
    where: `transcoderPaths: dictionary ${smooth.name}`,
    got: "a smooth activation",
    expected: "features whose activation is their pre-activation or 0",
    fix: "Trace it with attributionGraph, or use ReLU, TopK or JumpReLU transcoders.",
  });
}
