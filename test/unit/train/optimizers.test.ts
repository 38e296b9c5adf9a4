/** Optimisers: PyTorch's numbers where it has them, the formula written out where it has not. */
import { afterAll, expect, test } from "vitest";
import { Engine } from "../../../src/runtime/index.js";
import { adam, adamW, lion, type Optimizer, sgd, Trainer } from "../../../src/train/index.js";
import { Generator, golden } from "./golden.js";
import { floats, messageOf, numbersOf, rows, squareProblem } from "./support.js";

const engine = Engine.create({ threads: 1 });
afterAll(() => engine.close());

const rates = { learningRate: 0.05, weightDecay: 0.1 };
const adaptive = { ...rates, beta1: 0.8, beta2: 0.9, eps: 1e-3 };
const cases: Readonly<Record<string, Optimizer>> = {
  adamW: adamW(adaptive),
  adam: adam(adaptive),
  sgd: sgd(rates),
  momentum: sgd({ ...rates, momentum: 0.9 }),
  nesterov: sgd({ learningRate: 0.05, momentum: 0.9, nesterov: true }),
};

test.each(Object.entries(cases))(
  "12 steps of %s, clipped by value and norm, are PyTorch's",
  async (name, optimizer) => {
    const trainer = Trainer.create({
      parameters: { A: new Generator(1).tensor([3, 4], 1), b: new Generator(2).tensor([4], 1) },
      inputs: { x: { dtype: "float32", shape: ["n", 3] }, y: { dtype: "float32", shape: ["n", 4] } },
      loss: ({ ops, parameter, batch }) => {
        const made = ops.tanh(ops.add(ops.matmul(batch("x"), parameter("A")), parameter("b")));
        const error = ops.sub(made, batch("y"));
        return { loss: ops.reduceMean(ops.mul(error, error), undefined, false) };
      },
      optimizer,
      clip: { value: 0.05, norm: 0.12 },
      engine,
    });
    const batch = { x: new Generator(3).tensor([5, 3], 1), y: new Generator(4).tensor([5, 4], 1) };
    for (const expected of golden("optimizers")[name] as readonly (readonly number[])[]) {
      await trainer.step(batch);
      const { A, b } = await trainer.parameters();
      const got = [...numbersOf(A), ...numbersOf(b)];
      expect(Math.max(...got.map((value, i) => Math.abs(value - (expected[i] ?? Number.NaN))))).toBeLessThan(2e-6);
    }
    await trainer.close();
  },
);

test("lion takes steps of one length in the direction of the blended average, and decays apart from it", async () => {
  const [rate, decay, beta1, beta2] = [0.1, 0.2, 0.9, 0.5];
  const optimizer = lion({ learningRate: rate, weightDecay: decay, beta1, beta2 });
  const trainer = Trainer.create({ ...squareProblem, optimizer, engine });
  let p = [1, -2];
  let mean = [0, 0];
  for (const target of [3, -4, 3, 3]) {
    await trainer.step(rows([target, target]));
    const gradient = p.map((value) => value - target);
    p = p.map((value, i) => {
      const blend = beta1 * (mean[i] ?? 0) + (1 - beta1) * (gradient[i] ?? 0);
      return value * (1 - rate * decay) - rate * Math.sign(blend);
    });
    mean = mean.map((value, i) => beta2 * value + (1 - beta2) * (gradient[i] ?? 0));
    const got = numbersOf((await trainer.parameters())["p"]);
    got.forEach((value, i) => expect(value).toBeCloseTo(p[i] ?? Number.NaN, 5));
  }
  await trainer.close();
});

test("a learning rate of 0 and no decay change nothing", async () => {
  for (const optimizer of [adamW({ learningRate: 0 }), lion({ learningRate: 0 }), sgd({ learningRate: 0 })]) {
    const trainer = Trainer.create({ ...squareProblem, parameters: { p: floats([0.3, -7]) }, optimizer, engine });
    await trainer.step(rows([5, 5]));
    expect(numbersOf((await trainer.parameters())["p"])).toEqual([Math.fround(0.3), -7]);
    await trainer.close();
  }
});

test("options out of range are named", () => {
  expect(messageOf(() => adamW({ beta1: 1 }))).toContain(
    "adamW: beta1: got 1; expected a number from 0 to below 1. Leave it out for the default.",
  );
  expect(messageOf(() => adam({ eps: -1 }))).toContain("adam: eps: got -1; expected a number of 0 or more.");
  expect(messageOf(() => lion({ learningRate: Number.NaN }))).toContain("lion: learningRate: got NaN");
  expect(messageOf(() => sgd({ momentum: 2 }))).toContain("sgd: momentum: got 2");
  expect(messageOf(() => sgd({ nesterov: true }))).toContain(
    "sgd: nesterov: got true without momentum; expected a momentum above 0.",
  );
});
