import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  Dictionary,
  DictionarySet,
  type FeatureStatistics,
  openDictionary,
  openDictionarySet,
  saveDictionary,
  saveDictionarySet,
} from "../../../src/dictionary/index.js";
import { openSafetensors } from "../../../src/io/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { tryMount } from "../../helpers/small-disk.js";
import { randomDictionary } from "../dictionary/random-dictionary.js";
import { refusal } from "../io/support.js";
import { editJson, editTensors, freshPath } from "./support.js";

const x = Tensor.of(
  Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
  [3, 4],
);
const statistics: FeatureStatistics = {
  density: Float32Array.of(0, 0.5, 0.25, 0.125, 1, 0, 0.1),
  meanActivation: Float32Array.of(0, 1, 2, 3, 4, 0, 5),
  maxActivation: Float32Array.of(0, 2, 4, 6, 8, 0, 10),
  tokens: 1000,
};

describe("a dictionary in limpid's own format", () => {
  it("comes back the same, its weights mapped from the file", async () => {
    const folder = freshPath();
    const given = randomDictionary({
      activation: { kind: "jumprelu" },
      hasSkip: true,
      writeHook: "blocks.0.hook_mlp_out",
    });
    const dictionary = new Dictionary({
      name: given.name,
      config: {
        ...given.config,
        model: { name: "tiny", identity: "0123456789abcdef" },
        prependBos: true,
        contextSize: 128,
        prefixes: [3, 7],
        origin: { settings: { seed: 1 } },
      },
      weights: given.weights,
      statistics,
    });
    await saveDictionary(dictionary, folder);
    const again = await openDictionary(folder);
    expect(again.name).toBe("random");
    expect(again.kind).toBe("skip_transcoder");
    expect(again.config).toEqual(dictionary.config);
    expect(again.statistics).toEqual(statistics);
    expect([...again.weights.values()].every((weight) => !(weight instanceof Tensor))).toBe(true);
    expect((await again.forward(x)).reconstruction.data).toEqual((await dictionary.forward(x)).reconstruction.data);
    expect(again.feature(4)).toMatchObject({ meanActivation: 4, density: 1 });
  });

  it("states what it is in its JSON, without the numbers of each feature", async () => {
    const folder = freshPath();
    await saveDictionary(randomDictionary().withStatistics(statistics), folder);
    expect(JSON.parse(readFileSync(join(folder, "dictionary.json"), "utf8"))).toMatchObject({
      format: "limpid-dictionary",
      version: 1,
      name: "random",
      kind: "sae",
      statistics: { tokens: 1000, dead: 2, l0: expect.closeTo(1.975, 5) as number },
    });
  });

  it("takes half the space for its matrices in float16, and keeps vectors as they are", async () => {
    const [whole, half] = [freshPath(), freshPath()];
    const dictionary = randomDictionary({ activation: { kind: "jumprelu" } });
    await saveDictionary(dictionary, whole);
    await saveDictionary(dictionary, half, { dtype: "float16" });
    const { tensors } = await openSafetensors(join(half, "weights.safetensors"));
    expect(Object.fromEntries([...tensors].map(([name, { dtype }]) => [name, dtype]))).toEqual({
      W_enc: "float16",
      W_dec: "float16",
      b_enc: "float32",
      b_dec: "float32",
      threshold: "float32",
    });
    const again = await openDictionary(half);
    expect(again.weights.get("W_enc")).toBeInstanceOf(Tensor);
    const [exact, rounded] = [await dictionary.encode(x), await again.encode(x)];
    rounded.data.forEach((value, i) => expect(Number(value)).toBeCloseTo(Number(exact.data[i]), 2));
    expect(again.weights.get("threshold")?.shape).toEqual([7]);
  });

  it("refuses float16 where a weight does not fit it, and leaves nothing behind", async () => {
    const folder = freshPath();
    const given = randomDictionary();
    const weights = new Map([
      ...given.weights,
      ["W_dec", Tensor.of(new Float32Array(28).fill(70_000), [7, 4])] as const,
    ]);
    const saving = saveDictionary(new Dictionary({ name: "random", config: given.config, weights }), folder, {
      dtype: "float16",
    });
    expect((await refusal(saving, "NUMERIC")).message).toBe(
      "dictionary random: weight W_dec: got 70000; expected numbers up to 65504, which float16 can hold. " +
        'Save it with dtype "float32".',
    );
    expect(readdirSync(dirname(folder))).toEqual([]);
  });

  it("does not overwrite a folder unless it is told to", async () => {
    const folder = freshPath();
    await saveDictionary(randomDictionary({ seed: 1 }), folder);
    expect((await refusal(saveDictionary(randomDictionary({ seed: 2 }), folder), "INPUT")).got).toBe(
      "a path that exists already",
    );
    const opened = await openDictionary(folder);
    await saveDictionary(randomDictionary({ seed: 2 }), folder, { ifExists: "replace" });
    expect((await openDictionary(folder)).feature(0).direction).toEqual(
      randomDictionary({ seed: 2 }).feature(0).direction,
    );
    expect(opened.config).toEqual((await openDictionary(folder)).config);
  });

  it("may replace the folder that it is mapped from", async () => {
    const folder = freshPath();
    await saveDictionary(randomDictionary({ seed: 1 }), folder);
    const opened = await openDictionary(folder);
    await saveDictionary(opened.withStatistics(statistics), folder, { ifExists: "replace" });
    const again = await openDictionary(folder);
    expect(again.statistics).toEqual(statistics);
    expect(again.feature(3).direction).toEqual(randomDictionary({ seed: 1 }).feature(3).direction);
  });

  it("refuses an empty path", async () => {
    expect((await refusal(saveDictionary(randomDictionary(), ""), "INPUT")).message).toBe(
      "saveDictionary: folder: got an empty path; expected the path of a new folder. " +
        'Name one: saveDictionary(dictionary, "my-dictionary").',
    );
  });

  it("takes other hook points when it is opened with them", async () => {
    const folder = freshPath();
    await saveDictionary(randomDictionary(), folder);
    const moved = await openDictionary(folder, { hook: "blocks.1.hook_resid_pre", name: "moved" });
    expect(moved).toMatchObject({
      readHook: "blocks.1.hook_resid_pre",
      writeHook: "blocks.1.hook_resid_pre",
      name: "moved",
    });
  });
});

