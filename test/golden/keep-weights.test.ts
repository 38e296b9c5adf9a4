/** Masks of weights against checkpoints whose weights were set to 0, for every architecture. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createRandom } from "../../src/core/index.js";
import { loadStored, openSafetensors, writeSafetensors } from "../../src/io/index.js";
import { edit, type KeptWeights, type Model, weightMatrices } from "../../src/model/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { fixture } from "../helpers/fixtures.js";
import { scratchModels } from "../helpers/scratch-models.js";

const { folder, open } = scratchModels("keep-weights");

function bits(model: Model, isKept: (i: number, name: string) => boolean): KeptWeights {
  const matrices = weightMatrices(model).map(({ name, shape }): readonly [string, Uint8Array] => {
    const size = shape.reduce((a, b) => a * b, 1);
    const packed = new Uint8Array(Math.ceil(size / 8));
    for (let i = 0; i < size; i++) if (isKept(i, name)) packed[i >> 3] = (packed[i >> 3] ?? 0) | (1 << (i & 7));
    return [name, packed];
  });
  return { matrices: new Map(matrices) };
}

async function logits(model: Model, tokens: readonly number[]): Promise<Float32Array> {
  return (await model.run([tokens], { prependBos: false })).logits.data as Float32Array;
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? Number.NaN))), 0);
}

const tokens = [3, 1, 4, 1, 5];

// Fused, interleaved, grouped, gated, parallel, without MLPs, in TransformerLens's own layout.
const architectures = [
  "gpt2",
  "pythia",
  "llama-mqa-llama3",
  "qwen3",
  "gemma2",
  "tl-parallel",
  "tl-rmspre-rotary-gated",
  "tl-attn-only",
];

describe.each(architectures)("%s", (name) => {
  test("runs as a checkpoint does in which the dropped weights are 0, and shows its weights so", async () => {
    const model = await open(fixture("architectures", name));
    const random = createRandom(1);
    const draws = new Map<string, boolean>();
    const kept = bits(model, (i, matrix) => {
      const key = `${matrix} ${i}`;
      draws.set(key, random.uniform() < 0.7);
      return draws.get(key) === true;
    });
    const masked = model.with(edit.keepWeights(kept));
    // An independent way to the checkpoint: TransformerLens's shapes, as `model.weights` reads them, say which to drop.
    const copy = join(folder, name);
    cpSync(fixture("architectures", name), copy, { recursive: true });
    await dropInFile(model, copy, draws);
    const written = await open(copy);
    const run = await masked.run([tokens], { prependBos: false, capture: "blocks.0.attn.hook_result" });
    const expected = await written.run([tokens], { prependBos: false, capture: "blocks.0.attn.hook_result" });
    expect(distance(run.logits.data as Float32Array, expected.logits.data as Float32Array)).toBeLessThan(1e-5);
    const result = "blocks.0.attn.hook_result";
    expect(
      distance(run.cache.get(result).data as Float32Array, expected.cache.get(result).data as Float32Array),
    ).toBeLessThan(1e-5);
    for (const weight of ["W_Q", "W_K", "W_O"] as const) {
      const [own, theirs] = [await masked.weights.layer(weight, 1), await written.weights.layer(weight, 1)];
      expect(distance(own.contiguous().data as Float32Array, theirs.contiguous().data as Float32Array)).toBe(0);
    }
    expect(run.receipt.edits).toEqual([{ name: "keepWeights", hooks: ["weights"] }]);
    expect(distance(await logits(masked, tokens), await logits(model, tokens))).toBeGreaterThan(1e-4);
  });

  test("a full mask changes nothing; after an empty one matrices write nothing", async () => {
    const model = await open(fixture("architectures", name));
    const full = model.with(edit.keepWeights(bits(model, () => true)));
    expect(distance(await logits(full, tokens), await logits(model, tokens))).toBeLessThan(1e-6);
    const empty = model.with(edit.keepWeights(bits(model, () => false)));
    for (const { layer, kind } of weightMatrices(model))
      expect((await empty.weights.layer(kind, layer)).abs().max().item()).toBe(0);
  });
});

/** Sets stored numbers to 0, found by value: fixtures are random, so that no number occurs twice in a matrix. */
async function dropInFile(model: Model, copy: string, kept: ReadonlyMap<string, boolean>): Promise<void> {
  const dropped = new Set<number>();
  for (const { name, layer, kind, shape } of weightMatrices(model)) {
    const whole = (await model.weights.layer(kind, layer)).contiguous();
    const heads = shape[0] ?? 1;
    // Grouped keys and values are repeated for every query head of their group.
    const step = shape.length === 3 ? whole.size / (whole.shape[0] ?? 1) : whole.size;
    const group = shape.length === 3 ? (whole.shape[0] ?? 1) / heads : 1;
    const size = shape.reduce((a, b) => a * b, 1);
    for (let i = 0; i < size; i++) {
      const at = Math.floor(i / step) * group * step + (i % step);
      if (kept.get(`${name} ${i}`) === false) dropped.add(Number(whole.data[at]));
    }
  }
  const path = join(copy, "model.safetensors");
  const file = await openSafetensors(path);
  const tensors = new Map<string, Tensor>();
  const matrices =
    /(c_attn|c_proj|c_fc|query_key_value|dense|dense_h_to_4h|dense_4h_to_h|_proj)\.weight$|\._?W_(Q|K|V|O|in|out|gate)$/;
  for (const [name, tensor] of Object.entries(await loadStored(file.tensors))) {
    const isMatrix = matrices.test(name);
    const data = Float32Array.from(tensor.data as ArrayLike<number>, (x) => (isMatrix && dropped.has(x) ? 0 : x));
    tensors.set(name, isMatrix ? Tensor.of(data, tensor.shape) : tensor);
  }
  await writeSafetensors(path, tensors);
}
