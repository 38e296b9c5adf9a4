/** Reducers against naive sums over made-up activations: no model is needed. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/core/index.js";
import type { CountedTokens } from "../../../src/model/over/index.js";
import { type ActivationBatch, type Reducer, reduce } from "../../../src/model/over/index.js";
import { reducedPoint, tokenVectors } from "../../../src/model/over/vectors.js";
import { full, randn, Tensor } from "../../../src/tensor/index.js";
import { refusal } from "../data/support.js";
import { numbersOf } from "./support.js";

const heads = { axes: ["batch", "pos", "head", "dHead"], shape: [3, 5, 2, 7] } as const;
const point = reducedPoint("blocks.0.attn.hook_z", heads.axes, heads.shape);

/** Counted tokens of a `[batch, pos]` grid, by slot. */
function counted(slots: readonly number[], pos: number, firstRow = 0): CountedTokens {
  const batch = Math.max(...slots.map((slot) => Math.floor(slot / pos))) + 1;
  return {
    count: slots.length,
    slots: Int32Array.from(slots),
    rows: Int32Array.from(slots, (slot) => firstRow + Math.floor(slot / pos)),
    positions: Int32Array.from(slots, (slot) => slot % pos),
    ids: Int32Array.from(slots, (slot) => 100 + slot),
    firstRow,
    rowIds: Array.from({ length: batch }, (_, row) =>
      Int32Array.from({ length: pos }, (_id, p) => 100 + row * pos + p),
    ),
  };
}

function batchOf(activation: Tensor, tokens: CountedTokens): ActivationBatch {
  return { point, activation, tokens, vectors: tokenVectors(activation, point, tokens) };
}

const everySlot = Array.from({ length: 15 }, (_, i) => i);
const activations = [0, 1, 2].map((seed) => randn(heads.shape, [...heads.axes], createRandom(seed)).add(1000));
const batches = activations.map((activation, i) =>
  batchOf(activation, counted(everySlot.slice(0, 15 - 4 * i), 5, 3 * i)),
);
/** All counted vectors, in order. */
const vectors = batches.flatMap(({ activation, tokens }) =>
  Array.from(tokens.slots, (slot) => Array.from(activation.data as Float32Array).slice(slot * 14, (slot + 1) * 14)),
);

async function reduced<V>(reducer: Reducer<V>, list: readonly ActivationBatch[] = batches): Promise<V> {
  const accumulator = reducer.start(point);
  for (const batch of list) await accumulator.update(batch);
  return accumulator.finish();
}

const column = (i: number): number[] => vectors.map((vector) => vector[i] ?? Number.NaN);
const meanOf = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const covarianceOf = (a: readonly number[], b: readonly number[]): number => {
  const [ma, mb] = [meanOf(a), meanOf(b)];
  return meanOf(a.map((x, i) => (x - ma) * ((b[i] ?? 0) - mb)));
};

