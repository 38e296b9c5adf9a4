import { copyFile, mkdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readAsFloat32, type StoredTensor } from "../../../src/io/index.js";
import { describeCheckpoint, listCheckpointFiles, openCheckpoint } from "../../../src/model/checkpoint/index.js";
import {
  bfloat16Folder,
  dataFolder,
  freshFolder,
  silentLogger,
  smallFolder,
  textFolder,
  tinyFolder,
  writeTensors,
} from "./helpers.js";

async function valuesOf(tensors: ReadonlyMap<string, StoredTensor>, name: string): Promise<unknown> {
  const stored = tensors.get(name);
  return stored === undefined ? undefined : (await readAsFloat32(stored)).data;
}

const stories = dataFolder("stories260k/hf");
const routing = dataFolder("routing-toy");

describe("openCheckpoint on folders", () => {
  it("opens a Hugging Face folder without copying anything", async () => {
    const folder = await smallFolder();
    const checkpoint = await openCheckpoint(folder, { cacheFolder: join(folder, "cache") });
    expect(checkpoint).toMatchObject({ id: folder, folder, format: "huggingface", config: { model_type: "gpt2" } });
    expect(checkpoint.prepared).toBeUndefined();
    expect(checkpoint.tokenizerFolder).toBeUndefined();
    expect([...checkpoint.tensors.keys()].sort()).toEqual(["a", "b"]);
    expect(await listCheckpointFiles(folder)).toHaveLength(2);
    const stored = checkpoint.tensors.get("b");
    expect(stored && (await readAsFloat32(stored)).data).toEqual(Float32Array.of(7, 8, 9));
  });

  it("joins shards and follows links to real paths", async () => {
    const real = await freshFolder();
    await writeTensors(join(real, "x"), { a: { dtype: "float32", shape: [1], data: Float32Array.of(1) } });
    await writeTensors(join(real, "y"), { b: { dtype: "float32", shape: [1], data: Float32Array.of(2) } });
    const index = { weight_map: { a: "model-1.safetensors", b: "model-2.safetensors" } };
    const folder = await textFolder({
      "config.json": '{"model_type":"llama"}',
      "model.safetensors.index.json": JSON.stringify(index),
      "tokenizer.json": "{}",
    });
    await symlink(join(real, "x"), join(folder, "model-1.safetensors"));
    await symlink(join(real, "y"), join(folder, "model-2.safetensors"));
    const { tensors, tokenizerFolder } = await openCheckpoint(folder);
    expect([...tensors].map(([name, { path }]) => [name, path])).toEqual([
      ["a", join(real, "x")],
      ["b", join(real, "y")],
    ]);
    expect(tokenizerFolder).toBe(folder);
  });

  it("knows TransformerLens's configuration words", async () => {
    const folder = await smallFolder({ n_layers: 1, d_model: 3 });
    expect((await openCheckpoint(folder)).format).toBe("transformer-lens");
  });

  it("keeps masks and ids apart from weights, so that they force no copy", async () => {
    const folder = await freshFolder();
    await writeFile(join(folder, "config.json"), '{"model_type":"gpt_neox"}');
    await writeTensors(join(folder, "model.safetensors"), {
      w: { dtype: "float32", shape: [1], data: Float32Array.of(1) },
      ids: { dtype: "int64", shape: [1], data: BigInt64Array.of(5n) },
    });
    const { tensors, buffers, prepared } = await openCheckpoint(folder);
    expect([[...tensors.keys()], [...buffers.keys()], prepared]).toEqual([["w"], ["ids"], undefined]);
  });

  it.skipIf(stories === undefined)("maps a trained Llama where it lies", async () => {
    const { tensors, format, prepared } = await openCheckpoint(stories ?? "");
    expect([tensors.size, format, prepared]).toEqual([47, "huggingface", undefined]);
  });

  it.skipIf(routing === undefined)("maps a .pt file beside a TransformerLens configuration", async () => {
    const folder = await freshFolder();
    for (const name of ["config.json", "model.pt"]) await copyFile(join(routing ?? "", name), join(folder, name));
    const torch = await openCheckpoint(folder);
    expect([torch.format, torch.prepared]).toEqual(["transformer-lens", undefined]);
    const reference = await openCheckpoint(routing ?? "");
    expect(await valuesOf(torch.tensors, "pos")).toEqual(await valuesOf(reference.tensors, "pos_embed.W_pos"));
    expect(await valuesOf(torch.tensors, "ln_f.weight")).toEqual(await valuesOf(reference.tensors, "ln_final.w"));
  });

  it("prepares a transposed tensor of a pytorch_model.bin", async () => {
    const folder = await textFolder({ "config.json": '{"model_type":"gpt2"}' });
    await copyFile(new URL("./transposed.bin", import.meta.url), join(folder, "pytorch_model.bin"));
    const { tensors, prepared } = await openCheckpoint(folder, { cacheFolder: folder, logger: silentLogger() });
    expect(prepared?.path.startsWith(join(folder, "prepared"))).toBe(true);
    expect(tensors.get("w")?.shape).toEqual([3, 2]);
    expect(await valuesOf(tensors, "w")).toEqual(Float32Array.of(0, 3, 1, 4, 2, 5));
    expect(await valuesOf(tensors, "v")).toEqual(Float32Array.of(0.5, -2));
  });
});

