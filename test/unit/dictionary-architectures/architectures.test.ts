/** How dictionaries begin, what their options may be, and that dead features come back. Numbers of a step: golden tests. */
import { describe, expect, test } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import {
  type ArchitectureConfig,
  architectureNames,
  architectureOf,
  dictionaryRandom,
  type InitialData,
  type TrainingShape,
} from "../../../src/dictionary/architectures/index.js";
import { definitionOf, traineesOf } from "../../../src/dictionary/training/definition.js";
import { plansOf, runNumbers } from "../../../src/dictionary/training/recipe.js";
import type { ResamplingOptions } from "../../../src/dictionary/training/resampling.js";
import { resamplingNames, resamplingNoise, resamplingSchedule } from "../../../src/dictionary/training/resampling.js";
import { Tensor } from "../../../src/tensor/index.js";
import { Trainer, type TrainingBatch } from "../../../src/train/index.js";
import { normalVectors, numbersOf, refusal } from "../dictionary-training/support.js";

const shape: TrainingShape = {
  dIn: 6,
  dOut: 6,
  nFeatures: 20,
  batch: 8,
  isTranscoder: false,
  hasSkip: false,
  targetVariance: 1,
  deadAfter: 100,
  steps: 100,
};
const transcoder: TrainingShape = { ...shape, dOut: 4, isTranscoder: true, hasSkip: true };
const data = (): InitialData => ({
  inputCentre: Float32Array.from([1, 0, -1, 2, 0, 0.5]),
  targetCentre: Float32Array.from([3, 1, 4, 1, 5, 9]),
  random: createRandom(7),
});
const configs: readonly ArchitectureConfig[] = [
  { name: "standard", targetL0: 3 },
  { name: "gated", targetL0: 3 },
  { name: "topk", k: 3 },
  { name: "batch_topk", k: 3 },
  { name: "jumprelu", targetL0: 3 },
  { name: "matryoshka_batch_topk", k: 3 },
];

function norms(rows: readonly number[], width: number): readonly number[] {
  return Array.from({ length: rows.length / width }, (_, i) => Math.hypot(...rows.slice(i * width, (i + 1) * width)));
}

describe("initial weights", () => {
  test.each(configs)("of $name: an SAE's encoder is its decoder, b_dec the targets' centre", (config) => {
    const { parameters } = architectureOf(config).initial(shape, data());
    const [encoder, decoder] = [numbersOf(parameters["W_enc"]), numbersOf(parameters["W_dec"])];
    expect(encoder.map((_, i) => encoder[i])).toEqual(
      Array.from({ length: 120 }, (_, i) => decoder[(i % 20) * 6 + Math.floor(i / 20)]),
    );
    const own = norms(decoder, 6);
    expect(Math.max(...own) - Math.min(...own)).toBeLessThan(1e-6);
    expect(numbersOf(parameters["b_dec"])).toEqual([3, 1, 4, 1, 5, 9]);
    const biases = ["b_enc", "b_gate", "b_mag", "r_mag"].flatMap((name) => numbersOf(parameters[name]));
    expect(biases.every((value) => value === 0)).toBe(true);
  });

  test.each(configs)("of $name: a transcoder's mean input has pre-activations of 0", (config) => {
    const { parameters } = architectureOf(config).initial(transcoder, { ...data(), targetCentre: new Float32Array(4) });
    const [encoder, bias] = [numbersOf(parameters["W_enc"]), numbersOf(parameters["b_enc"] ?? parameters["b_gate"])];
    const centre = Array.from(data().inputCentre);
    for (let feature = 0; feature < 20; feature++) {
      const product = centre.reduce((sum, value, i) => sum + value * (encoder[i * 20 + feature] ?? 0), 0);
      expect(product + (bias[feature] ?? 0)).toBeCloseTo(0, 6);
    }
    expect(numbersOf(parameters["W_skip"])).toEqual(new Array(24).fill(0));
    const decoder = numbersOf(parameters["W_dec"]);
    if (config.name === "gated") for (const norm of norms(decoder, 4)) expect(norm).toBeCloseTo(1, 6);
    else expect(decoder.every((value) => value === 0)).toBe(true);
  });

  test("of dictionaries that are trained together differ; each depends on the seed and its place alone", () => {
    const draw = (seed: number, index: number): number => dictionaryRandom(seed, index).normal();
    expect(new Set([draw(0, 0), draw(0, 1), draw(0, 2), draw(1, 0)]).size).toBe(4);
    expect(draw(0, 1)).toBe(draw(0, 1));
  });

  test("a TopK transcoder can hold its decoder at norm 1", () => {
    const held = architectureOf({ name: "topk", k: 2, decoderNorm: "unit" });
    expect(held.decoderNorm(transcoder)).toBe("unit");
    expect(architectureOf({ name: "topk", k: 2 }).decoderNorm(transcoder)).toBe("free");
    const { parameters } = held.initial(transcoder, { ...data(), targetCentre: new Float32Array(4) });
    for (const norm of norms(numbersOf(parameters["W_dec"]), 4)) expect(norm).toBeCloseTo(1, 6);
  });

  test("the prefixes of a Matryoshka dictionary are halves unless given", () => {
    const finish = (config: ArchitectureConfig) => {
      const architecture = architectureOf(config);
      return architecture.finish(architecture.initial(shape, data()), shape);
    };
    expect(finish({ name: "matryoshka_batch_topk", k: 2 }).prefixes).toEqual([2, 3, 5, 10, 20]);
    expect(finish({ name: "matryoshka_batch_topk", k: 2, prefixes: [7, 20] }).prefixes).toEqual([7, 20]);
  });
});