describe("mean, variance and covariance", () => {
  it("are the sums over all counted vectors, although the values are far from zero", async () => {
    const mean = await reduced(reduce.mean());
    const variance = await reduced(reduce.variance());
    expect([mean.axes, mean.shape, mean.dtype]).toEqual([["head", "dHead"], [2, 7], "float64"]);
    for (let i = 0; i < 14; i++) {
      expect(mean.data[i]).toBeCloseTo(meanOf(column(i)), 9);
      expect(variance.data[i]).toBeCloseTo(covarianceOf(column(i), column(i)), 9);
    }
  });

  it("give a covariance matrix per head, symmetric, with the variances on its diagonal", async () => {
    const covariance = await reduced(reduce.covariance());
    expect([covariance.axes, covariance.shape]).toEqual([
      ["head", "dHead", "dHead2"],
      [2, 7, 7],
    ]);
    for (let head = 0; head < 2; head++)
      for (let i = 0; i < 7; i++)
        for (let j = 0; j < 7; j++) {
          const value = covariance.at({ head, dHead: i, dHead2: j }).item();
          expect(value).toBeCloseTo(covarianceOf(column(head * 7 + i), column(head * 7 + j)), 9);
          expect(value).toBe(covariance.at({ head, dHead: j, dHead2: i }).item());
        }
  });

  it("divide by n − 1 on request, and refuse to with a single token", async () => {
    const [population, sample] = [await reduced(reduce.variance()), await reduced(reduce.variance({ ddof: 1 }))];
    const n = vectors.length;
    expect(sample.maxAbsDiff(population.mul(n / (n - 1)))).toBeLessThan(1e-12);
    const one = batchOf(activations[0] as Tensor, counted([0], 5));
    expect((await refusal(reduced(reduce.variance({ ddof: 1 }), [one]), "INPUT")).message).toBe(
      "model.over: variance of blocks.0.attn.hook_z: got 1 counted token; expected at least two with ddof: 1. Give more data, or leave ddof out.",
    );
  });

  it("are the same through the engine's matrix product as through the loop", async () => {
    const wide = reducedPoint("x", ["batch", "pos", "dModel"], [1, 300, 128]);
    const activation = randn([1, 300, 128], ["batch", "pos", "dModel"], createRandom(3));
    const tokens = counted(
      Array.from({ length: 300 }, (_, i) => i),
      300,
    );
    const batch = { point: wide, activation, tokens, vectors: tokenVectors(activation, wide, tokens) };
    const naive = reduce.covariance().start(wide);
    const products = reduce.covariance().start(wide, (x, { rows, dim }) => {
      const t = Tensor.of(x, [rows, dim], ["token", "a"]);
      return Promise.resolve(t.matmul(t.rename({ a: "b" }), "token").data);
    });
    await naive.update(batch);
    await products.update(batch);
    expect(naive.finish().maxAbsDiff(products.finish())).toBeLessThan(1e-13);
  });
});

describe("norms", () => {
  it("are Euclidean lengths along the last axis", async () => {
    const { mean, rms, min, max } = await reduced(reduce.norm());
    const norms = vectors.map((vector) => Math.hypot(...vector.slice(7)));
    expect(mean.axes).toEqual(["head"]);
    expect(mean.data[1]).toBeCloseTo(meanOf(norms), 6);
    expect(rms.data[1]).toBeCloseTo(Math.sqrt(meanOf(norms.map((x) => x * x))), 6);
    expect(min.data[1]).toBeCloseTo(Math.min(...norms), 6);
    expect(max.data[1]).toBeCloseTo(Math.max(...norms), 6);
  });
});

describe("the greatest values", () => {
  it("come with their rows, positions, tokens and contexts, best first", async () => {
    const top = await reduced(reduce.topk(4, { context: 2 }));
    const flat = batches.flatMap(({ tokens }) =>
      Array.from(tokens.slots, (slot, t) => ({ row: tokens.rows[t], position: slot % 5, id: 100 + slot })),
    );
    for (let i = 0; i < 14; i++) {
      const order = flat.map((_, t) => t).toSorted((a, b) => (column(i)[b] ?? 0) - (column(i)[a] ?? 0));
      for (let rank = 0; rank < 4; rank++) {
        const at = i * 4 + rank;
        const t = order[rank] ?? 0;
        expect(top.values.data[at]).toBe(column(i)[t]);
        expect([top.rows.data[at], top.positions.data[at], top.tokens.data[at]]).toEqual(
          Object.values(flat[t] as (typeof flat)[number]),
        );
      }
    }
    const [position, id] = [Number(top.positions.data[0]), Number(top.tokens.data[0])];
    const context = [-2, -1, 0, 1, 2].map((d) => (position + d < 0 || position + d > 4 ? -1 : id + d));
    expect(numbersOf(top.contexts).slice(0, 5)).toEqual(context);
    expect(top.contexts.axes).toEqual(["head", "dHead", "rank", "context"]);
  });

  it("are the least on request", async () => {
    const top = await reduced(reduce.topk(1, { smallest: true }));
    for (let i = 0; i < 14; i++) expect(top.values.data[i]).toBe(Math.min(...column(i)));
  });

  it("keep the earlier of equal values and leave missing places empty", async () => {
    const equal = batchOf(full(heads.shape, 2, [...heads.axes]), counted([3, 4], 5));
    const top = await reduced(reduce.topk(3, { context: 0 }), [equal]);
    expect(numbersOf(top.positions).slice(0, 3)).toEqual([3, 4, -1]);
    expect(numbersOf(top.values).slice(0, 3)).toEqual([2, 2, Number.NaN]);
    expect(numbersOf(top.contexts).slice(0, 3)).toEqual([103, 104, -1]);
  });
});

