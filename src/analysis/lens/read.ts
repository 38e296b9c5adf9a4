/** Runs a model and reads its streams with a lens. */
import { InputError, interruptible, progressOf, UnsupportedError } from "../../core/index.js";
import type { Model, Receipt, Run } from "../../model/index.js";
import {
  groupByLength,
  type PromptGroup,
  type Prompts,
  type PromptTokens,
  pickInput,
  readPrompts,
} from "../prompts.js";
import { type LensNumbers, type LensStreams, measureLens } from "./measure.js";
import { type LensReading, LogitLensResult } from "./result.js";
import type { LensRow, LensRows } from "./rows.js";
import type { LensTarget, ReadLensOptions } from "./types.js";

/** Translators of each row, where the lens has them. */
export type Translators = NonNullable<LensStreams["translators"]>;

/** A lens: which rows it reads, and how. */
export interface LensKind extends LensRows {
  /** How messages name the call. */
  readonly where: string;
  /** How views name the lens: `"logit lens"`. */
  readonly name: string;
  readonly translators?: Translators;
}

const defaultMemory = 256 * 2 ** 20;

/** Refuses a view whose edits act after the stream: a lens would read without them and its last row would not be the model's. */
export function refuseReadoutEdits({ edits }: Receipt, where: string): void {
  const found = edits.flatMap(({ name, hooks }) =>
    hooks.filter((hook) => /^(ln_final|unembed)\./.test(hook)).map((hook) => `edit.${name} at ${hook}`),
  );
  if (found.length === 0) return;
  throw new UnsupportedError({
    where,
    got: `a model with ${found.join(", ")}`,
    expected: "a model whose last steps are its own: every row is read by the final norm and the unembedding",
    fix: "Edit the stream instead, or leave these edits out.",
  });
}

function checkTopK(topK: number, vocabulary: number, where: string): void {
  if (Number.isInteger(topK) && topK >= 1 && topK <= vocabulary) return;
  throw new InputError({
    where: `${where}: topK`,
    got: String(topK),
    expected: `a whole number from 1 to ${vocabulary}`,
    fix: "Correct the number.",
  });
}

function tokenId(model: Model, token: string | number, where: string): number {
  const id = typeof token === "number" ? token : model.toSingleToken(token);
  if (Number.isInteger(id) && id >= 0 && id < model.config.dVocabOut) return id;
  throw new InputError({
    where: `${where}: target`,
    got: `the token id ${id}`,
    expected: `whole numbers from 0 to ${model.config.dVocabOut - 1}`,
    fix: "Check the id against the model's output vocabulary.",
  });
}

/** No token is followed here. */
export const noTarget = -2;

/** Target ids of one prompt: -1 for the prediction, {@link noTarget} for none. */
function targetsOf({ ids }: PromptTokens, target: "next" | "prediction" | number): Int32Array {
  if (target === "prediction") return new Int32Array(ids.length).fill(-1);
  if (target === "next") return Int32Array.from(ids, (_, i) => ids[i + 1] ?? noTarget);
  return new Int32Array(ids.length).fill(target);
}

/** One target for each prompt. */
function listTargets(
  target: LensTarget,
  prompts: number,
  where: string,
): readonly ("next" | "prediction" | { token: string | number })[] {
  if (typeof target === "string" || "token" in target) return Array.from({ length: prompts }, () => target);
  const { tokens } = target;
  if (tokens.length === prompts) return tokens.map((token) => ({ token }));
  throw new InputError({
    where: `${where}: target`,
    got: `${tokens.length} tokens for ${prompts} prompts`,
    expected: "one token for each prompt, or { token } for all",
    fix: "Pass as many tokens as prompts.",
  });
}

function targetsPerPrompt(
  model: Model,
  prompts: readonly PromptTokens[],
  target: LensTarget,
  where: string,
): readonly Int32Array[] {
  const list = listTargets(target, prompts.length, where);
  return prompts.map((prompt, i) => {
    const one = list[i] ?? "prediction";
    return targetsOf(prompt, typeof one === "string" ? one : tokenId(model, one.token, where));
  });
}

/** Streams of a group of prompts, captured by one run. */
async function runGroup(
  model: Model,
  kind: LensKind,
  group: PromptGroup,
  options: ReadLensOptions,
): Promise<{ readonly run: Run; readonly streams: Omit<LensStreams, "targets"> }> {
  const hooks = [...new Set([...kind.rows.map(({ hook }) => hook), kind.final])];
  const { signal } = options;
  // With logits, an edit behind the stream fires and is refused by name, in place of one that reaches nothing.
  const run = await model.run(group.rows, {
    capture: hooks,
    logits: "last",
    ...(signal === undefined ? {} : { signal }),
  });
  refuseReadoutEdits(run.receipt, kind.where);
  const floats = (hook: string): Float32Array | Float64Array => {
    const { data } = run.cache.get(hook).contiguous();
    return data instanceof Float64Array ? data : Float32Array.from(data as Float32Array);
  };
  const rows = kind.rows.map(({ hook }: LensRow) => floats(hook));
  const { translators } = kind;
  const streams = { places: group.rows.length * group.length, rows, final: floats(kind.final) };
  return { run, streams: { ...streams, ...(translators === undefined ? {} : { translators }) } };
}

function joinedTargets(group: PromptGroup, targets: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(group.places.length * group.length);
  for (const [i, place] of group.places.entries()) all.set(targets[place] ?? [], i * group.length);
  return all;
}

/**
 * Reads prompts with a lens; see `lens.logitLens`.
 *
 * Prompts of equal length run together; nothing is padded.
 */
export async function readLens(
  model: Model,
  prompts: Prompts,
  given: ReadLensOptions,
  kind: LensKind,
): Promise<LogitLensResult> {
  const options = interruptible(given);
  const { topK = 5, target = "prediction", memoryLimit = defaultMemory, signal } = options;
  checkTopK(topK, model.config.dVocabOut, kind.where);
  const read = readPrompts(model, prompts, pickInput(options), kind.where);
  const targets = targetsPerPrompt(model, read, target, kind.where);
  const report = progressOf(options);
  const question = { topK, isTuned: kind.translators !== undefined };
  const readings: LensReading[] = [];
  let receipt: Receipt | undefined;
  for (const group of groupByLength(read)) {
    const { run, streams } = await runGroup(model, kind, group, options);
    receipt ??= run.receipt;
    const wanted = joinedTargets(group, targets);
    const numbers: LensNumbers = await measureLens({
      model,
      question,
      streams: { ...streams, targets: wanted.map((id) => (id === noTarget ? 0 : id)) },
      memoryLimit,
      where: kind.where,
      ...(signal === undefined ? {} : { signal }),
      ...(report === undefined ? {} : { onProgress: report }),
    });
    readings.push({ group, numbers, wanted });
  }
  return new LogitLensResult({ model, kind, topK, read, readings, receipt });
}
