/** A process that is killed loses at most the steps since its last checkpoint. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { loadSafetensors } from "../../src/io/index.js";
import { readMetrics } from "../../src/train/index.js";
import { makeBatch, makeTrainer } from "./train/problem.js";

const script = fileURLToPath(new URL("./train/child.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "limpid-kill-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface End {
  readonly signal: string | null;
  readonly out: string;
  /** Last step printed. */
  readonly step: number;
}

/** Runs the child; kills it `delayMs` after it has printed a step from `killAt` on. */
function run(steps: number, every: number, killAt = Number.POSITIVE_INFINITY, delayMs = 0): Promise<End> {
  return new Promise((resolve) => {
    const args = ["--import", "tsx", script, folder, String(steps), String(every)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    let isDoomed = false;
    const lastStep = (): number => Number([...out.matchAll(/step (\d+)\n/g)].at(-1)?.[1] ?? 0);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      if (isDoomed || lastStep() < killAt) return;
      isDoomed = true;
      setTimeout(() => child.kill("SIGKILL"), delayMs);
    });
    child.on("close", (_code, signal) => resolve({ signal, out, step: lastStep() }));
  });
}

function checkpoints(): readonly number[] {
  return readdirSync(join(folder, "checkpoints"))
    .filter((name) => name.startsWith("step-"))
    .map((name) => Number(name.slice("step-".length)));
}

test("killed in the middle of steps and of checkpoints, a run comes to the same bits", async () => {
  const [steps, every] = [300, 4];
  let reached = 0;
  // Delays of some milliseconds fall into steps, into writes, and between them.
  for (const [killAt, delayMs] of [
    [30, 0],
    [90, 3],
    [160, 7],
  ] as const) {
    const { signal, step } = await run(steps, every, killAt, delayMs);
    expect(signal).toBe("SIGKILL");
    expect(step).toBeGreaterThan(reached);
    reached = step;
    // Step k is printed before its checkpoint is written.
    expect(Math.max(...checkpoints())).toBeGreaterThanOrEqual(Math.floor((step - 1) / every) * every);
  }
  const end = await run(steps, every);
  expect(end).toMatchObject({ signal: null, step: steps });
  const straight = makeTrainer();
  const { metrics } = await straight.train({ steps, batches: makeBatch });
  const saved = join(folder, "checkpoints", `step-${String(steps).padStart(8, "0")}`);
  const parameters = await loadSafetensors(join(saved, "parameters.safetensors"));
  for (const [name, tensor] of Object.entries(await straight.parameters()))
    expect(parameters[name]?.data, name).toEqual(tensor.data);
  const log = await readMetrics(join(folder, "metrics.jsonl"));
  const { steps: logged, values } = log.curve("loss");
  // A kill may cost lines of the log, never a wrong one.
  logged.forEach((step, i) => expect(values[i]).toBe(metrics.curve("loss").values[step - 1]));
  expect(readdirSync(join(folder, "checkpoints")).filter((name) => !name.startsWith("step-"))).toEqual([]);
  await straight.close();
}, 240_000);
