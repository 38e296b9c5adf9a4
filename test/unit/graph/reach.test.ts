import { describe, expect, it } from "vitest";
import { ancestors, descendants, GraphBuilder, Ops, prune, reaches } from "../../../src/graph/index.js";

function setUp() {
  const builder = new GraphBuilder();
  const ops = new Ops(builder);
  const x = builder.input("x", "float32", ["batch", 4]);
  const y = builder.input("y", "float32", ["pos", 4]);
  const a = ops.exp(x);
  const b = ops.neg(y);
  const both = ops.matmul(a, ops.swapLast(b));
  const graph = builder.build({ a, both });
  return { builder, ops, x, y, a, b, both, graph };
}

describe("reachability", () => {
  it("follows nodes forwards", () => {
    const { graph, x, y, a, b, both } = setUp();
    expect(reaches(graph, x, both)).toBe(true);
    expect(reaches(graph, b, both)).toBe(true);
    expect(reaches(graph, y, a)).toBe(false);
    expect(reaches(graph, both, a)).toBe(false);
    expect(reaches(graph, a, a)).toBe(true);
    expect(descendants(graph, [y]).has(both)).toBe(true);
    expect(descendants(graph, [y]).has(a)).toBe(false);
  });

  it("follows nodes backwards", () => {
    const { graph, x, y, a, both } = setUp();
    expect([...ancestors(graph, [a])]).toEqual([a, x]);
    expect(ancestors(graph, [both]).has(y)).toBe(true);
  });

  it("does not pass contents through shapes", () => {
    const { builder, ops, a, y } = setUp();
    const sized = ops.builder.op("Expand", [ops.scalar(1, "float32"), ops.shapeOf(a)]);
    const z = ops.matmul(sized, ops.swapLast(y));
    expect(reaches(builder, a, z)).toBe(false);
    expect(ancestors(builder, [z]).has(a)).toBe(true);
  });
});

describe("prune", () => {
  it("keeps what the named outputs need", () => {
    const { graph, x, a } = setUp();
    const small = prune(graph, ["a"]);
    expect(small.inputs).toEqual([x]);
    expect(small.nodes).toHaveLength(1);
    expect(small.outputs).toEqual([{ name: "a", value: a }]);
    expect(prune(graph).nodes).toEqual(graph.nodes);
  });

  it("lists the outputs when a name is wrong", () => {
    expect(() => prune(setUp().graph, ["logits"])).toThrow(
      'prune: got output "logits"; expected one of: a, both. Check the name.',
    );
  });
});
