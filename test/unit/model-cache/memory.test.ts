/** Products never form a value larger than the answer or the weight that it needs. */
import { describe, expect, it } from "vitest";
import { evalDim, type Graph } from "../../../src/graph/index.js";
import { type ActivationCache, loadModel, Model, tokensToResidualDirections } from "../../../src/model/index.js";
import type { Engine, Feeds, Program } from "../../../src/runtime/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

/** Elements of the largest value that a graph computes for some feeds. */
function largest(graph: Graph, feeds: Feeds): number {
  const sizes: Record<string, number> = {};
  for (const { name, shape } of graph.inputs) {
    shape.forEach((dim, i) => {
      if (typeof dim === "string") sizes[dim] = feeds[name]?.shape[i] ?? 0;
    });
  }
  const values = graph.nodes.flatMap(({ outputs }) => outputs);
  return Math.max(
    0,
    ...values.map(({ shape }) => shape.reduce<number>((count, dim) => count * evalDim(dim, sizes), 1)),
  );
}

/** A model over the same engine that writes down the largest value of every graph it runs. */
function watched(model: Model): { readonly model: Model; readonly sizes: number[] } {
  const sizes: number[] = [];
  const { core } = model.view;
  const run: Engine["run"] = (program: Program, feeds, options) => {
    for (const graph of program.segments) sizes.push(largest(graph, feeds));
    return core.engine.run(program, feeds, options);
  };
  const engine = { run } as unknown as Engine;
  return { model: new Model({ ...model.view, core: { ...core, engine } }), sizes };
}

describe.each(["gpt2", "gemma2", "tl-parallel", "mistral"])("products of %s", (name) => {
  it("stay within the answer or one weight, projections and single positions included", async () => {
    const model = await loadModel(fixture("architectures", name));
    const tokens = Array.from({ length: 3 }, (_, row) => Array.from({ length: 19 }, (_, i) => (row + i) % 29));
    const { cache } = await model.run(tokens, { capture: ["z", "post", /hook_scale/] });
    const direction = await tokensToResidualDirections(model, 4);
    const perRow = await tokensToResidualDirections(model, [4, 7, 1]);
    const { nHeads, dHead, dMlp, dModel } = model.config;
    const { model: spied, sizes } = watched(model);
    const check = async (work: (cache: ActivationCache) => Promise<Tensor>, weight: number): Promise<void> => {
      sizes.length = 0;
      const answer = await work(cache.withModel(spied));
      expect(sizes).toHaveLength(1);
      expect(sizes[0]).toBeLessThanOrEqual(Math.max(answer.size, weight));
    };
    const [heads, neurons] = [nHeads * dHead * dModel, dMlp * dModel];
    await check((c) => c.computeHeadResults(0), heads);
    await check((c) => c.computeHeadResults(0, { posSlice: -1 }), nHeads * dHead);
    await check((c) => c.computeHeadResults(0, { projectOutputOnto: direction }), nHeads * dHead * 3);
    await check((c) => c.computeHeadResults(1, { projectOutputOnto: perRow }), nHeads * dHead * 3);
    await check((c) => c.getNeuronResults(0), neurons);
    await check((c) => c.getNeuronResults(0, { neuronSlice: [1, 5], posSlice: -1 }), 2 * dModel);
    await check((c) => c.getNeuronResults(1, { projectOutputOnto: direction }), neurons);
    await check((c) => c.getNeuronResults(1, { projectOutputOnto: perRow, neuronSlice: [3, 2, 1] }), 3 * dModel);
    await model.close();
  });
});
