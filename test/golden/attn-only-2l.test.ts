/**
 * The shipped two-layer induction model against its card, its log, and plain loops.
 *
 * Scores are recomputed from captured patterns, losses from logits, K-composition from the bytes of the file.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { batchOf, createTrainer, drawRows, heldOutRows, kept, steps } from "../../scripts/train-induction/recipe.js";
import { languageModelTrainer, openTrainingLog, type TrainingLog } from "../../src/analysis/index.js";
import { loadSafetensors } from "../../src/io/index.js";
import { at, edit, loadModel, type Model, type Run } from "../../src/model/index.js";
import { type Tensor, tensor } from "../../src/tensor/index.js";
import { adamW } from "../../src/train/index.js";
import { fixture } from "../helpers/fixtures.js";

const [nHeads, dModel, dHead, period, context] = [4, 64, 16, 24, 48] as const;
const heldOut = heldOutRows();
const card = readFileSync(fixture("attn-only-2l", "README.md"), "utf8");

let model: Model;
let run: Run;
let log: TrainingLog;
beforeAll(async () => {
  model = await loadModel("attn-only-2l");
  log = await openTrainingLog("attn-only-2l");
  run = await look(model);
});
afterAll(async () => {
  await model.close();
});

function look(one: Model): Promise<Run> {
  return one.run(
    heldOut.rows.map((row) => row.slice(0, context)),
    { capture: at.pattern("all") },
  );
}

/** Numbers of a tensor; 0 outside it. */
function reader(tensor: Tensor): (index: number) => number {
  return (index) => Number(tensor.data[index] ?? 0);
}

/** The mean weight from each query in a range to the key `distance` before it, for one head, by plain loops. */
function stripe(pattern: Tensor, head: number, range: readonly [number, number], distance: number): number {
  const value = reader(pattern);
  let [sum, count] = [0, 0];
  for (let row = 0; row < heldOut.rows.length; row++)
    for (let query = range[0]; query < range[1]; query++) {
      sum += value(((row * nHeads + head) * context + query) * context + query - distance);
      count++;
    }
  return sum / count;
}

/** Mean of `-log softmax` of the next token over the second copy, by plain loops. */
function lossOf(one: Run, targets: number): number {
  const value = reader(one.logits);
  const vocabulary = one.logits.shape.at(-1) ?? 0;
  const width = one.logits.shape[1] ?? 0;
  let [sum, count] = [0, 0];
  for (const [r, row] of heldOut.rows.entries())
    for (let pos = period; pos < targets; pos++) {
      const start = (r * width + pos) * vocabulary;
      const logits = Array.from({ length: vocabulary }, (_, id) => value(start + id));
      const top = Math.max(...logits);
      const total = logits.reduce((all, logit) => all + Math.exp(logit - top), 0);
      sum += Math.log(total) + top - (logits[row[pos + 1] ?? 0] ?? 0);
      count++;
    }
  return sum / count;
}

/** The card's row of a head. */
function cardRow(head: string): readonly string[] {
  const line = card.split("\n").find((one) => one.startsWith(`| ${head} |`)) ?? "";
  return line.split("|").map((cell) => cell.trim());
}