describe("a damaged dictionary", () => {
  async function saved(): Promise<string> {
    const folder = freshPath();
    await saveDictionary(randomDictionary().withStatistics(statistics), folder);
    return folder;
  }
  const config = (folder: string): string => join(folder, "dictionary.json");

  it.each([
    [
      "a later version",
      { version: 2 },
      "version: got 2; expected at most 1. It was written by a later limpid; update this one.",
    ],
    ["another format", { format: "x" }, 'format: got "x"; expected one of "limpid-dictionary".'],
    ["no configuration", { config: null }, "config: got null; expected an object."],
  ])("is refused with %s", async (_, change, message) => {
    const folder = await saved();
    editJson(config(folder), (json) => ({ ...json, ...change }));
    expect((await refusal(openDictionary(folder), "FORMAT")).message).toContain(`${config(folder)}: ${message}`);
  });

  it.each([
    ["dIn", -3, "got -3; expected a whole number above 0"],
    ["architecture", "lstm", 'got "lstm"; expected one of "standard"'],
    ["readHook", 3, "got 3; expected a text"],
    ["subtractsDecoderBias", "yes", 'got "yes"; expected true or false'],
    ["prefixes", [5, 3, 7], "got [5, 3, 7]; expected rising widths, the last one 7"],
    ["prefixes", "all", 'got "all"; expected a list of whole numbers above 0'],
    ["nFeatures", undefined, "got nothing; expected a whole number above 0"],
  ])("is refused with %s as %j", async (key, value, message) => {
    const folder = await saved();
    editJson(config(folder), (json) => ({ ...json, config: { ...(json["config"] as object), [key]: value } }));
    expect((await refusal(openDictionary(folder), "FORMAT")).message).toContain(`config: ${key}: ${message}`);
  });

  it("is refused when a weight is missing, naming those that are there", async () => {
    const folder = await saved();
    const path = join(folder, "weights.safetensors");
    await editTensors(path, ({ W_dec: _, ...rest }) => rest);
    const error = await refusal(openDictionary(folder), "FORMAT");
    expect(error.message).toContain(`${path}: got no tensor "W_dec" among "`);
    expect(error.message).toContain("Get the whole file again");
  });

  it("is refused when a weight has another shape", async () => {
    const folder = await saved();
    await editTensors(join(folder, "weights.safetensors"), (tensors) => ({
      ...tensors,
      b_enc: Tensor.of(new Float32Array(6), [6]),
    }));
    expect((await refusal(openDictionary(folder), "SHAPE")).message).toContain(
      "dictionary random: weight b_enc: got [6]; expected [7]",
    );
  });

  it("is refused when statistics are of other features", async () => {
    const folder = await saved();
    await editTensors(join(folder, "weights.safetensors"), (tensors) => ({
      ...tensors,
      "stats.density": Tensor.of(new Float32Array(6), [6]),
    }));
    expect((await refusal(openDictionary(folder), "FORMAT")).message).toContain(
      "stats.density: got 6 numbers; expected 7, one for each feature",
    );
  });

  it.each([
    ["truncated", (bytes: Buffer) => bytes.subarray(0, bytes.length - 4)],
    ["too long", (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(4)])],
    ["cut in its header", (bytes: Buffer) => bytes.subarray(0, 20)],
    ["empty", () => Buffer.alloc(0)],
    ["said to have a header of exabytes", (bytes: Buffer) => Buffer.concat([Buffer.alloc(8, 0x7f), bytes.subarray(8)])],
    [
      "given overlapping tensors",
      (bytes: Buffer) => Buffer.from(bytes.toString("latin1").replace(/\[112,/, "[096,"), "latin1"),
    ],
  ])("is refused when its weights are %s", async (_, change) => {
    const folder = await saved();
    const path = join(folder, "weights.safetensors");
    writeFileSync(path, change(readFileSync(path)));
    expect((await refusal(openDictionary(folder), "FORMAT")).message).toContain(path);
  });

  it("is refused when its JSON is cut", async () => {
    const folder = await saved();
    writeFileSync(config(folder), readFileSync(config(folder)).subarray(0, 50));
    expect((await refusal(openDictionary(folder), "FORMAT")).message).toContain(`${config(folder)}: `);
  });
});

