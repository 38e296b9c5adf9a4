/** Generation: a sequence of runs that share cached keys and values, edits and captures included. */
import { createRandom, InputError, type LongCallOptions, type Random, throwIfAborted } from "../../core/index.js";
import type { ActivationCache } from "../cache/activation-cache.js";
import { type GeneratedSlots, generationOrigin } from "../cache/origin.js";
import type { Edit, PositionSelection, Selection } from "../edits/types.js";
import type { HookSpecs } from "../hooks/index.js";
import { describeHookPoints, passedNames, resolveCaptures, resolveEdits } from "../plan/resolve.js";
import { type Batch, prepareInput } from "../run/input.js";
import type { InputOptions, ModelInput } from "../run/input-types.js";
import type { ModelView } from "../view.js";
import { joinSteps } from "./collect.js";
import { checkSampling, chooseToken, penalised, type SamplingOptions } from "./sampling.js";
import { type GenerationState, runStep, type StepResult } from "./steps.js";

/** Options of `model.generate`. */
export interface GenerateOptions extends SamplingOptions, Omit<InputOptions, "padding">, LongCallOptions {
  /** Default 32. */
  readonly maxNewTokens?: number;
  /** Text at which a row ends; it is cut off the text, not off the tokens. */
  readonly stop?: string | readonly string[];
  /** Whether a row ends at the tokenizer's end token. Default true. */
  readonly stopAtEos?: boolean;
  /** Activations to keep, for the prompt and for generated tokens. */
  readonly capture?: HookSpecs;
  /** Keeps keys and values between steps. Default true; `false` runs everything again each step, for checking. */
  readonly useCache?: boolean;
}

/** One step, as `model.generateStream` yields it. */
export interface GeneratedTokens {
  readonly step: number;
  /** One id per row; `undefined` for rows that have ended. */
  readonly ids: readonly (number | undefined)[];
  /** Text that each row gained. */
  readonly texts: readonly string[];
}

/** Why a row ended. */
export type StopReason = "eos" | "stop" | "length" | "context";

/** What a generation returns. */
export interface Generation {
  /** Continuations, one per row, without the prompt. */
  readonly texts: readonly string[];
  /** The first row's continuation. */
  readonly text: string;
  /** New token ids per row. */
  readonly newTokens: readonly (readonly number[])[];
  /** Prompt and new token ids per row, without padding. */
  readonly tokens: readonly (readonly number[])[];
  readonly stopReasons: readonly StopReason[];
  /** Captured activations over prompt and generated positions; the last new token was never run. */
  readonly cache: ActivationCache;
}

interface Row {
  readonly prompt: readonly number[];
  readonly made: number[];
  ended?: StopReason;
  text: string;
}

/** A generation under way. */
interface Progress {
  readonly view: ModelView;
  readonly options: GenerateOptions;
  readonly rows: readonly Row[];
  readonly randoms: readonly Random[];
  readonly captured: StepResult["captured"][];
  readonly acted: Set<Edit>;
  /** Slots that have run so far. */
  ran: GeneratedSlots;
}

/** Each row draws from its own stream, so that a row does not change with its neighbours. */
function rowRandom(seed: number, row: number): Random {
  return createRandom(seed + row * 0x9e3779b1);
}

function unpadded({ tokens = new Int32Array(0), mask, batch, pos }: Batch): readonly (readonly number[])[] {
  return Array.from({ length: batch }, (_, row) =>
    Array.from(tokens.subarray(row * pos, (row + 1) * pos)).filter(
      (_, slot) => mask === undefined || mask[row * pos + slot] === 1,
    ),
  );
}

function leftPadded(rows: readonly (readonly number[])[], padId: number): Pick<GenerationState, "next" | "real"> {
  const pos = Math.max(...rows.map((row) => row.length));
  const padding = rows.map((row) => Array.from({ length: pos - row.length }, () => padId));
  return {
    next: rows.map((row, i) => [...(padding[i] ?? []), ...row]),
    real: rows.map((row, i) => [...(padding[i] ?? []).map(() => 0), ...row.map(() => 1)]),
  };
}

