/** The trainer on a problem whose gradients are known. */
import { afterAll, describe, expect, test } from "vitest";
import { Engine } from "../../../src/runtime/index.js";
import { adamW, schedule, sgd, Trainer, type TrainerOptions } from "../../../src/train/index.js";
import { floats, messageOf, numbersOf, rejection, rows, squareLoss, squareProblem } from "./support.js";

const engine = Engine.create({ threads: 1 });
afterAll(() => engine.close());

function make(options: Partial<TrainerOptions> = {}): Trainer {
  return Trainer.create({ ...squareProblem, engine, ...options });
}

async function parameters(trainer: Trainer): Promise<readonly number[]> {
  return numbersOf((await trainer.parameters())["p"]);
}

describe("a step", () => {
  test("reports the loss before the update and moves parameters by the gradient", async () => {
    const trainer = make();
    const record = await trainer.step(rows([3, 2]));
    // Gradient p - x = [-2, -4] for one row.
    expect(record).toMatchObject({ step: 1, loss: 10, learningRate: 0.5, metrics: {} });
    expect(record.gradientNorm).toBeCloseTo(Math.sqrt(20), 5);
    expect(await parameters(trainer)).toEqual([2, 0]);
    expect(trainer.steps).toBe(1);
  });

  test("takes batches of any number of rows", async () => {
    const trainer = make();
    await trainer.step(rows([3, 2], [5, 4], [1, 0]));
    expect(await parameters(trainer)).toEqual([2, 0]);
    await trainer.step(rows([2, 0]));
    expect(await parameters(trainer)).toEqual([2, 0]);
  });

  test("follows the schedule, and scales of groups", async () => {
    const trainer = make({
      parameters: { p: floats([1, -2]), "deep.q": floats([1, -2]) },
      loss: ({ ops, parameter, batch }) => {
        const error = ops.sub(ops.add(parameter("p"), parameter("deep.q")), batch("x"));
        return { loss: ops.reduceMean(ops.mul(error, error), undefined, false) };
      },
      schedule: schedule.linear({ steps: 2 }),
      groups: [{ match: "deep.*", learningRateScale: 0.5 }],
    });
    expect((await trainer.step(rows([0, 0]))).learningRate).toBe(0.5);
    const { p, "deep.q": q } = await trainer.parameters();
    expect([numbersOf(p), numbersOf(q)]).toEqual([
      [0, 0],
      [0.5, -1],
    ]);
    expect((await trainer.step(rows([0, 0]))).learningRate).toBe(0.25);
  });

  test("accumulated batches give the update of their mean gradient", async () => {
    const one = make();
    await one.step(rows([3, 2], [7, 8]));
    const two = make({ accumulate: 2 });
    const record = await two.step([rows([3, 2]), rows([7, 8])]);
    expect(await parameters(two)).toEqual(await parameters(one));
    expect(record.loss).toBe((10 + 68) / 2);
    await one.step(rows([1, 1], [2, 2]));
    await two.step([rows([1, 1]), rows([2, 2])]);
    expect(await parameters(two)).toEqual(await parameters(one));
  });

  test("frozen parameters stay, and need no state", async () => {
    const trainer = make({
      parameters: { p: floats([1, -2]), q: floats([5, 5]) },
      loss: ({ ops, parameter, batch }) => {
        const error = ops.sub(ops.mul(parameter("p"), parameter("q")), batch("x"));
        return { loss: ops.reduceMean(ops.mul(error, error), undefined, false) };
      },
      optimizer: adamW({ learningRate: 0.1 }),
      groups: [{ match: "q", isFrozen: true }],
    });
    await trainer.step(rows([0, 0]));
    expect(numbersOf((await trainer.parameters())["q"])).toEqual([5, 5]);
    expect(await parameters(trainer)).not.toEqual([1, -2]);
  });

  test("averages follow the parameters, and evaluation can use them", async () => {
    const trainer = make({ average: 0.75 });
    await trainer.step(rows([3, 2]));
    await trainer.step(rows([4, 4]));
    const values = [
      [1, -2],
      [2, 0],
      [3, 2],
    ];
    expect(await parameters(trainer)).toEqual(values[2]);
    let average = values[0] ?? [];
    for (const now of values.slice(1)) average = average.map((value, i) => 0.75 * value + 0.25 * (now[i] ?? 0));
    expect(numbersOf((await trainer.parameters({ averaged: true }))["p"])).toEqual(average);
    const { loss } = await trainer.evaluate({ x: floats(average, [1, 2]) }, { averaged: true });
    expect(loss).toBe(0);
  });

  test("evaluation changes nothing", async () => {
    const trainer = make();
    const first = await trainer.evaluate(rows([3, 2]));
    expect(await trainer.evaluate(rows([3, 2]))).toEqual(first);
    expect(first.loss).toBe(10);
    expect(trainer.steps).toBe(0);
  });

  test("scalars follow their schedules, metrics are reported, buffers are carried on", async () => {
    const trainer = make({
      scalars: { strength: schedule.linear({ steps: 4 }), fixed: 2 },
      buffers: { seen: floats([0]) },
      loss: (context) => {
        const { ops, batch, scalar, buffer } = context;
        const { loss } = squareLoss(context);
        const count = ops.reduceSum(ops.mul(batch("x"), 0), undefined, false);
        return {
          loss: ops.mul(loss, scalar("strength")),
          metrics: { twice: ops.mul(ops.mul(loss, scalar("strength")), scalar("fixed")) },
          buffers: { seen: ops.add(buffer("seen"), ops.add(count, 1)) },
        };
      },
    });
    expect((await trainer.step(rows([3, 2]))).metrics).toEqual({ twice: 20 });
    const second = await trainer.step(rows([3, 2]));
    expect(second.metrics["twice"]).toBeCloseTo(2 * second.loss, 6);
    expect(second.loss).toBeCloseTo(0.75 * 2.5, 6);
    expect(numbersOf((await trainer.buffers())["seen"])).toEqual([2]);
  });

  test("gradients can be edited before, and parameters constrained after the update", async () => {
    const trainer = make({
      editGradient: (ops, { gradient }) => ops.neg(gradient),
      constrain: (ops, { parameter }) => ops.div(parameter, ops.reduceL2(parameter, [0])),
    });
    await trainer.step(rows([2, -4]));
    // Uphill from [1, -2] by half of [-1, 2] reversed: [0.5, -1], then unit length.
    const [a = 0, b = 0] = await parameters(trainer);
    expect(a).toBeCloseTo(1 / Math.sqrt(5), 6);
    expect(b).toBeCloseTo(-2 / Math.sqrt(5), 6);
  });

  test("equal runs have equal bits, also when calls are not awaited one by one", async () => {
    const [a, b] = [make({ optimizer: adamW() }), make({ optimizer: adamW() })];
    const batches = [rows([3, 2]), rows([0.1, 0.7], [0.3, 0.9]), rows([-1, 1])];
    for (const batch of batches) await a.step(batch);
    await Promise.all(batches.map((batch) => b.step(batch)));
    expect(await parameters(a)).toEqual(await parameters(b));
    expect(b.metrics.curve("loss").values).toEqual(a.metrics.curve("loss").values);
  });

  test("it says what it trains", () => {
    expect(String(make())).toBe("Trainer of 2 parameters in 1 tensor, sgd, step 0");
  });
});

