/** The index of examples against plain loops over every activation. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import { collectExamples, type FeatureExamples, openExamples } from "../../../src/dictionary/index.js";
import { loadModel, type Model } from "../../../src/model/index.js";
import { randomDictionary } from "../dictionary/random-dictionary.js";

const nFeatures = 24;
const dictionary = randomDictionary({
  dIn: 192,
  nFeatures,
  readHook: "blocks.1.hook_resid_post",
  activation: { kind: "topk", k: 3, scalesByDecoderNorm: false },
});

interface Seen {
  readonly row: number;
  readonly position: number;
  readonly value: number;
}

let model: Model;
let folder: string;
let rows: readonly (readonly number[])[];
let special = 0;
/** By feature, every firing; and every activation by row, position and feature. */
let firings: Seen[][];
let acts: number[][][];
let counted = 0;

beforeAll(async () => {
  model = await loadModel("tiny");
  folder = mkdtempSync(join(tmpdir(), "limpid-examples-"));
  special = model.tokenizer.bosId ?? -1;
  const random = createRandom(5);
  rows = Array.from({ length: 12 }, (_, i) => [
    special,
    ...Array.from({ length: 5 + (i % 4) * 6 }, () => random.int(300, 4000)),
  ]);
  firings = Array.from({ length: nFeatures }, () => []);
  acts = [];
  for (const [row, ids] of rows.entries()) {
    const run = await model.run([ids], { capture: [dictionary.readHook] });
    const { acts: own } = await dictionary.forward(run.cache.get(dictionary.readHook));
    acts.push(ids.map((_, p) => Array.from(own.data as Float32Array).slice(p * nFeatures, (p + 1) * nFeatures)));
    ids.forEach((id, position) => {
      if (id === special) return;
      counted += 1;
      for (let f = 0; f < nFeatures; f++) {
        const value = acts[row]?.[position]?.[f] ?? 0;
        if (value > 0) firings[f]?.push({ row, position, value });
      }
    });
  }
});
afterAll(async () => {
  await model.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Rows as batches of some size, padded on the right. */
function batches(size: number): { tokens: number[][]; attentionMask: number[][] }[] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, b) => {
    const own = rows.slice(b * size, (b + 1) * size);
    const width = Math.max(...own.map((row) => row.length));
    const fill = (row: readonly number[]): number[] => [...row, ...Array<number>(width - row.length).fill(0)];
    return { tokens: own.map(fill), attentionMask: own.map((row) => fill(row.map(() => 1))) };
  });
}

const options = { top: 4, quantiles: 3, perQuantile: 2, context: 3 };
const byValue = (a: Seen, b: Seen): number => b.value - a.value;

async function everything(examples: FeatureExamples): Promise<unknown[]> {
  return Promise.all(Array.from({ length: nFeatures }, (_, f) => examples.feature(f)));
}

describe("one pass", () => {
  let examples: FeatureExamples;
  beforeAll(async () => {
    examples = await collectExamples(model, dictionary, batches(5), options);
  });

  test("density, mean, maximum and histogram count every firing", async () => {
    const { density, meanActivation, maxActivation, tokens } = examples.statistics;
    expect(tokens).toBe(counted);
    for (let f = 0; f < nFeatures; f++) {
      const own = (firings[f] ?? []).map(({ value }) => value);
      expect(density[f]).toBeCloseTo(own.length / counted, 6);
      expect(maxActivation[f]).toBeCloseTo(Math.max(0, ...own), 4);
      if (own.length > 0) expect(meanActivation[f]).toBeCloseTo(own.reduce((a, b) => a + b, 0) / own.length, 4);
      const { histogram, histogramMax } = await examples.feature(f);
      expect(histogram.reduce((a, b) => a + b, 0)).toBe(own.length);
      const top = Math.max(...own);
      if (own.length > 0) expect(histogramMax >= top && histogramMax < 2 * top).toBe(true);
      histogram.forEach((count, bin) => {
        const width = histogramMax / histogram.length;
        const inside = own.filter((v) => v > bin * width + 1e-4 && v < (bin + 1) * width - 1e-4).length;
        const around = own.filter((v) => v > bin * width - 1e-4 && v < (bin + 1) * width + 1e-4).length;
        expect(count >= inside && count <= around).toBe(true);
      });
    }
    expect(examples.dead).toEqual(Array.from(firings.keys()).filter((f) => firings[f]?.length === 0));
  });

  test("the greatest examples are the greatest of each row", async () => {
    for (let f = 0; f < nFeatures; f++) {
      const own = firings[f] ?? [];
      const best = [...new Set(own.map(({ row }) => row))]
        .map((row) => own.filter((one) => one.row === row).sort(byValue)[0] as Seen)
        .sort(byValue)
        .slice(0, 4);
      const [group] = (await examples.feature(f)).groups;
      const found = group?.examples ?? [];
      expect(found.map(({ row, position }) => [row, position])).toEqual(
        best.map(({ row, position }) => [row, position]),
      );
      found.forEach(({ value }, i) => expect(value).toBeCloseTo(best[i]?.value ?? 0, 4));
    }
  });

  test("windows hold the tokens around and their activations, none at special tokens", async () => {
    for (const f of [0, 5, 11]) {
      for (const { examples: own } of (await examples.feature(f)).groups) {
        for (const { row, position, ids, activations, center, tokens, value } of own) {
          const from = Math.max(0, position - 3);
          const around = (rows[row] ?? []).slice(from, position + 4);
          expect(ids).toEqual(around);
          expect(center).toBe(position - from);
          expect(activations[center]).toBeCloseTo(value, 5);
          activations.forEach((one, i) => {
            const wanted = ids[i] === special ? 0 : (acts[row]?.[from + i]?.[f] ?? 0);
            expect(one).toBeCloseTo(wanted, 4);
          });
          expect(tokens[center]).toBe(model.tokenizer.piece(ids[center] ?? 0));
        }
      }
    }
  });

  test("with fewer firings than the sample, groups are exact quantiles, the highest first", async () => {
    const f = firings.findIndex((own) => own.length >= 6 && own.length <= 24);
    const own = [...(firings[f] ?? [])].sort(byValue);
    const { groups } = await examples.feature(f);
    expect(groups.map(({ title }) => title)).toEqual([
      "greatest",
      "67–100 % of firings",
      "33–67 % of firings",
      "0–33 % of firings",
    ]);
    groups.slice(1).forEach(({ low, high, examples: shown }, q) => {
      const part = own.slice(Math.floor((q * own.length) / 3), Math.floor(((q + 1) * own.length) / 3));
      expect(high).toBeCloseTo(part[0]?.value ?? 0, 4);
      expect(low).toBeCloseTo(part.at(-1)?.value ?? 0, 4);
      expect(shown).toHaveLength(Math.min(2, part.length));
      for (const { value } of shown) expect(value >= low && value <= high).toBe(true);
    });
  });

  test("it does not depend on the size of batches", async () => {
    const other = await collectExamples(model, dictionary, batches(2), options);
    const round = (value: unknown): unknown =>
      JSON.parse(
        JSON.stringify(value, (_, one: unknown) => (typeof one === "number" ? Math.round(one * 1e3) / 1e3 : one)),
      );
    expect(round(await everything(other))).toEqual(round(await everything(examples)));
  });

  test("it prints itself", () => {
    expect(examples.toString()).toContain(`Examples of random: 24 features on ${counted} tokens of tiny`);
    expect(dictionary.withStatistics(examples.statistics).feature(0).maxActivation).toBe(
      examples.statistics.maxActivation[0],
    );
  });
});

