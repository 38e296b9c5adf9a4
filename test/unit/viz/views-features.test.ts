/** Feature cards: what their spec holds, and what is refused. */
import { describe, expect, test } from "vitest";
import { type FeatureCardData, type FeaturesSpec, features } from "../../../src/viz/index.js";
import { pack } from "../../../src/viz/pack.js";

const card = (given: Partial<FeatureCardData> = {}): FeatureCardData => ({
  index: 4,
  density: 0.25,
  meanActivation: 1,
  maxActivation: 4,
  groups: [
    {
      title: "greatest",
      low: 3,
      high: 4,
      examples: [
        { tokens: ["a", " b", " c"], values: [0, 4, 1], center: 1 },
        { tokens: ["d"], values: [3], center: 0 },
      ],
    },
  ],
  ...given,
});

const specOf = (cards: readonly FeatureCardData[], options = {}): FeaturesSpec =>
  features(cards, options).spec as FeaturesSpec;

test("examples of all cards lie in common lists, as shares of their own feature's maximum", () => {
  const spec = specOf([card(), card({ index: 9, maxActivation: 8 })]);
  expect(spec.tokens).toEqual([
    ["a", " b", " c"],
    ["d", "", ""],
    ["a", " b", " c"],
    ["d", "", ""],
  ]);
  expect(spec.shares[0]).toEqual([0, 1, 0.25]);
  expect(spec.shares[1]).toEqual([0.75, "NaN", "NaN"]);
  expect(spec.shares[2]).toEqual([0, 0.5, 0.125]);
  expect(spec.cards.map(({ first }) => first)).toEqual([0, 2]);
  expect(spec.cards[0]?.groups[0]).toMatchObject({ peaks: [4, 3], centers: [1, 0] });
});

test("an overview says how many features never fired", () => {
  const overview = { density: [0.1, 0, 0.001], maxActivation: [1, 0, 2], tokens: 100 };
  const view = features([], { overview });
  expect(view.toText()).toContain("3 features; 1 dead on 100 tokens");
  expect((view.spec as FeaturesSpec).overview?.logDensity[1]).toBe("-Infinity");
  expect(view.summary()).toBe("Features: 3 features; 1 dead on 100 tokens.");
});

test("text names the facts of the first cards and how many more there are", () => {
  const text = features(
    Array.from({ length: 7 }, (_, index) => card({ index, top: [{ token: " x", value: 0.5 }] })),
  ).toText();
  expect(text).toContain("feature 0: fires on 25 % of tokens · mean 1 · maximum 4");
  expect(text).toContain("raises ·x 0.5");
  expect(text).toContain("a[·b] c");
  expect(text).toContain("and 2 more cards");
});

test("a dead feature says so", () => {
  const dead = card({ density: 0, maxActivation: 0, groups: [] });
  expect(features([dead]).toText()).toContain("feature 4: fired on no token");
});

test("hundreds of cards stay small, their tokens exact", () => {
  const tokens = Array.from({ length: 25 }, (_, i) => ` word${i % 7}`);
  const examples = Array.from({ length: 20 }, () => ({ tokens, values: tokens.map((_, i) => i % 3), center: 12 }));
  const cards = Array.from({ length: 200 }, (_, index) =>
    card({ index, groups: [{ title: "greatest", low: 0, high: 2, examples }] }),
  );
  expect(JSON.stringify(pack(specOf(cards))).length).toBeLessThan(150_000);
});

describe("what cannot be shown is refused", () => {
  test("nothing", () => {
    expect(() => features([])).toThrow("viz.features");
  });
  test("values for other tokens", () => {
    const groups = [{ title: "", low: 0, high: 1, examples: [{ tokens: ["a"], values: [1, 2], center: 0 }] }];
    expect(() => features([card({ groups })])).toThrow("viz.features: values of feature 4");
  });
  test("an example around a token that it lacks", () => {
    const groups = [{ title: "", low: 0, high: 1, examples: [{ tokens: ["a"], values: [1], center: 1 }] }];
    expect(() => features([card({ groups })])).toThrow(
      "viz.features: feature 4: got an example around token 1; expected one of its 1 tokens",
    );
  });
  test("lists of an overview that differ", () => {
    const overview = { density: [0.1, 0.2], maxActivation: [1], tokens: 5 };
    expect(() => features([], { overview })).toThrow("overview.maxActivation");
    expect(() => features([], { overview: { ...overview, maxActivation: [1, 2], labels: ["a"] } })).toThrow(
      "overview.labels",
    );
  });
});
