/**
 * Trains `attn-only-2l` and writes its model folder: weights, card, metrics, and the weights of fifteen steps on the way.
 *
 * `npm run train:induction`, or `npx tsx scripts/train-induction/main.ts [FOLDER] [SCRATCH]`; default `fixtures/attn-only-2l`
 * and `.cache/train-induction`. A run that was stopped goes on from its last checkpoint in SCRATCH; a finished one is only
 * written anew.
 */
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { LanguageModel } from "../../src/analysis/index.js";
import { stderrProgress } from "../../src/core/index.js";
import { writeSafetensors } from "../../src/io/index.js";
import { loadModel } from "../../src/model/index.js";
import type { MetricSeries } from "../../src/train/index.js";
import { card } from "./card.js";
import { kComposition } from "./composition.js";
import {
  batchOf,
  context,
  createTrainer,
  drawRows,
  evaluateEvery,
  heldOutRows,
  kept,
  model,
  periods,
  steps,
} from "./recipe.js";
import { measure } from "./scores.js";

/** Folder of a step's weights, named as the trainer names its checkpoints. */
function stepFolder(folder: string, step: number): string {
  return join(folder, `step-${String(step).padStart(8, "0")}`);
}

/** Weights are kept beside the run's own checkpoints, so that a run that is continued has them all. */
function keptFolder(scratch: string): string {
  return join(scratch, "kept");
}

/** Writes a step's weights as float16, half the bytes, in a folder that `loadModel` opens. */
async function keepStep({ trainer, blueprint }: LanguageModel, folder: string, step: number): Promise<void> {
  const weights = Object.entries(blueprint.toCheckpoint(await trainer.parameters()));
  const target = stepFolder(folder, step);
  await mkdir(target, { recursive: true });
  const halves = weights.map(([name, tensor]) => [name, tensor.cast("float16")] as const);
  await writeSafetensors(join(target, "model.safetensors"), halves, { metadata: { format: "pt" } });
  await writeConfig(target);
}

async function writeConfig(folder: string): Promise<void> {
  await writeFile(join(folder, "config.json"), `${JSON.stringify(model, undefined, 2)}\n`);
}

/** Six digits say all that a curve shows; seconds depend on the machine. */
function logLines(metrics: MetricSeries): string {
  const lines = metrics.rows().map(({ seconds: _, ...row }) => {
    const short = Object.entries(row).map(([name, value]) => [name, Number(value.toPrecision(6))] as const);
    return JSON.stringify(Object.fromEntries(short));
  });
  return `${lines.join("\n")}\n`;
}

/** Trains in `scratch`, where the weights of some steps are kept, too; returns the metrics. */
async function train(run: LanguageModel, scratch: string): Promise<MetricSeries> {
  const heldOut = batchOf(run, heldOutRows());
  const folder = keptFolder(scratch);
  await keepStep(run, folder, 0);
  const { metrics } = await run.trainer.train({
    steps,
    batches: (index) => batchOf(run, drawRows(index)),
    folder: scratch,
    checkpointEvery: 100,
    about: { context, periods, evaluateEvery, kept },
    evaluate: {
      every: evaluateEvery,
      measure: async ({ steps: step }) => {
        if (kept.includes(step)) await keepStep(run, folder, step);
        return { validationLoss: (await run.trainer.evaluate(heldOut)).loss };
      },
    },
    onProgress: stderrProgress(),
  });
  return metrics;
}

async function main(folder: string, scratch: string): Promise<void> {
  const run = createTrainer();
  let parameters = 0;
  try {
    const metrics = await train(run, scratch);
    await mkdir(folder, { recursive: true });
    await cp(keptFolder(scratch), join(folder, "checkpoints"), { recursive: true });
    await writeFile(join(folder, "metrics.jsonl"), logLines(metrics));
    const weights = run.blueprint.toCheckpoint(await run.trainer.parameters());
    parameters = Object.values(weights).reduce((sum, { size }) => sum + size, 0);
    await writeSafetensors(join(folder, "model.safetensors"), weights, { metadata: { format: "pt" } });
    await writeConfig(folder);
  } finally {
    await run.trainer.close();
  }
  const trained = await loadModel(folder);
  try {
    const found = { parameters, scores: await measure(trained), composition: await kComposition(trained) };
    await writeFile(join(folder, "README.md"), card(found));
  } finally {
    await trained.close();
  }
}

const here = fileURLToPath(import.meta.url);

if (process.argv[1] !== undefined && resolve(process.argv[1]) === here) {
  const root = resolve(here, "../../..");
  const [folder = join(root, "fixtures/attn-only-2l"), scratch = join(root, ".cache/train-induction")] =
    process.argv.slice(2);
  await main(resolve(folder), resolve(scratch));
}
