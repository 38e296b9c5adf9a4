import { describe, expect, it } from "vitest";
import { findWeightFiles, shardNames } from "../../../src/model/checkpoint/layout.js";

const found = (...names: string[]): string | undefined => findWeightFiles(names)?.file;

describe("findWeightFiles", () => {
  it("prefers safetensors to PyTorch files and single files to shards", () => {
    const all = [
      "pytorch_model.bin",
      "model.safetensors.index.json",
      "model.safetensors",
      "pytorch_model.bin.index.json",
    ];
    expect(found(...all)).toBe("model.safetensors");
    expect(found(...all.filter((name) => name !== "model.safetensors"))).toBe("model.safetensors.index.json");
    expect(found("pytorch_model.bin", "pytorch_model.bin.index.json")).toBe("pytorch_model.bin");
    expect(findWeightFiles(["pytorch_model.bin.index.json"])).toEqual({
      kind: "torch",
      file: "pytorch_model.bin.index.json",
      isIndex: true,
    });
  });

  it("takes one file of another name, or the one called model", () => {
    expect(found("README.md", "toy.pt")).toBe("toy.pt");
    expect(found("model.pt", "sae.pt")).toBe("model.pt");
    expect(found("weights.safetensors", "toy.pt")).toBe("weights.safetensors");
  });

  it("does not guess between several, and passes over what training leaves behind", () => {
    expect(found("one.pt", "two.pt")).toBeUndefined();
    expect(found("optimizer.pt", "scheduler.pt", "training_args.bin", "adapter_model.safetensors")).toBeUndefined();
    expect(found("model-00001-of-00002.safetensors")).toBeUndefined();
    expect(found("sub/model2.safetensors")).toBeUndefined();
    expect(found()).toBeUndefined();
  });
});

describe("shardNames", () => {
  it("lists each file once", () => {
    expect(shardNames({ weight_map: { a: "1", b: "2", c: "1" } })).toEqual(["1", "2"]);
    expect(shardNames({})).toEqual([]);
  });
});
