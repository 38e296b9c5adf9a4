/** `limpid redundancy`: files, JSON, kinds of text, and what is wrong usage. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { json, limpid, scratchFolder } from "./helpers.js";

const folder = scratchFolder();
const small = ["--tokens", "512", "--window", "32"];

function textFile(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

it("reads tasks of the embedded model, writes the report, and goes on from its cache", async () => {
  const out = join(folder, "tasks");
  const end = await limpid(["redundancy", "tiny-2l", ...small, "--out", out]);
  expect(end, end.err).toMatchObject({ code: 0 });
  expect(end.out).toContain("RedundancyReport of tiny-2l");
  expect(readdirSync(out).sort()).toEqual(["cache", "index.html", "report.json", "report.md"]);
  const text = readFileSync(join(out, "report.md"), "utf8");
  expect(text).toContain(`limpid redundancy tiny-2l --tokens 512 --window 32 --seed 0 --out ${out}`);
}, 60_000);

it("reads a column of CSV, and prints one JSON value", async () => {
  const rows = Array.from({ length: 60 }, (_, i) => `${i},"The capital of France is Paris, they said ${i} times."`);
  const path = textFile("text.csv", `id,body\n${rows.join("\n")}\n`);
  const args = ["--data", path, "--field", "body", ...small, "--budget", "30", "--out", join(folder, "csv"), "--json"];
  const end = await limpid(["redundancy", "tiny-2l", ...args]);
  expect(end, end.err).toMatchObject({ code: 0 });
  const { format, provenance } = json(end) as { format: string; provenance: { tokens: number; text: string } };
  expect([format, provenance.tokens, provenance.text]).toEqual(["limpid-redundancy-report", 512, path]);
}, 60_000);

it.each([
  ["no folder", ["redundancy", "tiny"], 2, "--out"],
  ["no text for a model of one's own", ["redundancy", "attn-only-2l", "--out", join(folder, "x")], 2, "got no --data"],
  ["a field of plain text", ["redundancy", "tiny", "--data", "a.txt", "--field", "b", "--out", "x"], 2, "--field"],
])("refuses %s", async (_name, args, code, message) => {
  const end = await limpid(args);
  expect(end).toMatchObject({ code });
  expect(end.err).toContain(message);
});

it("refuses a folder that cannot be written before it computes, and text in another encoding", async () => {
  const file = textFile("plain.txt", "a");
  const blocked = await limpid(["redundancy", "tiny-2l", "--out", join(file, "below")]);
  expect(blocked).toMatchObject({ code: 1 });
  expect(blocked.err).toContain("expected a folder that can be written");
  const latin = textFile(
    "latin.txt",
    Uint8Array.from({ length: 4000 }, (_, i) => (i % 5 === 0 ? 0xe9 : 0x61)),
  );
  const end = await limpid(["redundancy", "tiny-2l", "--data", latin, "--out", join(folder, "latin")]);
  expect(end).toMatchObject({ code: 1 });
  expect(end.err).toMatch(/UTF-8/i);
});