describe("distributions", () => {
  it("count every value once, in bins, below or above", async () => {
    const all = vectors.flat();
    const { counts, edges, below, above } = await reduced(reduce.histogram({ bins: 4, range: [999, 1001] }));
    expect(numbersOf(edges)).toEqual([999, 999.5, 1000, 1000.5, 1001]);
    expect(numbersOf(counts)).toEqual(
      [999, 999.5, 1000, 1000.5].map(
        (low, i) => all.filter((x) => x >= low && (x < low + 0.5 || (i === 3 && x === 1001))).length,
      ),
    );
    expect([below.item(), above.item()]).toEqual([
      all.filter((x) => x < 999).length,
      all.filter((x) => x > 1001).length,
    ]);
  });

  it("can be kept per element", async () => {
    const histogram = await reduced(reduce.histogram({ bins: 1, range: [0, 1000], per: "element" }));
    expect([histogram.counts.axes, histogram.counts.shape]).toEqual([
      ["head", "dHead", "bin"],
      [2, 7, 1],
    ]);
    for (let i = 0; i < 14; i++) {
      expect(histogram.counts.data[i]).toBe(column(i).filter((x) => x <= 1000).length);
      expect(histogram.above.data[i]).toBe(column(i).filter((x) => x > 1000).length);
    }
  });

  it("have quantiles to the relative error that was asked for, on both sides of zero", async () => {
    const values = Float32Array.from({ length: 4410 }, (_, i) =>
      i % 441 === 0 ? 0 : 1.01 ** (i % 1000) * (i % 3 === 0 ? -1 : 1),
    );
    const flat = reducedPoint("x", ["batch", "pos", "dModel"], [1, 441, 10]);
    const activation = Tensor.of(values, [1, 441, 10], ["batch", "pos", "dModel"]);
    const tokens = counted(
      Array.from({ length: 441 }, (_, i) => i),
      441,
    );
    const quantiles = [0, 0.001, 0.1, 0.3333, 0.5, 0.9, 1];
    const accumulator = reduce.quantiles(quantiles, { relativeError: 0.02 }).start(flat);
    await accumulator.update({ point: flat, activation, tokens, vectors: tokenVectors(activation, flat, tokens) });
    const sorted = values.toSorted();
    const found = accumulator.finish();
    quantiles.forEach((q, i) => {
      const exact = sorted[Math.floor(q * (sorted.length - 1))] ?? 0;
      expect(Math.abs(Number(found.data[i]) - exact)).toBeLessThanOrEqual(0.0201 * Math.abs(exact));
    });
  });
});

describe("the mean by position", () => {
  it("is the mean over rows at each position, and NaN where no token counted", async () => {
    const skipping = batches.map(({ activation, tokens }) =>
      batchOf(
        activation,
        counted(
          Array.from(tokens.slots).filter((slot) => slot % 5 !== 1),
          5,
        ),
      ),
    );
    const mean = await reduced(reduce.meanByPosition(), skipping);
    expect([mean.axes, mean.shape]).toEqual([
      ["pos", "head", "dHead"],
      [5, 2, 7],
    ]);
    const positions = batches.flatMap(({ tokens }) => Array.from(tokens.slots, (slot) => slot % 5));
    for (const p of [0, 2, 4]) {
      const values = column(3).filter((_, t) => positions[t] === p);
      expect(mean.data[p * 14 + 3]).toBeCloseTo(meanOf(values), 9);
    }
    expect(mean.data[14]).toBeNaN();
  });
});

describe("patterns", () => {
  it("have one vector per query, over heads and keys", async () => {
    const axes = ["batch", "head", "queryPos", "keyPos"] as const;
    const activation = randn([2, 3, 4, 4], [...axes], createRandom(8));
    const patternPoint = reducedPoint("blocks.0.attn.hook_pattern", axes, [2, 3, 4, 4]);
    expect(patternPoint).toMatchObject({ tokenAxis: "queryPos", axes: ["head", "keyPos"], shape: [3, 4], dim: 12 });
    const tokens = counted([1, 2, 5, 7], 4);
    const accumulator = reduce.mean().start(patternPoint);
    const list = { point: patternPoint, activation, tokens, vectors: tokenVectors(activation, patternPoint, tokens) };
    await accumulator.update(list);
    const expected = [
      [0, 1],
      [0, 2],
      [1, 1],
      [1, 3],
    ]
      .map(([batch = 0, queryPos = 0]) => activation.at({ batch, queryPos }))
      .reduce((sum: Tensor, one) => sum.add(one), full([3, 4], 0, ["head", "keyPos"]))
      .div(4);
    expect(accumulator.finish().maxAbsDiff(expected.cast("float64"))).toBeLessThan(1e-6);
  });
});

