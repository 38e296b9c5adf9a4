import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadSafetensors, openSafetensors, writeSafetensors } from "../../../src/io/index.js";
import { ActivationCache, at, edit, loadModel, type Model } from "../../../src/model/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

const tokens = [
  [3, 1, 4],
  [1, 5, 9],
];

let model: Model;
let folder: string;
beforeAll(async () => {
  model = await loadModel(fixture("architectures", "gpt2"));
  folder = await mkdtemp(join(tmpdir(), "limpid-cache-"));
});
afterAll(async () => {
  await model.close();
  await rm(folder, { recursive: true });
});

describe("save and load", () => {
  it.each(["float32", "float64"] as const)("keep every bit, axis, name and their order (%s)", async (precision) => {
    const { cache } = await model.withPrecision(precision).run(tokens, { capture: "*" });
    const path = join(folder, `${precision}.safetensors`);
    await cache.save(path);
    const loaded = await ActivationCache.load(path, model);
    expect(loaded.keys()).toEqual(cache.keys());
    for (const [name, tensor] of cache.entries()) {
      expect(loaded.get(name).axes).toEqual(tensor.axes);
      expect(loaded.get(name).dtype).toBe(tensor.dtype);
      expect(loaded.get(name).equals(tensor), name).toBe(true);
    }
    expect(loaded.tokens?.toArray()).toEqual(tokens);
    const [again, before] = [await loaded.getFullResidDecomposition(), await cache.getFullResidDecomposition()];
    expect(again.stack.equals(before.stack)).toBe(true);
    expect(await readdir(folder)).toContain(`${precision}.safetensors`);
    const plain = await loadSafetensors(path);
    expect(plain["hook_embed"]?.axes).toEqual(["batch", "pos", "dModel"]);
    expect(plain["tokens"]?.dtype).toBe("int32");
  });

  it("keep the view, the edits and the padding of the run", async () => {
    const view = model.processed({ foldValueBiases: true, centerWritingWeights: true }).with(edit.zero(at.attnOut(0)));
    const { cache } = await view.run(
      {
        tokens,
        attentionMask: [
          [1, 1, 0],
          [1, 1, 1],
        ],
      },
      { capture: "*" },
    );
    const path = join(folder, "view.safetensors");
    await cache.batch(0).save(path);
    const loaded = await ActivationCache.load(path, model);
    expect(
      (await loaded.decomposeResid({ posSlice: -1 })).stack.equals(
        (await cache.batch(0).decomposeResid({ posSlice: -1 })).stack,
      ),
    ).toBe(true);
    await expect(loaded.stackHeadResults()).rejects.toThrow(/edit\.zero at blocks\.0\.hook_attn_out/);
    expect((await loaded.accumulatedBias()).equals(await cache.accumulatedBias())).toBe(true);
    const { metadata } = await openSafetensors(path);
    expect(JSON.parse(metadata["limpid.cache"] ?? "")).toMatchObject({
      version: 1,
      origin: { identity: model.view.core.checkpoint.identity },
    });
  });

  it("give a cache that reads without a model and says when it needs one", async () => {
    const path = join(folder, "float32.safetensors");
    const loaded = await ActivationCache.load(path);
    expect(loaded.get("resid_post", 1).shape).toEqual([2, 3, 15]);
    expect(loaded.stackActivation("z").shape).toEqual([2, 2, 3, 3, 5]);
    await expect(loaded.decomposeResid()).rejects.toThrow(/does not know its model/);
    await expect(loaded.withModel(model).decomposeResid()).resolves.toBeDefined();
    const other = await loadModel(fixture("architectures", "gpt2-bare"));
    await expect(ActivationCache.load(path, other)).rejects.toThrow(/cache\.withModel/);
    await other.close();
  });

  it("refuse files that are no caches", async () => {
    const path = join(folder, "plain.safetensors");
    const tensor = Tensor.of(Float32Array.of(1), [1], ["pos"]) as Tensor;
    await writeSafetensors(path, { x: tensor });
    await expect(ActivationCache.load(path)).rejects.toThrow(
      `${path}: metadata "limpid.cache": got no such entry; expected the record of a cache, version 1. Load a file that cache.save wrote; loadSafetensors reads any other.`,
    );
    const write = (record: unknown): Promise<unknown> =>
      writeSafetensors(path, { x: tensor }, { metadata: { "limpid.cache": JSON.stringify(record) } });
    await write({ version: 2 });
    await expect(ActivationCache.load(path)).rejects.toThrow("got version 2");
    await write([]);
    await expect(ActivationCache.load(path)).rejects.toThrow("got something else");
    await write({ version: 1, hooks: ["y"] });
    await expect(ActivationCache.load(path)).rejects.toThrow("got a record of y, which the file lacks");
    await write({ version: 1, hooks: ["x"], origin: { model: "m" } });
    await expect(ActivationCache.load(path)).rejects.toThrow("got a record with missing or wrong fields");
    await write({ version: 1, hooks: ["x"] });
    expect((await ActivationCache.load(path)).keys()).toEqual(["x"]);
    await writeFile(path, "no tensors");
    await expect(ActivationCache.load(path)).rejects.toThrow(path);
  });
});
