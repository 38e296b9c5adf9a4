/**
 * Repeated sequences: random tokens come twice, and what followed the last one the first time is due.
 *
 * @see Olsson et al. 2022, "In-context Learning and Induction Heads"
 */
import { createRandom, InputError, type Random } from "../../core/index.js";
import { commonOptions, findTokenizer } from "./options.js";
import { TaskPairs } from "./pairs.js";
import { TaskReport, tooFewPairs } from "./report.js";
import type { TaskOptions, TaskPair, TaskTokenizer, VocabularySource } from "./types.js";

/** Positions of a prompt: the token due, the one before it (both in the last whole block), the last token. */
export type RepeatedRole = "source" | "previous" | "end";

/** Options of `tasks.repeated`. */
export interface RepeatedOptions extends Omit<TaskOptions, "filter"> {
  /** Tokens of a block, at least 2; default 16. */
  readonly length?: number;
  /** How often the block comes, at least 2; the last time without its last token, which is due. Default 2. */
  readonly repeats?: number;
  /** Whether the tokens of a block are all different, so that one answer alone is right; default `true`. */
  readonly distinct?: boolean;
  /** Ids that are not used, besides control tokens. */
  readonly exclude?: readonly number[];
}

const task = "repeated";

interface Settings {
  readonly n: number;
  readonly seed: number;
  readonly length: number;
  readonly repeats: number;
  readonly distinct: boolean;
  /** Ids to draw from. */
  readonly ids: readonly number[];
  /** Nothing, or BOS. */
  readonly front: readonly number[];
  readonly spell: (ids: readonly number[]) => readonly string[];
}

/** See `Tasks.repeated`. */
export function repeated(
  source: VocabularySource,
  options: RepeatedOptions = {},
): TaskPairs<RepeatedRole, readonly number[]> {
  const settings = read(source, options);
  const { n, seed } = settings;
  const random = createRandom(seed);
  const pairs = new Map<string, TaskPair<readonly number[]>>();
  for (let misses = 0; pairs.size < n && misses < 1000; ) {
    const pair = draw(settings, random);
    const key = `${pair.clean.join()};${pair.corrupted.join()}`;
    misses = pairs.has(key) ? misses + 1 : 0;
    if (misses === 0) pairs.set(key, pair);
  }
  const counts = { task, asked: n, made: pairs.size, items: {}, skippedItems: [], skippedPairs: [], filtered: 0 };
  const report = new TaskReport(counts);
  if (pairs.size < n) throw tooFewPairs(report);
  return new TaskPairs({ task, seed, roles: ["source", "previous", "end"], pairs: [...pairs.values()], report });
}

/** In the corrupted prompt, another token stands in place of the one that is due, wherever it stood. */
function draw(settings: Settings, random: Random): TaskPair<readonly number[]> {
  const { length, repeats, front, spell } = settings;
  const block = drawBlock(settings, random);
  const answer = block.at(-1) ?? 0;
  const other = drawOther(settings, block, random);
  const write = (last: number): number[] => {
    const whole = [...block.slice(0, -1), last];
    return [...front, ...Array.from({ length: repeats }, () => whole).flat()].slice(0, -1);
  };
  const [clean, corrupted] = [write(answer), write(other)];
  const source = front.length + (repeats - 1) * length - 1;
  const [[right = ""], [wrong = ""]] = [spell([answer]), spell([other])];
  return {
    clean,
    corrupted,
    cleanTokens: clean,
    corruptedTokens: corrupted,
    right: [{ text: right, token: answer }],
    wrong: [{ text: wrong, token: other }],
    positions: { source, previous: source - 1, end: clean.length - 1 },
    changed: clean.flatMap((id, i) => (id === corrupted[i] ? [] : [i])),
    labels: { length: String(length), repeats: String(repeats) },
    text: spell([...clean.slice(front.length), answer]).join(""),
  };
}

function drawBlock({ ids, length, distinct }: Settings, random: Random): number[] {
  const block: number[] = [];
  const used = new Set<number>();
  while (block.length < length) {
    const id = ids[random.int(0, ids.length)] ?? 0;
    if (distinct && used.has(id)) continue;
    used.add(id);
    block.push(id);
  }
  return block;
}

/** Draws a token for the corrupted prompt: a new one where tokens are distinct, at least another one where not. */
function drawOther({ ids, distinct }: Settings, block: readonly number[], random: Random): number {
  for (;;) {
    const id = ids[random.int(0, ids.length)] ?? 0;
    if (distinct ? !block.includes(id) : id !== block.at(-1)) return id;
  }
}

function read(source: VocabularySource, options: RepeatedOptions): Settings {
  const { length = 16, repeats = 2, distinct = true, exclude = [] } = options;
  checkAtLeastTwo("length", length);
  checkAtLeastTwo("repeats", repeats);
  const tokenizer = typeof source === "number" ? undefined : findTokenizer(source);
  const excluded = new Set(exclude);
  const count = vocabularySize(source, tokenizer);
  const ids = Array.from({ length: count }, (_, id) => id).filter(
    (id) => !excluded.has(id) && id !== tokenizer?.bosId && tokenizer?.isSpecial?.(id) !== true,
  );
  const needed = distinct ? length + 1 : 2;
  if (ids.length < needed) throw tooFewIds(ids.length, count, needed);
  return {
    ...commonOptions(task, options),
    length,
    repeats,
    distinct,
    ids,
    front: bosOf(tokenizer, options.prependBos),
    spell: (list) => (tokenizer === undefined ? list.map((id) => ` ${id}`) : spelled(tokenizer, list)),
  };
}

/** Pieces as they look inside running text: the first of a text may lose its space. */
function spelled(tokenizer: TaskTokenizer, ids: readonly number[]): readonly string[] {
  return tokenizer.pieces([...ids.slice(0, 1), ...ids]).slice(1);
}

/** The ids that both the tokenizer has and the model reads. */
function vocabularySize(source: VocabularySource, tokenizer: TaskTokenizer | undefined): number {
  if (typeof source === "number") return source;
  const read = "config" in source ? source.config.dVocab : Infinity;
  const size = Math.min(read, tokenizer?.vocabSize ?? Infinity);
  if (Number.isSafeInteger(size)) return size;
  throw new InputError({
    where: `tasks.${task}: model`,
    got: "something without a vocabulary",
    expected: "a model, a tokenizer that knows its vocabSize, or a number of tokens",
    fix: "Pass the model.",
  });
}

function bosOf(tokenizer: TaskTokenizer | undefined, prependBos: boolean | undefined): readonly number[] {
  const wanted = prependBos ?? tokenizer?.prependsBos ?? false;
  const bosId = tokenizer?.bosId;
  if (!wanted) return [];
  if (bosId !== undefined) return [bosId];
  throw new InputError({
    where: `tasks.${task}: prependBos`,
    got: "true",
    expected: "a tokenizer with a BOS token; there is none",
    fix: "Leave prependBos out.",
  });
}

function checkAtLeastTwo(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 2) return;
  throw new InputError({
    where: `tasks.${task}: ${name}`,
    got: String(value),
    expected: "a whole number, at least 2",
    fix: "Pass a number such as 16 for length and 2 for repeats.",
  });
}

function tooFewIds(usable: number, count: number, needed: number): InputError {
  return new InputError({
    where: `tasks.${task}: model`,
    got: `${usable} usable of ${count} tokens`,
    expected: `at least ${needed} different ones`,
    fix: "Make the blocks shorter, exclude less, or pass { distinct: false }.",
  });
}
