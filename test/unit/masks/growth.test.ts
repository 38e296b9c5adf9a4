/** Growing a subnetwork: it ends at the whole model, and greedy is what trying everything says. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { metric } from "../../../src/analysis/index.js";
import { growSubnetwork, weightMask } from "../../../src/masks/index.js";
import { edit, loadModel, type Model } from "../../../src/model/index.js";
import { fixture } from "../../helpers/fixtures.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel(fixture("architectures", "gpt2"));
});
afterAll(() => model.close());

const prompts = [
  [3, 1, 4, 1],
  [2, 7, 1, 8],
];

test("each step is the best of all, and with every unit the subnetwork is the model", async () => {
  const difference = metric.logitDiff({ answerTokens: [[9], [3]], wrongAnswerTokens: [[5], [6]] });
  const empty = weightMask.empty(model);
  const task = { prompts, metric: difference };
  const found = await growSubnetwork(model, empty, task, { steps: 8, enough: 1e9 });
  expect(found.steps).toHaveLength(8);
  const last = found.steps.at(-1);
  expect(last?.count).toBe(found.mask.total);
  expect(last?.kept).toBeCloseTo(found.whole, 5);
  // Without all units the whole model is the empty subnetwork.
  expect(last?.without).toBeCloseTo(found.start, 5);
  const value = async (mask: typeof empty): Promise<number> => {
    const run = await model.with(edit.keepWeights(mask)).run(prompts, { metric: difference, logits: "none" });
    return run.metric.mean().item();
  };
  const all = [0, 1].flatMap((layer) => [
    ...[0, 1, 2].map((head) => empty.setHead(layer, head)),
    empty.setLayer(layer, true, "mlp"),
  ]);
  const values: number[] = [];
  for (const mask of all) values.push(await value(mask));
  expect(found.steps[0]?.kept).toBeCloseTo(Math.max(...values), 6);
  expect(found.toView().summary()).toContain("units");
  expect(String(found)).toContain("SubnetworkGrowth of");
  const notANumber = metric.custom("root", (logits) => logits.mul(logits).add(1).neg().mean("dVocabOut").sqrt());
  const whole = await growSubnetwork(model, weightMask.full(model), task);
  expect(whole.steps).toEqual([]);
  expect(String(whole)).toContain("nothing was added: the start is already where growth was to end");
  await expect(growSubnetwork(model, empty, { prompts, metric: notANumber })).rejects.toThrow(
    'metric "root": got NaN in row 0',
  );
  await expect(growSubnetwork(model, empty, task, { steps: 0 })).rejects.toThrow(
    "growSubnetwork: got 8 units, 0 steps",
  );
});