describe("on disk", () => {
  test("an index reads back as it was collected", async () => {
    const path = join(folder, "index");
    const [memory, disk] = [
      await collectExamples(model, dictionary, batches(5), options),
      await collectExamples(model, dictionary, batches(5), { ...options, folder: path }),
    ];
    expect(await everything(disk)).toEqual(await everything(memory));
    const opened = await openExamples(path);
    expect(await everything(opened)).toEqual(await everything(memory));
    expect(opened.header).toEqual(memory.header);
    expect(opened.statistics).toEqual(memory.statistics);
  });

  test("a folder that exists is refused unless it may be replaced", async () => {
    const path = join(folder, "index");
    await expect(collectExamples(model, dictionary, batches(5), { folder: path, tokens: 5 })).rejects.toThrow("exists");
    const replaced = await collectExamples(model, dictionary, batches(5), { folder: path, tokens: 5, overwrite: true });
    expect(replaced.tokens).toBe(5);
  });

  test("a run that was stopped continues to the same index", async () => {
    const checkpoint = join(folder, "state.safetensors");
    const controller = new AbortController();
    const stopped = collectExamples(model, dictionary, batches(1), {
      ...options,
      checkpoint: { path: checkpoint, everyBatches: 2 },
      signal: controller.signal,
      onProgress: ({ done }) => {
        if (done > counted / 2) controller.abort();
      },
    });
    await expect(stopped).rejects.toThrow("abort");
    const continued = await collectExamples(model, dictionary, batches(1), {
      ...options,
      checkpoint: { path: checkpoint, everyBatches: 2 },
    });
    const whole = await collectExamples(model, dictionary, batches(1), options);
    expect(await everything(continued)).toEqual(await everything(whole));
  });

  test("other folders and damaged ones are refused", async () => {
    const path = join(folder, "damaged");
    await collectExamples(model, dictionary, batches(5), { ...options, folder: path });
    const json = JSON.parse(readFileSync(join(path, "index.json"), "utf8")) as Record<string, unknown>;
    const write = (value: unknown): void => writeFileSync(join(path, "index.json"), JSON.stringify(value));
    write({ ...json, limpidExamples: 2 });
    await expect(openExamples(path)).rejects.toThrow("got version 2; expected an index of examples");
    write({ ...json, dictionary: {} });
    await expect(openExamples(path)).rejects.toThrow("got missing or misshapen fields");
    write({ ...json, context: 4 });
    await expect(openExamples(path)).rejects.toThrow('got "acts" of shape');
    write({ ...json, dictionary: { ...(json["dictionary"] as object), nFeatures: 25 } });
    await expect(openExamples(path)).rejects.toThrow("of shape [24");
    await expect(openExamples(folder)).rejects.toThrow("index.json");
  });
});

describe("wrong use", () => {
  test("counts that make no sense, missing hook points, features outside, no token", async () => {
    await expect(collectExamples(model, dictionary, ["a"], { top: -1 })).rejects.toThrow(
      "collectExamples: top: got -1; expected a whole number from 0 to 1000",
    );
    const other = randomDictionary({ dIn: 192, readHook: "blocks.8.hook_resid_post" });
    await expect(collectExamples(model, other, ["a"])).rejects.toThrow("blocks.8.hook_resid_post");
    const examples = await collectExamples(model, dictionary, ["The ship was in the north"], { context: 0 });
    await expect(examples.feature(24)).rejects.toThrow(
      "examples.feature: got 24; expected a whole number from 0 to 23",
    );
    await expect(collectExamples(model, dictionary, [[[special]]])).rejects.toThrow("no counted tokens");
    await expect(collectExamples(model, dictionary, batches(5), { memoryLimit: 1000 })).rejects.toThrow("memoryLimit");
  });
});