function decodeNew(view: ModelView, row: Row): string {
  return view.core.tokenizer === undefined ? "" : view.core.tokenizer.decode(row.made);
}

function stopList({ stop }: GenerateOptions): readonly string[] {
  return stop === undefined ? [] : typeof stop === "string" ? [stop] : stop;
}

/** Appends a token to a row and decides whether the row has ended; returns the text that the row gained. */
function extend(progress: Progress, row: Row, id: number): string {
  const { view, options } = progress;
  row.made.push(id);
  const { eosIds = [] } = view.core.tokenizer ?? {};
  const before = row.text;
  const text = decodeNew(view, row);
  const cut = stopList(options)
    .map((stop) => text.indexOf(stop))
    .filter((at) => at >= 0)
    .sort((a, b) => a - b)[0];
  row.text = cut === undefined ? text : text.slice(0, cut);
  if (options.stopAtEos !== false && eosIds.includes(id)) row.ended = "eos";
  else if (cut !== undefined) row.ended = "stop";
  else if (row.made.length >= (options.maxNewTokens ?? 32)) row.ended = "length";
  else if (row.prompt.length + row.made.length > view.core.config.nCtx) row.ended = "context";
  return row.text.startsWith(before) ? row.text.slice(before.length) : row.text;
}

function chooseAll(progress: Progress, result: StepResult): (number | undefined)[] {
  return progress.rows.map((row, i) => {
    const logits = result.logits[i];
    const random = progress.randoms[i];
    if (row.ended !== undefined || logits === undefined || random === undefined) return undefined;
    const adjusted = penalised(logits, [...row.prompt, ...row.made], progress.options);
    return chooseToken(adjusted, progress.options, random);
  });
}

/** The state after a step: one more slot per row; ended rows run padding that nobody looks at. */
function advance(
  state: GenerationState,
  ids: readonly (number | undefined)[],
  past: StepResult["past"],
  padId: number,
): GenerationState {
  return {
    ...state,
    step: state.step + 1,
    next: ids.map((id) => [id ?? padId]),
    real: state.real.map((row, i) => [...row, ids[i] === undefined ? 0 : 1]),
    past,
    pastSlots: state.real[0]?.length ?? 0,
  };
}

/** Without a cache every step runs all slots again. */
function withoutCache(state: GenerationState, all: readonly (readonly number[])[]): GenerationState {
  return { ...state, next: all, past: {}, pastSlots: 0 };
}

function checkActed({ acted, view }: Progress): void {
  const idle = view.edits.find((edit) => !acted.has(edit));
  if (idle === undefined) return;
  throw new InputError({
    where: `generate: edit.${idle.name}`,
    got: "an edit that acted in no step",
    expected: "positions or steps that the generation passes",
    fix: "Check pos and steps against the prompt's length and maxNewTokens.",
  });
}

function checkLength({ maxNewTokens = 1 }: GenerateOptions): void {
  if (Number.isInteger(maxNewTokens) && maxNewTokens > 0) return;
  throw new InputError({
    where: "generate: maxNewTokens",
    got: String(maxNewTokens),
    expected: "a positive integer",
    fix: "Leave it out for 32.",
  });
}

/** Without a cache every step runs all positions again, so what depends on the step would act on other positions. */
function checkReplay({ edits }: ModelView, { useCache }: GenerateOptions): void {
  const stepped = useCache === false ? edits.find(({ select }) => dependsOnStep(select)) : undefined;
  if (stepped === undefined) return;
  throw new InputError({
    where: `generate: edit.${stepped.name}`,
    got: "useCache: false with an edit that selects steps or counts positions from the last",
    expected: "edits that mean the same positions in every step",
    fix: 'Keep the cache, or select by positions from 0 or "generated".',
  });
}

