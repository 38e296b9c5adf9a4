/** `limpid train lm` as a process: a model that loads, Ctrl-C, and a run that goes on as if nothing had happened. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { loadModel } from "../../src/model/index.js";
import { readMetrics } from "../../src/train/index.js";

const script = fileURLToPath(new URL("./cli/child.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "limpid-train-cli-"));
const timeoutMs = 240_000;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface End {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the command; interrupts it once stderr holds a text. */
function limpid(args: readonly string[], interruptAt?: string): Promise<End> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--import", "tsx", script, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let [out, err] = ["", ""];
    let isInterrupted = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
      // Once: a second Ctrl-C ends the command at once.
      if (!isInterrupted && interruptAt !== undefined && err.includes(interruptAt))
        isInterrupted = child.kill("SIGINT");
    });
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

const words = ["see", "the", "small", "grey", "cat", "on", "a", "wall", "with", "its", "tail", "up"];

/** A text of fixed order, with some letters outside ASCII. */
function text(): string {
  const lines = Array.from({ length: 400 }, (_, i) =>
    Array.from({ length: 8 }, (_, j) => words[(i * i + 3 * j) % words.length] ?? "").join(" "),
  );
  return `${lines.join(".\n")}\nÄpfel, 猫, 🐈.\n`;
}

const recipe = {
  model: { n_layers: 2, d_model: 32, n_heads: 2, d_head: 16, n_ctx: 32, act_fn: "gelu_new" },
  data: { files: ["text.txt"], validation: 0.1 },
  tokenizer: "bytes",
  batch: 8,
  steps: 40,
  optimizer: { name: "adamW", learningRate: 0.01, weightDecay: 0.1 },
  schedule: { warmup: 5, shape: "cosine", final: 0.1 },
  clip: { norm: 1 },
  groups: [{ match: ["**.b_*", "**.w", "**.b"], weightDecay: 0 }],
  seed: 1,
  out: "run",
};

test(
  "trains, stops at Ctrl-C with a checkpoint, goes on to the same bytes, and the model loads",
  async () => {
    writeFileSync(join(folder, "text.txt"), text());
    const config = join(folder, "recipe.json");
    writeFileSync(config, JSON.stringify(recipe));

    const whole = await limpid(["train", "lm", config, "--out", join(folder, "whole"), "--json"]);
    expect(whole.code, whole.err).toBe(0);
    const result = JSON.parse(whole.out) as Record<string, unknown>;
    expect(result).toMatchObject({ steps: 40, resumedAt: 0, model: join(folder, "whole", "model") });
    expect(result["loss"]).toBeLessThan(2);
    expect(result["validationLoss"]).toBeLessThan(2);

    const stopped = await limpid(["train", "lm", config], "step 1:");
    expect(stopped.code, stopped.err).toBe(130);
    expect(stopped.err).toMatch(/train: after step \d+: Train again with this folder to go on from .*checkpoints/);
    expect(existsSync(join(folder, "run", "model"))).toBe(false);

    const continued = await limpid(["train", "lm", config]);
    expect(continued.code, continued.err).toBe(0);
    expect(continued.out).toMatch(/steps +40, continued from \d+/);
    const bytes = (run: string): Buffer => readFileSync(join(folder, run, "model", "model.safetensors"));
    expect(bytes("run").equals(bytes("whole"))).toBe(true);
    const log = await readMetrics(join(folder, "run", "metrics.jsonl"));
    expect(log.length).toBe(40);

    const model = await loadModel(join(folder, "run", "model"));
    const run = await model.run("see the small grey cat on a", { loss: true });
    expect(run.loss).toBeLessThan(3);
    expect(model.toTokens("Ä猫").data).toEqual(Int32Array.from(new TextEncoder().encode("Ä猫")));
    await model.close();
  },
  timeoutMs,
);

test(
  "another recipe in the same folder is refused with what differs",
  async () => {
    const other = join(folder, "other.json");
    writeFileSync(other, JSON.stringify({ ...recipe, seed: 2 }));
    const end = await limpid(["train", "lm", other]);
    expect(end.code).toBe(1);
    expect(end.err).toContain("about.recipe.seed: 1 in the checkpoint, 2 here");
  },
  timeoutMs,
);
