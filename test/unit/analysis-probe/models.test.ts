import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metric, type ProbeExample, type ProbeResult, probe, steering } from "../../../src/analysis/index.js";
import { createRandom } from "../../../src/core/index.js";
import { at, edit, loadModel, type Model } from "../../../src/model/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { dataFolder, oracle } from "../../helpers/fixtures.js";
import { cosine, numbersOf } from "./support.js";

let model: Model;
let examples: readonly ProbeExample[];
let fitted: ProbeResult;

beforeAll(async () => {
  model = await loadModel("tiny");
  // Texts of this file, so that nothing hangs on what the model's tokenizer keeps whole.
  const nouns = ["cat", "dog", "ship", "king", "bird", "stone", "river", "book", "tree", "star"];
  const ends = ["", " near the house", " that we saw"];
  examples = nouns.flatMap((noun) =>
    ends.flatMap((end) =>
      [noun, `${noun}s`].map((word) => ({
        text: `The ${word}${end}`,
        label: word === noun ? "singular" : "plural",
        group: noun,
        positions: { subject: model.toTokens(`The ${word}`).data.length - 1 },
      })),
    ),
  );
  fitted = await probe.fit(model, examples, {
    pos: ["last", "subject"],
    folds: 4,
    labels: ["singular", "plural"],
    resamples: 100,
  });
}, 60_000);

afterAll(() => model.close());

