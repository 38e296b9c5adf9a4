/** A tokenizer that keeps every word whole, for texts without a model. */
import { TokenError } from "../../core/index.js";
import type { TaskTokenizer } from "./types.js";

/** A word or number with the space in front of it, or one other character; numbers are cut in twos. */
const wordPattern = / ?[A-Za-z]+| ?\d{1,2}|[^]/gu;

/**
 * Returns a tokenizer for which every word, and every two digits, is one token.
 *
 * Ids are given out in the order in which words are met, from 0. It serves to write task texts before there is a
 * tokenizer to check them with, such as those that a tokenizer is trained on.
 */
export function wordTokenizer(): TaskTokenizer {
  const words: string[] = [];
  const ids = new Map<string, number>();
  const idOf = (word: string): number => {
    const known = ids.get(word);
    if (known !== undefined) return known;
    ids.set(word, words.length);
    return words.push(word) - 1;
  };
  return {
    encode: (text, { prependBos } = {}) => {
      if (prependBos === true) throw noBos();
      return { ids: (text.match(wordPattern) ?? []).map(idOf) };
    },
    pieces: (list) => Array.from(list, (id) => words[id] ?? unknownId(id, words.length)),
  };
}

function unknownId(id: number, count: number): never {
  throw new TokenError({
    where: "tasks.wordTokenizer: ids",
    got: String(id),
    expected: `an id that it gave out, 0 to ${count - 1}`,
    fix: "Decode with the tokenizer that encoded.",
  });
}

function noBos(): TokenError {
  return new TokenError({
    where: "tasks.wordTokenizer: prependBos",
    got: "true",
    expected: "a tokenizer with a BOS token; this one has none",
    fix: "Leave prependBos out.",
  });
}
