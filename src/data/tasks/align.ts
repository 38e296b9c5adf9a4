/**
 * Looks at a draft through a tokenizer: are the slots single tokens, do both prompts align, is each answer one token?
 *
 * 1. A prompt is encoded whole; the pieces of its ids give the characters that each token covers.
 * 2. Each slot must be exactly one token, at the same position in both prompts; all other tokens must be equal.
 * 3. An answer is one token when `encode(tail + answer)` is `encode(tail)` and one id more; the tail is the prompt's end.
 */
import { formatList } from "../../core/index.js";
import { type Draft, type Part, textOf } from "./draft.js";
import type { TaskAnswer, TaskPair, TaskTokenizer } from "./types.js";

/** A pair, or why there is none. */
export type Aligned = { readonly pair: TaskPair<string> } | { readonly reason: string };

/** What follows a text as tokens: one id, or the pieces it falls into. */
export type Continuation = { readonly token: number } | { readonly reason: string };

/** A tokenizer as tasks use it; remembers what it was asked. */
export class TaskReader {
  readonly #tokenizer: TaskTokenizer;
  readonly #prependBos: boolean | undefined;
  readonly #known: Map<string, Continuation> = new Map();

  constructor(tokenizer: TaskTokenizer, prependBos: boolean | undefined) {
    this.#tokenizer = tokenizer;
    this.#prependBos = prependBos;
  }

  /** Returns the token that `text` is after `before`. */
  continuation(before: string, text: string): Continuation {
    return this.#after(tailOf(before), text);
  }

  /** Returns the pair of a draft, or the first thing that is wrong with it. */
  align(draft: Draft): Aligned {
    const [clean, corrupted] = [this.#read(draft.clean), this.#read(draft.corrupted)];
    if ("reason" in clean) return clean;
    if ("reason" in corrupted) return corrupted;
    const reason = difference(clean, corrupted);
    if (reason !== undefined) return { reason };
    const [right, wrong] = [this.#answers(clean.text, draft.right), this.#answers(clean.text, draft.wrong)];
    if ("reason" in right) return right;
    if ("reason" in wrong) return wrong;
    const { labels, ending } = draft;
    return {
      pair: {
        clean: clean.text,
        corrupted: corrupted.text,
        cleanTokens: clean.ids,
        corruptedTokens: corrupted.ids,
        right: right.answers,
        wrong: wrong.answers,
        positions: positionsOf(clean, draft),
        changed: changedPositions(clean.ids, corrupted.ids),
        labels,
        text: clean.text + (draft.right[0] ?? "") + ending,
      },
    };
  }

  #after(tail: string, text: string): Continuation {
    const key = `${tail}\0${text}`;
    const known = this.#known.get(key) ?? this.#continuation(tail, text);
    this.#known.set(key, known);
    return known;
  }

  #continuation(tail: string, text: string): Continuation {
    const before = this.#tokenizer.encode(tail, { prependBos: false }).ids;
    const { ids } = this.#tokenizer.encode(tail + text, { prependBos: false });
    const rest = ids.slice(before.length);
    const [token] = rest;
    const continues = before.every((id, i) => id === ids[i]);
    if (continues && rest.length === 1 && token !== undefined) return { token };
    const pieces = this.#tokenizer.pieces(ids).slice(continues ? before.length : 0);
    if (continues) return { reason: `${pieces.length} tokens: ${formatList(pieces)}` };
    return { reason: `not its own token after ${JSON.stringify(tail)}: ${formatList(pieces)}` };
  }

  #answers(prompt: string, texts: readonly string[]): { answers: TaskAnswer[] } | { reason: string } {
    const answers: TaskAnswer[] = [];
    const tail = tailOf(prompt);
    for (const text of texts) {
      const found = this.#after(tail, text);
      if ("reason" in found) return { reason: `the answer ${JSON.stringify(text)} is ${found.reason}` };
      answers.push({ text, token: found.token });
    }
    return { answers };
  }

  #read(parts: readonly Part[]): Reading | { readonly reason: string } {
    const text = textOf(parts);
    const options = this.#prependBos === undefined ? {} : { prependBos: this.#prependBos };
    const { ids } = this.#tokenizer.encode(text, options);
    const pieces = this.#tokenizer.pieces(ids);
    const spelled = pieces.join("");
    if (!spelled.endsWith(text)) return { reason: `the tokens spell ${JSON.stringify(spelled)}` };
    const starts = startsOf(pieces, text.length - spelled.length);
    const slots: (readonly [role: string, position: number])[] = [];
    let from = 0;
    for (const part of parts) {
      const length = typeof part === "string" ? part.length : part.text.length;
      if (typeof part !== "string") {
        const position = starts.findIndex((start, i) => start === from && pieces[i]?.length === length);
        if (position < 0)
          return { reason: `${JSON.stringify(part.text)} (${part.role}) is not one token in its place` };
        slots.push([part.role, position]);
      }
      from += length;
    }
    return { text, ids: [...ids], slots };
  }
}

interface Reading {
  readonly text: string;
  readonly ids: readonly number[];
  readonly slots: readonly (readonly [role: string, position: number])[];
}

/** Returns where each piece starts in the text; pieces of BOS start before 0. */
function startsOf(pieces: readonly string[], first: number): number[] {
  let from = first;
  return pieces.map((piece) => {
    const start = from;
    from += piece.length;
    return start;
  });
}

/** The last two words: tokenizers look no further back over a space. */
function tailOf(before: string): string {
  return /(?: ?[^ ]+)?(?: ?[^ ]+)?$/.exec(before)?.[0] ?? before;
}

function positionsOf({ slots, ids }: Reading, { derived = {} }: Draft): Readonly<Record<string, number>> {
  const found = new Map(slots);
  for (const [role, [from, offset]] of Object.entries(derived)) found.set(role, (found.get(from) ?? 0) + offset);
  return Object.fromEntries(found.set("end", ids.length - 1));
}

function changedPositions(clean: readonly number[], corrupted: readonly number[]): number[] {
  return clean.flatMap((id, i) => (id === corrupted[i] ? [] : [i]));
}

function difference(clean: Reading, corrupted: Reading): string | undefined {
  if (clean.ids.length !== corrupted.ids.length)
    return `${clean.ids.length} tokens against ${corrupted.ids.length} in the corrupted prompt`;
  const moved = clean.slots.find(([, position], i) => corrupted.slots[i]?.[1] !== position);
  if (moved !== undefined) return `${moved[0]} stands at different positions in the two prompts`;
  const slots = new Set(clean.slots.map(([, position]) => position));
  const stray = changedPositions(clean.ids, corrupted.ids).find((position) => !slots.has(position));
  return stray === undefined ? undefined : `token ${stray}, which should be the same, differs in the corrupted prompt`;
}
