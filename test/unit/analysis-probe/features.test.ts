import { describe, expect, it } from "vitest";
import { type ProbeMethod, probe } from "../../../src/analysis/index.js";
import { fitBlocks } from "../../../src/analysis/probe/fit.js";
import { settingsOf } from "../../../src/analysis/probe/settings.js";
import { createRandom } from "../../../src/core/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { cosine, numbersOf, planted } from "./support.js";

const methods: readonly ProbeMethod[] = ["difference-of-means", "lda", "logistic", "multinomial", "ridge"];

describe("probes of features", () => {
  it.each(methods)("%s finds a planted direction", async (method) => {
    const { features, labels, direction } = planted(1200, 11, 4, 3);
    const result = await probe.fitFeatures(features, labels, { method, resamples: 50, penalty: 10 });
    const { weights } = result.weights();
    const rows = numbersOf(weights);
    const own = method === "multinomial" ? rows : rows.slice(0, 11);
    expect(cosine(own, direction)).toBeGreaterThan(0.99);
    expect(result.best.accuracy).toBeGreaterThan(0.95);
    expect(result.best.auroc).toBeGreaterThan(0.98);
    expect(result.best.calibrationError).toBeLessThan(0.06);
    expect(result.baseline).toBe(0.5);
  });

  it("reads nothing out of noise: the interval holds chance", async () => {
    const { features, labels } = planted(300, 7, 0, 1);
    const { interval, accuracy } = (await probe.fitFeatures(features, labels, { resamples: 300 })).best;
    expect(interval.low).toBeLessThan(0.5);
    expect(interval.high).toBeGreaterThan(0.5);
    expect(accuracy).toBeLessThan(interval.high);
  });

  it("predicts numbers by ridge, R² as one minus the held-out error over the variance", async () => {
    const random = createRandom(5);
    const x = Float32Array.from({ length: 400 * 5 }, () => random.normal());
    const y = Array.from({ length: 400 }, (_, i) => 3 * (x[i * 5 + 2] ?? 0) + 7 + random.normal());
    const result = await probe.fitFeatures(Tensor.of(x, [400, 5]), y, { resamples: 50 });
    expect(result.method).toBe("ridge");
    expect(result.labels).toEqual([]);
    expect(result.best.r2).toBeCloseTo(0.9, 1);
    expect(result.best.accuracy).toBeNaN();
    expect(result.toString()).toContain("R²");
    expect(result.toView().toText()).toContain("R²");
  });

  it("control labels of few types are learnt by heart, which selectivity takes off", async () => {
    const random = createRandom(2);
    const types = Array.from({ length: 240 }, () => String(random.int(0, 6)));
    const centres = Array.from({ length: 6 * 8 }, () => 4 * random.normal());
    const x = Float32Array.from(
      { length: 240 * 8 },
      (_, i) => (centres[Number(types[Math.floor(i / 8)]) * 8 + (i % 8)] ?? 0) + random.normal(),
    );
    const labels = types.map((type) => (Number(type) % 2 === 0 ? "even" : "odd"));
    const { best } = await probe.fitFeatures(Tensor.of(x, [240, 8]), labels, { types, resamples: 20 });
    expect(best.accuracy).toBeGreaterThan(0.95);
    expect(best.control).toBeGreaterThan(0.9);
    expect(best.selectivity).toBeCloseTo(best.accuracy - best.control, 12);
    const without = await probe.fitFeatures(Tensor.of(x, [240, 8]), labels, { resamples: 20 });
    expect(without.best.control).toBeNaN();
  });

  it("a split by group keeps a group's own mark from helping", async () => {
    const random = createRandom(9);
    const groups = Array.from({ length: 200 }, (_, i) => `g${Math.floor(i / 10)}`);
    const labels = groups.map((_, i) => (Math.floor(i / 10) % 2 === 0 ? "a" : "b"));
    const marks = Array.from({ length: 20 * 30 }, () => 5 * random.normal());
    const x = Tensor.of(
      Float32Array.from(
        { length: 200 * 30 },
        (_, i) => (marks[Math.floor(i / 300) * 30 + (i % 30)] ?? 0) + random.normal(),
      ),
      [200, 30],
    );
    const leaking = await probe.fitFeatures(x, labels, { groups, split: "random", resamples: 20 });
    const held = await probe.fitFeatures(x, labels, { groups, resamples: 20 });
    expect(leaking.provenance.split).toBe("random");
    expect(held.provenance.split).toBe("group");
    expect(leaking.best.accuracy).toBeGreaterThan(0.98);
    expect(held.best.accuracy).toBeLessThan(0.85);
    expect(held.best.interval.high - held.best.interval.low).toBeGreaterThan(
      leaking.best.interval.high - leaking.best.interval.low,
    );
  });

  it("leaves constant features alone", async () => {
    const { features, labels } = planted(100, 3, 3, 4);
    const own = numbersOf(features);
    const wide = Tensor.of(
      Float32Array.from({ length: 400 }, (_, i) => (i % 4 === 3 ? 1e4 : (own[Math.floor(i / 4) * 3 + (i % 4)] ?? 0))),
      [100, 4],
    );
    for (const method of methods) {
      const fit = async (x: Tensor): Promise<number[]> =>
        numbersOf((await probe.fitFeatures(x, labels, { method, resamples: 20 })).weights().weights);
      const [narrow, broad] = [await fit(features), await fit(wide)];
      expect(broad[3], method).toBeCloseTo(0, 12);
      if (method === "lda") continue;
      narrow.slice(0, 3).forEach((w, j) => {
        expect(broad[j], method).toBeCloseTo(w, 6);
      });
    }
  });

  it("rescaling features changes nothing", async () => {
    const { features, labels } = planted(80, 4, 2, 8);
    const scales = [1, 100, 0.01, 7];
    const scaled = Tensor.of(
      Float64Array.from(numbersOf(features), (x, i) => x * (scales[i % 4] ?? 1) + (i % 4)),
      [80, 4],
    );
    const plain = await probe.fitFeatures(features, labels, { resamples: 20 });
    const other = await probe.fitFeatures(scaled, labels, { resamples: 20 });
    expect(other.best.brier).toBeCloseTo(plain.best.brier, 6);
  });

  it.each(methods)("%s of a fold knows nothing of its held-out rows, their scale included", async (method) => {
    const { features, labels } = planted(60, 4, 2, 8);
    const values = Int32Array.from(labels, (label) => (label === "on" ? 1 : 0));
    const fold = Int32Array.from(values, (_, i) => i % 3);
    const settings = settingsOf({ method, folds: 3 }, 2, "test");
    const task = { values, classes: 2, fold, settings, where: "test" };
    const scores = async (data: Float64Array): Promise<Float64Array> => {
      const [fitted] = await fitBlocks([{ name: "x", data, dim: 4 }], task);
      return fitted?.heldOut.scores ?? new Float64Array();
    };
    const data = Float64Array.from(numbersOf(features));
    const before = await scores(data);
    const after = await scores(data.map((x, i) => (Math.floor(i / 4) === 7 ? 50 * x : x)));
    const same = [...fold.keys()].filter((row) => fold[row] === fold[7] && row !== 7);
    const outputs = before.length / 60;
    for (let o = 0; o < outputs; o++)
      for (const row of same) expect(after[o * 60 + row]).toBeCloseTo(before[o * 60 + row] ?? 0, 5);
    expect(Math.abs((after[7] ?? 0) - (before[7] ?? 0))).toBeGreaterThan(1);
    expect(Math.abs((after[8] ?? 0) - (before[8] ?? 0))).toBeGreaterThan(1e-4);
  });

  it("equal seeds give equal results, other seeds other folds", async () => {
    const { features, labels } = planted(60, 3, 1, 6);
    const fit = (seed: number): ReturnType<typeof probe.fitFeatures> =>
      probe.fitFeatures(features, labels, { seed, resamples: 20 });
    const [a, b, c] = await Promise.all([fit(1), fit(1), fit(2)]);
    expect(b.scores).toEqual(a.scores);
    expect(c.scores).not.toEqual(a.scores);
  });

  it("large designs in the engine equal small ones in plain loops", async () => {
    const { features, labels } = planted(2000, 40, 1, 12);
    const result = await probe.fitFeatures(features, labels, { resamples: 10, folds: 2 });
    const rows = numbersOf(features);
    const kept = result.weights();
    const [w, b] = [numbersOf(kept.weights), numbersOf(kept.bias)];
    // The gradient of the loss on standardised features is 0 at the minimum.
    const mean = Array.from({ length: 40 }, (_, j) => rows.reduce((s, x, i) => s + (i % 40 === j ? x / 2000 : 0), 0));
    const sd = mean.map((m, j) => Math.sqrt(rows.reduce((s, x, i) => s + (i % 40 === j ? (x - m) ** 2 / 2000 : 0), 0)));
    const residual = labels.map((label, i) => {
      const z = w.reduce((s, own, j) => s + own * (rows[i * 40 + j] ?? 0), b[0] ?? 0);
      return 1 / (1 + Math.exp(-z)) - (label === "on" ? 1 : 0);
    });
    const gradient = sd.map((s, j) =>
      residual.reduce((sum, r, i) => sum + (r * ((rows[i * 40 + j] ?? 0) - (mean[j] ?? 0))) / s, (w[j] ?? 0) * s),
    );
    expect(
      Math.hypot(
        ...gradient,
        residual.reduce((s, r) => s + r, 0),
      ),
    ).toBeLessThan(1e-4);
  });

  it("more features than rows still converge", async () => {
    const { features, labels } = planted(40, 90, 3, 13);
    for (const method of methods) {
      const result = await probe.fitFeatures(features, labels, { method, resamples: 20 });
      expect(result.best.accuracy, method).toBeGreaterThan(0.6);
    }
  });
});
