import { describe, expect, it } from "vitest";
import {
  broadcastDim,
  broadcastShapes,
  countRatio,
  dimAdd,
  dimDivide,
  dimEquals,
  dimMul,
  dimProduct,
  dimSub,
  dimSymbols,
  dimTerms,
  evalDim,
  evalShape,
  normalizeDim,
  sameCount,
  sameShape,
} from "../../../src/graph/index.js";

describe("sizes", () => {
  it("have one canonical text however they are made", () => {
    expect(dimAdd("pos", "past")).toBe("past+pos");
    expect(dimAdd("pos", "pos")).toBe("2*pos");
    expect(dimMul("pos", "batch")).toBe("batch*pos");
    expect(dimMul(dimAdd("a", 1), dimAdd("a", -1))).toBe("a*a-1");
    expect(dimSub("pos", 1)).toBe("pos-1");
    expect(dimSub(3, "pos")).toBe("-pos+3");
    expect(normalizeDim("pos + 2*batch + past - 4")).toBe("2*batch+past+pos-4");
    expect(normalizeDim("pos*2*batch*3")).toBe("6*batch*pos");
  });

  it("become numbers when the names cancel", () => {
    expect(dimSub("past+pos", "past")).toBe("pos");
    expect(dimSub("pos", "pos")).toBe(0);
    expect(dimSub("pos+7", "pos")).toBe(7);
    expect(dimMul("pos", 0)).toBe(0);
    expect(normalizeDim("3")).toBe(3);
  });

  it("are equal as polynomials", () => {
    expect(dimEquals("past+pos", "pos+past")).toBe(true);
    expect(dimEquals("2*pos", "pos+pos")).toBe(true);
    expect(dimEquals("pos", "batch")).toBe(false);
    expect(dimEquals("pos", 1)).toBe(false);
  });

  it("divide where one term divides every term", () => {
    expect(dimDivide("2*batch*pos", "batch")).toBe("2*pos");
    expect(dimDivide("4*past+8*pos", 4)).toBe("past+2*pos");
    expect(dimDivide("past+pos", "past+pos")).toBe(1);
    expect(dimDivide(12, 4)).toBe(3);
    expect(dimDivide(12, 5)).toBeUndefined();
    expect(dimDivide("batch*pos", "head")).toBeUndefined();
    expect(dimDivide("batch*pos", "past+pos")).toBeUndefined();
    expect(dimDivide(0, 0)).toBeUndefined();
  });

  it("multiply to the number of elements", () => {
    expect(dimProduct(["batch", 3, "pos", 2])).toBe("6*batch*pos");
    expect(dimProduct([])).toBe(1);
  });

  it("tell shapes with as many elements from others, 0 among them", () => {
    expect(sameCount(["batch", "pos", 768], ["batch", "pos", 12, 64])).toBe(true);
    expect(sameCount(["batch", 2, "past+pos"], ["2*batch", "pos+past"])).toBe(true);
    expect(sameCount([0, 3], [0, 5])).toBe(true);
    expect(sameCount(["batch", 0], [0])).toBe(true);
    expect(sameCount(["batch", 6], ["batch", 5])).toBe(false);
    expect(sameCount(["batch", "batch"], ["batch"])).toBe(false);
  });

  it("divide shapes after equal sizes have cancelled", () => {
    expect(countRatio(["batch", "past+pos", 12, 64], ["batch", "past+pos"])).toBe(768);
    expect(countRatio(["2*batch", 3], [6])).toBe("batch");
    expect(countRatio([5], [2])).toBeUndefined();
    expect(countRatio([0, 3], [3])).toBe(0);
    expect(countRatio([0], [0])).toBeUndefined();
  });

  it("list their names and terms", () => {
    expect(dimSymbols("2*batch*pos+past")).toEqual(["batch", "past", "pos"]);
    expect(dimSymbols(7)).toEqual([]);
    expect(dimTerms("2*batch*pos-3")).toEqual([
      { symbols: ["batch", "pos"], coefficient: 2 },
      { symbols: [], coefficient: -3 },
    ]);
  });

  it("evaluate under bindings", () => {
    expect(evalDim("2*batch*pos+past-1", { batch: 3, pos: 5, past: 7 })).toBe(36);
    expect(evalShape(["batch", 4, "past+pos"], { batch: 2, pos: 3, past: 0 })).toEqual([2, 4, 3]);
  });

  it("name what is missing when they cannot be evaluated", () => {
    expect(() => evalDim("past+pos", { pos: 3 })).toThrow(
      'size "past+pos": got no number for "past" (known: pos); expected a number for each name in the size. Bind "past".',
    );
    expect(() => evalDim("toString", {})).toThrow('no number for "toString" (known: none)');
  });

  it.each(["", "past+", "2**pos", "pos/2", "a b", "past+-pos", "é"])("refuse the text %j", (text) => {
    expect(() => normalizeDim(text)).toThrow(
      `graph size: got ${JSON.stringify(text)}; expected a sum of products of names and integers`,
    );
  });
});

describe("broadcasting", () => {
  it("takes the other size for 1 and keeps equal ones", () => {
    expect(broadcastDim(1, "pos")).toBe("pos");
    expect(broadcastDim("pos", "pos")).toBe("pos");
    expect(broadcastDim("pos", 5)).toBeUndefined();
    expect(broadcastDim("pos", "batch")).toBeUndefined();
    expect(broadcastShapes("x", ["batch", 1, 5], ["pos", 1], [])).toEqual(["batch", "pos", 5]);
    expect(broadcastShapes("x", [0, 1], [1, 3])).toEqual([0, 3]);
  });

  it("lists all shapes when they clash", () => {
    expect(() => broadcastShapes("Add(…)", [2, 3], ["pos", 3], [2, 5])).toThrow(
      "Add(…): got shapes [2, 3] and [pos, 3] and [2, 5]; expected sizes that are equal or 1 (they differ at axis -2).",
    );
  });

  it("compares shapes by rank and size", () => {
    expect(sameShape(["a+b", 2], ["b+a", 2])).toBe(true);
    expect(sameShape([2], [2, 1])).toBe(false);
  });
});
