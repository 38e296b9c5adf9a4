import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { openSharded, readStored, writeSafetensors } from "../../../src/io/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { fixture, refusal, temporaryFolder, valuesOf } from "./support.js";

const root = temporaryFolder();
let count = 0;
let folder = root;
let index = "";

const vector = (...values: readonly number[]): Tensor => Tensor.of(Float32Array.from(values), [values.length]);

function writeIndex(weightMap: unknown): void {
  writeFileSync(index, JSON.stringify({ metadata: { total_size: 1 }, weight_map: weightMap }));
}

beforeEach(async () => {
  folder = join(root, `${count++}`);
  mkdirSync(folder);
  index = join(folder, "model.safetensors.index.json");
  await writeSafetensors(join(folder, "one.safetensors"), { a: vector(1, 2), b: vector(3) });
  await writeSafetensors(join(folder, "two.safetensors"), { c: vector(4), extra: vector(5) });
  writeIndex({ a: "one.safetensors", b: "one.safetensors", c: "two.safetensors" });
});

describe("openSharded", () => {
  it("shows several files as one, weights beyond the index included", async () => {
    const { tensors, files } = await openSharded(index);
    expect(files).toEqual([join(folder, "one.safetensors"), join(folder, "two.safetensors")]);
    expect([...tensors.keys()].sort()).toEqual(["a", "b", "c", "extra"]);
    const c = tensors.get("c");
    if (c === undefined) throw new Error("missing");
    expect(valuesOf(await readStored(c))).toEqual([4]);
  });

  it("opens PyTorch shards", async () => {
    copyFileSync(fixture("linear.pt"), join(folder, "pytorch_model-00001.bin"));
    writeIndex({ weight: "pytorch_model-00001.bin", bias: "pytorch_model-00001.bin" });
    expect([...(await openSharded(index)).tensors.keys()]).toEqual(["weight", "bias"]);
  });

  it("lists every problem at once", async () => {
    await writeSafetensors(join(folder, "two.safetensors"), { c: vector(4), a: vector(1, 2) });
    writeFileSync(join(folder, "broken.safetensors"), "xyz");
    writeIndex({
      a: "one.safetensors",
      b: "one.safetensors",
      c: "two.safetensors",
      d: "two.safetensors",
      e: "three.safetensors",
      f: "broken.safetensors",
    });
    const error = await refusal(openSharded(index), "CHECKPOINT");
    expect(error.message).toBe(
      `${index}: got 4 problems: damaged shard: ${folder}/broken.safetensors: got 3 bytes; expected at least 8 bytes. ` +
        "This is not a safetensors file, or it is truncated; get it again.; missing shard three.safetensors; " +
        '"a" in one.safetensors and two.safetensors; "d" absent from two.safetensors; ' +
        "expected every shard whole and every weight once. Download the checkpoint again; it may be half downloaded.",
    );
  });

  it("cuts a long list of problems short", async () => {
    writeIndex(Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`w${i}`, "one.safetensors"])));
    const error = await refusal(openSharded(index), "CHECKPOINT");
    expect(error.got).toMatch(
      /^25 problems: "w0" absent from one\.safetensors; .*"w19" absent from one\.safetensors and 5 more$/,
    );
  });

  it("refuses an index without a weight map and one that leaves the folder", async () => {
    const expected = "expected a weight_map from weight names to files beside the index. Get the index file again.";
    writeFileSync(index, "{}");
    expect((await refusal(openSharded(index), "FORMAT")).message).toBe(`${index}: got no weight_map; ${expected}`);
    for (const file of ["../one.safetensors", "/etc/passwd", "x/../../y", ""]) {
      writeIndex({ a: file });
      expect((await refusal(openSharded(index), "FORMAT")).message).toBe(
        `${index}: "a": got ${JSON.stringify(file)}; ${expected}`,
      );
    }
  });

  it("names an index that is missing", async () => {
    rmSync(index);
    expect((await refusal(openSharded(index), "INPUT")).where).toBe(`read ${index}`);
  });
});