describe("the embedded model", () => {
  it("opens by its name, with its tokenizer, from inside the package", async () => {
    const cacheFolder = await freshFolder();
    const { folder, tensors, tokenizerFolder } = await openCheckpoint("tiny", { cacheFolder, logger: silentLogger() });
    expect([folder, tokenizerFolder]).toEqual([tinyFolder, tinyFolder]);
    expect(tensors.size).toBeGreaterThan(10);
  });
});

describe("identity", () => {
  it("follows the content and not the place", async () => {
    const [one, two] = [await smallFolder(), await smallFolder({ model_type: "other" })];
    const [first, second] = [await openCheckpoint(one), await openCheckpoint(two)];
    expect(first.identity).toMatch(/^[0-9a-f]{16}$/);
    expect(second.identity).toBe(first.identity);
    const path = join(two, "model.safetensors");
    const bytes = await readFile(path);
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    await writeFile(path, bytes);
    expect((await openCheckpoint(two)).identity).not.toBe(first.identity);
  });

  it("takes the name of a Hugging Face blob for its content", async () => {
    const folder = await smallFolder();
    const blobs = join(await freshFolder(), "blobs");
    await mkdir(blobs);
    await rename(join(folder, "model.safetensors"), join(blobs, "0".repeat(64)));
    await symlink(join(blobs, "0".repeat(64)), join(folder, "model.safetensors"));
    expect((await openCheckpoint(folder)).identity).not.toBe((await openCheckpoint(await smallFolder())).identity);
  });
});

describe("describeCheckpoint", () => {
  it("counts and converts nothing", async () => {
    const folder = await bfloat16Folder();
    const description = await describeCheckpoint(folder, { cacheFolder: join(folder, "cache") });
    expect(description).toMatchObject({
      format: "huggingface",
      nTensors: 2,
      nParameters: 9,
      parametersByDType: { bfloat16: 9 },
      isMappable: false,
      hasTokenizer: false,
    });
    expect(description.preparedBytes).toBeGreaterThan(36);
    expect(description.files.map(({ name }) => name)).toEqual(["config.json", "model.safetensors"]);
  });
});

describe("openCheckpoint refuses", () => {
  const offline = { hub: { offline: true } };

  it("a source that is nowhere, and says what was looked for", async () => {
    await expect(openCheckpoint("./nowhere", offline)).rejects.toThrow(
      /openCheckpoint: "\.\/nowhere": got no folder .*nowhere, and no hub id; expected an existing folder, a hub id/,
    );
    await expect(openCheckpoint("", offline)).rejects.toThrow("no hub id");
  });

  it("a file instead of a folder", async () => {
    const folder = await smallFolder();
    await expect(openCheckpoint(join(folder, "model.safetensors"))).rejects.toThrow("got a file; expected the folder");
  });

  it("a folder without config.json, naming what it holds", async () => {
    const folder = await textFolder({ "model.gguf": "x" });
    await expect(openCheckpoint(folder)).rejects.toThrow('got no config.json (the folder holds "model.gguf")');
    await expect(openCheckpoint(await freshFolder())).rejects.toThrow("the folder holds nothing");
  });

  it("a folder without weights, listing what was looked for", async () => {
    const folder = await textFolder({ "config.json": '{"model_type":"gpt2"}', "notes.txt": "" });
    await expect(openCheckpoint(folder)).rejects.toThrow(
      /got no weights \(the folder holds "config.json", "notes.txt"\); expected model.safetensors, model.safetensors.index.json, pytorch_model.bin/,
    );
  });

  it("to guess between several weight files", async () => {
    const folder = await textFolder({ "config.json": '{"model_type":"gpt2"}', "one.pt": "", "two.pt": "" });
    await expect(openCheckpoint(folder)).rejects.toThrow("got 2 files that could hold weights");
  });

  it("shards that are not all there, by name", async () => {
    const index = JSON.stringify({ weight_map: { a: "model-1.safetensors", b: "model-2.safetensors" } });
    const folder = await textFolder({ "config.json": '{"model_type":"gpt2"}', "model.safetensors.index.json": index });
    await expect(openCheckpoint(folder)).rejects.toThrow(
      /missing shard model-1.safetensors; missing shard model-2.safetensors/,
    );
  });

  it("a configuration in neither vocabulary", async () => {
    await expect(openCheckpoint(await smallFolder({ hello: 1 }))).rejects.toThrow(
      'got the keys "hello"; expected `model_type` (Hugging Face) or `n_layers` and `d_model` (TransformerLens)',
    );
  });

  it("a Git LFS pointer in place of the weights", async () => {
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    const folder = await textFolder({ "config.json": '{"model_type":"gpt2"}', "model.safetensors": pointer });
    await expect(openCheckpoint(folder)).rejects.toThrow("got a Git LFS pointer, not the weights themselves");
  });

  it("a truncated file, in the words of its reader", async () => {
    const folder = await smallFolder();
    const path = join(folder, "model.safetensors");
    await writeFile(path, (await readFile(path)).subarray(0, -4));
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: "FORMAT" });
  });

  it("weights that are all packed integers", async () => {
    const folder = await freshFolder();
    await writeFile(join(folder, "config.json"), '{"model_type":"gpt2"}');
    await writeTensors(join(folder, "model.safetensors"), {
      q: { dtype: "int64", shape: [1], data: BigInt64Array.of(1n) },
    });
    await expect(openCheckpoint(folder)).rejects.toThrow("got weight files without any floating-point tensor");
  });
});
