/** Transcoder circuits of the shipped model. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { attributionGraph, edgeHeads, pathsToGraph, transcoderPaths } from "../../src/circuits/index.js";
import { tasks } from "../../src/data/index.js";
import { openDictionarySet } from "../../src/dictionary/index.js";
import { loadModel, type Model } from "../../src/model/index.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel("tiny");
});
afterAll(() => model.close());

test("a capital's paths add up, and its heads split the edges of its graph", async () => {
  const set = await openDictionarySet("tiny/transcoders");
  const [prompt = ""] = tasks.capitals(model, { n: 1, seed: 2 }).clean;
  const paths = await transcoderPaths(model, prompt, set, { branches: 8, iterations: 5 });
  expect(paths.certificate).toBeLessThan(1e-4);
  const circuit = pathsToGraph(paths);
  for (const { id, contribution, remainder } of circuit.nodes) {
    if (remainder === undefined) continue;
    const into = circuit.edgesInto(id).reduce((sum, edge) => sum + edge.contribution, 0);
    expect(into + remainder.error + remainder.bias + remainder.pruned).toBeCloseTo(contribution, 3);
  }
  const graph = await attributionGraph(model, prompt, set, { maxFeatureNodes: 1 });
  const split = await edgeHeads(model, prompt, set);
  expect(split.certificate).toBeLessThan(1e-4);
  for (const { source, weight } of graph.edgesInto(0)) {
    if (source.kind !== "token") continue;
    expect(split.split(source).reduce((sum, part) => sum + part.weight, 0)).toBeCloseTo(weight, 4);
  }
});
