/** `limpid train lm` inside the test's own process. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { main } from "../../../src/cli/index.js";
import { json, limpid, scratchFolder } from "../cli/helpers.js";

const folder = scratchFolder();
const config = join(folder, "recipe.json");
writeFileSync(join(folder, "text.txt"), "one two three four five six seven. ".repeat(40));
const recipe = {
  model: { n_layers: 1, d_model: 8, n_heads: 1, d_head: 8, n_ctx: 8, attn_only: true },
  data: { files: ["text.txt"] },
  tokenizer: "bytes",
  batch: 4,
  steps: 3,
  out: "run",
};
writeFileSync(config, JSON.stringify(recipe));

describe("limpid train lm", () => {
  test("prints what it made, paths relative to the recipe", async () => {
    const end = await limpid(["train", "lm", config, "--threads", "1"]);
    expect(end.code, end.err).toBe(0);
    expect(end.out).toContain(join(folder, "run", "model"));
    expect(end.out).toMatch(/parameters +4,\d{3}/);
    expect(end.out).toMatch(/loss +\d\.\d{4} nats/);
    expect(end.out).toMatch(/curve +\d\.\d{3} [▁-█]{3} \d\.\d{3}/);
    expect(end.err).toMatch(/step 1: loss \d\.\d{4}, learning rate 0\.00100/);
  });

  test("on a terminal writes no lines about the loss: the bar has it", async () => {
    let err = "";
    const stderr = { isTTY: true, columns: 100, write: (text: string) => (err += text) };
    const out = join(folder, "terminal");
    const code = await main(["train", "lm", config, "--out", out], { stdout: { write: () => true }, stderr, env: {} });
    expect(code, err).toBe(0);
    expect(err).not.toContain("step 1:");
  });

  test("goes on with more steps, and says so as JSON", async () => {
    const end = await limpid(["train", "lm", config, "--steps", "5", "--json"]);
    expect(json(end)).toMatchObject({ steps: 5, resumedAt: 3 });
  });

  test("an aborted run ends with code 130 and without a model", async () => {
    const out = join(folder, "aborted");
    const end = await limpid(["train", "lm", config, "--out", out], { signal: AbortSignal.abort() });
    expect(end.code).toBe(130);
    expect(end.err).toContain("limpid: stopped");
    expect(existsSync(join(out, "model"))).toBe(false);
  });

  test("names what is wrong", async () => {
    expect(await limpid(["train", "lm", join(folder, "none.json")])).toMatchObject({ code: 1, out: "" });
    expect(await limpid(["train", "lm", config, "--steps", "0"])).toMatchObject({ code: 2, out: "" });
    expect((await limpid(["train", "lm"])).code).toBe(2);
    const bad = join(folder, "bad.json");
    writeFileSync(bad, JSON.stringify({ ...recipe, lr: 1 }));
    expect((await limpid(["train", "lm", bad])).err).toContain('got the unknown key "lr"');
  });
});
