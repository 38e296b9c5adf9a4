import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  chooseScale,
  colorAt,
  colorOf,
  cssColor,
  missingColor,
  relativeLuminance,
  textColorOn,
} from "../../../src/viz/color.js";

describe("chooseScale", () => {
  test("negative values make it diverging and symmetric about 0", () => {
    expect(chooseScale([-1, 3])).toEqual({ kind: "diverging", min: -3, max: 3 });
  });
  test("values that all but start at 0 start there", () => {
    expect(chooseScale([0.01, 1])).toEqual({ kind: "sequential", min: 0, max: 1 });
    expect(chooseScale([0.5, 1])).toEqual({ kind: "sequential", min: 0.5, max: 1 });
  });
  test("the caller's scale and range win", () => {
    expect(chooseScale([1, 2], { scale: "diverging", range: [-5, 5] })).toEqual({ kind: "diverging", min: -5, max: 5 });
  });
  test("no finite value gives an empty range, which colours as neutral", () => {
    const scale = chooseScale([Number.NaN]);
    expect(scale).toEqual({ kind: "sequential", min: 0, max: 0 });
    expect(colorOf(7, scale)).toEqual(colorAt(0, "sequential"));
  });
});

describe("colours", () => {
  test("above 0 is blue, below is red, 0 is near white, NaN is grey", () => {
    const scale = { kind: "diverging", min: -1, max: 1 } as const;
    const [redOfHigh, , blueOfHigh] = colorOf(1, scale);
    const [redOfLow, , blueOfLow] = colorOf(-1, scale);
    expect(blueOfHigh).toBeGreaterThan(redOfHigh + 50);
    expect(redOfLow).toBeGreaterThan(blueOfLow + 50);
    expect(relativeLuminance(colorOf(0, scale))).toBeGreaterThan(0.85);
    expect(colorOf(Number.NaN, scale)).toEqual(missingColor);
  });
  test("values beyond the range are clipped", () => {
    const scale = { kind: "sequential", min: 0, max: 1 } as const;
    expect(colorOf(99, scale)).toEqual(colorOf(1, scale));
    expect(colorOf(Number.NEGATIVE_INFINITY, scale)).toEqual(colorOf(0, scale));
  });
  test("sequential colours darken as values grow", () => {
    const steps = Array.from({ length: 11 }, (_, i) => relativeLuminance(colorAt(i / 10, "sequential")));
    expect(steps).toEqual(steps.toSorted((a, b) => b - a));
  });
  test("text on any colour of a scale reaches WCAG AA, 4.5 to 1", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom("diverging", "sequential"),
        (at, kind) => {
          const ground = colorAt(at, kind);
          const text = Number.parseInt(textColorOn(ground).slice(1, 3), 16);
          const [light, dark] = [relativeLuminance(ground), relativeLuminance([text, text, text])].toSorted(
            (a, b) => b - a,
          );
          expect(((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05)).toBeGreaterThanOrEqual(4.5);
        },
      ),
    );
  });
  test("CSS text has two digits a part", () => {
    expect(cssColor([0, 10, 255])).toBe("#000aff");
  });
});
