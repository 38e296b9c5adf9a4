/** The forward pass of every kind of dictionary against plain loops over the formulas. */
import { describe, expect, test } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import type { Dictionary } from "../../../src/dictionary/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { forwardByLoops, type RandomOptions, randomDictionary } from "./random-dictionary.js";

const random = createRandom(9);
const rows = Array.from({ length: 5 }, () => Array.from({ length: 4 }, () => random.normal()));
const input = Tensor.of(Float32Array.from(rows.flat()), [5, 4], ["batch", "dModel"]);

const cases: Readonly<Record<string, RandomOptions>> = {
  ReLU: {},
  "ReLU without centring": { subtractsDecoderBias: false },
  TopK: { activation: { kind: "topk", k: 2, scalesByDecoderNorm: false } },
  "TopK by decoder norm": { activation: { kind: "topk", k: 2, scalesByDecoderNorm: true } },
  JumpReLU: { activation: { kind: "jumprelu" } },
  gated: { activation: { kind: "gated" } },
  transcoder: { writeHook: "blocks.0.hook_mlp_out", dOut: 3 },
  "skip transcoder": { writeHook: "blocks.0.hook_mlp_out", dOut: 3, hasSkip: true },
  "layer norm on the input": { normalization: "layer_norm" },
  "constant norm": { normalization: "constant_norm_rescale", activation: { kind: "jumprelu" } },
};

function expectClose(got: Tensor, wanted: readonly (readonly number[])[]): void {
  expect(got.size).toBe(wanted.flat().length);
  wanted.flat().forEach((one, i) => {
    expect(Number(got.data[i])).toBeCloseTo(one, 5);
  });
}

describe.each(Object.entries(cases))("%s", (_, options) => {
  const dictionary: Dictionary = randomDictionary(options);
  const wanted = rows.map((row) => forwardByLoops(dictionary, row));

  test("activations and reconstruction are those of the formulas", async () => {
    const { acts, reconstruction } = await dictionary.forward(input);
    expectClose(
      acts,
      wanted.map((one) => one.acts),
    );
    expectClose(
      reconstruction,
      wanted.map((one) => one.y),
    );
    expect(acts.axes).toEqual(["batch", "feature"]);
  });

  test("some feature fires and some does not, so that the comparison sees both", () => {
    const all = wanted.flatMap((one) => one.acts);
    expect(all.some((a) => a > 0)).toBe(true);
    expect(all.some((a) => a === 0)).toBe(true);
  });
});

test("decode of encode is the reconstruction", async () => {
  const dictionary = randomDictionary();
  const acts = await dictionary.encode(input);
  const [decoded, { reconstruction }] = [await dictionary.decode(acts), await dictionary.forward(input)];
  expect([...decoded.data]).toEqual([...reconstruction.data]);
});

test("a feature is its decoder row", () => {
  const dictionary = randomDictionary();
  const rowsOf = dictionary.weights.get("W_dec") as Tensor;
  expect([...dictionary.feature(3).direction]).toEqual([...rowsOf.data].slice(12, 16));
  expect(() => dictionary.feature(7)).toThrow(
    "dictionary random: feature: got 7; expected a whole number from 0 to 6.",
  );
});

test("decode refuses what needs the input too", async () => {
  const skip = randomDictionary({ hasSkip: true });
  await expect(skip.decode(input)).rejects.toThrow("expected the input too");
  await expect(skip.encode(Tensor.of(new Float32Array(6), [2, 3]))).rejects.toThrow("expected […, 4]");
});
