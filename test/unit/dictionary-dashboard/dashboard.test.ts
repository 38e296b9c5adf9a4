/** Dashboards, overviews and texts of one's own: that they show what was measured. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  collectExamples,
  dictionaryOverview,
  evaluateDictionary,
  type FeatureExamples,
  featureDashboard,
  testFeatures,
} from "../../../src/dictionary/index.js";
import { loadModel, type Model } from "../../../src/model/index.js";
import type { FeatureCard, FeaturesSpec } from "../../../src/viz/index.js";
import { randomDictionary } from "../dictionary/random-dictionary.js";

const sae = randomDictionary({
  dIn: 192,
  nFeatures: 30,
  readHook: "blocks.2.hook_resid_post",
  activation: { kind: "topk", k: 2, scalesByDecoderNorm: false },
});
const texts = [
  "The ship was in the north of the sea",
  "Two men and a dog walked home\nand slept",
  "Rain fell on <b>it</b>",
];

let model: Model;
let examples: FeatureExamples;
const folder = mkdtempSync(join(tmpdir(), "limpid-dashboard-"));
beforeAll(async () => {
  model = await loadModel("tiny");
  examples = await collectExamples(model, sae, texts, { top: 3, quantiles: 2, perQuantile: 1, context: 4 });
});
afterAll(async () => {
  await model.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("a dashboard", () => {
  test("of one feature holds its numbers, its examples and what it writes", async () => {
    const { density } = examples.statistics;
    const feature = density.indexOf(Math.max(...density));
    const dashboard = await featureDashboard(model, sae, examples, { features: feature, tokens: 4 });
    const spec = dashboard.toView().spec as FeaturesSpec;
    const known = await examples.feature(feature);
    const card = spec.cards[0] as FeatureCard;
    expect(card).toMatchObject({ index: feature, density: known.density, maxActivation: known.maxActivation });
    expect(card.activations?.counts.reduce((a, b) => a + b, 0)).toBe(known.histogram.reduce((a, b) => a + b, 0));
    expect(card.top.map(({ token }) => token)).toEqual(dashboard.readouts[0]?.top.map(({ token }) => token));
    const [group] = known.groups;
    expect(card.groups[0]?.peaks[0]).toBeCloseTo(group?.examples[0]?.value ?? 0, 5);
    expect(spec.tokens[0]?.filter((token) => token !== "")).toEqual(group?.examples[0]?.tokens);
    expect(spec.overview).toBeUndefined();
    expect(spec.title).toBe(`Feature ${feature} of random`);
    expect(dashboard.toString()).toContain(`feature ${feature}: fires on`);
  });

  test("by default shows features that fired, spread by density, after the overview", async () => {
    const dashboard = await featureDashboard(model, sae, examples, { cards: 3 });
    expect(dashboard.features).toHaveLength(3);
    const densities = dashboard.features.map((i) => examples.statistics.density[i] ?? 0);
    expect([...densities].sort((a, b) => b - a)).toEqual(densities);
    expect(Math.min(...densities)).toBeGreaterThan(0);
    expect(dashboard.overview?.dead).toEqual(examples.dead);
    expect((dashboard.toView().spec as FeaturesSpec).overview?.logDensity).toHaveLength(30);
  });

  test("is saved as one page, its texts escaped", async () => {
    const dashboard = await featureDashboard(model, sae, examples, { cards: 30 });
    const page = readFileSync(await dashboard.save(join(folder, "page.html")), "utf8");
    expect(page).toContain("<!doctype html>");
    expect(page).not.toMatch(/<b>it/);
    expect(page).not.toMatch(/(src|href)="https?:/);
  });

  test("tests a text of your own, live", async () => {
    const dashboard = await featureDashboard(model, sae, examples, { features: [0, 1] });
    const found = await dashboard.test("The ship fell");
    const run = await model.run("The ship fell", { capture: [sae.readHook] });
    const { acts } = await sae.forward(run.cache.get(sae.readHook));
    expect(found.tokens).toEqual(model.toStrTokens("The ship fell"));
    for (const feature of [0, 1, 17])
      Array.from(found.activations(feature)).forEach((one, pos) => {
        expect(one).toBeCloseTo(Number(acts.data[pos * 30 + feature]), 4);
      });
    const strongest = Math.max(...Array.from(acts.data, Number));
    expect(found.strongest[0]?.value).toBeCloseTo(strongest, 4);
    expect(found.features).toEqual([0, 1]);
    expect(found.toView().toText()).toContain("Strongest features");
    expect(found.toString()).toContain("strongest");
    expect(() => found.activations(30)).toThrow("test.activations: got 30; expected a whole number from 0 to 29");
    await expect(testFeatures(model, sae, "a", { features: [31] })).rejects.toThrow("got 31");
  });

  test("of a dictionary that writes elsewhere has no logits", async () => {
    const inner = randomDictionary({ dIn: 192, nFeatures: 6, readHook: "blocks.1.ln2.hook_normalized" });
    const own = await collectExamples(model, inner, texts);
    const spec = (await featureDashboard(model, inner, own)).toView().spec as FeaturesSpec;
    expect(spec.cards[0]?.logits).toBeUndefined();
    expect(spec.overview?.labels).toEqual(["", "", "", "", "", ""]);
  });
});

describe("an overview", () => {
  test("shows every feature, and the words that it raises", async () => {
    const evaluation = await evaluateDictionary(model, sae, texts, { losses: false });
    const overview = await dictionaryOverview(model, sae, evaluation.statistics);
    expect(overview.dead).toEqual(evaluation.dead.features);
    const dashboard = await featureDashboard(model, sae, examples, { features: [5], tokens: 3 });
    const words = dashboard.readouts[0]?.top.map(({ token }) => token.trim()).filter((token) => token !== "");
    expect(overview.words[5]).toBe(words?.join(" "));
    expect(overview.toView().toText()).toContain(`30 features; ${overview.dead.length} dead on`);
    expect(overview.toString()).toContain("median density");
    const known = sae.withStatistics(evaluation.statistics);
    expect((await dictionaryOverview(model, known)).statistics).toBe(evaluation.statistics);
  });

  test("needs numbers, and of this dictionary", async () => {
    await expect(dictionaryOverview(model, sae)).rejects.toThrow(
      "dictionaryOverview: random: got a dictionary without statistics of its features",
    );
    const other = randomDictionary({ dIn: 192, nFeatures: 6, readHook: sae.readHook });
    await expect(dictionaryOverview(model, other, examples.statistics)).rejects.toThrow(
      "dictionary random: got numbers of 30 features; expected of its own 6",
    );
    await expect(featureDashboard(model, other, examples)).rejects.toThrow("numbers of 30 features");
  });
});

test("wrong features are refused", async () => {
  await expect(featureDashboard(model, sae, examples, { features: [30] })).rejects.toThrow("got 30");
  await expect(featureDashboard(model, sae, examples, { features: [] })).rejects.toThrow(
    "featureDashboard: features: got no feature; expected at least one",
  );
  const silent = randomDictionary({
    dIn: 192,
    nFeatures: 4,
    readHook: "blocks.2.hook_resid_post",
    activation: { kind: "topk", k: 1, scalesByDecoderNorm: false },
  });
  const aborted = AbortSignal.abort();
  await expect(
    featureDashboard(model, silent, await collectExamples(model, silent, texts), { signal: aborted }),
  ).rejects.toThrow("featureDashboard");
});
