import { describe, expect, it } from "vitest";
import { sliceAxis, slicePositions } from "../../../src/model/cache/slice.js";
import { Tensor } from "../../../src/tensor/index.js";

const stream = Tensor.of(
  Float32Array.from({ length: 24 }, (_, i) => i),
  [2, 4, 3],
  ["batch", "pos", "dModel"],
) as Tensor;

describe("slicePositions", () => {
  it("drops the axis for an integer and for the last position", () => {
    expect(slicePositions(stream, 1, undefined, "t").toArray()).toEqual([
      [3, 4, 5],
      [15, 16, 17],
    ]);
    expect(slicePositions(stream, -1, undefined, "t").equals(stream.at({ pos: 3 }))).toBe(true);
    expect(slicePositions(stream, "last", undefined, "t").axes).toEqual(["batch", "dModel"]);
  });

  it("keeps a range, gathers a list in its order, and keeps everything without a selection", () => {
    expect(
      slicePositions(stream, { from: 1, to: 3 }, undefined, "t").equals(stream.at({ pos: { from: 1, to: 3 } })),
    ).toBe(true);
    expect(slicePositions(stream, [3, 0], undefined, "t").equals(stream.at({ pos: [3, 0] }))).toBe(true);
    expect(slicePositions(stream, [2], undefined, "t").shape).toEqual([2, 1, 3]);
    expect(slicePositions(stream, [], undefined, "t").shape).toEqual([2, 0, 3]);
    expect(slicePositions(stream, undefined, undefined, "t")).toBe(stream);
  });

  it("counts real tokens of each row, so that no selection reads padding", () => {
    const slots = [
      [0, 1],
      [0, 1, 2, 3],
    ];
    expect(slicePositions(stream, -1, slots, "t").toArray()).toEqual([
      [3, 4, 5],
      [21, 22, 23],
    ]);
    expect(slicePositions(stream, [0, -1], slots, "t").toArray()).toEqual([
      [
        [0, 1, 2],
        [3, 4, 5],
      ],
      [
        [12, 13, 14],
        [21, 22, 23],
      ],
    ]);
    const left = [
      [2, 3],
      [0, 1, 2, 3],
    ];
    expect(slicePositions(stream, 0, left, "t").toArray()).toEqual([
      [6, 7, 8],
      [12, 13, 14],
    ]);
  });

  it("refuses a position that a row lacks and ranges of unequal lengths", () => {
    const slots = [
      [0, 1],
      [0, 1, 2, 3],
    ];
    expect(() => slicePositions(stream, 2, slots, "cache.decomposeResid: posSlice")).toThrow(
      "cache.decomposeResid: posSlice: got index 2; expected an index from -2 to 1.",
    );
    expect(() => slicePositions(stream, { from: 1 }, slots, "t")).toThrow(
      "got positions that mean 1 or 3 slots per row; expected the same number of slots in every row.",
    );
    expect(() => slicePositions(stream, 4, undefined, "t")).toThrow("expected an index from -4 to 3");
  });

  it("leaves a tensor without positions as it is", () => {
    const gain = Tensor.of(new Float32Array(3), [3], ["dModel"]) as Tensor;
    expect(slicePositions(gain, -1, undefined, "t")).toBe(gain);
  });
});

describe("sliceAxis", () => {
  it("drops, keeps or gathers along any axis", () => {
    expect(sliceAxis(stream, "dModel", 2, "t").equals(stream.at({ dModel: 2 }))).toBe(true);
    expect(sliceAxis(stream, "dModel", [2, 0], "t").equals(stream.at({ dModel: [2, 0] }))).toBe(true);
    expect(sliceAxis(stream, "dModel", (i) => i > 0, "t").equals(stream.at({ dModel: { from: 1 } }))).toBe(true);
    expect(sliceAxis(stream, "dModel", undefined, "t")).toBe(stream);
  });
});
