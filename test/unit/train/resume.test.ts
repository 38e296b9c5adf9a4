/** Checkpoints, logs, and runs that are continued. */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { loadSafetensors, writeSafetensors } from "../../../src/io/index.js";
import { Engine } from "../../../src/runtime/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import {
  adamW,
  type BatchSource,
  MetricSeries,
  readMetrics,
  schedule,
  Trainer,
  type TrainerOptions,
  type TrainingBatch,
} from "../../../src/train/index.js";
import { Generator } from "./golden.js";
import { floats, numbersOf, rejection } from "./support.js";

const engine = Engine.create({ threads: 1 });
const root = mkdtempSync(join(tmpdir(), "limpid-train-"));
afterAll(async () => {
  await engine.close();
  rmSync(root, { recursive: true, force: true });
});

function fresh(name: string): string {
  return join(root, name);
}

/** A small network with everything that a checkpoint must hold: two averages, moving averages, a buffer. */
function make(options: Partial<TrainerOptions> = {}): Trainer {
  return Trainer.create({
    parameters: { "in.W": new Generator(1).tensor([3, 5], 1), "out.W": new Generator(2).tensor([5, 1], 1) },
    inputs: { x: { dtype: "float32", shape: ["rows", 3] }, y: { dtype: "float32", shape: ["rows", 1] } },
    buffers: { mean: floats([0]) },
    loss: ({ ops, parameter, batch, buffer }) => {
      const hidden = ops.tanh(ops.matmul(batch("x"), parameter("in.W")));
      const error = ops.sub(ops.matmul(hidden, parameter("out.W")), batch("y"));
      const loss = ops.reduceMean(ops.mul(error, error), undefined, false);
      const mean = ops.add(ops.mul(buffer("mean"), 0.9), ops.mul(ops.reshape(loss, [1]), 0.1));
      return { loss, metrics: { running: ops.reshape(mean, []) }, buffers: { mean } };
    },
    optimizer: adamW({ learningRate: 0.05 }),
    schedule: schedule.cosine({ steps: 40 }),
    clip: { norm: 0.5 },
    average: 0.9,
    engine,
    ...options,
  });
}

/** Batch `index` of a stream without an end. */
function batch(index: number): TrainingBatch {
  const generator = new Generator(100 + index);
  return { x: generator.tensor([4, 3], 1), y: generator.tensor([4, 1], 1) };
}

async function stateOf(trainer: Trainer): Promise<unknown> {
  const [now, averaged, buffers] = [
    await trainer.parameters(),
    await trainer.parameters({ averaged: true }),
    await trainer.buffers(),
  ];
  const bits = (tensors: Readonly<Record<string, Tensor>>): unknown =>
    Object.entries(tensors).map(([name, tensor]) => [name, numbersOf(tensor)]);
  return [trainer.steps, bits(now), bits(averaged), bits(buffers)];
}

