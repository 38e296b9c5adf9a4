/** Continuous sparsification against PyTorch, and on a model whose bigram circuit is known. */
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bigramProbability } from "../../scripts/constructed/bigram-mlp.js";
import { createRandom } from "../../src/core/index.js";
import { loadSafetensors, writeSafetensors } from "../../src/io/index.js";
import { countBigrams, surprisalCorrelation, trainMask, weightMask } from "../../src/masks/index.js";
import { isUnstable } from "../../src/masks/train/stability.js";
import { edit, type Model } from "../../src/model/index.js";
import { pearson } from "../../src/stats/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { fixture } from "../helpers/fixtures.js";
import { scratchModels } from "../helpers/scratch-models.js";

const { folder, open } = scratchModels("mask-training");

interface Golden {
  readonly settings: Record<"betaGrowth" | "context" | "learningRate" | "sparsity" | "weightDecay", number>;
  readonly rows: readonly (readonly number[])[];
  readonly steps: readonly Record<"crossEntropy" | "gradientNorm" | "loss", number>[];
  readonly kept: Readonly<Record<string, number>>;
}

describe("GPT-2", () => {
  const golden = JSON.parse(readFileSync(fixture("masks", "sparsify.json"), "utf8")) as Golden;

  test("losses, gradients and the mask are PyTorch's", async () => {
    const model = await open(fixture("architectures", "gpt2"));
    const { rows, settings, steps, kept } = golden;
    const table = await countBigrams(rows, { vocabulary: model.config.dVocab });
    const trained = await trainMask(model, rows, {
      ...settings,
      target: table,
      batch: rows.length,
      maxSteps: steps.length,
      attempts: 1,
    });
    const found = trained.metrics?.rows() ?? [];
    expect(found).toHaveLength(steps.length);
    // Float32 on both sides; norms of gradients differ by a few parts in 10^5 after some steps.
    for (const [i, expected] of steps.entries())
      for (const key of ["loss", "crossEntropy", "gradientNorm"] as const)
        expect(Math.abs(Number(found[i]?.[key]) / expected[key] - 1), `${key} of step ${i}`).toBeLessThan(2e-4);
    const total = Object.values(kept).reduce((a, b) => a + b, 0);
    expect(Math.abs(trained.mask.count - total)).toBeLessThanOrEqual(3);
    expect(total).toBeGreaterThan(100);
  });

  test("a run that was stopped goes on to the same mask", async () => {
    const model = await open(fixture("architectures", "gpt2"));
    const { rows, settings } = golden;
    const table = await countBigrams(rows, { vocabulary: model.config.dVocab });
    const options = { ...settings, betaGrowth: 1.02, target: table, batch: 2, attempts: 1, seed: 3 };
    const straight = await trainMask(model, rows, { ...options, maxSteps: 80 });
    const stop = new AbortController();
    const own = join(folder, "run");
    const first = trainMask(model, rows, {
      ...options,
      maxSteps: 80,
      folder: own,
      signal: stop.signal,
      onProgress: ({ done }) => {
        if (done >= 60) stop.abort();
      },
    });
    await expect(first).rejects.toThrow("aborted");
    const second = await trainMask(model, rows, { ...options, maxSteps: 80, folder: own });
    expect(second.steps).toBe(80);
    expect(second.mask.equals(straight.mask)).toBe(true);
  });

  test("a sparsity that kills everything is said, with the last mask that kept something", async () => {
    const model = await open(fixture("architectures", "gpt2"));
    const { rows, settings } = golden;
    const table = await countBigrams(rows, { vocabulary: model.config.dVocab });
    const options = { ...settings, target: table, batch: 4, maxSteps: 100, attempts: 1 };
    const dead = await trainMask(model, rows, { ...options, sparsity: 1e6 });
    expect(dead.isDead).toBe(true);
    expect(dead.mask.count).toBeGreaterThan(0);
    expect(String(dead)).toContain("lower the sparsity");
    const all = await trainMask(model, rows, { ...options, sparsity: Number.NEGATIVE_INFINITY });
    expect(all.mask.equals(weightMask.full(model))).toBe(true);
    const none = await trainMask(model, rows, { ...options, sparsity: Number.POSITIVE_INFINITY });
    expect(none.mask.count).toBe(0);
  });

  test("wrong rows, targets and models are refused", async () => {
    const model = await open(fixture("architectures", "gpt2"));
    const { rows, settings } = golden;
    const other = await countBigrams(rows, { vocabulary: 40 });
    const table = await countBigrams(rows, { vocabulary: model.config.dVocab });
    const options = { ...settings, batch: 4, maxSteps: 1 };
    await expect(trainMask(model, rows, { ...options, target: other })).rejects.toThrow(
      "trainMask: target: got a vocabulary of 40",
    );
    await expect(trainMask(model, [[1]], { ...options, target: table })).rejects.toThrow(
      "trainMask: rows[0]: got 1 tokens",
    );
    await expect(trainMask(model, [], { ...options, target: table })).rejects.toThrow("trainMask: rows: got none");
    const edited = model.with(edit.zero("blocks.0.hook_mlp_out"));
    await expect(trainMask(edited, rows, { ...options, target: table })).rejects.toThrow("got a model with edit.zero");
    await expect(surprisalCorrelation(model, other, rows)).rejects.toThrow("got a vocabulary of 40");
    await expect(surprisalCorrelation(model, table, [[1]])).rejects.toThrow("got no row of two tokens");
  });
});