describe("a saved state", () => {
  const all: readonly Reducer<unknown>[] = [
    reduce.mean(),
    reduce.variance(),
    reduce.covariance(),
    reduce.norm(),
    reduce.topk(3),
    reduce.histogram({ range: [999, 1001] }),
    reduce.quantiles([0.1, 0.5]),
    reduce.meanByPosition(),
  ];

  it.each(all.map((reducer) => [reducer.name, reducer] as const))(
    "of %s continues with the same bits",
    async (_name, reducer) => {
      const [first, second, third] = batches as [ActivationBatch, ActivationBatch, ActivationBatch];
      const unbroken = reducer.start(point);
      for (const batch of batches) await unbroken.update(batch);
      const before = reducer.start(point);
      await before.update(first);
      await before.update(second);
      const saved = before.save();
      await before.update(third);
      const after = reducer.start(point);
      after.load(saved);
      await after.update(third);
      expect(after.finish()).toEqual(unbroken.finish());
      expect(before.finish()).toEqual(after.finish() as object);
    },
  );

  it("takes no more than the bytes that were stated", () => {
    for (const reducer of all.filter(({ name }) => name !== "meanByPosition")) {
      const saved = Object.values(reducer.start(point).save());
      const bytes = saved.reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
      expect(reducer.bytes(point), reducer.name).toBeGreaterThanOrEqual(bytes - 64);
    }
  });
});

describe("a reducer of one's own", () => {
  it("gets whole activations and the counted tokens, and ends in anything", async () => {
    const reducer = reduce.custom({
      name: "count",
      init: () => ({ tokens: 0, positive: 0 }),
      update: async (state, activation: Tensor, tokens) => ({
        tokens: state.tokens + tokens.count,
        positive: state.positive + (await Promise.resolve(activation.size)),
      }),
      finish: ({ tokens, positive }, { name }) => `${name}: ${tokens} of ${positive}`,
    });
    expect(reducer.isResumable).toBe(false);
    expect(reducer.bytes(point)).toBe(0);
    expect(await reduced(reducer)).toBe(`blocks.0.attn.hook_z: ${vectors.length} of ${3 * 210}`);
  });
});

describe("reducers refuse", () => {
  it.each<[string, () => unknown, string]>([
    [
      "no examples",
      () => reduce.topk(0),
      "reduce.topk: k: got 0; expected a whole number, at least 1. Write reduce.topk(10), for instance.",
    ],
    [
      "a negative context",
      () => reduce.topk(1, { context: -1 }),
      "reduce.topk: context: got -1; expected a whole number, zero or more.",
    ],
    [
      "an empty range",
      () => reduce.histogram({ range: [1, 1] }),
      'reduce.histogram: got {"range":[1,1]}; expected at least one bin and a range [low, high] with low < high.',
    ],
    ["no bins", () => reduce.histogram({ bins: 0, range: [0, 1] }), "reduce.histogram: got"],
    [
      "quantiles above 1",
      () => reduce.quantiles([2]),
      "reduce.quantiles: got quantiles [2], relativeError 0.01; expected quantiles from 0 to 1 and an error between 0 and 1.",
    ],
  ])("%s", async (_what, work, message) => {
    expect((await refusal(work, "INPUT")).message).toContain(message);
  });

  it("hook points without tokens, and integers", async () => {
    expect((await refusal(() => reducedPoint("w", ["a", "b"], [1, 1]), "SHAPE")).message).toBe(
      "model.over: w: got axes [a, b]; expected axes that begin with batch and hold pos or queryPos. Leave this hook point out of capture.",
    );
    const ids = Tensor.of(new Int32Array(210), heads.shape, [...heads.axes]);
    expect((await refusal(() => tokenVectors(ids, point, counted([0], 5)), "SHAPE")).message).toContain(
      "got values of type int32; expected float32 or float64.",
    );
  });
});
