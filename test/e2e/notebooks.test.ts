/** Every notebook of the project runs. In the five questions, a part that is not built yet says so by name. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type ExecutedCell, executeNotebookFile, root } from "./notebook.js";

const folder = join(root, "notebooks");
const fiveQuestions = "00-five-questions.ipynb";
const others = readdirSync(folder).filter((name) => name.endsWith(".ipynb") && name !== fiveQuestions);

/** The public names whose parts the five cells need, in the order of the cells. */
const questions: readonly (readonly [string, RegExp])[] = [
  ["1, which heads move the name", /tasks\.ioi|metric\.logitDiff|patching\.sweep/],
  ["2, what does this feature do", /openDictionary|edit\.steer|generate/],
  ["3, when does the model know", /lens\.logitLens/],
  ["4, where is it readable", /data\.labelled|probe\.fit/],
  ["5, which layers could go", /data\.file|redundancy\.report/],
];

function isError(cell: ExecutedCell): boolean {
  return cell.error !== undefined;
}

describe(fiveQuestions, async () => {
  const run = await executeNotebookFile(join(folder, fiveQuestions));
  const [first, ...cells] = run;

  test("loads the embedded model", () => {
    expect(first === undefined || isError(first) ? first : undefined).toBeUndefined();
  });

  for (const [i, [question, names]] of questions.entries()) {
    test(`question ${question}: runs, or says which part is not built`, () => {
      const cell = cells[i];
      expect(cell).toBeDefined();
      if (cell === undefined || !isError(cell)) return;
      const [line = ""] = cell.stderr.split("\n");
      expect(line).toMatch(/^NotBuiltError: .*which is not built yet;/);
      expect(line).toMatch(names);
    });
  }
}, 180_000);

describe.each(others)("%s", (name) => {
  test("runs without an error", async () => {
    const cells = await executeNotebookFile(join(folder, name), { allowErrors: false });
    expect(cells.filter(isError).map((cell) => cell.stderr)).toEqual([]);
  }, 300_000);
});
