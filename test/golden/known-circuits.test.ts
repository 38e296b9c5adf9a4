/** Graphs of models whose circuit is known: hand-made ones, and MLPs whose neurons are all there is. */
import { describe, expect, test } from "vitest";
import { bigramProbability } from "../../scripts/constructed/bigram-mlp.js";
import { attributionGraph, graphFaithfulness, nodeId, transcoderPaths, verifyGraph } from "../../src/circuits/index.js";
import { mlpNeurons } from "../../src/dictionary/index.js";
import { loadModel } from "../../src/model/index.js";
import { fixture } from "../helpers/fixtures.js";

describe("neurons as features", () => {
  test.each(["gpt2-untied", "tl-no-norm", "gpt2", "pythia"])(
    "of %s leave nothing out: every error is 0 and edges are exact",
    async (name) => {
      const model = (await loadModel(fixture("architectures", name))).withPrecision("float64");
      const set = await mlpNeurons(model);
      const graph = await attributionGraph(model, [3, 1, 4, 1], set, {
        precision: "float64",
        target: [0, 2],
        firstPosition: 0,
      });
      const features = graph.nodes.filter(({ kind }) => kind === "feature");
      expect(features.length).toBeGreaterThan(10);
      for (const { source, weight } of graph.edges())
        if (source.kind === "error") expect(Math.abs(weight)).toBeLessThan(1e-9);
      expect(graph.certificate.worst).toBeLessThan(1e-9);
      expect(graph.scores()).toEqual({
        replacement: expect.closeTo(1, 9) as number,
        completeness: expect.closeTo(1, 9) as number,
      });
      const checked = await verifyGraph(model, graph, set, { precision: "float64", nodes: 12, batch: 4 });
      expect(checked.edgeAgreement.worst).toBeLessThan(1e-9);
      await model.close();
    },
  );

  test("of gated MLPs are refused, and paths refuse what is not rectified", async () => {
    const gated = await loadModel(fixture("architectures", "llama-mha-linear"));
    await expect(mlpNeurons(gated)).rejects.toThrow("mlpNeurons: got gated silu MLPs; expected plain MLPs");
    await gated.close();
    const gelu = await loadModel(fixture("architectures", "gpt2"));
    const set = await mlpNeurons(gelu);
    expect(set.layer(0).config.activation.kind).toBe("smooth");
    await expect(transcoderPaths(gelu, [3, 1, 4], set)).rejects.toThrow(
      "transcoderPaths: dictionary neurons.0: got a smooth activation",
    );
    await gelu.close();
    const none = await loadModel("attn-only-2l");
    await expect(mlpNeurons(none)).rejects.toThrow("got a model without MLPs");
    await none.close();
  });
});

describe("bigram-mlp, whose circuit was written by hand", () => {
  test.each([0, 5, 31])("after token %i the graph is token, its neuron, the logits of its row", async (token) => {
    const model = await loadModel("constructed/bigram-mlp");
    const set = await mlpNeurons(model);
    const next = (3 * token + 1) % 32;
    const graph = await attributionGraph(model, [7, token], set, { target: [next], firstPosition: 0 });
    const kept = graph.prune();
    // One neuron is all that feeds the logit, and one token is all that feeds the neuron, but for its bias.
    const [first, ...others] = kept.edgesInto(0);
    expect(nodeId(first?.source ?? { kind: "bias" })).toBe(`L0 #${token} @1`);
    expect(others).toEqual([]);
    const row = Array.from({ length: 32 }, (_, b) => Math.log(bigramProbability(token, b)));
    const mean = row.reduce((a, b) => a + b, 0) / 32;
    expect(first?.weight).toBeCloseTo((row[next] ?? 0) - mean, 4);
    const neuron = graph.nodes.findIndex((node) => node === first?.source);
    const into = Object.fromEntries(graph.edgesInto(neuron).map(({ source, weight }) => [nodeId(source), weight]));
    expect(into).toEqual({ "token @1": expect.closeTo(2, 5) as number, bias: expect.closeTo(-1, 5) as number });
    // Enough and needed: the neuron alone gives the logit, without it nothing is left.
    const { clean, points } = await graphFaithfulness(model, graph, set, { counts: [1] });
    expect(points[0]?.kept).toBeCloseTo(clean, 4);
    expect(points[0]?.ablated).toBeCloseTo(0, 4);
    await model.close();
  });
});
