import { describe, expect, it } from "vitest";
import { createRandom, type RandomState } from "../../../src/core/index.js";

function draws(count: number, draw: () => number): number[] {
  return Array.from({ length: count }, draw);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

describe("createRandom", () => {
  it("gives equal streams for equal seeds and unrelated ones for neighbouring seeds", () => {
    const stream = (seed: number): number[] => {
      const random = createRandom(seed);
      return draws(5, () => random.uniform());
    };
    expect(stream(7)).toEqual(stream(7));
    const firsts = draws(1000, () => 0).map((_, seed) => createRandom(seed).uniform());
    expect(new Set(firsts).size).toBe(1000);
    expect(Math.abs(meanOf(firsts) - 0.5)).toBeLessThan(0.04);
    const products = firsts.slice(1).map((value, i) => (value - 0.5) * ((firsts[i] ?? 0) - 0.5) * 12);
    expect(Math.abs(meanOf(products))).toBeLessThan(0.12);
  });

  it("tells seeds beyond 32 bits and negative seeds apart", () => {
    const seeds = [1, -1, 1 + 2 ** 32, 2 ** 53 - 1, -(2 ** 53) + 1];
    expect(new Set(seeds.map((seed) => createRandom(seed).uniform())).size).toBe(seeds.length);
  });

  it("never changes its stream between versions", () => {
    const random = createRandom(0);
    expect(draws(4, () => random.normal())).toMatchInlineSnapshot(`
      [
        -0.11125205657959751,
        0.69199800283143,
        0.03778608319586267,
        2.3755284577703444,
      ]
    `);
    expect(draws(3, () => random.int(0, 1_000_000))).toMatchInlineSnapshot(`
      [
        440528,
        530052,
        424611,
      ]
    `);
  });

  it("draws uniform numbers in [0, 1) with the right mean and variance", () => {
    const random = createRandom(1);
    const values = draws(20_000, () => random.uniform());
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(Math.abs(meanOf(values) - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(meanOf(values.map((value) => (value - 0.5) ** 2)) - 1 / 12)).toBeLessThan(0.003);
  });

  it("draws integers of a range evenly, ends included and excluded", () => {
    const random = createRandom(2);
    const counts = new Map<number, number>();
    for (let i = 0; i < 14_000; i++) {
      const value = random.int(-3, 4);
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([-3, -2, -1, 0, 1, 2, 3]);
    expect([...counts.values()].every((count) => Math.abs(count - 2000) < 200)).toBe(true);
  });

  it("draws normal numbers with the right first four moments", () => {
    const random = createRandom(3);
    const values = draws(40_000, () => random.normal());
    const moments = [1, 2, 3, 4].map((power) => meanOf(values.map((value) => value ** power)));
    expect(Math.abs(moments[0] ?? 9)).toBeLessThan(0.02);
    expect(Math.abs((moments[1] ?? 9) - 1)).toBeLessThan(0.03);
    expect(Math.abs(moments[2] ?? 9)).toBeLessThan(0.06);
    expect(Math.abs((moments[3] ?? 9) - 3)).toBeLessThan(0.2);
  });

  it("shuffles into a new array where every place is equally likely", () => {
    const random = createRandom(4);
    const items = ["a", "b", "c"];
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const key = random.shuffle(items).join("");
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(items).toEqual(["a", "b", "c"]);
    expect(counts.size).toBe(6);
    expect([...counts.values()].every((count) => Math.abs(count - 1000) < 130)).toBe(true);
    expect(createRandom(4).shuffle(Int32Array.of(5))).toEqual([5]);
  });

  it("chooses in proportion to weights and never a weight of zero", () => {
    const random = createRandom(5);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 10_000; i++) {
      const choice = random.choice([0, 1, 3, 0]);
      counts[choice] = (counts[choice] ?? 0) + 1;
    }
    expect(counts[0]).toBe(0);
    expect(counts[3]).toBe(0);
    expect(Math.abs((counts[2] ?? 0) - 7500)).toBeLessThan(200);
  });

  it("continues exactly from a saved state, in the middle of a pair of normals", () => {
    const random = createRandom(6);
    random.normal();
    const state = JSON.parse(JSON.stringify(random.state())) as RandomState;
    const expected = [random.normal(), random.normal(), random.uniform(), random.int(0, 10)];
    const resumed = createRandom({ state });
    expect([resumed.normal(), resumed.normal(), resumed.uniform(), resumed.int(0, 10)]).toEqual(expected);
  });

  it("forks generators that differ from each other and do not disturb their parent", () => {
    const [one, two] = [createRandom(8), createRandom(8)];
    const fork = one.fork();
    two.fork();
    draws(100, () => fork.uniform());
    expect(one.uniform()).toBe(two.uniform());
    expect(one.fork().uniform()).not.toBe(one.fork().uniform());
  });

  it("refuses bad seeds, states, ranges and weights with the reason", () => {
    expect(() => createRandom(0.5)).toThrow("createRandom: seed: got 0.5; expected a safe integer.");
    expect(() => createRandom({ state: { words: [0, 0, 0, 0] } })).toThrow("expected the value of an earlier");
    expect(() => createRandom(0).int(3, 3)).toThrow("random.int: got the range [3, 3)");
    expect(() => createRandom(0).choice([0, 0])).toThrow("random.choice: weights: got 2 weights that sum to 0");
    expect(() => createRandom(0).choice([1, -1])).toThrow("sum to NaN");
  });
});
