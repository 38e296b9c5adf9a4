import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyTail, finish, joinTails, noTail, type Tail, transposedMaps } from "../../../src/model/cache/tail.js";
import { einsum, Tensor } from "../../../src/tensor/index.js";

const numbers = (count: number): fc.Arbitrary<Float64Array> =>
  fc
    .array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: count, maxLength: count })
    .map((list) => Float64Array.from(list));

const vector = (data: Float64Array): Tensor => Tensor.of(data, [4], ["dModel"]);
const map = fc.oneof(fc.constant("centre" as const), numbers(4).map(vector));
const tail: fc.Arbitrary<Tail> = fc.record({
  maps: fc.array(map, { maxLength: 4 }),
  scale: numbers(3).map(
    (data) =>
      Tensor.of(
        data.map((x) => x + 3),
        [3],
        ["pos"],
      ) as Tensor,
  ),
});
const streams = numbers(12).map((data) => Tensor.of(data, [3, 4], ["pos", "dModel"]) as Tensor);

describe("tails", () => {
  it("project onto transposed directions as the mapped stream projects onto the directions", () => {
    fc.assert(
      fc.property(streams, numbers(4).map(vector), tail, (x, p, t) => {
        const expected = einsum([applyTail(x, t), p], ["pos"]);
        expect(finish(x, t, p).maxAbsDiff(expected)).toBeLessThan(1e-10);
      }),
    );
  });

  it("are linear", () => {
    fc.assert(
      fc.property(streams, streams, tail, (x, y, t) => {
        expect(applyTail(x.add(y), t).maxAbsDiff(applyTail(x, t).add(applyTail(y, t)))).toBeLessThan(1e-10);
      }),
    );
  });

  it("join in order", () => {
    fc.assert(
      fc.property(streams, tail, tail, (x, first, second) => {
        expect(applyTail(x, joinTails(first, second)).maxAbsDiff(applyTail(applyTail(x, first), second))).toBeLessThan(
          1e-10,
        );
      }),
    );
  });

  it("without maps and scale change nothing", () => {
    const x = Tensor.of(Float64Array.of(1, 2, 3, 4), [1, 4], ["pos", "dModel"]) as Tensor;
    expect(applyTail(x, noTail)).toBe(x);
    expect(transposedMaps(x, noTail)).toBe(x);
  });
});