describe("a set", () => {
  const layer = (l: number): Dictionary =>
    randomDictionary({ readHook: `blocks.${l}.mlp.hook_in`, writeHook: `blocks.${l}.hook_mlp_out`, seed: l });

  it("comes back with every dictionary at its layer", async () => {
    const folder = freshPath("set");
    const progress: number[] = [];
    await saveDictionarySet(new DictionarySet("all", [layer(2), layer(0)]), folder);
    expect(readdirSync(folder).sort()).toEqual(["blocks.0.hook_mlp_out", "blocks.2.hook_mlp_out", "set.json"]);
    const set = await openDictionarySet(folder, { onProgress: ({ done }) => progress.push(done) });
    expect(set.name).toBe("all");
    expect(set.layers).toEqual([0, 2]);
    expect(set.layer(2).feature(1).direction).toEqual(layer(2).feature(1).direction);
    expect(progress).toEqual([1, 2]);
    expect((await openDictionary(folder, { path: "blocks.2.hook_mlp_out" })).readHook).toBe("blocks.2.mlp.hook_in");
  });

  it("is read from any folder with a dictionary in each of its folders", async () => {
    const folder = freshPath("loose");
    mkdirSync(join(folder, "notes"), { recursive: true });
    for (const l of [1, 0]) await saveDictionary(layer(l), join(folder, `layer-${l}`));
    expect((await openDictionarySet(folder)).layers).toEqual([0, 1]);
  });

  it("stops between dictionaries when it is told to", async () => {
    const folder = freshPath("set");
    await saveDictionarySet(new DictionarySet("all", [layer(0)]), folder);
    await refusal(openDictionarySet(folder, { signal: AbortSignal.abort() }), "ABORTED");
  });

  it("is refused when its list leaves its folder", async () => {
    const folder = freshPath("set");
    await saveDictionarySet(new DictionarySet("all", [layer(0)]), folder);
    editJson(join(folder, "set.json"), (json) => ({ ...json, dictionaries: ["../elsewhere"] }));
    expect((await refusal(openDictionarySet(folder), "FORMAT")).message).toContain(
      'dictionaries: got ["../elsewhere"]; expected a list of names of folders beside it',
    );
  });

  it("is refused when there is none, saying what was looked for", async () => {
    const folder = freshPath("nothing");
    mkdirSync(folder);
    expect((await refusal(openDictionarySet(folder), "INPUT")).message).toContain(
      "which holds nothing; expected set.json, config.yaml with layer_N.safetensors, or folders with one dictionary each",
    );
  });
});

describe("a full disk", () => {
  const mount = freshPath("tiny-disk");
  mkdirSync(mount);
  const isMounted = tryMount(mount, "64k");
  afterAll(() => {
    if (isMounted) execFileSync("umount", [mount]);
  });

  it.skipIf(!isMounted)("leaves nothing of a dictionary, nor of a set half saved", async () => {
    const large = randomDictionary({ dIn: 64, nFeatures: 200 });
    await refusal(saveDictionary(large, join(mount, "one")), "MEMORY");
    const small = randomDictionary({ readHook: "blocks.0.hook_mlp_out" });
    const other = randomDictionary({ readHook: "blocks.1.hook_mlp_out", dIn: 64, nFeatures: 200 });
    await refusal(saveDictionarySet(new DictionarySet("s", [small, other]), join(mount, "set")), "MEMORY");
    expect(readdirSync(mount)).toEqual([]);
    expect(existsSync(mount) && statSync(mount).isDirectory()).toBe(true);
  });
});
