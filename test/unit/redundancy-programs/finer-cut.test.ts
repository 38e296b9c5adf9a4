/** Greedy removal against plain loops over whole runs, for every distance. */
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { languageModelTrainer } from "../../../src/analysis/index.js";
import { edit, type Model } from "../../../src/model/index.js";
import {
  type CutDistance,
  finerCut,
  type Part,
  partName,
  sublayersOf,
  withoutParts,
} from "../../../src/redundancy/index.js";
import { adamW } from "../../../src/train/index.js";
import { fixture } from "../../helpers/fixtures.js";
import { scratchModels } from "../../helpers/scratch-models.js";

const { folder, open: openPath } = scratchModels("finer-cut");

/** A random GPT-2 of three layers. */
async function writeThreeLayers(): Promise<string> {
  const config = { model_type: "gpt2", n_layer: 3, n_embd: 16, n_head: 2, n_positions: 16, vocab_size: 23 };
  const { trainer, writeModel } = languageModelTrainer({
    model: { ...config, activation_function: "gelu_new", layer_norm_epsilon: 1e-5 },
    batch: 1,
    seed: 4,
    initialStd: 0.4,
    optimizer: adamW({ learningRate: 1e-3 }),
  });
  const path = join(folder, "three-layers");
  await writeModel(path);
  await trainer.close();
  return path;
}

async function open(name: string): Promise<Model> {
  return openPath(name === "three layers" ? await writeThreeLayers() : fixture("architectures", name));
}

const rows = [
  [3, 1, 4, 1, 5, 9, 2, 6],
  [2, 7, 1, 8, 2, 8],
  [1, 6, 1, 8, 0, 3, 3, 9],
  [5, 7, 7, 2, 1, 5],
];

/** Logits of whole runs, `[row][pos][token]`. */
async function logitsOf(model: Model): Promise<readonly (readonly number[])[][]> {
  const all: number[][][] = [];
  for (const row of rows) {
    const { logits } = await model.run(row, { prependBos: false });
    const data = Array.from(logits.contiguous().data, Number);
    const size = data.length / row.length;
    all.push(row.map((_, pos) => data.slice(pos * size, (pos + 1) * size)));
  }
  return all;
}

