import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeCell, encodeCell, finiteExtent, formatNumber } from "../../../src/viz/numbers.js";

describe("formatNumber", () => {
  test.each([
    [0, "0"],
    [-0, "0"],
    [1, "1"],
    [-1.5, "−1.5"],
    [3.14159, "3.14"],
    [31.4159, "31.4"],
    [314.159, "314"],
    [31415.9, "31416"],
    [314159, "3.1e5"],
    [0.001234, "0.00123"],
    [0.0001234, "1.2e−4"],
    [999.6, "1000"],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "∞"],
    [Number.NEGATIVE_INFINITY, "−∞"],
  ])("writes %f as %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  test("stays within 5 percent of the value, for every finite value", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 }), (value) => {
        const back = Number(formatNumber(value).replaceAll("−", "-"));
        expect(Math.abs(back - value)).toBeLessThanOrEqual(0.05 * Math.abs(value) + 1e-300);
      }),
    );
  });
});

describe("cells", () => {
  test("survive JSON, whatever the number", () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        const back = decodeCell(JSON.parse(JSON.stringify(encodeCell(value))) as number);
        expect(back).toBe(Object.is(value, -0) ? 0 : value);
      }),
    );
  });
});

describe("finiteExtent", () => {
  test("looks past what is not finite", () => {
    expect(finiteExtent([Number.NaN, 3, Number.NEGATIVE_INFINITY, -2])).toEqual({ min: -2, max: 3 });
    expect(finiteExtent([Number.NaN])).toBeUndefined();
    expect(finiteExtent([])).toBeUndefined();
  });
});
