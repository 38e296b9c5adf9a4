/** A trained model, data for it, and naive sums over its activations. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { type Batches, data, type TextDocument } from "../../../src/data/index.js";
import { loadModel, type Model } from "../../../src/model/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { dataFolder, oracle } from "../../helpers/fixtures.js";

/** Whether the trained model is there. */
export const hasModel: boolean = dataFolder !== undefined;

/** Loads the trained Llama once for a file; call the result inside tests. */
export function storyModel(): () => Model {
  let model: Model | undefined;
  beforeAll(async () => {
    if (hasModel) model = await loadModel(oracle("stories260k", "hf"));
    else console.warn("skipped: no stories260k; set LIMPID_DATA");
  });
  afterAll(() => model?.close());
  return () => {
    if (model === undefined) throw new Error("the trained model is not there");
    return model;
  };
}

/** Returns a function that names fresh paths in a folder which is removed after the tests. */
export function scratch(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), "limpid-over-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}

/** Short texts of unequal length. */
export const stories: readonly string[] = [
  "Once upon a time, there was a little girl named Lily.",
  "Tom had a red ball.",
  "The dog ran to the park and saw a big tree. It was happy",
  "One day",
  'Mom said, "We can share the cake."',
  "He was sad because his toy was lost",
];

/** Rows of 16 tokens, two a batch; the last row is padded. */
export function packedStories(model: Model): Batches<TextDocument> {
  return data.text(stories).pack(model, { contextLength: 16, batchTokens: 32 });
}

/** Every real token's vector at a hook point, one run per row without padding. */
export async function vectorsOf(model: Model, rows: readonly (readonly number[])[], hook: string): Promise<number[][]> {
  const vectors: number[][] = [];
  for (const row of rows) {
    const { cache } = await model.run([row], { capture: hook, logits: "none" });
    const activation: Tensor = cache.get(hook);
    const values = Array.from(activation.data as Float32Array);
    const width = values.length / row.length;
    for (let p = 0; p < row.length; p++) vectors.push(values.slice(p * width, (p + 1) * width));
  }
  return vectors;
}

/** The real tokens of every row of batches. */
export async function rowsOf(batches: Batches<unknown>): Promise<number[][]> {
  const rows: number[][] = [];
  for await (const { tokens, attentionMask } of batches)
    tokens.forEach((row, r) => rows.push(Array.from(row).filter((_id, p) => (attentionMask?.[r]?.[p] ?? 1) === 1)));
  return rows;
}

/** The numbers of a tensor in row-major order. */
export function numbersOf(tensor: Tensor): number[] {
  return Array.from(tensor.data as Iterable<number | bigint>, Number);
}
