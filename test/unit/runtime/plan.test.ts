import { describe, expect, test } from "vitest";
import { planProgram } from "../../../src/runtime/plan.js";
import { chain, doubling, graph, node, value } from "./graphs.js";

const names = (values: Iterable<{ name: string }>): string[] => [...values].map(({ name }) => name);

describe("planProgram", () => {
  test("feeds what no segment makes and drops each value after its last reader", () => {
    const plan = planProgram(chain(3));
    expect(names(plan.fed)).toEqual(["v0"]);
    expect(plan.segments.map(({ drop }) => drop)).toEqual([["v0"], ["v1"], ["v2", "v3"]]);
  });

  test("keeps a feed that a later segment reads too", () => {
    const [x, y, z] = [value("x", ["n"]), value("y", ["n"]), value("z", ["n"])];
    const sum = graph([x, y], [node("Add", [x, y], [z])], [z]);
    const plan = planProgram({ segments: [doubling("x", "y"), sum], outputs: ["z"] });
    expect(plan.segments.map(({ drop }) => drop)).toEqual([[], ["x", "y", "z"]]);
  });

  test("fetches only the outputs that somebody reads", () => {
    const [x, y, z] = [value("x", ["n"]), value("y", ["n"]), value("z", ["n"])];
    const both = graph([x], [node("Add", [x, x], [y]), node("Add", [y, x], [z])], [y, z]);
    expect(planProgram({ segments: [both], outputs: ["z"] }).segments[0]?.outputs).toEqual(["z"]);
  });

  test("does not ask for resident inputs to be fed", () => {
    const plan = planProgram({ ...chain(1), resident: { inputs: { v0: "weights" } } });
    expect(plan.fed).toEqual([]);
    expect([...plan.residentInputs.keys()]).toEqual(["v0"]);
  });

  test.each([
    ["no segment", { segments: [], outputs: [] }, "program: segments: got no graph; expected at least one."],
    [
      "an unknown output",
      { ...chain(1), outputs: ["v2"] },
      'program: outputs: got "v2"; expected one of "v1". Name a value that the segments have. Nearest: "v1"',
    ],
    [
      "an unknown resident input",
      { ...chain(1), resident: { inputs: { w: "w" } } },
      'program: resident.inputs: got "w"; expected one of "v0".',
    ],
    [
      "a name made twice",
      { segments: [doubling("x", "y"), doubling("x", "y")], outputs: ["y"] },
      'program: segments[1] output "y": got a name that segments[0] makes too; expected each output name once in a program.',
    ],
    [
      "segments in the wrong order",
      { segments: [doubling("y", "z"), doubling("x", "y")], outputs: ["z"] },
      'program: segments[0] input "y": got a value that segments[1] makes; expected values from feeds or earlier segments.',
    ],
    [
      "a segment for nothing",
      { segments: [doubling("x", "y"), doubling("x", "z")], outputs: ["y"] },
      'program: segments[1]: got outputs "z" that nobody reads; expected an output that a later segment or the caller needs.',
    ],
  ])("refuses %s", (_, program, message) => {
    expect(() => planProgram(program)).toThrow(message);
  });

  test("refuses two segments that declare an input differently", () => {
    const [x, z] = [value("x", ["m"]), value("z", ["m"])];
    const other = graph([x], [node("Add", [x, x], [z])], [z]);
    expect(() => planProgram({ segments: [doubling("x", "y"), other], outputs: ["y", "z"] })).toThrow(
      'program: segments[1] input "x": got float32 [m]; expected float32 [n], as an earlier segment declares it.',
    );
  });

  test("refuses a value that is read with another type or rank than it is made with", () => {
    const [y, z] = [value("y", ["n", 1]), value("z", ["n", 1])];
    const reader = graph([y], [node("Add", [y, y], [z])], [z]);
    expect(() => planProgram({ segments: [doubling("x", "y"), reader], outputs: ["z"] })).toThrow(
      'program: segments[1] input "y": got float32 [n] from segments[0]; expected float32 [n, 1].',
    );
  });
});
