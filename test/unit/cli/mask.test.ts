/** `limpid mask bigram`: files, JSON, going on after a stop, and what is wrong usage. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { weightMask } from "../../../src/masks/index.js";
import { json, limpid, scratchFolder } from "./helpers.js";

const folder = scratchFolder();
const text = join(folder, "text.txt");
const countries = ["France", "Spain", "Italy", "Norway", "Greece"];
const sentences = Array.from(
  { length: 400 },
  (_, i) => `The capital of ${countries[i % 5] ?? ""} is old, said the ${i % 7}th man.`,
);
writeFileSync(text, sentences.join("\n"));
const small = [
  "--rows",
  "60",
  "--context",
  "16",
  "--batch",
  "4",
  "--steps",
  "60",
  "--learning-rate",
  "0.02",
  "--growth",
  "1.05",
];

it("trains a mask, judges it, writes the folder, and prints the same as one JSON value", async () => {
  const out = join(folder, "mask");
  const end = await limpid(["mask", "bigram", "tiny-2l", "--data", text, ...small, "--out", out]);
  expect(end, end.err).toMatchObject({ code: 0 });
  expect(end.out).toContain("MaskTraining towards bigram");
  expect(readdirSync(out).sort()).toEqual(["index.html", "mask.safetensors", "report.json", "report.md", "run"]);
  const figures = JSON.parse(readFileSync(join(out, "report.json"), "utf8")) as { kept: number; total: number };
  const mask = await weightMask.open(join(out, "mask"));
  expect([mask.count, mask.total]).toEqual([figures.kept, figures.total]);
  expect(readFileSync(join(out, "report.md"), "utf8")).toContain("without as many at random, 1");
  // The run is there: the same command trains nothing anew and comes to the same.
  const again = await limpid(["mask", "bigram", "tiny-2l", "--data", text, ...small, "--out", out, "--json"]);
  expect(json(again)).toMatchObject({ format: "limpid-bigram-subnetwork", kept: figures.kept });
}, 60_000);

it.each([
  ["no text", ["mask", "bigram", "tiny-2l", "--out", join(folder, "x")], 2, "--data"],
  [
    "text shorter than a row",
    ["mask", "bigram", "tiny-2l", "--data", text, "--context", "100000", "--out", join(folder, "x")],
    1,
    "context",
  ],
])("refuses %s", async (_name, args, code, message) => {
  const end = await limpid(args);
  expect(end).toMatchObject({ code });
  expect(end.err).toContain(message);
});