describe("attn-only-2l and its card", () => {
  test("loads by its name, two layers of attention alone", () => {
    const { nLayers, attnOnly, dVocab } = model.config;
    expect([nLayers, attnOnly, dVocab, model.id]).toEqual([2, true, 64, "attn-only-2l"]);
  });

  test("predicts the second copy as well as the card says, and the first not at all", () => {
    const [, stated = ""] = /second copy: ([\d.]+) nats/.exec(card) ?? [];
    const loss = lossOf(run, context - 1);
    expect(loss).toBeCloseTo(Number(stated), 3);
    expect(loss).toBeLessThan(0.01);
  });

  test.each(["L0H0", "L0H1", "L0H2", "L0H3", "L1H0", "L1H1", "L1H2", "L1H3"])("%s scores as the card says", (name) => {
    const [layer, head] = [Number(name[1]), Number(name[3])];
    const pattern = run.cache.get("pattern", layer);
    const [, , previous, induction] = cardRow(name);
    expect(Math.abs(stripe(pattern, head, [1, period], 1) - Number(previous))).toBeLessThan(0.006);
    expect(Math.abs(stripe(pattern, head, [period, context], period - 1) - Number(induction))).toBeLessThan(0.006);
  });

  test("is an induction circuit: one previous-token head, and induction heads in layer 1 only", () => {
    const previous = [0, 1, 2, 3].map((head) => stripe(run.cache.get("pattern", 0), head, [1, period], 1));
    const induction = [0, 1].map((layer) =>
      [0, 1, 2, 3].map((head) => stripe(run.cache.get("pattern", layer), head, [period, context], period - 1)),
    );
    expect(previous.toSorted((a, b) => b - a)[0]).toBeGreaterThan(0.75);
    expect(previous.toSorted((a, b) => b - a)[1]).toBeLessThan(0.4);
    expect(Math.max(...(induction[0] ?? []))).toBeLessThan(0.1);
    expect(Math.min(...(induction[1] ?? []))).toBeGreaterThan(0.8);
  });

  test("without the previous-token head it guesses; without another head of layer 0 it does not", async () => {
    const losses = [];
    for (const head of [0, 1, 2, 3])
      losses.push(lossOf(await look(model.with(edit.zero(at.z(0), { head }))), context - 1));
    const [best = 0, next = 0] = losses.toSorted((a, b) => b - a);
    expect(best).toBeGreaterThan(Math.log(period) - 0.5);
    expect(next).toBeLessThan(0.1);
    expect(losses.indexOf(best)).toBe(1);
  });

  test("K-composition from the file's own numbers is the card's", async () => {
    const file = await loadSafetensors(fixture("attn-only-2l", "model.safetensors"));
    const product = compositionOf(file);
    for (let head = 0; head < nHeads; head++) {
      const stated = (cardRow(`L0H${head}`)[4] ?? "").split(", ").map(Number);
      expect(stated.length).toBe(nHeads);
      for (const [later, value] of stated.entries()) expect(Math.abs(product(head, later) - value)).toBeLessThan(0.006);
    }
  });

  test("the card counts the weights that the file holds", async () => {
    const file = await loadSafetensors(fixture("attn-only-2l", "model.safetensors"));
    const count = Object.values(file).reduce((sum, { size }) => sum + size, 0);
    expect(card).toContain(`${count.toLocaleString("en-US")} parameters`);
  });
});

/** A matrix by rows. */
type Matrix = readonly (readonly number[])[];

function multiply(a: Matrix, b: Matrix): Matrix {
  return a.map((row) => (b[0] ?? []).map((_, j) => row.reduce((sum, value, k) => sum + value * (b[k]?.[j] ?? 0), 0)));
}

function size(matrix: Matrix): number {
  return Math.sqrt(matrix.flat().reduce((sum, value) => sum + value * value, 0));
}

function transposed(matrix: Matrix): Matrix {
  return (matrix[0] ?? []).map((_, j) => matrix.map((row) => row[j] ?? 0));
}

/** K-composition of two heads; gains are multiplied into what reads after a norm, and its mean taken off. */
function compositionOf(file: Readonly<Record<string, Tensor>>): (earlier: number, later: number) => number {
  const slice = (name: string, head: number, [rows, columns]: readonly [number, number]): Matrix => {
    const tensor = file[name];
    if (tensor === undefined) throw new Error(`no ${name}`);
    const value = reader(tensor);
    const start = head * rows * columns;
    return Array.from({ length: rows }, (_, i) =>
      Array.from({ length: columns }, (_column, j) => value(start + i * columns + j)),
    );
  };
  const reads = (layer: number, name: string, head: number): Matrix => {
    const gain = slice(`blocks.${layer}.ln1.w`, 0, [dModel, 1]);
    const scaled = slice(`blocks.${layer}.attn.${name}`, head, [dModel, dHead]).map((row, i) =>
      row.map((value) => value * (gain[i]?.[0] ?? 0)),
    );
    const means = (scaled[0] ?? []).map((_, j) => scaled.reduce((sum, row) => sum + (row[j] ?? 0), 0) / dModel);
    return scaled.map((row) => row.map((value, j) => value - (means[j] ?? 0)));
  };
  return (earlier, later) => {
    const ov = multiply(reads(0, "W_V", earlier), slice("blocks.0.attn.W_O", earlier, [dHead, dModel]));
    const kq = multiply(reads(1, "W_K", later), transposed(reads(1, "W_Q", later)));
    return size(multiply(ov, kq)) / (size(ov) * size(kq));
  };
}

