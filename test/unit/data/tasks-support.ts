/** What the tests of tasks share. */
import { tasks } from "../../../src/data/index.js";
import type { TaskPairs, TaskPrompt, TaskTokenizer } from "../../../src/data/tasks.js";
import { openTokenizer } from "../../../src/model/tokenizer/index.js";
import { dataFolder, fixture, oracle } from "../../helpers/fixtures.js";

/** Tokenizers by name: of words, of the embedded model, one that cuts many words, and GPT-NeoX's where the oracles are. */
export async function tokenizers(): Promise<ReadonlyMap<string, TaskTokenizer>> {
  const found = new Map<string, TaskTokenizer>([
    ["words", tasks.wordTokenizer()],
    ["tiny", await openTokenizer(fixture("tiny"))],
    ["small", await openTokenizer(fixture("tokenizers", "bpe-2048"))],
  ]);
  if (dataFolder !== undefined) found.set("GPT-NeoX", await openTokenizer(oracle("tokenizers", "gpt-neox-20b")));
  return found;
}

/** The tasks over text. */
export const textTasks = ["ioi", "greaterThan", "capitals", "agreement", "copying", "brackets"] as const;

/**
 * Returns everything that is wrong with the alignment of pairs, found by encoding anew: a prompt and an answer together,
 * each whole.
 */
export function misalignments(pairs: TaskPairs, tokenizer: TaskTokenizer): string[] {
  const faults: string[] = [];
  for (const [i, pair] of [...pairs].entries()) {
    const check = (isFine: boolean, fault: string): void => {
      if (!isFine) faults.push(`pair ${i}: ${fault}`);
    };
    const [clean, corrupted] = [tokenizer.encode(pair.clean).ids, tokenizer.encode(pair.corrupted).ids];
    check(clean.join() === pair.cleanTokens.join(), "clean ids");
    check(corrupted.join() === pair.corruptedTokens.join(), "corrupted ids");
    check(clean.length === corrupted.length, "lengths");
    check(pair.positions["end"] === clean.length - 1, "end");
    const differing = clean.flatMap((id, at) => (id === corrupted[at] ? [] : [at]));
    check(differing.join() === pair.changed.join() && differing.length > 0, "changed positions");
    for (const { text, token } of [...pair.right, ...pair.wrong])
      check(tokenizer.encode(pair.clean + text).ids.join() === [...clean, token].join(), `answer ${text}`);
    const wrong = new Set(pair.wrong.map(({ token }) => token));
    check(
      pair.right.every(({ token }) => !wrong.has(token)),
      "an answer both right and wrong",
    );
    check(pair.text.startsWith(pair.clean + (pair.right[0]?.text ?? "?")), "the sentence");
  }
  return faults;
}

/** Returns the piece at a role's position of each clean prompt. */
export function piecesAt<R extends string>(
  pairs: TaskPairs<R, TaskPrompt>,
  role: R,
  tokenizer: TaskTokenizer,
): readonly (string | undefined)[] {
  return pairs.cleanTokens.map((ids, i) => tokenizer.pieces(ids)[pairs.positions[role][i] ?? -1]);
}

/** How often each value of a label occurs. */
export function labelCounts(pairs: TaskPairs<string, TaskPrompt>, name: string): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const labels of pairs.labels) {
    const value = labels[name] ?? "none";
    counts[value] = (counts[value] ?? 0) + 1;
  }
  return counts;
}
