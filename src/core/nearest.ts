/** The nearest names by edit distance, for error messages that help. */

/**
 * Returns the `count` candidates nearest to `name`, best first; ties keep the candidates' order.
 *
 * The distance is Levenshtein's on lower-cased text; a candidate that contains `name` (or the reverse) counts as close.
 */
export function nearestNames(name: string, candidates: Iterable<string>, count = 3): string[] {
  const wanted = name.toLowerCase();
  const scored = Array.from(new Set(candidates), (candidate) => ({ candidate, score: score(wanted, candidate) }));
  scored.sort((a, b) => a.score - b.score);
  return scored.slice(0, count).map(({ candidate }) => candidate);
}

/** Returns ` Nearest: "a", "b".` for an error message, or an empty string when there are no candidates. */
export function nearestHint(name: string, candidates: Iterable<string>, count = 3): string {
  const nearest = nearestNames(name, candidates, count);
  return nearest.length === 0 ? "" : ` Nearest: ${nearest.map((candidate) => JSON.stringify(candidate)).join(", ")}.`;
}

function score(wanted: string, candidate: string): number {
  const text = candidate.toLowerCase();
  const distance = editDistance(wanted, text);
  const isPart = wanted.length > 1 && (text.includes(wanted) || (text.length > 1 && wanted.includes(text)));
  return isPart ? distance / 4 : distance;
}

/** Returns the Levenshtein distance: the fewest insertions, deletions and replacements that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replace, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
