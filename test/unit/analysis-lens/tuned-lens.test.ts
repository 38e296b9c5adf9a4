/** Tuned lenses: exact where they are known, better than the logit lens where they are trained, the same from the disk. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lens, type TunedLens } from "../../../src/analysis/index.js";
import { createRandom } from "../../../src/core/index.js";
import { data } from "../../../src/data/index.js";
import { writeSafetensors } from "../../../src/io/index.js";
import { loadModel, type Model } from "../../../src/model/index.js";
import { randn, type Tensor } from "../../../src/tensor/index.js";
import { dataFolder, fixture, oracle } from "../../helpers/fixtures.js";
import { logProbs, readoutOracle } from "../../helpers/readout-oracle.js";

const docs = fixture("..", "docs");
const scratch = mkdtempSync(join(tmpdir(), "limpid-lens-"));
let model: Model;
beforeAll(async () => {
  model = await loadModel(fixture("architectures", "gpt2"));
});
afterAll(async () => {
  await model.close();
  rmSync(scratch, { recursive: true });
});

const prompt = [3, 1, 4, 1, 5, 9];

/** Writes a lens by hand, with translators of our own. */
async function written(name: string, scale: number): Promise<{ folder: string; weight: Tensor; bias: Tensor }> {
  const folder = join(scratch, name);
  const { dModel } = model.config;
  const trained = await lens.tunedLens.train(model, data.tokens([prompt, prompt]), {
    steps: 1,
    contextLength: 4,
    positions: 4,
  });
  await trained.save(folder);
  const random = createRandom(3);
  const weight: Tensor = randn([2, dModel, dModel], ["row", "x", "y"], random).mul(scale);
  const bias: Tensor = randn([2, dModel], ["row", "y"], random).mul(scale);
  await writeSafetensors(join(folder, "lens.safetensors"), { weight, bias });
  return { folder, weight, bias };
}

describe("translators", () => {
  it("of zeros are the logit lens", async () => {
    const { folder } = await written("zeros", 0);
    const [a, b] = [
      await (await lens.tunedLens.open(folder)).apply(model, prompt),
      await lens.logitLens(model, prompt),
    ];
    expect(a.lens).toBe("tuned lens");
    expect(a.labels).toEqual(b.labels);
    for (const name of ["kl", "entropy", "rank", "overlap"] as const)
      expect(a[name].maxAbsDiff(b[name])).toBeLessThan(1e-6);
  });

  it("turn x into x + x W + b before the last steps; the last row stays the model's own", async () => {
    const { folder, weight, bias } = await written("random", 0.3);
    const double = model.withPrecision("float64");
    const result = await (await lens.tunedLens.open(folder)).apply(double, prompt, { topK: 3 });
    const read = await readoutOracle(double);
    const { cache } = await double.run([prompt], { capture: ["resid_pre", "resid_post"] });
    const [w, b] = [weight.toArray() as number[][][], bias.toArray() as number[][]];
    const hooks = ["blocks.0.hook_resid_pre", "blocks.0.hook_resid_post", "blocks.1.hook_resid_post"];
    for (const [row, hook] of hooks.entries())
      for (const pos of prompt.keys()) {
        const x = Array.from(cache.get(hook).at({ batch: 0, pos }).contiguous().data, Number);
        const y = x.map(
          (v, j) => v + (row === 2 ? 0 : x.reduce((s, u, i) => s + u * (w[row]?.[i]?.[j] ?? 0), b[row]?.[j] ?? 0)),
        );
        const expected = logProbs(read(y));
        for (const { id, probability } of result.top[row]?.[pos] ?? [])
          expect(Math.log(probability)).toBeCloseTo(expected[id] ?? 0, 6);
      }
  });
});