function softmax(logits: readonly number[]): readonly number[] {
  const most = Math.max(...logits);
  const powers = logits.map((x) => Math.exp(x - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / total);
}

function klOf(p: readonly number[], q: readonly number[]): number {
  return p.reduce((sum, x, i) => sum + (x === 0 ? 0 : x * Math.log(x / (q[i] ?? 0))), 0);
}

const byHand: Readonly<
  Record<CutDistance, (a: readonly (readonly number[])[], b: readonly (readonly number[])[]) => number>
> = {
  kl: (a, b) => meanOver(a, b, (p, q) => klOf(softmax(p), softmax(q))),
  js: (a, b) => meanOver(a, b, (p, q) => (klOf(softmax(p), middle(p, q)) + klOf(softmax(q), middle(p, q))) / 2),
  legacyJs: (a, b) => meanOver(a, b, (p, q) => (klOf(middle(p, q), softmax(p)) + klOf(middle(p, q), softmax(q))) / 2),
  angular: (a, b) =>
    meanOver(a, b, (p, q) => Math.acos(Math.min(1, inner(p, q) / Math.sqrt(inner(p, p) * inner(q, q))))),
  norm: (a, b) => Math.hypot(...a.flatMap((p, pos) => p.map((x, i) => x - (b[pos]?.[i] ?? 0)))),
};

function meanOver(
  a: readonly (readonly number[])[],
  b: readonly (readonly number[])[],
  one: (p: readonly number[], q: readonly number[]) => number,
): number {
  return a.reduce((sum, p, pos) => sum + one(p, b[pos] ?? []), 0) / a.length;
}

function middle(p: readonly number[], q: readonly number[]): readonly number[] {
  const [a, b] = [softmax(p), softmax(q)];
  return a.map((x, i) => (x + (b[i] ?? 0)) / 2);
}

function inner(p: readonly number[], q: readonly number[]): number {
  return p.reduce((sum, x, i) => sum + x * (q[i] ?? 0), 0);
}

/** The greedy order by whole runs and plain loops. */
async function bruteForce(
  model: Model,
  distance: CutDistance,
  most: number,
): Promise<readonly { readonly name: string; readonly distance: number }[]> {
  const full = await logitsOf(model);
  const all = sublayersOf(model).filter(({ layer }) => model.view.layers.includes(layer));
  const gone: Part[] = [];
  const steps: { name: string; distance: number }[] = [];
  while (gone.length < most) {
    const left = all.filter((part) => !gone.includes(part));
    const found: number[] = [];
    for (const part of left) {
      const own = await logitsOf(withoutParts(model, [...gone, part]));
      found.push(full.reduce((sum, row, i) => sum + byHand[distance](row, own[i] ?? []), 0) / full.length);
    }
    const least = Math.min(...found);
    const best = left[found.indexOf(least)];
    if (best === undefined) break;
    gone.push(best);
    steps.push({ name: partName(best), distance: least });
  }
  return steps;
}

describe("greedy removal is what whole runs and plain loops say", () => {
  test.each([
    ["three layers", "kl"],
    ["three layers", "legacyJs"],
    ["gpt2", "kl"],
    ["gpt2", "js"],
    ["gpt2", "legacyJs"],
    ["gpt2", "angular"],
    ["gpt2", "norm"],
    ["pythia", "kl"],
    ["gemma2", "kl"],
    ["qwen3", "norm"],
    ["tl-attn-only", "kl"],
  ] as const)("%s by %s", async (name, distance) => {
    const model = await open(name);
    const most = sublayersOf(model).length - 1;
    const found = await finerCut(model, rows, { distance });
    const expected = await bruteForce(model, distance, most);
    expect(found.parts.map(partName)).toEqual(expected.map((step) => step.name));
    for (const [i, step] of found.steps.entries()) {
      const wanted = expected[i]?.distance ?? Number.NaN;
      // Reused prefixes change nothing beyond rounding; angles near 0 lose half of the digits in the cosine.
      expect(Math.abs(step.distance - wanted)).toBeLessThan(distance === "angular" ? 2e-3 : 1e-5 * Math.max(1, wanted));
    }
    expect(found.compared.rows).toBeLessThanOrEqual(found.compared.of);
  });
});

describe("options", () => {
  let model: Model;
  beforeAll(async () => {
    model = await open("gpt2");
  });

  test("one-shot judges each part alone, and its first is greedy's first", async () => {
    const once = await finerCut(model, rows, { oneShot: true });
    const greedy = await finerCut(model, rows);
    expect(once.steps).toHaveLength(3);
    expect(partName(once.steps[0]?.part ?? { kind: "block", layer: -1 })).toBe(
      partName(greedy.steps[0]?.part ?? { kind: "block", layer: -2 }),
    );
    const distances = once.steps.map(({ distance }) => distance);
    expect(distances).toEqual(distances.toSorted((a, b) => a - b));
    expect(String(once)).toContain("one-shot");
    expect(greedy.toView().summary()).toContain("gone");
  });

  test("spared layers stay until enough is gone", async () => {
    // Of two layers int(2 * 0.4) + 1 = 1 is spared, until int(4 * 0.4) + 1 = 2 parts are gone.
    const found = await finerCut(model, rows, { spare: 0.4 });
    expect(found.parts.slice(0, 2).map(({ layer }) => layer)).toEqual([1, 1]);
    expect(found.parts[2]?.layer).toBe(0);
  });

  test("a model without a block goes on losing what it still has", async () => {
    const three = await open("three layers");
    const shorter = withoutParts(three, [{ kind: "block", layer: 1 }]);
    const found = await finerCut(shorter, rows);
    expect(new Set(found.parts.map(({ layer }) => layer))).toEqual(new Set([0, 2]));
    expect(found.parts.map(partName)).toEqual((await bruteForce(shorter, "kl", 3)).map(({ name }) => name));
  });

  test("wrong ones are refused", async () => {
    await expect(finerCut(model, rows, { most: 4.5 })).rejects.toThrow("finerCut: most: got 4.5");
    await expect(finerCut(model, rows, { most: 4, parts: sublayersOf(model) })).rejects.toThrow(
      "a whole number from 1 to 3",
    );
    await expect(finerCut(model, rows, { spare: 1 })).rejects.toThrow("finerCut: spare: got 1");
    await expect(finerCut(model, rows, { parts: [{ kind: "block", layer: 0 }] })).rejects.toThrow(
      "finerCut: parts: got blocks.0",
    );
    await expect(finerCut(model, rows, { parts: sublayersOf(model).slice(0, 1) })).rejects.toThrow(
      "got 1 different parts",
    );
    const wrong = "cosine" as unknown as CutDistance;
    await expect(finerCut(model, rows, { distance: wrong })).rejects.toThrow("finerCut: distance: got cosine");
    await expect(finerCut(model, [])).rejects.toThrow("finerCut: got no rows");
    await expect(finerCut(model.with(edit.zero("blocks.0.hook_mlp_out")), rows)).rejects.toThrow(
      "got a model with edit.zero",
    );
  });
});
