import { describe, expect, it } from "vitest";
import { dataOf, GraphBuilder, type GraphDType, opSchemas, type Value } from "../../../src/graph/index.js";
import { type Feeds, runGraph } from "../../helpers/run-graph.js";
import { type Make, type OpCase, opCases } from "./op-cases.js";

interface Built {
  readonly builder: GraphBuilder;
  readonly feeds: Feeds;
  readonly outputs: readonly Value[];
}

/** Small positive numbers: in the domain of every op, and valid as indices below 7. */
function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => (index % 3) + 1);
}

function buildCase(opCase: OpCase): Built {
  const builder = new GraphBuilder();
  const feeds: Record<string, Feeds[string]> = {};
  const make: Make = {
    builder,
    x(shape, dtype: GraphDType = "float32") {
      const name = `x${Object.keys(feeds).length}`;
      feeds[name] = { data: dataOf(dtype, numbers(shape.reduce((product, size) => product * size, 1))) };
      return builder.input(name, dtype, shape);
    },
    ints: (...values) => builder.constant(values, "int64"),
    scalar: (value, dtype = "float32") => builder.constant(value, dtype),
  };
  const { op, attributes = {}, outputCount = 1 } = opCase;
  return { builder, feeds, outputs: builder.ops(op, opCase.inputs(make), attributes, outputCount) };
}

describe("the op table against the runtime", () => {
  it("has a case for every row", () => {
    const covered = new Set(opCases.map(({ op }) => op));
    const missing = opSchemas.map(({ op }) => op).filter((op) => !covered.has(op));
    expect(missing).toEqual(["Callback"]);
  });

  it.each([...new Set(opCases.map(({ op }) => op))])("infers what the runtime makes of %s", async (op) => {
    for (const opCase of opCases.filter((own) => own.op === op)) {
      const { builder, feeds, outputs } = buildCase(opCase);
      const graph = builder.build(Object.fromEntries(outputs.map((value, index) => [`y${index}`, value])));
      const text = JSON.stringify({ attributes: opCase.attributes, inputs: graph.inputs });
      const results = await runGraph(graph, feeds).catch((error: unknown) => {
        throw new Error(`${op} ${text}: ${String(error)}`);
      });
      const inferred = outputs.map(({ dtype, shape }) => ({ dtype, shape }));
      const real = outputs.map((_, index) => ({
        dtype: results[`y${index}`]?.dtype,
        shape: results[`y${index}`]?.shape,
      }));
      expect(real, text).toEqual(inferred);
    }
  });
});