describe("options out of range are refused:", () => {
  test.each([
    [{ name: "standard" }, "standard dictionary: got neither targetL0 nor coefficient"],
    [{ name: "gated", targetL0: 3, coefficient: 1 }, "gated dictionary: got both targetL0 and coefficient"],
    [{ name: "standard", targetL0: -1 }, "standard dictionary: targetL0: got -1; expected a number above 0"],
    [{ name: "topk", k: 0 }, "topk dictionary: k: got 0"],
    [{ name: "batch_topk", k: 1.5 }, "batch_topk dictionary: k: got 1.5"],
    [{ name: "jumprelu", penalty: "quadratic", coefficient: 1 }, 'got "quadratic" without targetL0'],
    [{ name: "jumprelu", targetL0: 3, bandwidth: 0 }, "jumprelu dictionary: bandwidth: got 0"],
    [{ name: "jumprelu", penalty: "tanh", targetL0: 3, tanhScale: -1 }, "jumprelu dictionary: tanhScale: got -1"],
    [{ name: "jump" }, 'dictionary: architecture: got "jump"'],
  ])("%j", async (config, message) => {
    expect(await refusal(() => architectureOf(config as ArchitectureConfig))).toContain(message);
  });

  test("prefixes that do not rise to the width", async () => {
    for (const prefixes of [[4, 8], [8, 4, 20], [0, 20], [2.5, 20], []]) {
      const wrong = architectureOf({ name: "matryoshka_batch_topk", k: 2, prefixes });
      expect(await refusal(() => wrong.initial(shape, data()))).toContain(
        "rising whole numbers that end with the width, 20",
      );
    }
    expect(architectureNames).toHaveLength(6);
  });
});

/** A trainer of one dictionary of which features 10 to 19 cannot fire at first. */
function trainerWithDead(architecture: ArchitectureConfig, resampling?: ResamplingOptions) {
  const width = 20;
  const numbers = runNumbers({ steps: 300, batch: 32, deadAfter: 64, warmup: 0, decay: 0 });
  const plans = plansOf([{ spec: { from: "x", architecture, width }, readHook: "x", writeHook: "x" }]);
  const statistics = new Map([["x", { scale: 1, centre: new Float32Array(6), variance: 6 }]]);
  const options = { learningRate: 0.02, ...(resampling === undefined ? {} : { resampling }) };
  const parts = { plans, hooks: [{ name: "x", width: 6 }], statistics, numbers, options };
  const definition = definitionOf(parts, traineesOf(parts));
  const bias = architecture.name === "gated" ? "b_gate" : "b_enc";
  const dead = Tensor.of(
    Float32Array.from({ length: width }, (_, i) => (i < 10 ? 0 : -5)),
    [width],
  );
  return Trainer.create({ ...definition, parameters: { ...definition.parameters, [bias]: dead }, threads: 1 });
}

function batchAt(index: number, hasNoise = false): TrainingBatch {
  const noise = { [resamplingNames.noise]: Tensor.of(resamplingNoise(32, 0, index), [32]) };
  return { x: normalVectors(32, 6, 100 + index, 0), ...(hasNoise ? noise : {}) };
}

