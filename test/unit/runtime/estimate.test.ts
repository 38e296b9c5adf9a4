import { describe, expect, test } from "vitest";
import { workingBytes } from "../../../src/runtime/estimate.js";
import { doubling, graph, node, slowSegment, value } from "./graphs.js";

describe("workingBytes", () => {
  test("counts what is alive at once, not what is ever computed", () => {
    const twoAlive = 2 * 10 * 10 * 4;
    expect(workingBytes(slowSegment("x", "y", 7), { n: 10 })).toBe(twoAlive);
  });

  test("leaves inputs out and keeps outputs to the end", () => {
    expect(workingBytes(doubling("x", "y"), { n: 100 })).toBe(400);
    const [x, y, z] = [value("x", [5], "float64"), value("y", [5], "float64"), value("z", [5], "float64")];
    const both = graph([x], [node("Add", [x, x], [y]), node("Add", [y, y], [z])], [y, z]);
    expect(workingBytes(both, {})).toBe(2 * 5 * 8);
  });

  test("evaluates composite sizes and leaves unknown ones out", () => {
    const [x, y] = [value("x", ["a"]), value("y", ["a+b"])];
    const joined = graph([x], [node("Concat", [x, x], [y], { axis: 0 })], [y]);
    expect(workingBytes(joined, { a: 2, b: 3 })).toBe(20);
    expect(workingBytes(joined, { a: 2 })).toBe(0);
  });
});