describe("the log of attn-only-2l", () => {
  test("has every step, and the weights of the steps that the recipe names", () => {
    expect(log.metrics.length).toBe(steps);
    expect(log.metrics.curve("step").steps).toEqual(Float64Array.from({ length: steps }, (_, i) => i + 1));
    expect(log.steps).toEqual(kept);
    expect(String(log)).toMatch(/^TrainingLog of attn-only-2l: 800 steps, weights after 0, 50, 100, /);
    expect(log.toView().spec).toMatchObject({ view: "lines", title: "Training of attn-only-2l" });
  });

  test.each([150, 200, 800])("the model of step %i has the validation loss that the log states", async (step) => {
    const then = await log.model(step);
    const stated = log.metrics.rows().find((row) => row.step === step)?.["validationLoss"] ?? Number.NaN;
    // 49 targets, the last of which the model predicts from all 48 tokens. Weights are rounded to float16.
    const found = lossOf(await look(then), context);
    await then.close();
    expect(Math.abs(found - stated)).toBeLessThan(2e-3 * stated + 1e-4);
  });

  test("the last weights are those of the model, rounded", async () => {
    const [last, whole] = [
      await log.weights(steps),
      await loadSafetensors(fixture("attn-only-2l", "model.safetensors")),
    ];
    expect(Object.keys(last).toSorted()).toEqual(Object.keys(whole).toSorted());
    for (const [name, tensor] of Object.entries(last)) {
      expect(tensor.dtype).toBe("float32");
      expect(whole[name]?.maxAbsDiff(tensor)).toBeLessThan(2e-3);
    }
  });

  test("training goes on from a step with the loss that came next", async () => {
    const from = 150;
    const next = languageModelTrainer({
      model: log.config,
      weights: await log.weights(from),
      batch: heldOut.rows.length,
      optimizer: adamW({ learningRate: 0.002 }),
    });
    const { metrics } = await next.trainer.train({ steps: 2, batches: (i) => batchOf(next, drawRows(from + i)) });
    await next.trainer.close();
    const stated = log.metrics.curve("loss").values[from] ?? Number.NaN;
    expect(Math.abs((metrics.curve("loss").values[0] ?? 0) / stated - 1)).toBeLessThan(1e-3);
  });

  test("the recipe begins as the log does", async () => {
    const again = createTrainer();
    const { metrics } = await again.trainer.train({ steps: 5, batches: (i) => batchOf(again, drawRows(i)) });
    await again.trainer.close();
    const stated = log.metrics.curve("loss").values;
    for (const [i, loss] of metrics.curve("loss").values.entries())
      expect(Math.abs(loss / (stated[i] ?? 0) - 1)).toBeLessThan(1e-4);
  });

  test("says which steps there are when another is asked for", async () => {
    const message = (call: Promise<unknown>): Promise<string> => call.then(() => "", String);
    const steps = `one of the steps whose weights were kept: ${kept.join(", ")}. Choose one of log.steps.`;
    expect(await message(log.model(60))).toContain(`log.model: got step 60; expected ${steps}`);
    expect(await message(log.weights(1))).toContain(`log.weights: got step 1; expected ${steps}`);
  });

  test("a folder of one's own is a log: metrics and model folders by step", async () => {
    const folder = mkdtempSync(join(tmpdir(), "limpid-log-"));
    const own = languageModelTrainer({ model: log.config, batch: 64, optimizer: adamW({ learningRate: 0.002 }) });
    await own.writeModel(join(folder, "checkpoints", "step-0"));
    expect(await openTrainingLog(folder).then(() => "", String)).toContain('got a folder with "checkpoints"; expected');
    writeFileSync(join(folder, "metrics.jsonl"), '{"step":1,"loss":4}\n');
    const mine = await openTrainingLog(folder);
    expect([mine.steps, mine.metrics.rows(), mine.config["d_model"]]).toEqual([[0], [{ step: 1, loss: 4 }], 64]);
    const begun = await mine.weights(0);
    const parameters = own.blueprint.toCheckpoint(await own.trainer.parameters());
    expect(begun["embed.W_E"]?.maxAbsDiff(parameters["embed.W_E"] ?? begun["unembed.W_U"] ?? tensor(0))).toBe(0);
    await own.trainer.close();
    rmSync(folder, { recursive: true });
  });

  test("says what a folder without a log holds", async () => {
    const message = await openTrainingLog("constructed/induction").then(() => "", String);
    expect(message).toContain(
      'openTrainingLog: "constructed/induction": got a folder with "README.md", "circuit.json", "config.json", ' +
        '"model.safetensors"; expected metrics.jsonl, and model folders checkpoints/step-N. Open "attn-only-2l"',
    );
  });
});
