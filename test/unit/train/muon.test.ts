/** Muon: its own formula in float64, written out with plain loops. */
import { afterAll, expect, test } from "vitest";
import { Engine } from "../../../src/runtime/index.js";
import { tensor } from "../../../src/tensor/index.js";
import { adamW, muon, Trainer } from "../../../src/train/index.js";
import { Generator } from "./golden.js";
import { messageOf, numbersOf } from "./support.js";

const engine = Engine.create({ threads: 1 });
afterAll(() => engine.close());

type Matrix = readonly (readonly number[])[];

function product(x: Matrix, y: Matrix): number[][] {
  return x.map((row) => (y[0] ?? []).map((_, j) => row.reduce((sum, value, k) => sum + value * (y[k]?.[j] ?? 0), 0)));
}

function transposed(x: Matrix): number[][] {
  return (x[0] ?? []).map((_, j) => x.map((row) => row[j] ?? 0));
}

function combined(x: Matrix, p: number, y: Matrix, q: number): number[][] {
  return x.map((row, i) => row.map((value, j) => p * value + q * (y[i]?.[j] ?? 0)));
}

/** Five Newton–Schulz steps, for matrices with no more rows than columns. */
function orthogonal(x: Matrix): number[][] {
  const norm = Math.hypot(...x.flat());
  let u = x.map((row) => row.map((value) => value / norm));
  for (let i = 0; i < 5; i++) {
    const gram = product(u, transposed(u));
    const polynomial = combined(gram, -4.775, product(gram, gram), 2.0315);
    u = combined(u, 3.4445, product(polynomial, u), 1);
  }
  return u;
}

const [rate, momentum, decay] = [0.1, 0.9, 0.2];

/** Trains a matrix towards a target under ½‖W − T‖², whose gradient is W − T. */
async function trained(shape: readonly number[], steps: number, sideBySide: number): Promise<number[]> {
  const start = new Generator(1).tensor([...shape], 1);
  const target = new Generator(2).tensor([...shape], 1);
  const trainer = Trainer.create({
    parameters: { "block.W": start, b: tensor([1, 2], ["out"]) },
    inputs: { target: { dtype: "float32", shape: [...shape] } },
    loss: ({ ops, parameter, batch }) => {
      const error = ops.sub(parameter("block.W"), batch("target"));
      const matrix = ops.reduceSum(ops.mul(error, error), undefined, false);
      const bias = ops.reduceSum(ops.mul(parameter("b"), parameter("b")), undefined, false);
      return { loss: ops.mul(ops.add(matrix, bias), 0.5) };
    },
    optimizer: muon({
      matrices: "block.*",
      sideBySide: { "block.W": sideBySide },
      learningRate: rate,
      momentum,
      weightDecay: decay,
      adamW: { learningRate: 0.3 },
    }),
    engine,
  });
  for (let i = 0; i < steps; i++) await trainer.step({ target });
  const { "block.W": weight, b } = await trainer.parameters();
  await trainer.close();
  return [...numbersOf(weight), ...numbersOf(b)];
}

function expected(rows: number, columns: number, steps: number): Matrix {
  const read = (seed: number): number[][] => {
    const data = numbersOf(new Generator(seed).tensor([rows, columns], 1));
    return Array.from({ length: rows }, (_, i) => data.slice(i * columns, (i + 1) * columns));
  };
  let [w, m] = [read(1), Array.from({ length: rows }, () => new Array<number>(columns).fill(0))];
  const target = read(2);
  for (let i = 0; i < steps; i++) {
    const gradient = combined(w, 1, target, -1);
    m = combined(m, momentum, gradient, 1);
    const u = combined(gradient, 1, m, momentum);
    const direction = rows <= columns ? orthogonal(u) : transposed(orthogonal(transposed(u)));
    w = combined(w, 1 - rate * decay, direction, -rate * Math.sqrt(Math.max(1, columns / rows)));
  }
  return w;
}

test.each([
  [3, 5],
  [6, 2],
])("a matrix [%i, %i] follows momentum, Newton–Schulz and decoupled decay", async (rows, columns) => {
  const got = await trained([rows, columns], 4, 1);
  const want = expected(rows, columns, 4).flat();
  want.forEach((value, i) => expect(got[i]).toBeCloseTo(value, 4));
});

test("matrices side by side are updated as each alone", async () => {
  const joined = await trained([3, 6], 1, 3);
  const data = numbersOf(new Generator(1).tensor([3, 6], 1));
  const aims = numbersOf(new Generator(2).tensor([3, 6], 1));
  for (let part = 0; part < 3; part++) {
    const piece = (from: readonly number[]): number[][] =>
      Array.from({ length: 3 }, (_, i) => from.slice(i * 6 + part * 2, i * 6 + part * 2 + 2));
    const gradient = combined(piece(data), 1, piece(aims), -1);
    const u = combined(gradient, 1, gradient, momentum);
    const direction = transposed(orthogonal(transposed(u)));
    const w = combined(piece(data), 1 - rate * decay, direction, -rate);
    w.forEach((row, i) => row.forEach((value, j) => expect(joined[i * 6 + part * 2 + j]).toBeCloseTo(value, 4)));
  }
});

test("everything else is AdamW's", async () => {
  const got = (await trained([2, 2], 3, 1)).slice(4);
  const trainer = Trainer.create({
    parameters: { b: tensor([1, 2], ["out"]) },
    inputs: {},
    loss: ({ ops, parameter }) => ({
      loss: ops.mul(ops.reduceSum(ops.mul(parameter("b"), parameter("b")), undefined, false), 0.5),
    }),
    optimizer: adamW({ learningRate: 0.3, weightDecay: decay }),
    engine,
  });
  for (let i = 0; i < 3; i++) await trainer.step({});
  const { b } = await trainer.parameters();
  numbersOf(b).forEach((value, i) => expect(got[i]).toBeCloseTo(value, 5));
  await trainer.close();
});

test("a vector among the matrices is named", async () => {
  await expect(trained([4], 1, 1)).rejects.toThrow(/muon: block\.W: got shape \[4\]/);
  expect(messageOf(() => muon({ matrices: "*", momentum: 1 }))).toContain("muon: momentum: got 1");
});
