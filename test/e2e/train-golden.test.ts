/** Training against PyTorch: equal weights, data and settings give equal curves. */
import { expect, test } from "vitest";
import { languageModelTrainer } from "../../src/analysis/index.js";
import { adamW, schedule } from "../../src/train/index.js";
import { golden, goldenRows, goldenWeights, tinyModel } from "../unit/train/golden.js";

test("200 steps of a tiny transformer follow PyTorch's losses within 1e-3 at every step", async () => {
  const shape = languageModelTrainer({ model: tinyModel, batch: 8, optimizer: adamW() });
  const shapes = new Map([...shape.blueprint.weights].map(([name, weight]) => [name, weight.shape]));
  const model = languageModelTrainer({
    model: tinyModel,
    batch: 8,
    weights: shape.blueprint.toCheckpoint(goldenWeights(shapes)),
    optimizer: adamW({ learningRate: 3e-3, beta1: 0.9, beta2: 0.95, weightDecay: 0.1 }),
    schedule: schedule.warmup(20, schedule.cosine({ steps: 180, final: 0.1 })),
    clip: { norm: 1 },
    groups: [{ match: ["**.b_*", "**.w", "**.b"], weightDecay: 0 }],
  });
  const { metrics } = await model.trainer.train({ steps: 200, batches: (step) => model.batchOf(goldenRows(step)) });
  await Promise.all([shape.trainer.close(), model.trainer.close()]);
  const expected = golden("tiny-lm") as Readonly<Record<string, readonly number[]>>;
  const worst = (name: string, values: readonly number[] = []): number =>
    Math.max(...metrics.curve(name).values.map((value, i) => Math.abs(value / (values[i] ?? 0) - 1)));
  expect(metrics.length).toBe(200);
  expect(metrics.last?.["loss"]).toBeLessThan(1.5);
  expect(worst("loss", expected["losses"])).toBeLessThan(1e-3);
  expect(worst("gradientNorm", expected["gradientNorms"])).toBeLessThan(1e-2);
  expect(worst("learningRate", expected["learningRates"])).toBeLessThan(1e-12);
}, 240_000);
