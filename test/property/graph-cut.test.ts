import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutAt, cutAtCallbacks, type Graph, GraphBuilder, type Value } from "../../src/graph/index.js";
import { buildRecipe, recipeFeeds, recipes } from "../helpers/random-graph.js";
import { type Feeds, type RunResult, runGraph } from "../helpers/run-graph.js";

type Results = Record<string, RunResult>;

async function runInto(graph: Graph, env: Record<string, Feeds[string]>, results: Results): Promise<void> {
  for (const [name, result] of Object.entries(await runGraph(graph, env))) {
    expect(Object.hasOwn(env, name), `${name} is made once`).toBe(false);
    env[name] = result;
    results[name] = result;
  }
}

function expectSame(graph: Graph, whole: Readonly<Results>, parts: Readonly<Results>, feeds: Feeds): void {
  for (const { name } of graph.outputs) expect(parts[name] ?? feeds[name], name).toEqual(whole[name]);
}

/** What a callback does in these tests. */
function change(data: Float32Array): Float32Array {
  return data.map((value) => Math.fround(value * 0.5 + 0.25));
}

/** The same graph with each callback replaced by ops that do what {@link change} does. */
function withoutCallbacks(graph: Graph): Graph {
  const builder = new GraphBuilder();
  const mapped = new Map<Value, Value>();
  for (const value of graph.inputs) mapped.set(value, builder.input(value.name, value.dtype, value.shape));
  for (const { value, source } of graph.initializers) {
    if (source.kind === "data") mapped.set(value, builder.constant(source.data, value.dtype, value.shape.map(Number)));
  }
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((value) => (value === undefined ? undefined : mapped.get(value)));
    const outputs =
      node.op === "Callback"
        ? inputs.map((value) => {
            const half = builder.op("Mul", [value, builder.constant(0.5, "float32")]);
            return builder.op("Add", [half, builder.constant(0.25, "float32")]);
          })
        : builder.ops(node.op, inputs, node.attributes, node.outputs.length);
    node.outputs.forEach((value, index) => {
      const copy = outputs[index];
      if (copy !== undefined) mapped.set(value, copy);
    });
  }
  const found = graph.outputs.map(({ name, value }) => [name, mapped.get(value) ?? value] as const);
  return builder.build(Object.fromEntries(found));
}

describe("cuts", () => {
  it("compose: running the segments in order is running the graph, bit for bit", async () => {
    const places = fc.array(fc.array(fc.nat(99), { maxLength: 3 }), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(recipes, places, async (recipe, boundaries) => {
        const graph = buildRecipe(recipe);
        const values = [...graph.inputs, ...graph.nodes.flatMap((node) => node.outputs)];
        const picked = boundaries.map((ids) =>
          ids.map((id) => values[id % values.length]).filter((v) => v !== undefined),
        );
        const segments = cutAt(graph, picked);
        const count = segments.reduce((total, segment) => total + segment.nodes.length, 0);
        expect(count).toBe(graph.nodes.length);
        const feeds = recipeFeeds();
        const results: Results = {};
        const env = { ...feeds };
        for (const segment of segments) await runInto(segment, env, results);
        expectSame(graph, await runGraph(graph, feeds), results, feeds);
      }),
      { numRuns: 60 },
    );
  });

  it("at callbacks compose with the callbacks between them", async () => {
    await fc.assert(
      fc.asyncProperty(recipes, async (recipe) => {
        const graph = buildRecipe(recipe, { withCallbacks: true });
        const feeds = recipeFeeds();
        const env: Record<string, Feeds[string]> = { ...feeds };
        const results: Results = {};
        for (const step of cutAtCallbacks(graph)) {
          if (step.kind === "segment") await runInto(step.graph, env, results);
          else {
            step.outputs.forEach((name, index) => {
              const data = env[step.inputs[index] ?? ""]?.data;
              if (!(data instanceof Float32Array)) throw new Error(`no ${step.inputs[index]} for ${step.id}`);
              const result = { dtype: "float32" as const, shape: [3, 4], data: change(data) };
              env[name] = result;
              results[name] = result;
            });
          }
        }
        expectSame(graph, await runGraph(withoutCallbacks(graph), feeds), results, feeds);
      }),
      { numRuns: 60 },
    );
  });
});
