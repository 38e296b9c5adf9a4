/** Exported models give the logits of the edited run. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, expect, it } from "vitest";
import { loadModel, type Model } from "../../../src/model/index.js";
import { exportHuggingFace, exportOnnx, type Part, withoutParts } from "../../../src/redundancy/index.js";
import { fixture } from "../../helpers/fixtures.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-export-"));
process.env["LIMPID_CACHE"] = join(folder, "cache");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ids = [3, 1, 4, 1, 5, 9, 2, 6];

async function logitsOf(model: Model): Promise<readonly number[]> {
  return Array.from((await model.run([ids])).logits.data as Iterable<number>);
}

function worst(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? Number.NaN))), 0);
}

it.each(["gpt2", "llama-gqa-bias", "qwen3", "pythia", "tl-no-norm"])(
  "writes %s without a block as a folder that opens again with the same logits",
  async (name) => {
    const model = await loadModel(fixture("architectures", name));
    const block: Part = { kind: "block", layer: 0 };
    const out = join(folder, `hf-${name}`);
    const { layers } = await exportHuggingFace(model, [block], out);
    const written = await loadModel(out);
    try {
      expect(layers).not.toContain(0);
      expect(written.config.nLayers).toBe(model.config.nLayers - 1);
      expect(worst(await logitsOf(written), await logitsOf(withoutParts(model, [block])))).toBeLessThanOrEqual(1e-5);
    } finally {
      await written.close();
      await model.close();
    }
  },
);

it.each(["gpt2", "gemma2", "mistral", "pythia", "tl-attn-only"])(
  "writes %s without sublayers as an ONNX file that plain onnxruntime runs with the same logits",
  async (name) => {
    const model = await loadModel(fixture("architectures", name));
    const parts: readonly Part[] = [
      { kind: "attention", layer: 1 },
      ...(model.config.attnOnly ? [] : [{ kind: "mlp", layer: 0 } as const]),
    ];
    const out = join(folder, `onnx-${name}`);
    await exportOnnx(model, parts, out);
    const whole = await exportOnnx(model, [], join(folder, `whole-${name}`));
    const size = (path: string): number => readFileSync(join(path, "model.onnx.data")).length;
    if (model.config.dModel > 64) expect(size(out)).toBeLessThan(size(whole.folder));
    const session = await InferenceSession.create(join(out, "model.onnx"));
    try {
      const int64 = (values: readonly number[]) =>
        new OrtTensor("int64", BigInt64Array.from(values.map(BigInt)), [1, values.length]);
      const feeds = { tokens: int64(ids), positions: int64(ids.map((_, i) => i)) };
      const used = Object.fromEntries(Object.entries(feeds).filter(([one]) => session.inputNames.includes(one)));
      const { logits } = await session.run(used);
      const found = Array.from(logits?.data as Float32Array);
      expect(worst(found, await logitsOf(withoutParts(model, parts)))).toBeLessThanOrEqual(1e-5);
    } finally {
      await session.release();
      await model.close();
    }
  },
);

it("refuses what a format cannot say, and leaves nothing half written", async () => {
  const model = await loadModel(fixture("architectures", "gpt2"));
  const gemma = await loadModel(fixture("architectures", "gemma2"));
  try {
    const out = join(folder, "refused");
    const all = model.view.layers.map((layer): Part => ({ kind: "block", layer }));
    await expect(exportHuggingFace(model, [{ kind: "mlp", layer: 0 }], out)).rejects.toThrow("expected whole blocks");
    await expect(exportHuggingFace(model, all, out)).rejects.toThrow("got every block");
    await expect(exportHuggingFace(withoutParts(model, [{ kind: "mlp", layer: 0 }]), [], out)).rejects.toThrow(
      "got a model with edits",
    );
    await expect(exportOnnx(model, [{ kind: "head", layer: 0, index: 0 }], out)).rejects.toThrow("exportOnnx: got");
    await expect(exportHuggingFace(gemma, [{ kind: "block", layer: 0 }], out)).rejects.toThrow(/attention windows/);
    expect(existsSync(out)).toBe(false);
    await exportOnnx(model, [], out);
    await expect(exportOnnx(model, [], out)).rejects.toThrow("refused");
    await exportOnnx(model, [], out, { ifExists: "replace" });
  } finally {
    await model.close();
    await gemma.close();
  }
});
