/** A dictionary inside a model: hook points, error term, ablation and steering, against arithmetic on captured values. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { metric } from "../../../src/analysis/index.js";
import { Dictionary, DictionarySet } from "../../../src/dictionary/index.js";
import { edit, loadModel, type Model } from "../../../src/model/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { randomDictionary } from "./random-dictionary.js";

const text = "The ship was in the north of the sea";
let model: Model;
beforeAll(async () => {
  model = await loadModel("tiny");
});
afterAll(() => model.close());

const sizes = { dIn: 192, nFeatures: 24 };
const hook = "blocks.2.hook_resid_post";
const sae = randomDictionary({ ...sizes, readHook: hook });
const transcoder = randomDictionary({
  ...sizes,
  readHook: "blocks.3.ln2.hook_normalized",
  writeHook: "blocks.3.hook_mlp_out",
  hasSkip: true,
});

async function capture(view: Model, names: readonly string[]): Promise<(name: string) => Tensor> {
  const run = await view.run(text, { capture: names });
  return (name) => run.cache.get(name);
}

function difference(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape);
  return Array.from(a.data as ArrayLike<number>, (x, i) => Math.abs(x - Number(b.data[i]))).reduce(
    (m, x) => Math.max(m, x),
    0,
  );
}

describe.each([
  ["an SAE", sae],
  ["a skip transcoder", transcoder],
])("%s", (_, dictionary) => {
  const { hooks } = dictionary;

  test("writes what its own forward pass gives, and the model goes on with it", async () => {
    const plain = await capture(model, [dictionary.readHook]);
    const { acts, reconstruction } = await dictionary.forward(plain(dictionary.readHook));
    const spliced = await capture(model.with(dictionary.splice()), [hooks.actsPost, dictionary.writeHook]);
    expect(difference(spliced(hooks.actsPost), acts)).toBeLessThan(1e-5);
    expect(difference(spliced(dictionary.writeHook), reconstruction)).toBeLessThan(1e-5);
    const replaced = model.with(edit.replace(dictionary.writeHook, reconstruction));
    const [a, b] = [await replaced.run(text), await model.with(dictionary.splice()).run(text)];
    expect(difference(a.logits, b.logits)).toBeLessThan(1e-4);
    expect(difference(a.logits, (await model.run(text)).logits)).toBeGreaterThan(0.1);
  });

  test("with the error term the model computes what it did", async () => {
    const [plain, spliced] = [
      await model.run(text),
      await model.with(dictionary.splice({ errorTerm: true })).run(text),
    ];
    expect(difference(plain.logits, spliced.logits)).toBeLessThan(1e-4);
  });

  test("zeroing a feature takes exactly its part away, with and without the error term", async () => {
    for (const errorTerm of [true, false]) {
      const spliced = model.with(dictionary.splice({ errorTerm }));
      const before = await capture(spliced, [hooks.actsPost, dictionary.writeHook]);
      const after = await capture(spliced.with(edit.zero(hooks.actsPost, { feature: 5 })), [dictionary.writeHook]);
      const acts = before(hooks.actsPost);
      const { direction } = dictionary.feature(5);
      const pos = acts.shape[1] ?? 0;
      let largest = 0;
      for (let p = 0; p < pos; p++) {
        const activation = Number(acts.data[p * 24 + 5]);
        for (const [i, d] of direction.entries()) {
          const at = p * 192 + i;
          const change = Number(before(dictionary.writeHook).data[at]) - Number(after(dictionary.writeHook).data[at]);
          largest = Math.max(largest, Math.abs(change - activation * d));
        }
      }
      expect(largest).toBeLessThan(1e-4);
    }
  });

  test("its gradient at a feature is the gradient at the hook point along the decoder row", async () => {
    const wanted = metric.loss();
    const spliced = model.with(dictionary.splice());
    const { gradients } = await spliced.run(text, { gradients: { of: wanted, wrt: [hooks.actsPost, hooks.recons] } });
    const [features, recons] = [gradients.get(hooks.actsPost), gradients.get(hooks.recons)];
    const { direction } = dictionary.feature(3);
    const pos = features.shape[1] ?? 0;
    for (let p = 0; p < pos; p++) {
      const along = direction.reduce((total, d, i) => total + d * Number(recons.data[p * 192 + i]), 0);
      expect(Number(features.data[p * 24 + 3])).toBeCloseTo(along, 5);
    }
  });
});

test("a set is spliced in whole", async () => {
  const set = new DictionarySet("pair", [
    transcoder,
    randomDictionary({
      ...sizes,
      readHook: "blocks.1.ln2.hook_normalized",
      writeHook: "blocks.1.hook_mlp_out",
      seed: 4,
    }),
  ]);
  expect(set.layers).toEqual([1, 3]);
  const run = await model.with(...set.splice()).run(text, { capture: [...set].map((one) => one.hooks.actsPost) });
  expect([...set].map((one) => run.cache.get(one.hooks.actsPost).shape.at(-1))).toEqual([24, 24]);
  expect(() => set.layer(2)).toThrow("got layer 2; expected one of layers 1, 3");
  expect(() => new DictionarySet("twice", [transcoder, transcoder])).toThrow("two that write to");
  expect(() => new DictionarySet("none", [])).toThrow("no dictionary");
});

describe("wrong use", () => {
  test("a dictionary of another width", async () => {
    const wrong = randomDictionary({ dIn: 64, readHook: hook });
    await expect(model.with(wrong.splice()).run(text)).rejects.toThrow("values of width 192; expected 64");
  });

  test("a hook point that the model lacks", async () => {
    const wrong = randomDictionary({ ...sizes, readHook: "blocks.9.hook_resid_post" });
    await expect(model.with(wrong.splice()).run(text)).rejects.toThrow("blocks.9.hook_resid_post");
  });

  test("a hook point read that comes after the one written", async () => {
    const wrong = randomDictionary({
      ...sizes,
      readHook: "blocks.4.hook_resid_post",
      writeHook: "blocks.3.hook_mlp_out",
    });
    await expect(model.with(wrong.splice()).run(text)).rejects.toThrow("does not pass before");
  });

  test("two dictionaries at one hook point", async () => {
    await expect(
      model.with(sae.splice(), randomDictionary({ ...sizes, readHook: hook, seed: 1 }).splice()).run(text),
    ).rejects.toThrow("a second module with the hook point");
  });

  test("features of a dictionary that is not spliced in", async () => {
    await expect(model.with(edit.zero(sae.hooks.actsPost, { feature: 1 })).run(text)).rejects.toThrow(
      "matches nothing",
    );
  });

  test("weights that do not fit the configuration", () => {
    const { name, config, weights } = sae;
    const without = new Map([...weights].filter(([key]) => key !== "b_enc"));
    expect(() => new Dictionary({ name, config, weights: without })).toThrow("weight b_enc: got none; expected [24]");
    const surplus = new Map([...weights, ["threshold", Tensor.of(new Float32Array(24), [24])] as const]);
    expect(() => new Dictionary({ name, config, weights: surplus })).toThrow(
      "weight threshold: got [24]; expected none",
    );
  });
});