describe("probe.fit on a model", () => {
  it("fits every layer and position", () => {
    const { nLayers } = model.config;
    expect(fitted.scores).toHaveLength(2 * nLayers);
    expect(fitted.provenance).toMatchObject({ examples: 60, folds: 4, split: "group", edits: [] });
    expect(fitted.provenance.identity).not.toBe("");
    expect(fitted.best.accuracy).toBeGreaterThan(fitted.baseline);
    expect(fitted.score({ layer: 0, pos: "subject" }).hook).toBe("blocks.0.hook_resid_post");
  });

  it("reads the same numbers as a run of each text alone", async () => {
    const read = await probe.fit(model, examples, {
      layers: [1],
      folds: 4,
      resamples: 10,
      method: "difference-of-means",
    });
    const sums = { singular: new Float64Array(model.config.dModel), plural: new Float64Array(model.config.dModel) };
    const counts = { singular: 0, plural: 0 };
    for (const { text = "", label } of examples) {
      const { cache } = await model.run(text, { capture: at.residPost(1), logits: "none" });
      const kind = label as "plural" | "singular";
      counts[kind] += 1;
      numbersOf(cache.get("resid_post", 1).at({ batch: 0, pos: -1 })).forEach((x, j) => {
        sums[kind][j] = (sums[kind][j] ?? 0) + x;
      });
    }
    // Sorted classes: plural, singular; the direction points to singular.
    const want = Array.from(sums.singular, (s, j) => s / counts.singular - (sums.plural[j] ?? 0) / counts.plural);
    const { direction, scale, meanActivation } = read.direction(1);
    expect(cosine(numbersOf(direction), want)).toBeGreaterThan(1 - 1e-8);
    expect(scale).toBeCloseTo(Math.hypot(...want), 4);
    expect(meanActivation).toBeCloseTo(Math.hypot(...want), 4);
  });

  it("the mean over tokens is the mean of a run", async () => {
    const options = { layers: [0], pos: "mean", folds: 4, resamples: 10 } as const;
    const read = await probe.fit(model, examples, options);
    const [text = ""] = examples.map((one) => one.text);
    const { cache } = await model.run(text, { capture: at.residPost(0), logits: "none" });
    const mean = numbersOf(cache.get("resid_post", 0).at({ batch: 0 }).mean("pos"));
    const { weights, bias } = read.weights({ layer: 0 });
    const value = numbersOf(weights).reduce((sum, w, j) => sum + w * (mean[j] ?? 0), bias.at({ output: 0 }).item());
    const [predicted] = await read.predict(model, [text], { layer: 0 });
    expect(predicted?.value).toBeCloseTo(value, 4);
  });

  it("sites with heads give directions with their axes", async () => {
    const read = await probe.fit(model, examples, { site: "z", layers: [0], folds: 4, resamples: 10 });
    const { direction, hook } = read.direction(0);
    expect(hook).toBe("blocks.0.attn.hook_z");
    expect(direction.axes).toEqual(["head", "dHead"]);
    expect(direction.shape).toEqual([model.config.nHeads, model.config.dHead]);
    const run = await model.with(edit.project(hook, read.direction(0))).run("The boys", { capture: hook });
    const along = numbersOf(run.cache.get(hook).mul(direction).sum("dHead").sum("head"));
    expect(Math.max(...along.map(Math.abs))).toBeLessThan(1e-5);
  });

  it("reads new texts with BOS in front, or without, as it was fitted", async () => {
    const habit = model.tokenizer.prependsBos ?? false;
    const options = { layers: [1], folds: 4, resamples: 10, method: "difference-of-means", control: false } as const;
    const text = "The dragons";
    const own = async (read: ProbeResult, prependBos: boolean): Promise<number> => {
      const { cache } = await model.run(text, { capture: at.residPost(1), prependBos });
      const last = numbersOf(cache.get("resid_post", 1).at({ batch: 0, pos: -1 }));
      const { direction, scale, bias } = read.direction(1);
      const unit = numbersOf(direction);
      return scale * last.reduce((sum, x, i) => sum + x * (unit[i] ?? 0), 0) + bias;
    };
    for (const prependBos of [!habit, habit]) {
      const read = await probe.fit(model, examples, { ...options, prependBos });
      expect(read.provenance.reading).toEqual({ prependBos });
      const [given] = await read.predict(model, [text]);
      const expected = await own(read, prependBos);
      expect(Math.abs(expected - (await own(read, !prependBos)))).toBeGreaterThan(1e-3 * Math.abs(expected));
      expect(given?.value).toBeCloseTo(expected, 3);
      expect((await read.predict(model, [text], { prependBos }))[0]).toEqual(given);
      const score = await read.evaluate(model, [{ text, label: "plural" }]);
      expect(score.accuracy).toBe(given?.label === "plural" ? 1 : 0);
      const other = { prependBos: !prependBos };
      const message = `prependBos: got ${String(!prependBos)}, for a probe that was fitted with ${String(prependBos)}; expected`;
      await expect(read.predict(model, [text], other)).rejects.toThrow(`probe result: predict: ${message}`);
      await expect(read.evaluate(model, examples, other)).rejects.toThrow(`probe result: evaluate: ${message}`);
      const folder = await mkdtemp(join(tmpdir(), "limpid-probe-"));
      await read.save(join(folder, "bos"));
      const again = await probe.load(join(folder, "bos"));
      expect((await again.predict(model, [text]))[0]).toEqual(given);
      await rm(folder, { recursive: true });
    }
    // Fitted without a word about it, a probe has the tokenizer's own habit.
    expect(fitted.provenance.reading).toEqual({});
    const [plain] = await fitted.predict(model, [text], { prependBos: habit, pos: "last" });
    expect(plain).toEqual((await fitted.predict(model, [text], { pos: "last" }))[0]);
    await expect(fitted.predict(model, [text], { prependBos: !habit, pos: "last" })).rejects.toThrow(
      "the probe remembers",
    );
  });

  it("predicts and evaluates texts that it has not seen, and refuses those that it has", async () => {
    const { layer } = fitted.best;
    const fresh = [
      { text: "The dragons", label: "plural" },
      { text: "The dragon", label: "singular" },
    ];
    const [first] = await fitted.predict(model, ["The dragons"], { layer, pos: "last" });
    const { probabilities = [], value = 0, label } = first ?? {};
    expect(probabilities.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    expect(label).toBe(value > 0 ? "plural" : "singular");
    const score = await fitted.evaluate(model, fresh, { layer, pos: "last" });
    expect([0, 0.5, 1]).toContain(score.accuracy);
    expect(score.deviation).toBeNaN();
    await expect(fitted.evaluate(model, examples.slice(0, 2), { pos: "last" })).rejects.toThrow("which was trained on");
    const [{ text = "" } = {}] = examples;
    await expect(fitted.evaluate(model, [{ text, label: "plural" }], { pos: "last" })).rejects.toThrow(
      "a text that was trained on",
    );
    await expect(fitted.evaluate(model, [{ text: "Cats", label: "dual" }], { pos: "last" })).rejects.toThrow(
      'probe result: evaluate: example 0: got the label "dual"; expected one of singular, plural.',
    );
  });

  it("is saved and loaded whole", async () => {
    const folder = await mkdtemp(join(tmpdir(), "limpid-probe-"));
    try {
      await fitted.save(join(folder, "probe"));
      const back = await probe.load(join(folder, "probe"));
      expect(back.scores).toEqual(fitted.scores);
      expect(back.toString()).toBe(fitted.toString());
      expect(numbersOf(back.direction(1, { pos: "last" }).direction)).toEqual(
        numbersOf(fitted.direction(1, { pos: "last" }).direction),
      );
      await expect(fitted.save(join(folder, "probe"))).rejects.toThrow();
      const path = join(folder, "probe", "probe.json");
      await writeFile(path, (await readFile(path, "utf8")).replace("limpid-probe/1", "other/1"));
      await expect(probe.load(join(folder, "probe"))).rejects.toThrow(
        'got format "other/1"; expected a whole "limpid-probe/1"',
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("draws the score by layer with baseline and control", () => {
    const text = fitted.toView().toText();
    expect(text).toContain("accuracy at last");
    expect(text).toContain("commonest label");
    expect(fitted.toString()).toContain("Probe (logistic) of singular / plural: 60 examples, 4 folds by group");
  });
});

describe("steering and ablating with a probe", () => {
  it("project takes the component out, to 0 or to that of a point, or keeps it alone", async () => {
    const way = fitted.direction(1, { pos: "last" });
    const center = Tensor.of(
      Float32Array.from({ length: model.config.dModel }, (_, j) => Math.sin(j)),
      [model.config.dModel],
    );
    const plain = (await model.run("The boys", { capture: way.hook })).cache.get(way.hook);
    const unit = numbersOf(way.direction);
    const rowsOf = (x: Tensor): number[][] => {
      const data = numbersOf(x);
      return Array.from({ length: data.length / unit.length }, (_, i) =>
        data.slice(i * unit.length, (i + 1) * unit.length),
      );
    };
    const dot = (row: readonly number[]): number => row.reduce((s, v, j) => s + v * (unit[j] ?? 0), 0);
    const middle = dot(numbersOf(center));
    const cases: readonly [Parameters<typeof edit.project>[2], (row: number[]) => number[]][] = [
      [{}, (row) => row.map((v, j) => v - dot(row) * (unit[j] ?? 0))],
      [{ center }, (row) => row.map((v, j) => v - (dot(row) - middle) * (unit[j] ?? 0))],
      [{ keep: "component" }, (row) => row.map((_, j) => dot(row) * (unit[j] ?? 0))],
      [{ keep: "component", center }, (row) => row.map((_, j) => Math.sin(j) + (dot(row) - middle) * (unit[j] ?? 0))],
    ];
    for (const [options, want] of cases) {
      const run = await model.with(edit.project(way.hook, way, options)).run("The boys", { capture: way.hook });
      const got = rowsOf(run.cache.get(way.hook)).flat();
      const expected = rowsOf(plain).flatMap(want);
      expect(Math.max(...got.map((x, i) => Math.abs(x - (expected[i] ?? 0))))).toBeLessThan(2e-4);
    }
  });

  it("project orthonormalises several directions and acts where it is told", async () => {
    const hook = "blocks.0.hook_resid_post";
    const size = model.config.dModel;
    const e = (j: number, k = j): Float32Array =>
      Float32Array.from({ length: size }, (_, i) => (i === j || i === k ? 2 : 0));
    const run = await model
      .with(edit.project(hook, [e(0), e(0, 3)], { pos: "last" }))
      .run("The boys", { capture: hook });
    const plain = await model.run("The boys", { capture: hook });
    const [got, was] = [run.cache.get(hook).at({ batch: 0 }), plain.cache.get(hook).at({ batch: 0 })];
    const last = numbersOf(got.at({ pos: -1 }));
    expect([last[0], last[3]]).toEqual([expect.closeTo(0, 5), expect.closeTo(0, 5)]);
    expect(last[1]).toBeCloseTo(numbersOf(was.at({ pos: -1 }))[1] ?? 0, 6);
    expect(numbersOf(got.at({ pos: 0 }))).toEqual(numbersOf(was.at({ pos: 0 })));
  });

  it("project refuses what it cannot do", async () => {
    const run = (one: ReturnType<typeof edit.project>): Promise<unknown> => model.with(one).run("Hi");
    const hook = at.residPost(0);
    const unit = Float32Array.from({ length: model.config.dModel }, (_, j) => (j === 0 ? 1 : 0));
    expect(() => edit.project(hook, [])).toThrow("edit.project: got no directions; expected at least one.");
    await expect(run(edit.project(hook, new Float32Array(3)))).rejects.toThrow(
      "edit.project: got a direction of shape [3]",
    );
    await expect(run(edit.project(hook, [unit, unit]))).rejects.toThrow(
      "direction 1, which lies in the span of those before",
    );
    await expect(run(edit.project(hook, new Float32Array(model.config.dModel)))).rejects.toThrow(
      "direction 0 of length 0",
    );
    await expect(run(edit.project(at.pattern(0), unit))).rejects.toThrow("expected one vector for each token");
  });

  it("a sweep equals runs with edit.steer one by one", async () => {
    const way = fitted.direction(1, { pos: "last" });
    const prompts = ["The boy", "The girls near the car"];
    const ids = [" is", " are"].map((text) => model.toSingleToken(text));
    const diff = metric.logitDiff({
      answerTokens: [[ids[0] ?? 0], [ids[0] ?? 0]],
      wrongAnswerTokens: [[ids[1] ?? 0], [ids[1] ?? 0]],
    });
    const sweep = await steering.sweep(model, prompts, {
      direction: way,
      strengths: [-0.4, 0, 0.4],
      metric: diff,
      tokens: [" is"],
    });
    for (const [s, strength] of [-0.4, 0, 0.4].entries()) {
      const run = await model
        .with(edit.steer(way, { strength, unit: "norm" }))
        .run(prompts, { metric: diff, logits: "last" });
      const want = numbersOf(run.metric);
      expect(sweep.of(diff.name)[s]?.perPrompt).toEqual(want.map((x): unknown => expect.closeTo(x, 3)));
      const chances = numbersOf(run.logits.softmax("dVocabOut").at({ dVocabOut: ids[0] ?? 0 }));
      expect(sweep.of(" is")[s]?.perPrompt).toEqual(chances.map((x): unknown => expect.closeTo(x, 5)));
    }
    expect(sweep.kl[1]?.mean).toBeCloseTo(0, 5);
    expect(sweep.kl[0]?.mean).toBeGreaterThan(1e-4);
    expect(sweep.toString()).toContain("Steering sweep at blocks.1.hook_resid_post");
    expect(sweep.toView().toText()).toContain("nats");
  });

  it("plain lengths and mean activations are units too, and positions can be chosen", async () => {
    const way = fitted.direction(1, { pos: "last" });
    const sizes = { direction: 3, activation: 3 / (way.meanActivation ?? 1) };
    const [a, b] = await Promise.all(
      (["direction", "activation"] as const).map((unit) =>
        steering.sweep(model, "The boy", {
          direction: way,
          unit,
          strengths: [sizes[unit]],
          tokens: [" is"],
          select: { pos: "last" },
        }),
      ),
    );
    expect(a?.points[0]?.mean).toBeCloseTo(b?.points[0]?.mean ?? 0, 5);
    const run = await model
      .with(edit.add(way.hook, way.direction.mul(3), { pos: "last" }))
      .run("The boy", { logits: "last" });
    const chance = run.logits
      .softmax("dVocabOut")
      .at({ batch: 0, pos: 0, dVocabOut: model.toSingleToken(" is") })
      .item();
    expect(a?.points[0]?.mean).toBeCloseTo(chance, 5);
  });

  it("a sweep refuses what it cannot do", async () => {
    const direction = fitted.direction(1, { pos: "last" });
    const sweep = (options: object): Promise<unknown> =>
      steering.sweep(model, "The boy", { direction, strengths: [1], tokens: [" is"], ...options });
    await expect(sweep({ tokens: [] })).rejects.toThrow("steering.sweep: got neither metric nor tokens");
    await expect(sweep({ strengths: [] })).rejects.toThrow("steering.sweep: strengths: got []");
    await expect(sweep({ direction: new Float32Array(4) })).rejects.toThrow("steering.sweep: hook: got no name");
    const hook = direction.hook;
    await expect(sweep({ hook, direction: new Float32Array(4) })).rejects.toThrow("a direction of length 0");
    await expect(sweep({ hook: "nowhere" })).rejects.toThrow('steering.sweep: hook: got "nowhere"');
    const plain = direction.direction;
    await expect(sweep({ hook, direction: plain, unit: "activation" })).rejects.toThrow("without a mean activation");
    await expect(steering.sweep(model, [], { direction, strengths: [1], tokens: [" is"] })).rejects.toThrow(
      "got no prompts",
    );
  });
});

describe.skipIf(dataFolder === undefined)("routing-toy, whose circuit is known", () => {
  it("the selector is readable from the start, the selected feature not before attention moves it", async () => {
    const toy = await loadModel(oracle("routing-toy"));
    try {
      const random = createRandom(0);
      const rows = Array.from({ length: 320 }, (_, i) => ({
        slots: [0, 1, 2, 3].map(() => random.int(0, 8)),
        selector: i % 4,
      }));
      const tokens = rows.map(({ slots, selector }) => [...slots, 8 + selector]);
      const selector = rows.map((row, i) => ({ tokens: tokens[i] ?? [], label: `slot ${row.selector}` }));
      const answer = rows.map((row, i) => ({ tokens: tokens[i] ?? [], label: `f${row.slots[row.selector]}` }));
      const options = { resamples: 20, folds: 4, control: false } as const;
      const first = await probe.fit(toy, selector, { ...options, site: "resid_pre", layers: [0] });
      expect(first.scores[0]?.accuracy).toBe(1);
      const second = await probe.fit(toy, answer, options);
      expect(second.scores[1]?.accuracy).toBeGreaterThan(0.98);
      const before = await probe.fit(toy, answer, { ...options, site: "resid_pre", layers: [0] });
      expect(before.best.accuracy).toBeLessThan(0.35);
    } finally {
      await toy.close();
    }
  });
});
