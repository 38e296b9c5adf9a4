/** Masks of weights: their algebra, their files, and what they refuse. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeSafetensors } from "../../../src/io/index.js";
import { type WeightMask, weightMask } from "../../../src/masks/index.js";
import { findArchitecture } from "../../../src/model/architectures/registry.js";
import { configReader } from "../../../src/model/config-reader.js";
import { edit, loadModel, type Model, weightMatrices } from "../../../src/model/index.js";
import { maskableMatrices, sizeOf } from "../../../src/model/weights/maskable.js";
import { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-masks-"));
let gpt2: Model;
let grouped: Model;
let half: WeightMask;
beforeAll(async () => {
  gpt2 = await loadModel(fixture("architectures", "gpt2"));
  grouped = await loadModel(fixture("architectures", "qwen3"));
  half = weightMask.where(gpt2, (_, index) => index % 3 === 0);
});
afterAll(async () => {
  await gpt2.close();
  await grouped.close();
  rmSync(folder, { recursive: true });
});

test("GPT-2 small has 84,934,656 weights in attention and MLPs", () => {
  const raw = {
    model_type: "gpt2",
    n_layer: 12,
    n_head: 12,
    n_embd: 768,
    n_ctx: 1024,
    n_positions: 1024,
    vocab_size: 50257,
  };
  const architecture = findArchitecture(raw, "GPT-2");
  const config = architecture.readConfig(configReader(raw, "GPT-2"));
  const matrices = maskableMatrices({ config, map: architecture.weightMap(config, () => true) });
  expect(matrices.reduce((sum, { shape }) => sum + sizeOf(shape), 0)).toBe(84_934_656);
});

describe("the algebra", () => {
  test("counts add up, by matrix and by kind", () => {
    const full = weightMask.full(gpt2);
    expect(full.count).toBe(full.total);
    expect(weightMask.empty(gpt2).count).toBe(0);
    expect(half.count + half.complement().count).toBe(half.total);
    expect(half.counts().reduce((sum, { kept }) => sum + kept, 0)).toBe(half.count);
    expect([...half.byKind().values()].reduce((sum, { kept }) => sum + kept, 0)).toBe(half.count);
    for (const { matrix, kept, total } of half.counts()) {
      expect(total).toBe(sizeOf(matrix.shape));
      expect(kept).toBe(Math.ceil(total / 3));
    }
  });

  test("union, intersection, difference and complement are those of sets", () => {
    const other = weightMask.where(gpt2, (_, index) => index % 2 === 0);
    const [name = ""] = [...half.matrices.keys()];
    const [, width = 1] = half.shapes[0]?.shape.slice(-2) ?? [];
    const has = (mask: WeightMask, index: number): boolean =>
      mask.has(name, 0, Math.floor(index / width), index % width);
    for (let i = 0; i < 40; i++) {
      const [a, b] = [i % 3 === 0, i % 2 === 0];
      expect(has(half.union(other), i)).toBe(a || b);
      expect(has(half.intersection(other), i)).toBe(a && b);
      expect(has(half.difference(other), i)).toBe(a && !b);
      expect(has(half.complement(), i)).toBe(!a);
    }
    expect(half.union(half.complement()).equals(weightMask.full(gpt2))).toBe(true);
    expect(half.complement().complement().equals(half)).toBe(true);
    expect(half.equals(other)).toBe(false);
  });

  test("a head, neurons, a layer are set whole and alone", () => {
    const { dModel, dHead, nHeads, dMlp } = gpt2.config;
    const empty = weightMask.empty(gpt2);
    const head = empty.setHead(1, 2);
    expect(head.count).toBe(4 * dModel * dHead);
    expect(head.has("blocks.1.attn.W_Q", 2, 0, 0)).toBe(true);
    expect(head.has("blocks.1.attn.W_O", 2, dHead - 1, dModel - 1)).toBe(true);
    expect(head.has("blocks.1.attn.W_Q", 1, 0, 0)).toBe(false);
    expect(head.setHead(1, 2, false).count).toBe(0);
    const neurons = empty.setNeurons(0, [0, 5]);
    expect(neurons.count).toBe(2 * 2 * dModel);
    expect(neurons.has("blocks.0.mlp.W_in", 3, 5)).toBe(true);
    expect(neurons.has("blocks.0.mlp.W_out", 5, 3)).toBe(true);
    expect(neurons.has("blocks.0.mlp.W_out", 4, 3)).toBe(false);
    expect(empty.setLayer(0).count).toBe(4 * dModel * dHead * nHeads + 2 * dModel * dMlp);
    expect(empty.setLayer(0, true, "mlp").count).toBe(2 * dModel * dMlp);
    // Grouped keys and values belong to several heads: they are kept with any of them, and not dropped with one.
    const { nKeyValueHeads, nHeads: heads } = grouped.config;
    expect(heads).toBeGreaterThan(nKeyValueHeads);
    const one = weightMask.empty(grouped).setHead(0, heads - 1);
    expect(one.has("blocks.0.attn.W_K", nKeyValueHeads - 1, 0, 0)).toBe(true);
    expect(one.setHead(0, heads - 1, false).has("blocks.0.attn.W_K", nKeyValueHeads - 1, 0, 0)).toBe(true);
  });

  test("random masks are as large, matrix by matrix or row by row", () => {
    const lopsided = weightMask.where(gpt2, ({ shape }, index) => Math.floor(index / (shape.at(-1) ?? 1)) % 4 === 0);
    const rows = weightMask.random(lopsided, { within: "row", seed: 1 });
    const whole = weightMask.random(lopsided, { seed: 1 });
    const counts = (mask: WeightMask): readonly number[] => mask.counts().map(({ kept }) => kept);
    expect(counts(whole)).toEqual(counts(lopsided));
    // Rows are kept whole or not at all, so that drawing within them changes nothing.
    expect(rows.equals(lopsided)).toBe(true);
    expect(whole.equals(lopsided)).toBe(false);
    expect(weightMask.random(half, { seed: 1 }).equals(weightMask.random(half, { seed: 1 }))).toBe(true);
    expect(weightMask.random(half, { seed: 1 }).equals(weightMask.random(half, { seed: 2 }))).toBe(false);
  });

  test("what is not there is refused", () => {
    expect(() => half.setHead(9, 0)).toThrow("mask.setHead: got layer 9");
    expect(() => half.setHead(0, 99)).toThrow("mask.setHead: got head 99; expected a head from 0 to");
    expect(() => half.setNeurons(0, [1e6])).toThrow("mask.setNeurons: got neuron 1000000");
    expect(() => half.has("blocks.0.attn.W_X", 0)).toThrow('mask.has: got "blocks.0.attn.W_X"');
    expect(() => half.has("blocks.0.mlp.W_in", 0, 1e6)).toThrow("expected an index into blocks.0.mlp.W_in");
    expect(() => half.union(weightMask.full(grouped))).toThrow("mask.union: got a mask of");
    expect(() => grouped.with(edit.keepWeights(half))).toThrow("edit.keepWeights: got");
    expect(() => gpt2.with(edit.keepWeights({ matrices: new Map() }))).toThrow("got no matrix");
    expect(() =>
      gpt2.with(edit.keepWeights({ matrices: new Map([["blocks.0.attn.W_X", new Uint8Array(1)]]) })),
    ).toThrow("expected matrices of the model, such as blocks.0.attn.W_Q");
    expect(() =>
      gpt2.with(edit.keepWeights({ matrices: new Map([["blocks.0.attn.W_Q", new Uint8Array(1)]]) })),
    ).toThrow("one bit for each of");
  });
});

describe("files", () => {
  test("give back every bit", async () => {
    const path = await weightMask.save(join(folder, "half"), half);
    const again = await weightMask.open(path);
    expect(again.equals(half)).toBe(true);
    expect(again.model).toBe(half.model);
    expect(readFileSync(path).length).toBeLessThan(half.total / 8 + 8192);
  });

  test("of another kind are refused", async () => {
    await expect(weightMask.open(join(folder, "nothing"))).rejects.toThrow("weightMask.open: got");
    const other = join(folder, "other.safetensors");
    await writeSafetensors(other, { x: Tensor.of(new Float32Array(1), [1]) });
    await expect(weightMask.open(other)).rejects.toThrow("expected limpid.weight-mask.v1");
    writeFileSync(join(folder, "noise.pkl"), "no pickle");
    await expect(weightMask.openReleased(join(folder, "noise.pkl"), gpt2)).rejects.toThrow();
  });
});

test("a released mask of GPT-NeoX is untangled: each head stores its queries, keys and values together", async () => {
  const model = await loadModel(fixture("architectures", "pythia"));
  const path = fixture("masks", "released-pythia.pkl");
  const mask = await weightMask.openReleased(path, model);
  const { nHeads, dHead, dModel, dMlp } = model.config;
  const kept = (row: number, column: number, layer: number): boolean => (7 * row + 3 * column + layer) % 5 < 2;
  let count = 0;
  const expectKept = (isKept: boolean, name: string, ...index: readonly number[]): void => {
    if (mask.has(name, ...index) !== isKept) throw new Error(`${name} [${index.join(", ")}]`);
    if (isKept) count++;
  };
  for (let layer = 0; layer < 2; layer++) {
    const [attn, mlp] = [`blocks.${layer}.attn`, `blocks.${layer}.mlp`];
    for (let head = 0; head < nHeads; head++)
      for (let d = 0; d < dHead; d++)
        for (let m = 0; m < dModel; m++) {
          for (const [part, kind] of ["W_Q", "W_K", "W_V"].entries())
            expectKept(kept((3 * head + part) * dHead + d, m, layer), `${attn}.${kind}`, head, m, d);
          expectKept(kept(m, head * dHead + d, layer), `${attn}.W_O`, head, d, m);
        }
    for (let m = 0; m < dModel; m++)
      for (let n = 0; n < dMlp; n++) {
        expectKept(kept(n, m, layer), `${mlp}.W_in`, m, n);
        expectKept(kept(m, n, layer), `${mlp}.W_out`, n, m);
      }
  }
  expect(count).toBe(mask.count);
  // The kept weights are the model's own: the edited model runs as a checkpoint with the others at 0 does (edit.keepWeights).
  expect(mask.count / mask.total).toBeCloseTo(0.4, 1);
  await expect(weightMask.openReleased(path, gpt2)).rejects.toThrow("expected one for");
  await model.close();
});

test("views and texts say how much is kept", () => {
  expect(String(half)).toContain(`${half.count} of ${half.total} weights (33.3`);
  expect(half.toView().summary()).toContain("Weights kept of");
  expect(weightMatrices(gpt2).map(({ name }) => name)).toEqual([...half.matrices.keys()]);
});
