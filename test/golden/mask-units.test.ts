/** Masks over whole heads and neurons find the circuits of models that were built by hand; sweeps take the paper's mask. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { bigramProbability } from "../../scripts/constructed/bigram-mlp.js";
import { createRandom } from "../../src/core/index.js";
import { countBigrams, surprisalCorrelation, sweepSparsity, trainMask, weightMask } from "../../src/masks/index.js";
import { takeMask } from "../../src/masks/train/sweep.js";
import { edit } from "../../src/model/index.js";
import { fixture } from "../helpers/fixtures.js";
import { scratchModels } from "../helpers/scratch-models.js";

const { folder, open } = scratchModels("mask-units");

const settings = { maxSteps: 300, learningRate: 0.05, betaGrowth: 1.02, attempts: 1, weightDecay: 0 };

test("the heads of the built induction circuit are kept, and no other", async () => {
  const model = await open("constructed/induction");
  const random = createRandom(2);
  const half = 12;
  const rows = Array.from({ length: 32 }, () => {
    const own = Array.from({ length: half }, () => random.int(0, model.config.dVocab));
    return [...own, ...own];
  });
  const { mask, stoppedBy } = await trainMask(model, rows, {
    ...settings,
    target: "model",
    granularity: "head",
    sparsity: 0.5,
    batch: 8,
    context: 2 * half,
  });
  expect(stoppedBy).toBe("decided");
  const kept = Array.from({ length: model.config.nLayers }, (_, layer) =>
    Array.from({ length: model.config.nHeads }, (_unused, head) =>
      mask.has(`blocks.${layer}.attn.W_O`, head, 0, 0) ? [head] : [],
    ).flat(),
  );
  // As it was built: the previous token in layer 0, induction in layer 1; the other heads are zero.
  const circuit = [[0], [1]];
  expect(kept).toEqual(circuit);
  // A head is kept or dropped as a whole, and MLPs stay.
  const whole = circuit.reduce(
    (own, heads, layer) => heads.reduce((sum, head) => sum.setHead(layer, head), own),
    weightMask.where(model, ({ name }) => name.includes(".mlp.")),
  );
  expect(mask.equals(whole)).toBe(true);
});

test("the neurons that hold a table are kept, and those of the empty MLP are not", async () => {
  const model = await open("constructed/bigram-mlp");
  const random = createRandom(6);
  const size = 32;
  const rows = Array.from({ length: 64 }, () => Array.from({ length: 16 }, () => random.int(0, size)));
  const target = {
    name: "the table",
    vocabulary: size,
    fill(contexts: ArrayLike<number>, out: Float32Array): void {
      for (let row = 0; row < contexts.length; row++)
        for (let next = 0; next < size; next++) out[row * size + next] = bigramProbability(contexts[row] ?? 0, next);
    },
  };
  const training = await trainMask(model, rows, {
    ...settings,
    target,
    granularity: "neuron",
    sparsity: 0.2,
    batch: 16,
    context: 16,
  });
  const { mask } = training;
  const neurons = (layer: number): readonly number[] =>
    Array.from({ length: size }, (_, neuron) => neuron).filter((neuron) =>
      mask.has(`blocks.${layer}.mlp.W_out`, neuron, 0),
    );
  expect(neurons(0)).toHaveLength(size);
  expect(neurons(1)).toEqual([]);
  const attention = weightMask.full(model).setLayer(0, false, "mlp").setLayer(1, false, "mlp");
  expect(mask.equals(attention.setLayer(0, true, "mlp"))).toBe(true);
  const none = await trainMask(model, rows, { target, granularity: "neuron", sparsity: Number.POSITIVE_INFINITY });
  expect(none.mask.equals(attention)).toBe(true);
});

test("units that do not exist are refused", async () => {
  const model = await open("constructed/induction");
  const wrong = "layer" as unknown as "head";
  await expect(trainMask(model, [[1, 2]], { target: "model", granularity: wrong })).rejects.toThrow(
    'trainMask: granularity: got "layer"',
  );
  const attention = await open("attn-only-2l");
  await expect(trainMask(attention, [[1, 2]], { target: "model", granularity: "neuron" })).rejects.toThrow(
    "for a model without MLPs",
  );
});

test("a sweep takes the smallest mask near the first one's correlation, and goes on where it was stopped", async () => {
  const model = await open(fixture("architectures", "gpt2"));
  const rows = Array.from({ length: 8 }, (_, i) =>
    Array.from({ length: 12 }, (_unused, j) => (i * 13 + j * j * 5 + i * j) % 29),
  );
  const table = await countBigrams(rows, { vocabulary: 29 });
  const judge = { table, rows };
  const options = { ...settings, maxSteps: 60, batch: 4, context: 12, folder: join(folder, "sweep") };
  const sweep = await sweepSparsity(model, rows, judge, { ...options, sparsities: [3, 0], within: 2 });
  expect(sweep.runs.map(({ training }) => training.sparsity)).toEqual([0, 3]);
  const counts = sweep.runs.map(({ training }) => training.mask.count);
  expect(counts[1]).toBeLessThan(Number(counts[0]));
  expect(sweep.best).toBe(sweep.runs[1]);
  const alone = await surprisalCorrelation(model.with(edit.keepWeights(sweep.best.training.mask)), table, rows);
  expect(sweep.best.judged.r).toBe(alone.r);
  expect(takeMask(sweep.runs, 0)?.judged.r).toBeGreaterThanOrEqual(Number(sweep.runs[0]?.judged.r));
  expect(String(sweep)).toContain("← taken");
  expect(sweep.toView().summary()).toContain("correlation");
  const again = await sweepSparsity(model, rows, judge, { ...options, sparsities: [3, 0], within: 2 });
  expect(again.best.training.mask.equals(sweep.best.training.mask)).toBe(true);
  await expect(sweepSparsity(model, rows, judge, { ...options, sparsities: [] })).rejects.toThrow(
    "sweepSparsity: sparsities: got []",
  );
  await expect(
    sweepSparsity(model, rows, judge, { ...options, folder: join(folder, "dead"), sparsities: [1e6] }),
  ).rejects.toThrow("sweepSparsity: got masks that all died, of λ 1000000");
});