describe("a continued run", () => {
  test.each([1, 3])("20 steps are bit for bit 10, a new trainer, and 10 more (accumulate %i)", async (accumulate) => {
    const straight = make({ accumulate });
    await straight.train({ steps: 20, batches: batch });
    const folder = fresh(`resume-${accumulate}`);
    const first = make({ accumulate });
    await first.train({ steps: 10, batches: batch, folder });
    const second = make({ accumulate });
    const result = await second.train({ steps: 20, batches: batch, folder });
    expect(result).toMatchObject({ steps: 20, resumedAt: 10 });
    expect(await stateOf(second)).toEqual(await stateOf(straight));
    expect(second.metrics.curve("loss")).toEqual(straight.metrics.curve("loss"));
  });

  test("goes on at the right place of a stream of batches", async () => {
    const asked: number[] = [];
    const stream: BatchSource = {
      async *startAt(index) {
        asked.push(index);
        for (let i = index; ; i++) yield await Promise.resolve(batch(i));
      },
    };
    const folder = fresh("stream");
    await make().train({ steps: 3, batches: stream, folder });
    const trainer = make();
    await trainer.train({ steps: 6, batches: stream, folder });
    const straight = make();
    await straight.train({ steps: 6, batches: batch });
    expect(asked).toEqual([0, 3]);
    expect(await stateOf(trainer)).toEqual(await stateOf(straight));
  });

  test("an abort ends after a whole step with a checkpoint", async () => {
    const folder = fresh("abort");
    const controller = new AbortController();
    const trainer = make();
    const run = trainer.train({
      steps: 1000,
      batches: batch,
      folder,
      signal: controller.signal,
      onStep: ({ step }) => {
        if (step === 7) controller.abort(new Error("enough"));
      },
    });
    expect(await rejection(run)).toMatch(
      /AbortedError: train: after step 7: got an aborted signal; .*go on from .*step-00000007\./,
    );
    const next = make();
    await next.train({ steps: 12, batches: batch, folder });
    const straight = make();
    await straight.train({ steps: 12, batches: batch });
    expect(await stateOf(next)).toEqual(await stateOf(straight));
  });

  test("a run of another configuration is refused with what differs, and left as it is", async () => {
    const folder = fresh("other");
    await make().train({ steps: 2, batches: batch, folder, about: { seed: 1 } });
    const before = readdirSync(join(folder, "checkpoints"));
    const other = make({ optimizer: adamW({ learningRate: 0.05, beta2: 0.99 }), clip: { norm: 1 } });
    const message = await rejection(other.train({ steps: 4, batches: batch, folder, about: { seed: 2 } }));
    expect(message).toContain("got another configuration: about.seed: 1 in the checkpoint, 2 here");
    expect(message).toContain("clip.norm: 0.5 in the checkpoint, 1 here");
    expect(message).toContain("optimizer.beta2: 0.999 in the checkpoint, 0.99 here");
    expect(readdirSync(join(folder, "checkpoints"))).toEqual(before);
  });

  test("another loss function and other sizes differ, too", async () => {
    const folder = fresh("loss");
    await make().train({ steps: 1, batches: batch, folder });
    const wider = {
      "in.W": floats(Array(21).fill(0.1) as number[], [3, 7]),
      "out.W": floats(Array(7).fill(0.1) as number[], [7, 1]),
    };
    const message = await rejection(make({ parameters: wider }).train({ steps: 2, batches: batch, folder }));
    expect(message).toContain("parameters.in.W: [3,5] in the checkpoint, [3,7] here");
    expect(message).toMatch(/loss: "[0-9a-f]+" in the checkpoint/);
  });

  test("a trainer that has been trained otherwise does not take a folder over", async () => {
    const folder = fresh("taken");
    await make().train({ steps: 3, batches: batch, folder });
    const trainer = make();
    await trainer.step(batch(0));
    expect(await rejection(trainer.train({ steps: 5, batches: batch, folder }))).toContain(
      "got checkpoints up to step 3, for a trainer that stands at step 1",
    );
  });

  test("a finished run is not trained again", async () => {
    const folder = fresh("finished");
    await make().train({ steps: 3, batches: batch, folder });
    const never: BatchSource = () => {
      throw new Error("asked for a batch");
    };
    expect(await make().train({ steps: 3, batches: never, folder })).toMatchObject({ steps: 3, resumedAt: 3 });
  });

  test("only the last checkpoints are kept", async () => {
    const folder = fresh("kept");
    await make().train({ steps: 7, batches: batch, folder, checkpointEvery: 2, keepCheckpoints: 3 });
    expect(readdirSync(join(folder, "checkpoints"))).toEqual(["step-00000004", "step-00000006", "step-00000007"]);
  });

  test("a stream that ends too soon is an error that names the batch", async () => {
    const short: BatchSource = {
      async *startAt() {
        yield await Promise.resolve(batch(0));
      },
    };
    expect(await rejection(make().train({ steps: 3, batches: short }))).toContain(
      "train: batch 1: got the end of the data",
    );
  });

  test("a NaN keeps the last checkpoint", async () => {
    const folder = fresh("nan");
    const broken = (index: number): TrainingBatch =>
      index === 5 ? { ...batch(5), y: floats([1, 2, Number.NaN, 4], [4, 1]) } : batch(index);
    const message = await rejection(make().train({ steps: 9, batches: broken, folder, checkpointEvery: 2 }));
    expect(message).toContain("train: step 6, batch 5");
    expect(message).toContain('"y", an input of the step');
    expect(readdirSync(join(folder, "checkpoints"))).toEqual(["step-00000002", "step-00000004"]);
  });

  test("a checkpoint that lacks a tensor, or is none, is refused", async () => {
    const folder = fresh("lacks");
    const { checkpoint = "" } = await make().train({ steps: 2, batches: batch, folder });
    const path = join(checkpoint, "state.safetensors");
    const { "optimizer.mean.in.W": _, ...rest } = await loadSafetensors(path);
    await writeSafetensors(path, rest);
    expect(await rejection(make().restore(checkpoint))).toContain('got no tensor "optimizer.mean.in.W"');
    writeFileSync(join(checkpoint, "checkpoint.json"), '{"format":"other/1"}');
    expect(await rejection(make().restore(checkpoint))).toContain(
      'got format "other/1"; expected "limpid-checkpoint/1"',
    );
  });

  test("wrong numbers of steps are named", async () => {
    expect(await rejection(make().train({ steps: 1.5, batches: batch }))).toContain("train: steps: got 1.5");
    expect(await rejection(make().train({ steps: 1, batches: batch, checkpointEvery: 0 }))).toContain(
      "train: checkpointEvery: got 0",
    );
  });
});

