/** Where keys lead. */
import { describe, expect, test } from "vitest";
import { boxAt, flowMove, gridMove, listMove } from "../../../src/viz/client/moves.js";

describe("gridMove", () => {
  const move = gridMove(3, 2);
  test.each([
    [1, "ArrowLeft", 0],
    [0, "ArrowLeft", 0],
    [2, "ArrowRight", 2],
    [1, "ArrowDown", 4],
    [4, "ArrowDown", 4],
    [4, "ArrowUp", 1],
    [4, "Home", 3],
    [3, "End", 5],
  ] as const)("from %i, %s leads to %i", (from, key, to) => {
    expect(move(from, key)).toBe(to);
  });
});

describe("listMove", () => {
  const move = listMove(4);
  test("all arrows go one back or one on, and stop at the ends", () => {
    expect([move(0, "ArrowUp"), move(0, "ArrowDown"), move(1, "ArrowLeft"), move(3, "ArrowRight")]).toEqual([
      0, 1, 0, 3,
    ]);
    expect([move(2, "Home"), move(2, "End")]).toEqual([0, 3]);
  });
});

describe("flowMove", () => {
  const line = (y: number, widths: readonly number[]): { x: number; y: number; width: number; height: number }[] =>
    widths.map((width, i) => ({ x: widths.slice(0, i).reduce((sum, w) => sum + w, 0), y, width, height: 20 }));
  const boxes = [...line(0, [50, 50, 50]), ...line(30, [140, 40]), ...line(60, [10])];
  const move = flowMove(boxes);
  test("up and down lead to the nearest word of the next line", () => {
    expect([move(0, "ArrowDown"), move(2, "ArrowDown"), move(4, "ArrowUp"), move(4, "ArrowDown")]).toEqual([
      3, 4, 2, 5,
    ]);
    expect([move(0, "ArrowUp"), move(5, "ArrowDown")]).toEqual([0, 5]);
  });
  test("left and right follow the text across lines", () => {
    expect([move(2, "ArrowRight"), move(3, "ArrowLeft")]).toEqual([3, 2]);
  });
  test("boxAt finds the word under a point", () => {
    expect([boxAt(boxes, 60, 5), boxAt(boxes, 60, 25), boxAt(boxes, 5, 79)]).toEqual([1, undefined, 5]);
  });
});