function dependsOnStep({ steps, pos, keyPos }: Selection): boolean {
  const isRelative = (selection: PositionSelection | undefined): boolean => {
    if (selection === undefined || typeof selection === "function" || selection === "generated") return false;
    if (selection === "last") return true;
    if (typeof selection === "number") return selection < 0;
    if ("length" in selection) return selection.some((index) => index < 0);
    return (selection.from ?? 0) < 0 || (selection.to ?? 0) < 0;
  };
  return steps !== undefined || isRelative(pos) || isRelative(keyPos);
}

function start(
  view: ModelView,
  input: ModelInput,
  options: GenerateOptions,
): { progress: Progress; state: GenerationState; padId: number } {
  checkSampling(options);
  checkLength(options);
  checkReplay(view, options);
  const batch = prepareInput(view.core, input, { ...options, padding: "left" });
  if (batch.entry !== "tokens")
    throw new InputError({
      where: "generate",
      got: batch.entry,
      expected: "text or tokens",
      fix: "Use model.run for embeddings.",
    });
  const prompts = unpadded(batch);
  const padId = view.core.tokenizer?.padId ?? view.core.tokenizer?.eosId ?? 0;
  const rows = prompts.map((prompt): Row => ({ prompt, made: [], text: "" }));
  const randoms = rows.map((_, row) => rowRandom(options.seed ?? 0, row));
  const padded = leftPadded(prompts, padId);
  const state = { ...padded, step: 0, past: {}, pastSlots: 0, generatedFrom: padded.next[0]?.length ?? 0 };
  return {
    progress: { view, options, rows, randoms, captured: [], acted: new Set(), ran: { ids: [], real: [] } },
    state,
    padId,
  };
}

async function* steps(progress: Progress, first: GenerationState, padId: number): AsyncGenerator<GeneratedTokens> {
  const { view, options, rows } = progress;
  const points = describeHookPoints(view);
  const names = passedNames(points, view.layers, "tokens", true);
  const what = { captures: resolveCaptures(options.capture, names), edits: resolveEdits(view.edits, names) };
  let state = first;
  let all = first.next;
  while (rows.some((row) => row.ended === undefined)) {
    throwIfAborted(options.signal, "generate");
    const given = options.useCache === false ? withoutCache(state, all) : state;
    const result = await runStep(view, given, what, options.signal === undefined ? {} : { signal: options.signal });
    for (const edit of result.acted) progress.acted.add(edit);
    if (options.useCache === false) progress.captured.length = 0;
    progress.captured.push(result.captured);
    progress.ran = { ids: all, real: state.real };
    const ids = chooseAll(progress, result);
    const texts = ids.map((id, i) => {
      const row = rows[i];
      return id === undefined || row === undefined ? "" : extend(progress, row, id);
    });
    yield { step: state.step, ids, texts };
    options.onProgress?.({ done: state.step + 1, total: options.maxNewTokens ?? 32, label: "tokens" });
    all = all.map((row, i) => [...row, ids[i] ?? padId]);
    state = advance(state, ids, result.past, padId);
  }
  checkActed(progress);
}

/** Generates token by token; leaving the loop early stops the work. */
export function generateStream(
  view: ModelView,
  input: ModelInput,
  options: GenerateOptions = {},
): AsyncGenerator<GeneratedTokens> {
  const { progress, state, padId } = start(view, input, options);
  return steps(progress, state, padId);
}

/** Generates to the end. */
export async function generate(view: ModelView, input: ModelInput, options: GenerateOptions = {}): Promise<Generation> {
  const { progress, state, padId } = start(view, input, options);
  for await (const _ of steps(progress, state, padId));
  const { rows, captured, ran } = progress;
  return {
    texts: rows.map(({ text }) => text),
    text: rows[0]?.text ?? "",
    newTokens: rows.map(({ made }) => made),
    tokens: rows.map(({ prompt, made }) => [...prompt, ...made]),
    stopReasons: rows.map(({ ended }) => ended ?? "length"),
    cache: joinSteps(captured, describeHookPoints(view), generationOrigin(view, ran)),
  };
}
