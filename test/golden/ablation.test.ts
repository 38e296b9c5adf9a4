/** Ablations of routing-toy, against figures that were measured independently. */
import { afterAll, describe, expect, it } from "vitest";
import { ablation } from "../../src/analysis/index.js";
import { loadModel, type Model } from "../../src/model/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { dataFolder, oracle } from "../helpers/fixtures.js";

const opened: Model[] = [];
afterAll(async () => {
  await Promise.all(opened.map((model) => model.close()));
});

/** Every input of the model: `[f0, f1, f2, f3, SEL_k]`. */
const inputs = Array.from({ length: 8 ** 4 * 4 }, (_, n) => [
  ...Array.from({ length: 4 }, (_f, i) => Math.floor(n / 8 ** i) % 8),
  8 + Math.floor(n / 8 ** 4),
]);
const answer = (input: readonly number[]): number => input[(input[4] ?? 8) - 8] ?? -1;

describe.skipIf(dataFolder === undefined)("routing-toy", () => {
  it("keeps 100 % without any single layer-1 head, and loses 0.5 to 2.1 of its margin of 10.75", async () => {
    const model = await loadModel(oracle("routing-toy"));
    opened.push(model);
    const reference = inputs;
    const kind = "meanByPosition";
    const some = inputs.filter((_, n) => n % 5 === 0);
    const whole = await measure(model, some);
    expect(whole.margin).toBeCloseTo(10.75, 1);
    const drops: number[] = [];
    for (let head = 0; head < model.config.nHeads; head++) {
      const without = await ablation.ablate(model, [{ site: "z", layer: 1, head }], { kind, reference });
      const { accuracy, margin } = await measure(without, some);
      expect(accuracy).toEqual([1, 1, 1, 1]);
      drops.push(whole.margin - margin);
    }
    expect(Math.min(...drops)).toBeGreaterThan(0.4);
    expect(Math.max(...drops)).toBeLessThan(2.15);
    const layer1 = { site: "z", layer: 1 } as const;
    const four = await measure(await ablation.ablate(model, [layer1], { kind, reference }), inputs);
    for (const [selector, accuracy] of [0.385, 0.754, 0.999, 0.871].entries())
      expect(four.accuracy[selector]).toBeCloseTo(accuracy, 3);
    const both = [layer1, { site: "z", layer: 0 } as const];
    const none = await measure(await ablation.ablate(model, both, { kind, reference }), inputs);
    expect(none.accuracy).toEqual([0.125, 0.125, 0.125, 0.125]);
  });
});

/** Accuracy by selector, and the mean margin. */
async function measure(model: Model, all: readonly number[][]): Promise<{ accuracy: number[]; margin: number }> {
  const [right, count] = [
    [0, 0, 0, 0],
    [0, 0, 0, 0],
  ];
  let margin = 0;
  for (let start = 0; start < all.length; start += 4096) {
    const rows = all.slice(start, start + 4096);
    const { logits } = await model.run(rows, { logits: "last" });
    margin += (meanMargin(logits, rows) * rows.length) / all.length;
    const chosen = (logits.argmax("dVocabOut") as Tensor).data;
    rows.forEach((row, i) => {
      const selector = (row[4] ?? 8) - 8;
      count[selector] = (count[selector] ?? 0) + 1;
      if (Number(chosen[i]) === answer(row)) right[selector] = (right[selector] ?? 0) + 1;
    });
  }
  return { accuracy: right.map((own, selector) => own / (count[selector] ?? 1)), margin };
}

/** The mean of the right logit minus the best other one. */
function meanMargin(logits: Tensor, rows: readonly (readonly number[])[]): number {
  const size = logits.shape[2] ?? 1;
  const margins = rows.map((row, i) => {
    const own = Array.from(logits.data.slice(i * size, (i + 1) * size) as Float32Array, Number);
    const right = own[answer(row)] ?? 0;
    return right - Math.max(...own.filter((_, id) => id !== answer(row)));
  });
  return margins.reduce((a, b) => a + b, 0) / margins.length;
}
