/** The shipped models of one recipe: what their cards claim, measured again on fresh prompts. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { similarity } from "../../src/analysis/index.js";
import { tasks } from "../../src/data/index.js";
import { loadModel, type Model } from "../../src/model/index.js";

const texts = [
  "The President of the United States spoke to the Congress about the state of the Union and its people.",
  "When the ship had left the land, the captain looked at the sea and said nothing for a long time.",
];

describe.each([
  ["tiny", 6],
  ["tiny-2l", 2],
] as const)("%s", (name, layers) => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(name);
  });
  afterAll(() => model.close());

  test("has the depth that its card says", () => {
    expect(model.config.nLayers).toBe(layers);
  });

  test("knows capitals: the right one beats another on at least nine prompts of ten", async () => {
    const task = tasks.capitals(model, { n: 60, seed: 5 });
    const { logits } = await model.run(task.clean, { logits: "last" });
    const right = task.clean.filter((_, row) => {
      const at = (token = 0): number => Number(logits.at({ batch: row, pos: 0 }).data[token]);
      return at(task.answerTokens[row]?.[0]) > at(task.wrongAnswerTokens[row]?.[0]);
    });
    expect(right.length).toBeGreaterThanOrEqual(54);
  });
});

test("the two depths share a tokenizer, so that their layers can be compared", async () => {
  const [deep, shallow] = [await loadModel("tiny"), await loadModel("tiny-2l")];
  try {
    const result = await similarity.layers(deep, texts, { with: shallow });
    expect(Number.isFinite(result.at(5, 1))).toBe(true);
    expect(() => result.at(5, 2)).toThrow(/layer/);
  } finally {
    await deep.close();
    await shallow.close();
  }
});
