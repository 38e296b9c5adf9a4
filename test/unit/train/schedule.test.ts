import { describe, expect, test } from "vitest";
import { rowOrder, schedule } from "../../../src/train/index.js";
import { messageOf } from "./support.js";

describe("schedules", () => {
  test("a cosine falls from 1 through the middle to its end, and stays there", () => {
    const { at } = schedule.cosine({ steps: 100, final: 0.2 });
    expect([at(0), at(50), at(100), at(1000)].map((value) => Number(value.toFixed(12)))).toEqual([1, 0.6, 0.2, 0.2]);
  });

  test("a linear fall begins after its hold", () => {
    const { at } = schedule.linear({ steps: 10, hold: 5 });
    expect([at(0), at(5), at(6), at(10)]).toEqual([1, 1, 0.8, 0]);
  });

  test("a rise ends where the rest begins, and shifts it", () => {
    const { at } = schedule.warmup(4, schedule.linear({ steps: 2 }));
    expect([0, 1, 2, 3, 4, 5, 6].map(at)).toEqual([0.2, 0.4, 0.6, 0.8, 1, 0.5, 0]);
    const fromZero = schedule.warmup(4, schedule.constant(3), { isFromZero: true });
    expect([0, 2, 4].map(fromZero.at)).toEqual([0, 1.5, 3]);
  });

  test("equal schedules have equal descriptions, which survive a file", () => {
    const make = () => schedule.warmup(3, schedule.cosine({ steps: 7, final: 0.1 }));
    expect(JSON.parse(JSON.stringify(make().description))).toEqual(make().description);
    expect(schedule.cosine({ steps: 8 }).description).not.toEqual(schedule.cosine({ steps: 9 }).description);
  });

  test("wrong numbers are named", () => {
    expect(messageOf(() => schedule.cosine({ steps: 0 }))).toContain("schedule.cosine: steps: got 0");
    expect(messageOf(() => schedule.linear({ steps: 5, hold: 5 }))).toContain(
      "schedule.linear: hold: got 5 of 5 steps; expected fewer than 5.",
    );
    expect(messageOf(() => schedule.warmup(1.5))).toContain("schedule.warmup: steps: got 1.5");
    expect(messageOf(() => schedule.constant(Number.NaN))).toContain("schedule.constant: value: got NaN");
    expect(messageOf(() => schedule.custom("mine", () => Infinity).at(3))).toContain(
      'schedule.custom "mine" at step 3',
    );
  });
});

describe("rowOrder", () => {
  test("every epoch holds every row once, each in an order of its own", () => {
    const order = rowOrder({ rows: 12, batch: 4, seed: 1 });
    const epoch = (number: number): number[] => [0, 1, 2].flatMap((i) => [...order(3 * number + i)]);
    const all = Array.from({ length: 12 }, (_, i) => i);
    expect([...epoch(0)].sort((a, b) => a - b)).toEqual(all);
    expect([...epoch(1)].sort((a, b) => a - b)).toEqual(all);
    expect(epoch(0)).not.toEqual(epoch(1));
  });

  test("a batch does not depend on what was asked before, and may cross epochs", () => {
    const asked = rowOrder({ rows: 5, batch: 3, seed: 2 });
    const inOrder = [0, 1, 2, 3, 4].map((i) => [...asked(i)]);
    expect([...rowOrder({ rows: 5, batch: 3, seed: 2 })(4)]).toEqual(inOrder[4]);
    expect([...asked(1)]).toEqual(inOrder[1]);
    expect(inOrder.flat().slice(0, 5).sort()).toEqual([0, 1, 2, 3, 4]);
  });

  test("another seed gives another order, and empty data are refused", () => {
    const of = (seed: number): number[] => [...rowOrder({ rows: 50, batch: 50, seed })(0)];
    expect(of(0)).not.toEqual(of(1));
    expect(messageOf(() => rowOrder({ rows: 0, batch: 1, seed: 0 }))).toContain("rowOrder: rows: got 0");
  });
});