describe("bad input", () => {
  test("a loss that is no scalar", () => {
    const loss: TrainerOptions["loss"] = ({ ops, parameter, batch }) => ({ loss: ops.mul(parameter("p"), batch("x")) });
    expect(messageOf(() => make({ loss }))).toMatch(
      /trainer: loss: got %.*float32\[rows, 2\]; expected a scalar: a float32 value with one element\. Sum it/,
    );
  });

  test("a metric that is no scalar, or has a name that is taken", () => {
    const withMetric =
      (name: string): TrainerOptions["loss"] =>
      (context) => ({ ...squareLoss(context), metrics: { [name]: context.batch("x") } });
    expect(messageOf(() => make({ loss: withMetric("size") }))).toContain('trainer: metric "size": got %x');
    const taken: TrainerOptions["loss"] = (context) => {
      const { loss } = squareLoss(context);
      return { loss, metrics: { step: loss } };
    };
    expect(messageOf(() => make({ loss: taken }))).toContain(
      'metric "step": got a name that every step reports already',
    );
  });

  test("a parameter that the loss does not reach is named", () => {
    const more = { p: floats([1, 2]), "a.lost": floats([1]), other: floats([2]) };
    expect(messageOf(() => make({ parameters: more }))).toContain(
      'trainer: parameters "a.lost", "other": got no path to the loss; expected parameters that the loss depends on.',
    );
    const blocked: TrainerOptions["loss"] = (context) => {
      const { loss } = squareLoss(context);
      const { ops, parameter } = context;
      return { loss: ops.add(loss, ops.reduceSum(ops.floor(parameter("q")), undefined, false)) };
    };
    expect(messageOf(() => make({ parameters: { p: floats([1, 2]), q: floats([1]) }, loss: blocked }))).toMatch(
      /%q: float32\[1\]: got paths that only lead through Floor/,
    );
  });

  test("names that nobody gave, with the nearest", () => {
    const loss: TrainerOptions["loss"] = ({ parameter }) => ({ loss: parameter("P") });
    expect(messageOf(() => make({ loss }))).toContain('loss: parameter "P": got a name that the trainer was not given');
    expect(messageOf(() => make({ loss }))).toContain('Nearest: "p"');
  });

  test("inputs that nobody reads, and names that clash", () => {
    const x = { dtype: "float32", shape: ["rows", 2] } as const;
    expect(messageOf(() => make({ inputs: { x, spare: x } }))).toContain('trainer: input "spare": got a batch tensor');
    expect(messageOf(() => make({ inputs: { x, p: x } }))).toContain(
      'inputs "p": got a name that a parameter has, too',
    );
  });

  test("wrong groups, clips and counts", () => {
    expect(messageOf(() => make({ groups: [{ match: "W_*" }] }))).toContain(
      'trainer: groups[0].match: got "W_*", which matches no parameter',
    );
    expect(messageOf(() => make({ groups: [{ match: "p", learningRateScale: -1 }] }))).toContain(
      "trainer: groups[0].learningRateScale: got -1",
    );
    expect(messageOf(() => make({ groups: [{ match: "p", isFrozen: true }] }))).toContain(
      "trainer: parameters: got 1 parameters, all of them frozen",
    );
    expect(messageOf(() => make({ clip: { norm: 0 } }))).toContain("trainer: clip.norm: got 0");
    expect(messageOf(() => make({ accumulate: 0 }))).toContain("trainer: accumulate: got 0");
    expect(messageOf(() => make({ average: 1 }))).toContain("trainer: average: got 1");
    const whole = { p: floats([1, 2]).cast("float64") };
    expect(messageOf(() => make({ parameters: whole }))).toContain('trainer: parameter "p": got dtype float64');
  });

  test("missing and surplus tensors of a batch are named, and nothing is trained", async () => {
    const trainer = make();
    expect(await rejection(trainer.step({}))).toContain('trainer.step: batch: got a batch without "x"');
    expect(await rejection(trainer.step({ ...rows([1, 1]), y: floats([1]) }))).toContain(
      'got a batch with "y", which is no input; expected exactly "x".',
    );
    expect(await rejection(trainer.step({ x: floats([1, 2, 3], [1, 3]) }))).toMatch(/feed "x".*\[1, 3\]/);
    expect(await rejection(trainer.step([rows([1, 1]), rows([1, 1])]))).toContain("trainer.step: batches: got 2");
    expect(trainer.steps).toBe(0);
    expect(await parameters(trainer)).toEqual([1, -2]);
  });

  test("averages of a trainer that keeps none", async () => {
    expect(await rejection(make().parameters({ averaged: true }))).toContain(
      "trainer: averaged: got true for a run that keeps no averages",
    );
  });
});

