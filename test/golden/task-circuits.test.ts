/**
 * The embedded model's circuits on prompts that did not choose them: other names, years, countries.
 *
 * `scripts/circuits` prints the whole table; here one size of each, on fewer prompts.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CircuitTask, circuitTasks, inputOf } from "../../scripts/circuits/tasks.js";
import { edges, type FaithfulnessCurve } from "../../src/analysis/index.js";
import { loadModel, type Model } from "../../src/model/index.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel("tiny");
});
afterAll(() => model.close());

async function curveOf(task: CircuitTask, change: "patch" | "resample"): Promise<FaithfulnessCurve> {
  const chosen = inputOf(task, task.discovery(model, { n: 12, seed: 0 }));
  const scores = await edges.scores(model, { ...chosen, change, steps: 3 });
  const tested = inputOf(task, task.heldOut(model, { n: 8, seed: 1 }));
  return edges.curve(model, scores, { ...tested, change, shares: [0.05], random: change === "patch" ? 3 : 1 });
}

test("no prompt of a test shares its word of interest with one that chose the edges", () => {
  const words = (prompts: readonly string[]): readonly string[] => [...new Set(prompts.join(" ").split(/[^\w]+/))];
  for (const { discovery, heldOut, reworded } of circuitTasks) {
    const chosen = discovery(model, { n: 64, seed: 0 });
    for (const make of [heldOut, reworded]) {
      const unseen = make(model, { n: 64, seed: 0 });
      // Names and countries begin with capitals, years are digits; the same templates begin alike, and centuries repeat.
      const own = words([...unseen.clean, ...unseen.corrupted]).filter((word) => /^(?!1\d01$)\d{4}$|^[A-Z]/.test(word));
      const shared = own.filter((word) => words([...chosen.clean, ...chosen.corrupted]).includes(word));
      expect(shared.filter((word) => !/^(Then|When|The|They)$/.test(word))).toEqual([]);
    }
  }
});

describe.each(circuitTasks.map((task) => [task.name, task] as const))("%s", (_, task) => {
  test("5 % of the edges carry most of it on unseen prompts, random ones nothing, and nothing is left without them", async () => {
    const curve = await curveOf(task, "patch");
    expect([curve.seen, curve.edges]).toEqual([0, [115]]);
    expect(curve.faithfulness[0]).toBeGreaterThan(0.85);
    expect(curve.faithfulness[0]).toBeLessThan(1.15);
    expect(curve.without[0]).toBeLessThan(0.1);
    expect(curve.randomDraws[0]).toHaveLength(3);
    for (const random of curve.randomDraws[0] ?? []) expect(Math.abs(random)).toBeLessThan(0.1);
  });

  // Names that are to be found again must be carried, too: of indirect objects, 5 % carry about two thirds then.
  test("they beat random ones where cut edges bring another prompt's writes", async () => {
    const curve = await curveOf(task, "resample");
    expect(curve.faithfulness[0]).toBeGreaterThan(0.4);
    expect(curve.without[0]).toBeLessThan(0.15);
    expect(Math.abs(curve.random[0] ?? 1)).toBeLessThan(0.1);
  });
});