describe("training", () => {
  it("comes closer to the final layer than the logit lens at every layer, on text it did not see", async () => {
    const tiny = await loadModel("tiny");
    const page = (name: string): string => readFileSync(join(docs, name), "utf8");
    const heldOut = Array.from({ length: 6 }, (_, i) => page("hook-points.md").slice(300 * i, 300 * i + 200));
    const texts = ["edits.md", "running.md", "checkpoints.md", "tasks.md", "views.md", "training.md"].map(page);
    const tuned = await lens.tunedLens.train(tiny, texts, {
      steps: 12,
      contextLength: 32,
      positions: 128,
      learningRate: 3e-3,
    });
    const [plain, better] = [await lens.logitLens(tiny, heldOut), await tuned.apply(tiny, heldOut)];
    const [before, after] = [plain.mean("kl"), better.mean("kl")];
    expect(before).toHaveLength(tiny.config.nLayers + 1);
    for (const [row, kl] of after.slice(0, -1).entries()) expect(kl).toBeLessThan(before[row] ?? 0);
    expect(after.at(-1)).toBeLessThan(1e-6);
    for (const [row, kl] of tuned.training.lastKl.entries()) expect(kl).toBeLessThan(tuned.training.firstKl[row] ?? 0);
    await tiny.close();
  });

  it.skipIf(dataFolder === undefined)("does so on real stories, too", async () => {
    const stories = JSON.parse(readFileSync(oracle("text", "tinystories_1000.json"), "utf8")) as unknown[];
    const texts = stories.map((one) => (typeof one === "string" ? one : JSON.stringify(one)).slice(0, 800));
    const small = await loadModel(oracle("stories260k", "hf"));
    const tuned = await lens.tunedLens.train(small, texts.slice(0, 300), {
      steps: 40,
      positions: 256,
      learningRate: 3e-3,
    });
    const heldOut = texts.slice(-8).map((text) => text.slice(0, 200));
    const [before, after] = [
      (await lens.logitLens(small, heldOut)).mean("kl"),
      (await tuned.apply(small, heldOut)).mean("kl"),
    ];
    for (const [row, kl] of after.slice(0, -1).entries()) expect(kl).toBeLessThan(before[row] ?? 0);
    await small.close();
  });

  it("is the same for the same seed", async () => {
    const train = (seed: number): Promise<TunedLens> =>
      lens.tunedLens.train(model, data.tokens([prompt, [2, 7, 1, 8, 2, 8], [1, 1, 2, 3, 5, 8]]), {
        steps: 3,
        contextLength: 6,
        positions: 6,
        seed,
      });
    const [a, b, c] = [await train(1), await train(1), await train(2)];
    expect(a.weight.equals(b.weight)).toBe(true);
    expect(a.weight.equals(c.weight)).toBe(false);
  });

  it("reports each step and stops when the signal aborts", async () => {
    const controller = new AbortController();
    const labels: string[] = [];
    const training = lens.tunedLens.train(model, data.tokens([prompt]), {
      steps: 50,
      contextLength: 6,
      positions: 6,
      signal: controller.signal,
      onProgress: ({ done, total, label }) => {
        labels.push(`${label} ${done}/${total}`);
        if (done === 2) controller.abort();
      },
    });
    await expect(training).rejects.toThrow(/abort/i);
    expect(labels).toEqual(["tuned lens: steps 1/50", "tuned lens: steps 2/50"]);
  });

  it("refuses too little text and options out of range", async () => {
    await expect(
      lens.tunedLens.train(model, data.tokens([[1, 2]]), { contextLength: 4, positions: 4 }),
    ).rejects.toThrow(/packed \{"contextLength":4.*got 1 documents without a row.*expected at least one row/);
    await expect(lens.tunedLens.train(model, data.tokens([prompt]), { steps: 0 })).rejects.toThrow(
      "lens.tunedLens.train: steps: got 0; expected a whole number, 1 or more. Correct the number.",
    );
    await expect(lens.tunedLens.train(model, data.tokens([prompt]), { contextLength: 99 })).rejects.toThrow(
      "lens.tunedLens.train: contextLength: got 99; expected a whole number from 1 to 19. Correct the number.",
    );
    await expect(
      lens.tunedLens.train(model, data.tokens([prompt]), { contextLength: 8, positions: 4 }),
    ).rejects.toThrow(
      "lens.tunedLens.train: positions: got 4; expected a whole number, 8 or more. Correct the number.",
    );
  });
});

describe("a saved lens", () => {
  it("is the same when it is opened", async () => {
    const trained = await lens.tunedLens.train(model, data.tokens([prompt]), {
      steps: 2,
      contextLength: 6,
      positions: 6,
    });
    const folder = join(scratch, "saved");
    await trained.save(folder);
    const opened = await lens.tunedLens.open(folder);
    expect(opened.weight.equals(trained.weight)).toBe(true);
    expect(opened.bias.equals(trained.bias)).toBe(true);
    expect(opened.training).toEqual(trained.training);
    expect([opened.model, opened.identity, opened.hooks]).toEqual([trained.model, trained.identity, trained.hooks]);
    expect(String(opened)).toBe(String(trained));
    expect(String(opened)).toMatch(
      /^tuned lens of ".*": 2 steps of 6 positions of .*\n {2}blocks\.0\.hook_resid_pre {2}KL to final \d/,
    );
    expect(opened.toView().spec.view).toBe("lines");
    await expect(trained.save(folder)).rejects.toThrow(/exists/);
  });

  it("refuses other weights and other streams", async () => {
    const { folder } = await written("mine", 0);
    const mine = await lens.tunedLens.open(folder);
    const other = await loadModel(fixture("architectures", "gpt2-untied"));
    await expect(mine.apply(other, prompt)).rejects.toThrow(
      /tunedLens\.apply: got the model ".*gpt2-untied" with weights .*; expected the weights of ".*gpt2": .*Use the model that the lens was trained on, or train another\./,
    );
    await other.close();
    await expect(mine.apply(model.processed({ centerWritingWeights: true }), prompt)).rejects.toThrow(
      /got a view with centerWritingWeights: true; expected centerWritingWeights: false, as in training/,
    );
    expect((await mine.apply(model.processed({ foldLn: true }), prompt)).labels).toHaveLength(3);
  });

  it("refuses files that were changed", async () => {
    const { folder } = await written("broken", 0);
    const path = join(folder, "lens.json");
    const json = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    const breaks: readonly (readonly [Record<string, unknown>, RegExp])[] = [
      [{ ...json, format: "other/1" }, /got other\/1; expected limpid-tuned-lens\/1/],
      [{ ...json, hooks: 3 }, /"hooks": got 3; expected a list of texts/],
      [{ ...json, model: 3 }, /"model": got 3; expected a text/],
      [{ ...json, processing: "x" }, /processing: "the whole": got "x"; expected an object/],
      [{ ...json, processing: { foldLn: 1 } }, /"foldLn": got 1; expected true or false/],
      [{ ...json, training: {} }, /"steps": got nothing; expected a number/],
      [
        { ...json, training: { ...(json["training"] as object), firstKl: [""] } },
        /"firstKl".*expected a list of numbers/,
      ],
      [{ ...json, hooks: ["a"] }, /"weight": got \[2, 15, 15\]; expected \[1, dModel, dModel\]/],
    ];
    for (const [content, message] of breaks) {
      writeFileSync(path, JSON.stringify(content));
      await expect(lens.tunedLens.open(folder)).rejects.toThrow(message);
    }
  });
});
