import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ProbeExample, type ProbeOptions, probe } from "../../../src/analysis/index.js";
import { loadModel, type Model } from "../../../src/model/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { planted } from "./support.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel("tiny");
});
afterAll(() => model.close());

const words = ["cat", "dog", "sun", "war", "ship", "house", "road", "king"];
const good: readonly ProbeExample[] = words.map((word, i) => ({ text: `The ${word}`, label: i % 2 === 0 ? "a" : "b" }));

describe("probe.fit refuses", () => {
  const cases: readonly (readonly [string, readonly ProbeExample[], ProbeOptions, string])[] = [
    ["no examples", [], {}, "probe.fit: got no examples; expected labelled texts."],
    [
      "one class",
      good.map((one) => ({ ...one, label: "a" })),
      {},
      'got one class, "a", in 8 examples; expected at least two classes',
    ],
    ["fewer examples than folds", good.slice(0, 3), {}, "got 3 different examples for 5 folds; expected at least 5"],
    [
      "equal texts counted as one",
      [...good.slice(0, 4), ...good.slice(0, 4)],
      {},
      "got 4 different examples among 8 examples for 5 folds",
    ],
    ["one fold", good, { folds: 1 }, "probe.fit: folds: got 1; expected a whole number from 2."],
    ["a class of one example", [...good, { text: "Once", label: "c" }], {}, 'one example of "c" in one fold only'],
    [
      "labels of two types",
      [...good, { text: "Once", label: 3 }],
      {},
      "probe.fit: example 8: got a label of type number; expected a string, as in example 0.",
    ],
    [
      "a label that is not finite",
      [
        { text: "x", label: 1 },
        { text: "y", label: Number.NaN },
      ],
      {},
      "example 1: got the label NaN",
    ],
    ["numbers all alike", good.map((one) => ({ ...one, label: 4 })), {}, "got one number, 4, for all examples"],
    ["an empty text", [...good, { text: "  ", label: "a" }], {}, "probe.fit: example 8: got an empty text"],
    [
      "text and tokens",
      [...good, { text: "x", tokens: [1], label: "a" }],
      {},
      "got neither or both of text and tokens",
    ],
    [
      "unknown order of labels",
      good,
      { labels: ["a", "z"] },
      "probe.fit: labels: got a, z; expected each of a, b once.",
    ],
    [
      "groups of some",
      good.map((one, i) => (i > 0 ? { ...one, group: "g" } : one)),
      {},
      "probe.fit: example 0: got no group",
    ],
    [
      "too few groups",
      good.map((one, i) => ({ ...one, group: `g${i % 3}` })),
      {},
      "got 3 groups among 8 examples for 5 folds",
    ],
    [
      "a group leak",
      [...good.map((one, i) => ({ ...one, group: `g${i}` })), { text: "The cat", label: "a", group: "other" }],
      {},
      'example 8: got a text of group "other" that group "g0" has too',
    ],
    ["no penalty", good, { penalty: 0 }, "probe.fit: penalty: got 0; expected a number above 0."],
    ["shrinkage out of range", good, { method: "lda", shrinkage: 2 }, "probe.fit: shrinkage: got 2"],
    ["whitening elsewhere", good, { whitened: true }, 'probe.fit: whitened: got true for "logistic"'],
    [
      "logistic on three classes",
      [...good, { text: "x", label: "c" }, { text: "y", label: "c" }],
      { method: "logistic" },
      'got "logistic" for 3 classes; expected two classes. Use "multinomial".',
    ],
    [
      "classes of numbers",
      words.map((word, i) => ({ text: word, label: i })),
      { method: "lda" },
      'got "lda" for labels that are numbers; expected "ridge"',
    ],
    ["an unknown method", good, { method: "svm" as "lda" }, 'probe.fit: method: got "svm"'],
    ["a position that is not there", good, { pos: 40 }, "got position 40 of"],
    ["a role that is not named", good, { pos: "subject" }, 'probe.fit: example 0: got no position "subject"'],
    ["no positions", good, { pos: [] }, "probe.fit: pos: got no positions"],
    ["a layer that is not there", good, { layers: [99] }, 'probe.fit: layers: got "blocks.99.hook_resid_post"'],
    ["a site without vectors", good, { site: "pattern" }, "expected one vector for each token"],
    ["an unknown site", good, { site: "reside" }, "reside"],
    ["resamples", good, { folds: 2, resamples: 0 }, "bootstrap: resamples: got 0"],
  ];
  it.each(cases)("%s", async (_name, examples, options, message) => {
    await expect(probe.fit(model, examples, options)).rejects.toThrow(message);
  });

  it("an aborted signal", async () => {
    const signal = AbortSignal.abort();
    await expect(probe.fit(model, good, { folds: 2, signal })).rejects.toThrow("an aborted signal");
  });
});

describe("probe.fitFeatures refuses", () => {
  const { features, labels } = planted(20, 3, 1, 0);
  it("NaN, and names the place", async () => {
    const broken = Float32Array.from(features.data as Float32Array);
    broken[3 * 7 + 2] = Number.NaN;
    await expect(probe.fitFeatures(Tensor.of(broken, [20, 3]), labels)).rejects.toThrow(
      "probe.fitFeatures: features 0: got NaN in example 7, feature 2; expected finite activations.",
    );
  });
  it("features, groups and types of other numbers of rows", async () => {
    await expect(probe.fitFeatures(features, labels.slice(1))).rejects.toThrow(
      "expected float32 or float64 [row = 19, feature]",
    );
    await expect(probe.fitFeatures(features, labels, { groups: ["a"] })).rejects.toThrow(
      "probe.fitFeatures: groups: got 1 names for 20 labels",
    );
    await expect(probe.fitFeatures(features, labels, { types: [] })).rejects.toThrow("probe.fitFeatures: types");
  });
  it("what only hook points have", async () => {
    const result = await probe.fitFeatures(features, labels, { resamples: 10 });
    expect(() => result.direction(0)).toThrow("a probe of features without a hook point");
    await expect(result.predict(model, ["x"])).rejects.toThrow("a probe of features without a hook point");
    expect(() => result.score({ layer: 4 })).toThrow("probe result: layer: got 4; expected one of 0.");
    expect(() => result.score({ pos: "end" })).toThrow("probe result: pos: got end");
  });
  it("a class left out of a direction with three classes, and directions of nothing", async () => {
    const three = await probe.fit(model, [...good, { text: "One", label: "c" }, { text: "Two", label: "c" }], {
      folds: 2,
      resamples: 5,
      layers: [0],
    });
    expect(() => three.direction(0)).toThrow("probe result: label: got none, with more than two classes");
    expect(() => three.direction(0, { label: "d" })).toThrow('probe result: label: got "d"');
    expect(three.direction(0, { label: "c" }).direction.shape).toEqual([model.config.dModel]);
    const same = good.map((one) => ({ ...one, text: `${one.text} is` }));
    const first = await probe.fit(model, same, { folds: 2, resamples: 5, site: "resid_pre", layers: [0], pos: 0 });
    expect(first.best.accuracy).toBeLessThan(0.8);
    expect(() => first.direction(0)).toThrow("direction of layer 0: got a probe whose weights are all 0");
  });
});