describe("numbers that are not finite", () => {
  test("a bad batch is an error that names step, batch and tensor, and changes nothing", async () => {
    const trainer = make({ optimizer: adamW() });
    await trainer.step(rows([3, 2]));
    const before = await parameters(trainer);
    const message = await rejection(trainer.step(rows([Number.NaN, 2])));
    expect(message).toContain("NumericError: train: step 2, batch 1: got a loss or gradient that is not finite");
    expect(message).toContain('first tensor that went bad: "x", an input of the step');
    expect(message).toContain("parameters are those after step 1");
    expect(await parameters(trainer)).toEqual(before);
    expect(trainer.steps).toBe(1);
    await trainer.step(rows([3, 2]));
    expect(trainer.steps).toBe(2);
  });

  test("the first bad value inside is named by its label, or by its op", async () => {
    const loss: TrainerOptions["loss"] = ({ ops, parameter, batch, label }) => {
      const logs = label("logarithms", ops.log(ops.sub(parameter("p"), batch("x"))));
      return { loss: ops.reduceMean(ops.mul(ops.add(logs, 1), 2), undefined, false) };
    };
    const trainer = make({ loss });
    expect(await rejection(trainer.step(rows([4, -5])))).toContain('first tensor that went bad: "logarithms"');
    const unnamed: TrainerOptions["loss"] = ({ ops, parameter, batch, label }) => {
      const error = label("error", ops.sub(parameter("p"), batch("x")));
      return { loss: ops.reduceMean(ops.sqrt(error), undefined, false) };
    };
    expect(await rejection(make({ loss: unnamed }).step(rows([4, -5])))).toContain(
      'first tensor that went bad: the output of Sqrt (float32[rows, 2]), computed after "error"',
    );
  });

  test("a gradient that is not finite under a finite loss is found, too", async () => {
    const loss: TrainerOptions["loss"] = ({ ops, parameter, batch }) => {
      const error = ops.sub(parameter("p"), batch("x"));
      return { loss: ops.reduceMean(ops.sqrt(ops.mul(error, error)), undefined, false) };
    };
    const message = await rejection(make({ loss }).step(rows([1, -2])));
    expect(message).toContain("NumericError: train: step 1, batch 0");
    expect(message).toMatch(/first tensor that went bad: the output of \w+ \(float32/);
  });

  test("with accumulation the batch is counted over the whole run", async () => {
    const trainer = make({ accumulate: 2, optimizer: sgd() });
    await trainer.step([rows([1, 1]), rows([1, 1])]);
    const before = await parameters(trainer);
    const message = await rejection(trainer.step([rows([1, 1]), rows([Number.POSITIVE_INFINITY, 1])]));
    expect(message).toContain("train: step 2, batch 3");
    expect(await parameters(trainer)).toEqual(before);
  });
});
