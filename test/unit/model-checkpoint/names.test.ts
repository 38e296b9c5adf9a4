import { describe, expect, it } from "vitest";
import { checkWeightNames } from "../../../src/model/checkpoint/index.js";

const tensors = (shapes: Record<string, number[]>): Map<string, { shape: number[] }> =>
  new Map(Object.entries(shapes).map(([name, shape]) => [name, { shape }]));

describe("checkWeightNames", () => {
  const wanted = {
    expected: new Map([
      ["w", [2, 3]],
      ["v", [3]],
    ]),
    optional: new Map([["bias", [2]]]),
    ignored: [/\.mask$/, /^inv_freq/g],
  };

  it("accepts what is expected, with or without what is optional, and anything ignored", () => {
    checkWeightNames(wanted, tensors({ w: [2, 3], v: [3] }));
    checkWeightNames(
      wanted,
      tensors({ w: [2, 3], v: [3], bias: [2], "h.mask": [9, 9], inv_freq1: [1], inv_freq2: [1] }),
    );
  });

  it("lists every missing, surplus and misshapen weight at once, with shapes", () => {
    const found = tensors({ v: [4], x: [1, 1], y: [], bias: [5] });
    expect(() => checkWeightNames(wanted, found, "folder")).toThrow(
      "folder: got 1 missing (w [2, 3]); 2 surplus (x [1, 1], y []); 2 misshapen (v [4] instead of [3], bias [5] instead of [2]); " +
        "expected the 2 weights that config.json implies. Check that config.json and the weights belong together",
    );
  });

  it("does not cut a long list short", () => {
    const many = { expected: new Map(Array.from({ length: 300 }, (_, i) => [`weight${i}`, [i]] as const)) };
    expect(() => checkWeightNames(many, new Map())).toThrow(/300 missing \(weight0 \[0\], .*weight299 \[299\]\)/);
  });
});