async function deadAfter(trainer: Trainer, steps: number, hasNoise = false): Promise<readonly number[]> {
  const dead: number[] = [];
  for (let i = 0; i < steps; i++) dead.push((await trainer.step(batchAt(i, hasNoise))).metrics["dead"] ?? Number.NaN);
  return dead;
}

describe("dead features", () => {
  const revived: readonly ArchitectureConfig[] = [
    { name: "topk", k: 2 },
    { name: "batch_topk", k: 2 },
    { name: "jumprelu", targetL0: 3 },
    { name: "standard", coefficient: 0.01, auxK: {} },
    { name: "gated", coefficient: 0.01, auxK: {} },
  ];

  test.each(revived)(
    "come back under AuxK, and stay away without it: $name",
    async (config) => {
      const [helped, left] = [trainerWithDead(config), trainerWithDead({ ...config, auxK: false })];
      const [a, b] = [await deadAfter(helped, 300), await deadAfter(left, 300)];
      expect(a[0]).toBe(0);
      expect(a[2]).toBeGreaterThanOrEqual(10);
      // With so short a window features come and go: what counts is that most of the dead fire again, and none without it.
      expect(Math.min(...a.slice(2)), `dead with AuxK: ${a.join(" ")}`).toBeLessThan(5);
      expect(b.at(-1), `dead without: ${b.join(" ")}`).toBeGreaterThanOrEqual(10);
      await helped.close();
      await left.close();
    },
    30_000,
  );

  test("begin anew at badly reconstructed inputs when resampling is due, and only then", async () => {
    const trainer = trainerWithDead({ name: "standard", coefficient: 0.01 }, { every: 4, until: 5 });
    const batches = Array.from({ length: 4 }, (_, i) => batchAt(i, true));
    for (const batch of batches.slice(0, 3)) expect((await trainer.step(batch)).metrics["resampled"]).toBe(0);
    const before = await trainer.parameters();
    const record = await trainer.step(batches[3] ?? {});
    expect(record.metrics).toMatchObject({ dead: 10, resampled: expect.closeTo(10, 5) as number });
    const after = await trainer.parameters();
    const [decoder, encoder, bias] = ["W_dec", "W_enc", "b_enc"].map((name) => numbersOf(after[name]));
    const alive = norms(numbersOf(transposed(after["W_enc"])), 6).slice(0, 10);
    const x = numbersOf((batches[3] ?? {})["x"]);
    const centre = numbersOf(before["b_dec"]);
    const inputs = Array.from({ length: 32 }, (_, row) => {
      const own = x.slice(6 * row, 6 * row + 6).map((value, i) => value - (centre[i] ?? 0));
      return own.map((value) => value / Math.hypot(...own));
    });
    const used = new Set<number>();
    for (let feature = 10; feature < 20; feature++) {
      const row = decoder?.slice(6 * feature, 6 * feature + 6) ?? [];
      const cosines = inputs.map((input) => input.reduce((sum, value, i) => sum + value * (row[i] ?? 0), 0));
      expect(Math.max(...cosines)).toBeCloseTo(1, 4);
      used.add(cosines.indexOf(Math.max(...cosines)));
      const column = row.map((_, i) => encoder?.[20 * i + feature] ?? 0);
      expect(Math.hypot(...column)).toBeGreaterThan(0);
      expect(Math.hypot(...column)).toBeLessThan(Math.max(...alive));
      expect(bias?.[feature]).toBe(0);
    }
    expect(used.size).toBe(10);
    await trainer.close();
  });

  test("resampling stops in the middle of training unless told otherwise", () => {
    const due = (options: ResamplingOptions): readonly number[] =>
      Array.from({ length: 20 }, (_, step) => step).filter((step) => resamplingSchedule(options, 20).at(step) === 1);
    expect(due({ every: 3 })).toEqual([2, 5, 8]);
    expect(due({ every: 5, until: 20 })).toEqual([4, 9, 14, 19]);
  });
});

function transposed(tensor: Tensor | undefined): Tensor {
  const [rows = 0, columns = 0] = tensor?.shape ?? [];
  const values = numbersOf(tensor);
  return Tensor.of(
    Float32Array.from({ length: values.length }, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)] ?? 0),
    [columns, rows],
  );
}
