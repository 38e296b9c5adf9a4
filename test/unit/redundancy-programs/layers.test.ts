/** Chains of layers and runs of blocks against plain loops. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadModel, type Model } from "../../../src/model/index.js";
import { choiceMargins } from "../../../src/redundancy/evaluate/choices.js";
import { type Choice, consecutiveBlocks, searchLayers } from "../../../src/redundancy/index.js";
import { nextPrograms } from "../../../src/redundancy/programs/search-layers.js";
import { fixture } from "../../helpers/fixtures.js";

let model: Model;
let random: Model;
beforeAll(async () => {
  model = await loadModel("tiny-2l");
  random = await loadModel(fixture("architectures", "gpt2"));
});
afterAll(async () => {
  await model.close();
  await random.close();
});

describe("programs", () => {
  test("one action away skip up to four entries or run up to four two to four times", () => {
    const found = nextPrograms([0, 1], 6).map((program) => program.join(""));
    // Skips: 1, 0 (the empty program is forbidden). Repeats of 0, of 1, and of 01, none longer than 6.
    const repeats = ["001", "0001", "00001", "011", "0111", "01111", "0101", "010101"];
    expect(new Set(found)).toEqual(new Set(["1", "0", ...repeats]));
    expect(found).toHaveLength(new Set(found).size);
    const long = nextPrograms([0, 1, 2, 3, 4, 5], 5).map((program) => program.join(""));
    // Only skips are short enough: of one, two, three or four in a row.
    expect(new Set(long)).toEqual(
      new Set([
        ...["12345", "02345", "01345", "01245", "01235", "01234"],
        ...["2345", "0345", "0145", "0125", "0123", "345", "045", "015", "012", "45", "05", "01"],
      ]),
    );
  });

  test("the model's own layers as a program are the model, bit for bit", async () => {
    const tokens = [1, 2, 3, 4, 5];
    const plain = await model.run(tokens, { prependBos: false });
    const program = await model.run(tokens, { prependBos: false, layers: [0, 1] });
    expect(program.logits.data).toEqual(plain.logits.data);
  });
});

describe("a search for chains", () => {
  const items: readonly Choice[] = [
    { prompt: "Once upon a", choices: [" time", " house"], answer: 0 },
    { prompt: "The United", choices: [" people", " States"], answer: 1 },
  ];

  test("finds chains that are right when they are run, none longer than the random ones need be, and does so again", async () => {
    const found = await searchLayers(model, items, { simulations: 10, seed: 3 });
    expect(found.items).toHaveLength(2);
    for (const [i, { chain, control, isRight }] of found.items.entries()) {
      const item = items[i];
      if (item === undefined) continue;
      const margin = async (layers: readonly number[]): Promise<number | undefined> =>
        (await choiceMargins(model, [item], { layers }))[0];
      expect(isRight).toBe(Number(await margin([0, 1])) > 0);
      for (const program of [chain, control])
        if (program !== undefined) expect(Number(await margin(program))).toBeGreaterThan(0);
      if (isRight) expect(chain?.length).toBeLessThanOrEqual(2);
    }
    expect(String(found)).toContain("at random");
    expect(found.accuracy.searched).toBeGreaterThanOrEqual(found.accuracy.whole);
    expect(found.toView().summary()).toContain("chain");
    const again = await searchLayers(model, items, { simulations: 10, seed: 3 });
    expect(again.items).toEqual(found.items);
  });

  test("refuses what it cannot do", async () => {
    await expect(searchLayers(model, [])).rejects.toThrow("searchLayers: got 0 questions");
    await expect(searchLayers(model, items, { simulations: 0 })).rejects.toThrow("0 simulations");
  });
});

describe("consecutive blocks", () => {
  const rows = [
    [3, 1, 4, 1, 5, 9],
    [2, 7, 1, 8],
  ];

  test("turn the stream by the angle between what they read and what they leave", async () => {
    const found = await consecutiveBlocks(random, rows, 1);
    const hooks = ["blocks.0.hook_resid_pre", "blocks.0.hook_resid_post", "blocks.1.hook_resid_post"];
    const sums = [0, 0];
    let tokens = 0;
    for (const row of rows) {
      const { cache } = await random.run(row, { prependBos: false, capture: hooks, logits: "none" });
      const states = hooks.map((hook) => Array.from(cache.get(hook).contiguous().data, Number));
      const width = random.config.dModel;
      for (let pos = 0; pos < row.length; pos++, tokens++)
        for (const first of [0, 1]) {
          const [a, b] = [first, first + 1].map((i) => states[i]?.slice(pos * width, (pos + 1) * width) ?? []);
          const dot = (x: readonly number[] = [], y: readonly number[] = []): number =>
            x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
          sums[first] = (sums[first] ?? 0) + Math.acos(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))) / Math.PI;
        }
    }
    for (const first of [0, 1]) expect(found.distances[first]).toBeCloseTo((sums[first] ?? 0) / tokens, 5);
    const least = found.distances[0] ?? 0;
    expect(found.parts).toEqual([{ kind: "block", layer: least <= (found.distances[1] ?? 0) ? 0 : 1 }]);
    expect(String(found)).toContain("1 at a time");
    expect(found.toView().summary()).toContain("first block");
  });

  test("one block has to stay", async () => {
    await expect(consecutiveBlocks(random, rows, 2)).rejects.toThrow("consecutiveBlocks: count: got 2");
  });
});
