/** Lines, histograms and points of any numbers at all: a picture always comes out, and every place in it is a number. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { histogram, lines, scatter, type View } from "../../src/viz/index.js";

const anyNumber = fc.oneof(
  fc.double(),
  fc.double({ noNaN: true, min: -1e3, max: 1e3 }),
  fc.constantFrom(0, -0, 5e-324, 1 + 2 ** -52, 1.7976931348623157e308, -1.7976931348623157e308, Number.NaN),
);
const anyNumbers = fc.array(anyNumber, { minLength: 1, maxLength: 8 });

function expectPlaces(view: View): void {
  expect(view.toSvg().replaceAll(/<text[^>]*>[^<]*<\/text>|<desc>.*?<\/desc>/g, "")).not.toMatch(
    /NaN|Infinity|undefined/,
  );
  expect(view.summary().length).toBeGreaterThan(10);
}

test("lines of any numbers are drawn", () => {
  fc.assert(
    fc.property(anyNumbers, anyNumbers, fc.boolean(), (x, y, log) => {
      const size = Math.min(x.length, y.length);
      const series = { x: x.slice(0, size), y: y.slice(0, size), low: y.slice(0, size), high: x.slice(0, size) };
      const isLog = log && series.y.some((value) => value > 1e-100 && value < 1e100);
      expectPlaces(lines([series], { y: { log: isLog } }));
    }),
    { numRuns: 150 },
  );
});

test("histograms of any numbers are drawn, and hold every finite one", () => {
  fc.assert(
    fc.property(anyNumbers, fc.boolean(), (values, log) => {
      const view = histogram(values, { log });
      expectPlaces(view);
      expect(view.toText()).toContain(`${values.filter(Number.isFinite).length} values`);
    }),
    { numRuns: 150 },
  );
});

test("points anywhere are drawn", () => {
  fc.assert(
    fc.property(anyNumbers, anyNumbers, fc.boolean(), (x, y, diagonal) => {
      const size = Math.min(x.length, y.length);
      expectPlaces(scatter(x.slice(0, size), y.slice(0, size), { diagonal, zero: !diagonal }));
    }),
    { numRuns: 150 },
  );
});
