/** `limpid trace`: files, sentences, checks, and what is wrong usage. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openGraph } from "../../../src/circuits/index.js";
import { json, limpid, scratchFolder } from "./helpers.js";

const folder = scratchFolder();
const prompt = "The capital of France is";

it("writes a graph for viewers, the whole of it, and a summary in sentences", async () => {
  const out = join(folder, "paris");
  const end = await limpid(["trace", "tiny", prompt, "--out", out, "--name", "paris", "--verify", "4"]);
  expect(end, end.err).toMatchObject({ code: 0 });
  expect(end.out).toContain("GraphVerification: 4 nodes taken away");
  expect(readdirSync(out).sort()).toEqual([
    "graph-metadata.json",
    "paris.html",
    "paris.json",
    "paris.limpid.json",
    "paris.md",
  ]);
  const whole = await openGraph(join(out, "paris.limpid.json"));
  const viewer = await openGraph(join(out, "paris.json"));
  expect(whole.certificate.worst).toBeLessThan(1e-4);
  expect(viewer.nodes.length).toBeLessThan(whole.nodes.length);
  const summary = readFileSync(join(out, "paris.md"), "utf8");
  expect(summary).toMatch(/The model says " Paris", with probability 0\.\d+\. All inputs add up to (\d+\.\d+)/);
  const total = whole.edgesInto(0).reduce((sum, { weight }) => sum + weight, 0);
  expect(summary).toContain(`All inputs add up to ${total.toFixed(2)}; the strongest:`);
  expect(summary).toMatch(
    /Of \d+ features, the \d+ with most influence alone bring back \d+ % of the logit of " Paris"/,
  );
  expect(summary).toMatch(/\*\*L4 #\d+ @4\*\* \(at ` is`\): reads .* writes /);
}, 60_000);

it("traces the difference of two logits, prints one JSON value, and leaves checks out", async () => {
  const target = ["--target", " Paris", "--versus", " Berlin"];
  const end = await limpid([
    "trace",
    "tiny",
    prompt,
    ...target,
    "--out",
    join(folder, "two"),
    "--verify",
    "0",
    "--json",
  ]);
  expect(end, end.err).toMatchObject({ code: 0 });
  const result = json(end) as { features: number; certificate: { worst: number } };
  expect(result.features).toBeGreaterThan(10);
  expect(result.certificate.worst).toBeLessThan(1e-4);
}, 60_000);

it.each([
  ["no folder", ["trace", "tiny", prompt], 2, "--out"],
  ["a model without transcoders", ["trace", "attn-only-2l", prompt, "--out", "x"], 2, "expected transcoders"],
  ["--versus alone", ["trace", "tiny", prompt, "--versus", " Berlin", "--out", "x"], 2, "expected one --target"],
  ["an unknown token", ["trace", "tiny", prompt, "--target", " Parisian", "--out", join(folder, "x")], 1, "Parisian"],
])("%s is refused", async (_, args, code, message) => {
  const end = await limpid(args);
  expect([end.code, end.err]).toEqual([code, expect.stringContaining(message)]);
});
