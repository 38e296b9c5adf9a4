import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type FeatureProbeOptions, type ProbeResult, probe } from "../../src/analysis/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { fixture } from "../helpers/fixtures.js";

interface Goldens {
  readonly x: number[][];
  readonly xThree: number[][];
  readonly two: number[];
  readonly separable: number[];
  readonly three: number[];
  readonly value: number[];
  readonly goldens: Readonly<Record<string, [number[] | number[][], number | number[]]>>;
}

const data = JSON.parse(readFileSync(fixture("probes", "probes.json"), "utf8")) as Goldens;

function features(rows: number[][]): Tensor {
  return Tensor.of(Float64Array.from(rows.flat()), [rows.length, rows[0]?.length ?? 0], ["row", "feature"]);
}

const x = features(data.x);
const xThree = features(data.xThree);
const letters = (classes: number[]): string[] => classes.map((c) => "abc"[c] ?? "");

function expectWeights(result: ProbeResult, name: string, tolerance: number): void {
  const [weights, bias] = data.goldens[name] ?? [[], []];
  const found = result.weights();
  const want = [weights, bias].flat(2);
  const got = [...Array.from(found.weights.data, Number), ...Array.from(found.bias.data, Number)];
  expect(got.length).toBe(want.length);
  got.forEach((value, i) => {
    expect(Math.abs(value - (want[i] ?? Number.NaN)), `${name}[${i}]: ${value} against ${want[i]}`).toBeLessThan(
      tolerance * Math.max(1, Math.abs(want[i] ?? 0)),
    );
  });
}

const few: FeatureProbeOptions = { folds: 3, resamples: 20 };

describe("solvers against numpy", () => {
  it("logistic weights equal Newton's", async () => {
    expectWeights(await probe.fitFeatures(x, letters(data.two), { ...few, penalty: 1 }), "logistic", 1e-6);
  });
  it("separable classes converge to Newton's weights because of the penalty", async () => {
    expectWeights(await probe.fitFeatures(x, letters(data.separable), { ...few, penalty: 0.01 }), "separable", 1e-6);
  });
  it("multinomial weights equal Newton's", async () => {
    const result = await probe.fitFeatures(xThree, letters(data.three), { ...few, penalty: 0.5 });
    expect(result.method).toBe("multinomial");
    expectWeights(result, "multinomial", 1e-6);
  });
  it("ridge weights equal the normal equations, for numbers and for classes", async () => {
    expectWeights(await probe.fitFeatures(x, data.value, { ...few, penalty: 2 }), "ridge", 1e-9);
    expectWeights(
      await probe.fitFeatures(x, letters(data.two), { ...few, method: "ridge", penalty: 2 }),
      "ridgeClasses",
      1e-9,
    );
  });
  it.each([
    ["lda", 0.1],
    ["ldaPlain", 0],
    ["ldaFull", 1],
  ])("%s weights equal the shrunk covariance's inverse", async (name, shrinkage) => {
    const options = { ...few, method: "lda", shrinkage } as const;
    expectWeights(await probe.fitFeatures(x, letters(data.two), options), name, 1e-8);
  });
  it("LDA of three classes equals the shrunk covariance's inverse", async () => {
    const options = { ...few, method: "lda", shrinkage: 0.2 } as const;
    expectWeights(await probe.fitFeatures(xThree, letters(data.three), options), "ldaThree", 1e-8);
  });
  it("the difference of means is that, and whitened it is LDA without priors", async () => {
    const means = { ...few, method: "difference-of-means" } as const;
    expectWeights(await probe.fitFeatures(x, letters(data.two), means), "means", 1e-10);
    const whitened = { ...means, whitened: true, shrinkage: 0.1 } as const;
    expectWeights(await probe.fitFeatures(x, letters(data.two), whitened), "whitened", 1e-8);
  });
});
