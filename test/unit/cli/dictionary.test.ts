/** `limpid dictionary`: train, judge, draw, all from files. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { json, limpid, scratchFolder } from "./helpers.js";

const folder = scratchFolder();
const corpus = join(folder, "corpus.txt");
const rows = join(folder, "rows.jsonl");
const sae = join(folder, "sae");
const page = join(folder, "page.html");

const sentences = Array.from(
  { length: 120 },
  (_, i) =>
    `The ship number ${i} was in the north of the sea. ${i % 2 === 0 ? "Rain" : "Snow"} fell on the ${i % 3} men.`,
);

const train = [
  ["dictionary", "train", "tiny", corpus, "--from", "blocks.1.hook_resid_post", "--architecture", "topk"],
  ["--k", "4", "--width", "48", "--steps", "30", "--batch", "128", "--buffer-tokens", "1024", "--seed", "3"],
].flat();

beforeAll(async () => {
  writeFileSync(corpus, sentences.join("\n"));
  writeFileSync(rows, sentences.map((line) => JSON.stringify({ body: line })).join("\n"));
  const end = await limpid([...train, "--out", sae, "--json"]);
  expect(end, end.err).toMatchObject({ code: 0 });
  expect(json(end)).toMatchObject({
    out: sae,
    kind: "sae",
    readHook: "blocks.1.hook_resid_post",
    nFeatures: 48,
    steps: 30,
  });
}, 120_000);

describe("train", () => {
  it("writes a dictionary that opens, and refuses to replace it", async () => {
    expect(existsSync(join(sae, "weights.safetensors"))).toBe(true);
    const again = await limpid([...train, "--out", sae]);
    expect(again.code).toBe(1);
    expect(again.err).toContain("exists");
  });

  it("trains transcoders with skip, and prints text", async () => {
    const out = join(folder, "transcoder");
    const end = await limpid([
      ...["dictionary", "train", "tiny", rows, "--field", "body", "--from", "blocks.1.ln2.hook_normalized"],
      ...["--to", "blocks.1.hook_mlp_out", "--architecture", "jumprelu", "--target-l0", "5", "--skip"],
      ...["--width", "32", "--steps", "5", "--batch", "64", "--buffer-tokens", "256", "--out", out],
    ]);
    expect(end, end.err).toMatchObject({ code: 0 });
    expect(end.out).toContain("5 steps");
    expect(end.out.trimEnd().endsWith(out)).toBe(true);
  });

  it.each([
    [
      "a hook point that the model lacks",
      ["--from", "blocks.9.hook_resid_post", "--width", "8", "--k", "2"],
      1,
      "blocks.9.hook_resid_post",
    ],
    ["no width", ["--from", "blocks.1.hook_resid_post"], 2, "required option '--width <n>'"],
    [
      "an unknown architecture",
      ["--from", "x", "--width", "8", "--architecture", "magic"],
      2,
      "Allowed choices are standard",
    ],
  ])("refuses %s", async (_, args, code, message) => {
    const out = join(folder, "never");
    const end = await limpid(["dictionary", "train", "tiny", corpus, "--steps", "2", "--out", out, ...args]);
    expect(end.code).toBe(code);
    expect(end.err).toContain(message);
    expect(existsSync(out)).toBe(false);
  });
});

describe("eval", () => {
  it("prints every measure as text, and as one JSON value", async () => {
    const args = ["dictionary", "eval", "tiny", sae, rows, "--field", "body", "--tokens", "300"];
    const [text, value] = [await limpid(args), await limpid([...args, "--json"])];
    expect(text, text.err).toMatchObject({ code: 0 });
    for (const word of ["FVU", "L0", "CE score", "KL score", "dead features", "300 tokens"])
      expect(text.out).toContain(word);
    const found = json(value) as { l0: number; reconstruction: { tokens: number }; losses: { clean: number } };
    expect(found.l0).toBeLessThanOrEqual(4);
    expect(found.reconstruction.tokens).toBe(300);
    expect(found.losses.clean).toBeGreaterThan(0);
  });

  it("judges a set, and leaves losses out when asked", async () => {
    const { openDictionary, DictionarySet, saveDictionarySet } = await import("../../../src/dictionary/index.js");
    const set = join(folder, "set");
    await saveDictionarySet(new DictionarySet("one", [await openDictionary(sae)]), set);
    const end = await limpid([
      "dictionary",
      "eval",
      "tiny",
      set,
      corpus,
      "--set",
      "--no-losses",
      "--tokens",
      "200",
      "--json",
    ]);
    expect(end, end.err).toMatchObject({ code: 0 });
    expect(json(end)["evaluations"]).toHaveLength(1);
    const one = await limpid(["dictionary", "eval", "tiny", set, corpus, "--set", "--tokens", "200"]);
    expect(one.out).toContain("all at once");
    expect(one.out).not.toContain("NaN");
  });

  it("says what is wrong", async () => {
    const end = await limpid(["dictionary", "eval", "tiny", join(folder, "nothing"), corpus]);
    expect(end.code).toBe(1);
    expect(end.err).toContain("nothing");
  });
});

describe("dashboard", () => {
  it("writes one page and keeps the examples, from which another is made without data", async () => {
    const kept = join(folder, "examples");
    const args = ["dictionary", "dashboard", "tiny", sae];
    const end = await limpid([
      ...args,
      corpus,
      "--tokens",
      "800",
      "--examples",
      kept,
      "--cards",
      "5",
      "--out",
      page,
      "--json",
    ]);
    expect(end, end.err).toMatchObject({ code: 0 });
    expect(json(end)).toMatchObject({ page, tokens: 800, nFeatures: 48 });
    expect(json(end)["features"]).toHaveLength(5);
    expect(readFileSync(page, "utf8")).toContain("<!doctype html>");
    const other = join(folder, "other.html");
    const again = await limpid([...args, "--examples", kept, "--features", "0, 7", "--title", "Two", "--out", other]);
    expect(again, again.err).toMatchObject({ code: 0 });
    expect(again.out).toContain("Examples of");
    expect(readFileSync(other, "utf8")).toContain("<title>Two</title>");
  });

  it("needs data or examples", async () => {
    const end = await limpid(["dictionary", "dashboard", "tiny", sae, "--out", page]);
    expect(end.code).toBe(2);
    expect(end.err).toContain("limpid: dashboard: got neither data nor --examples");
    const list = await limpid(["dictionary", "dashboard", "tiny", sae, corpus, "--features", "a", "--out", page]);
    expect(list).toMatchObject({ code: 2 });
  });
});

describe("help", () => {
  it.each(["train", "eval", "dashboard"])("of dictionary %s has an example", async (command) => {
    const end = await limpid(["dictionary", command, "--help"]);
    expect(end).toMatchObject({ code: 0, err: "" });
    expect(end.out).toContain(`Usage: limpid dictionary ${command}`);
    expect(end.out).toMatch(new RegExp(`^ {2}limpid dictionary ${command}`, "m"));
  });
});
