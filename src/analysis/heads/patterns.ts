/** What a head may look at: for each query, the keys that a kind of head attends to. */
import { InputError, nearestHint } from "../../core/index.js";

/** The kinds of heads that are known by name. */
export type HeadPatternName = "previousToken" | "duplicateToken" | "induction" | "firstToken" | "currentToken";

/** For each query position the keys that count; an empty list leaves the query out. */
export type HeadPattern = (tokens: ArrayLike<number>) => readonly (readonly number[])[];

function byQuery(
  tokens: ArrayLike<number>,
  keys: (query: number) => readonly number[],
): readonly (readonly number[])[] {
  return Array.from({ length: tokens.length }, (_, query) => keys(query));
}

/** Whether the `order` tokens that end at two positions are equal. */
function matches(tokens: ArrayLike<number>, a: number, b: number, order: number): boolean {
  if (Math.min(a, b) < order - 1) return false;
  for (let i = 0; i < order; i++) if (tokens[a - i] !== tokens[b - i]) return false;
  return true;
}

/**
 * Returns the pattern of n-gram heads: keys whose `order` tokens before are the `order` tokens that end at the query.
 *
 * Order 1 is induction: the token after an earlier occurrence of this one.
 *
 * @throws InputError unless the order is a whole number of 1 or more.
 * @see Akyürek et al. 2024, "In-Context Language Learning: Architectures and Algorithms"
 */
export function ngramPattern(order: number): HeadPattern {
  if (!Number.isSafeInteger(order) || order < 1)
    throw new InputError({
      where: "heads.ngram: order",
      got: String(order),
      expected: "a whole number, 1 or more",
      fix: "Order 1 is induction, 2 needs two equal tokens.",
    });
  return (tokens) =>
    byQuery(tokens, (query) =>
      Array.from({ length: query }, (_, key) => key).filter((key) => key > 0 && matches(tokens, query, key - 1, order)),
    );
}

/** The known patterns. */
export const headPatterns: Readonly<Record<HeadPatternName, HeadPattern>> = {
  previousToken: (tokens) => byQuery(tokens, (query) => (query === 0 ? [] : [query - 1])),
  duplicateToken: (tokens) =>
    byQuery(tokens, (query) =>
      Array.from({ length: query }, (_, key) => key).filter((key) => tokens[key] === tokens[query]),
    ),
  induction: ngramPattern(1),
  firstToken: (tokens) => byQuery(tokens, (query) => (query === 0 ? [] : [0])),
  currentToken: (tokens) => byQuery(tokens, (query) => (query === 0 ? [] : [query])),
};

/** Returns a pattern by its name, or as it is. */
export function findPattern(pattern: string): HeadPattern {
  const found = Object.entries(headPatterns).find(([name]) => name === pattern)?.[1];
  if (found !== undefined) return found;
  throw new InputError({
    where: "heads.detect: patterns",
    got: JSON.stringify(pattern),
    expected: Object.keys(headPatterns).join(", "),
    fix: `Choose one, or pass your own as { name: (tokens) => keys }.${nearestHint(pattern, Object.keys(headPatterns))}`,
  });
}