describe("the log", () => {
  test("has a line for each step, with what was measured", async () => {
    const folder = fresh("log");
    const trainer = make();
    await trainer.train({
      steps: 5,
      batches: batch,
      folder,
      evaluate: { every: 2, measure: async (of) => ({ validation: (await of.evaluate(batch(99))).loss }) },
    });
    const series = await readMetrics(join(folder, "metrics.jsonl"));
    expect(series.length).toBe(5);
    expect([...series.curve("validation").steps]).toEqual([2, 4, 5]);
    expect(series.curve("loss").values).toEqual(trainer.metrics.curve("loss").values);
    expect(series.names()).toEqual(
      expect.arrayContaining(["step", "loss", "learningRate", "gradientNorm", "running", "seconds"]),
    );
  });

  test("loses what came after the checkpoint, also a line that was cut short", async () => {
    const folder = fresh("cut");
    await make().train({ steps: 4, batches: batch, folder });
    appendFileSync(join(folder, "metrics.jsonl"), '{"step":5,"loss":1}\n{"step":6,"lo');
    const trainer = make();
    await trainer.train({ steps: 6, batches: batch, folder });
    const series = await readMetrics(join(folder, "metrics.jsonl"));
    expect([...series.curve("loss").steps]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(series.curve("loss").values).toEqual(trainer.metrics.curve("loss").values);
    expect(readFileSync(join(folder, "metrics.jsonl"), "utf8").endsWith("\n")).toBe(true);
  });

  test("a broken line inside is named", async () => {
    const path = fresh("broken.jsonl");
    writeFileSync(path, '{"step":1,"loss":2}\n{"step":\n{"step":3,"loss":1}\n');
    expect(await rejection(readMetrics(path))).toContain("broken.jsonl: line 2");
  });

  test("numbers that are not finite come back", async () => {
    const path = fresh("nan.jsonl");
    writeFileSync(path, '{"step":1,"loss":"NaN"}\n{"step":2,"loss":"Infinity"}\n');
    expect([...(await readMetrics(path)).curve("loss").values]).toEqual([Number.NaN, Number.POSITIVE_INFINITY]);
  });

  test("a series prints its last row, and names what it lacks", () => {
    const series = new MetricSeries([{ step: 1, loss: 2.5 }]);
    series.add({ step: 1, accuracy: 0.25 });
    expect(String(series)).toBe("MetricSeries of 1 rows, last: step 1, loss 2.5, accuracy 0.25");
    expect(() => series.curve("los")).toThrow('metrics.curve: got "los", which no step reported');
    expect(String(new MetricSeries())).toBe("MetricSeries (empty)");
  });
});
