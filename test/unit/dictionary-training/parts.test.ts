/** What is measured before training and folded after it. */
import { describe, expect, test } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import { weightShapes } from "../../../src/dictionary/config.js";
import { Dictionary, type DictionaryConfig, type DictionaryWeightName } from "../../../src/dictionary/index.js";
import { foldScales } from "../../../src/dictionary/training/fold.js";
import { geometricMedian, measureBlock } from "../../../src/dictionary/training/statistics.js";
import { Engine } from "../../../src/runtime/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { normalVectors, numbersOf } from "./support.js";

describe("the first block", () => {
  test("is scaled to a mean norm of sqrt(width); centre and variance are of scaled vectors", () => {
    const data = new Float32Array([3, 4, 0, 10, 6, 8]);
    const measured = measureBlock(new Map([["x", data]]), [{ name: "x", width: 2 }], {
      isScaled: true,
      centre: "mean",
    });
    const { scale, centre, variance } = measured.get("x") ?? { scale: 0, centre: [], variance: 0 };
    // Norms 5, 10, 10; mean (3, 22/3); squared distances 100/9, 9 + 64/9, 9 + 4/9.
    expect(scale).toBeCloseTo(Math.SQRT2 / (25 / 3), 6);
    expect(Array.from(centre)).toEqual([3 * scale, (22 / 3) * scale].map((x) => expect.closeTo(x, 5) as number));
    expect(variance).toBeCloseTo(scale * scale * ((18 + 168 / 9) / 3), 5);
  });

  test("without scaling, constant vectors have a variance of 1 to divide by", () => {
    const data = new Float32Array([2, 2, 2, 2]);
    const measured = measureBlock(new Map([["x", data]]), [{ name: "x", width: 2 }], {
      isScaled: false,
      centre: "mean",
    });
    expect(measured.get("x")).toMatchObject({ scale: 1, variance: 1 });
    const zeros = measureBlock(new Map([["x", new Float32Array(4)]]), [{ name: "x", width: 2 }], {
      isScaled: true,
      centre: "median",
    });
    expect(zeros.get("x")?.scale).toBe(1);
  });

  test("the geometric median has the least sum of distances", () => {
    const random = createRandom(3);
    const data = Float32Array.from({ length: 60 }, (_, i) => (i < 6 ? 20 : 0) + random.normal());
    const distances = (point: ArrayLike<number>): number => {
      let sum = 0;
      for (let row = 0; row < 20; row++)
        sum += Math.hypot(...[0, 1, 2].map((i) => (data[3 * row + i] ?? 0) - (point[i] ?? 0)));
      return sum;
    };
    const median = geometricMedian(data, 3);
    const least = distances(median);
    for (let i = 0; i < 50; i++) {
      const step = i < 25 ? 0.01 : 1;
      expect(distances(median.map((x) => x + step * random.normal()))).toBeGreaterThanOrEqual(least);
    }
  });
});

describe("folded scales", () => {
  const kinds = [
    { architecture: "standard", activation: { kind: "relu" } },
    { architecture: "topk", activation: { kind: "topk", k: 3, scalesByDecoderNorm: false } },
    { architecture: "jumprelu", activation: { kind: "jumprelu" } },
    { architecture: "gated", activation: { kind: "gated" } },
  ] as const;

  test.each(kinds)("$architecture: reading s x and writing t y becomes reading x and writing y", async (kind) => {
    const engine = Engine.create({ threads: 1 });
    for (const hasSkip of [false, true]) {
      const config: DictionaryConfig = {
        ...kind,
        dIn: 4,
        dOut: hasSkip ? 5 : 4,
        nFeatures: 9,
        readHook: "a",
        writeHook: hasSkip ? "b" : "a",
        subtractsDecoderBias: !hasSkip,
        normalization: "none",
      };
      const weights = new Map<DictionaryWeightName, Tensor>(
        [...weightShapes(config, hasSkip)].map(([name, shape], i) => {
          const size = shape.reduce((product, n) => product * n, 1);
          return [name, Tensor.of(normalVectors(size, 1, i + 1, name === "threshold" ? 1 : 0).data, shape)] as const;
        }),
      );
      const [s, t] = hasSkip ? [2.5, 0.4] : [2.5, 2.5];
      const trained = new Dictionary({ name: "trained", config, weights });
      const folded = new Dictionary({ name: "folded", config, weights: foldScales(weights, { input: s, target: t }) });
      const x = normalVectors(20, 4, 99, 0);
      const scaled = Tensor.of(
        Float32Array.from(x.data as ArrayLike<number>, (value) => value * s),
        x.shape,
      );
      const [a, b] = [await trained.forward(scaled, { engine }), await folded.forward(x, { engine })];
      const close = (got: Tensor, want: Tensor): void => {
        const wanted = numbersOf(want);
        const worst = Math.max(...numbersOf(got).map((value, i) => Math.abs(value * t - (wanted[i] ?? 0))));
        expect(worst).toBeLessThan(2e-5);
      };
      close(b.acts, a.acts);
      close(b.reconstruction, a.reconstruction);
      expect(numbersOf(folded.weights.get("W_dec"))).toEqual(numbersOf(trained.weights.get("W_dec")));
    }
    await engine.close();
  });
});