test("a run counts as unstable when a loss jumps and does not come back in time", () => {
  const calm = Array.from({ length: 400 }, (_, i) => 5 - i / 200);
  expect(isUnstable(calm)).toBe(false);
  const jump = calm.map((loss, i) => (i === 200 ? loss + 1 : loss));
  expect(isUnstable(jump)).toBe(false);
  expect(isUnstable(calm.map((loss, i) => (i >= 200 ? loss + 4 : loss)))).toBe(true);
  expect(isUnstable(calm.map((loss, i) => (i >= 290 && i < 395 ? 8 : loss)))).toBe(true);
});

describe("a planted bigram model", () => {
  const size = 32;
  const out = 32;

  /**
   * Soft masks begin at a half, where neurons of weight 2 and bias -1 would stand exactly at their threshold, and where weights
   * that are all negative would be the better the fewer there are: weights of 3, and logits around 0, which softmax sees alike.
   */
  function plant(name: string, x: number): number {
    if (name === "blocks.0.mlp.W_in") return 1.5 * x;
    return name === "blocks.0.mlp.W_out" ? (x + 3.3) / 2 : x;
  }

  /** `constructed/bigram-mlp`, with noise in every weight of attention and MLPs that its table does not use. */
  async function planted(): Promise<Model> {
    const source = fixture("constructed", "bigram-mlp");
    const copy = join(folder, "planted");
    cpSync(source, copy, { recursive: true });
    const random = createRandom(5);
    const tensors = await loadSafetensors(join(source, "model.safetensors"));
    const noisy = Object.entries(tensors).map(([name, tensor]) => {
      if (!/W_(Q|K|V|O|in|out)$/.test(name)) return [name, tensor] as const;
      const noise = (): number => 0.1 * random.normal();
      const data = Float32Array.from(tensor.data as Float32Array, (x) => (x === 0 ? noise() : plant(name, x)));
      return [name, Tensor.of(data, tensor.shape)] as const;
    });
    await writeSafetensors(join(copy, "model.safetensors"), noisy);
    return open(copy);
  }

  test("gives its circuit back: r of 0.99 or more, nine of ten weights in their place", async () => {
    const model = await planted();
    const target = {
      name: "the table",
      vocabulary: size,
      fill(contexts: ArrayLike<number>, probabilities: Float32Array): void {
        for (let row = 0; row < contexts.length; row++)
          for (let next = 0; next < size; next++)
            probabilities[row * size + next] = bigramProbability(contexts[row] ?? 0, next);
      },
    };
    const random = createRandom(6);
    const rows = Array.from({ length: 64 }, () => Array.from({ length: 16 }, () => random.int(0, size)));
    const settings = {
      batch: 16,
      context: 16,
      maxSteps: 300,
      learningRate: 0.05,
      betaGrowth: 1.02,
      sparsity: 0.5,
      attempts: 1,
    };
    const { mask } = await trainMask(model, rows, { target, ...settings });
    const surprisals = async (one: Model): Promise<number> => {
      const { lossPerToken } = await one.run(rows, { prependBos: false, loss: true, logits: "none" });
      const expected = rows.flatMap((row) =>
        row.slice(1).map((next, i) => -Math.log(bigramProbability(row[i] ?? 0, next))),
      );
      return pearson(lossPerToken.data as Float32Array, expected);
    };
    const r = await surprisals(model.with(edit.keepWeights(mask)));
    const place = weightMask.where(model, ({ name, shape: [, columns = 1] }, index) => {
      const [row, column] = [Math.floor(index / columns), index % columns];
      if (name === "blocks.0.mlp.W_in") return row === column;
      return name === "blocks.0.mlp.W_out" && column >= out;
    });
    const inPlace = mask.intersection(place).count / mask.count;
    expect(r).toBeGreaterThanOrEqual(0.99);
    expect(inPlace).toBeGreaterThanOrEqual(0.9);
    // Neither is so before: the noise is heard, and the place is a tenth of all weights.
    expect(await surprisals(model)).toBeLessThan(0.99);
    expect(place.count / place.total).toBeLessThan(0.15);
  });
});
