/** Verification of graphs: it agrees where the graph is right, finds a planted error, and its curves have the ends they must. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  AttributionGraph,
  attributionGraph,
  type GraphParts,
  graphFaithfulness,
  verifyGraph,
} from "../../src/circuits/index.js";
import { totalEffects } from "../../src/circuits/verify/total-effects.js";
import { DictionarySet, openDictionarySet } from "../../src/dictionary/index.js";
import { edit, loadModel, type Model } from "../../src/model/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { fixture } from "../helpers/fixtures.js";
import { randomDictionary } from "../unit/dictionary/random-dictionary.js";

const tokens = [3, 1, 4, 1];

/** The graph with other nodes or edges. */
function withParts(
  { prompt, nodes, certificate, omittedFeatures, provenance }: AttributionGraph,
  parts: Partial<GraphParts> & Pick<GraphParts, "rows">,
): AttributionGraph {
  return new AttributionGraph({ prompt, nodes, certificate, omittedFeatures, provenance, ...parts });
}

/** A logit above the mean logit, of the last position. */
function centred({ data }: Tensor, token: number): number {
  const row = Array.from(data as ArrayLike<number>);
  return (row[token] ?? 0) - row.reduce((a, b) => a + b, 0) / row.length;
}

/** A set over some layers of a model, reading where `place` says. */
function randomSet(model: Model, place: string, layers: readonly number[]): DictionarySet {
  const { dModel } = model.config;
  const dictionaries = layers.map((layer) =>
    randomDictionary({
      dIn: dModel,
      nFeatures: 6,
      readHook: `blocks.${layer}.${place}`,
      writeHook: `blocks.${layer}.hook_mlp_out`,
      seed: layer,
    }),
  );
  return new DictionarySet("random", dictionaries);
}

describe.each([
  ["gpt2", "ln2.hook_normalized"],
  ["pythia", "mlp.hook_in"],
  ["llama-gqa-bias", "hook_mlp_in"],
  ["gemma2", "ln2.hook_normalized"],
])("%s, dictionaries at %s", (name, place) => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(fixture("architectures", name));
  });
  afterAll(() => model.close());

  test("every edge is what taking its source away does, also without a dictionary at some layers", async () => {
    const all = Array.from({ length: model.config.nLayers }, (_, layer) => layer);
    for (const layers of [all, [0]]) {
      const set = randomSet(model, place, layers);
      const exact = model.withPrecision("float64");
      const graph = await attributionGraph(exact, tokens, set, { precision: "float64", target: [0, 2] });
      const checked = await verifyGraph(exact, graph, set, { precision: "float64", nodes: 40, batch: 5 });
      expect(checked.edgeAgreement.count).toBeGreaterThan(20);
      // Gemma's gains, 1 + w, are rounded to float32 by the weights view.
      expect(checked.edgeAgreement.worst, String(checked)).toBeLessThan(name === "gemma2" ? 1e-6 : 1e-9);
    }
  });
});

describe("on the embedded model", () => {
  let model: Model;
  let set: DictionarySet;
  let graph: AttributionGraph;
  beforeAll(async () => {
    model = await loadModel("tiny");
    set = await openDictionarySet("tiny/transcoders");
    graph = await attributionGraph(model, "The capital of France is", set, { target: [" Paris"] });
  });
  afterAll(() => model.close());

  test("edges agree in float32, and paths tell which nodes matter in the free model", async () => {
    const checked = await verifyGraph(model, graph, set);
    expect(checked.edgeAgreement.worst).toBeLessThan(1e-4);
    expect(checked.totalAgreement.correlation).toBeGreaterThan(0.5);
    expect(String(checked)).toMatch(/32 nodes taken away.*\n.*edges: \d+ are what interventions do within/);
    expect(checked.toView().spec).toBeDefined();
  });

  test("is drawn pruned, and says so", () => {
    const view = graph.toView({ describe: (node) => (node.kind === "feature" ? "words" : undefined) });
    const { nodes } = graph.prune({ nodeShare: 0.8, edgeShare: 0.98 });
    expect(view.toText()).toContain(`${nodes.length} of ${graph.nodes.length} nodes: 80 % of the influence`);
    expect(view.toSvg()).toContain("·France");
  });

  test("a graph with one wrong edge is found out", async () => {
    const [strongest] = graph.edgesInto(0).filter(({ source }) => source.kind === "feature");
    if (strongest === undefined) throw new Error("no feature feeds the target");
    const index = graph.nodes.indexOf(strongest.source);
    const rows = new Map(
      graph.nodes.map((_, node) => {
        const edges = graph.edgesInto(node);
        const weightOf = (weight: number, source: number): number =>
          node === 0 && source === index ? 1.5 * weight : weight;
        const sources = edges.map(({ source }) => graph.nodes.indexOf(source));
        const weights = edges.map(({ weight }, i) => weightOf(weight, sources[i] ?? -1));
        return [node, { sources: Int32Array.from(sources), weights: Float64Array.from(weights) }] as const;
      }),
    );
    const wrong = withParts(graph, { rows });
    const { edgeAgreement, worstEdge } = await verifyGraph(model, wrong, set, { nodes: [strongest.source] });
    expect(edgeAgreement.worst).toBeGreaterThan(0.1);
    expect([worstEdge?.source, worstEdge?.target]).toEqual([strongest.source, graph.nodes[0]]);
  });

  test("total effects are the sums over all paths of a small graph, by hand", () => {
    const nodes = [
      { kind: "target", pos: 1, label: "t", weight: 1, token: 0 },
      { kind: "feature", layer: 1, pos: 1, feature: 0, activation: 4 },
      { kind: "feature", layer: 0, pos: 1, feature: 0, activation: 2 },
      { kind: "token", pos: 0, token: 7 },
    ] as const;
    const rows = new Map([
      [0, { sources: Int32Array.of(1, 2, 3), weights: Float64Array.of(3, 1, -1) }],
      [1, { sources: Int32Array.of(2, 3), weights: Float64Array.of(2, 2) }],
      [2, { sources: Int32Array.of(3), weights: Float64Array.of(2) }],
    ]);
    const small = withParts(graph, { nodes, rows });
    // Without the lower feature the upper one loses 2 of 4, hence the target 1 + 3 · 1/2.
    expect([...totalEffects(small, nodes[2])]).toEqual([2.5, 2, 0, 0]);
    // Without the token: the lower feature is gone, the upper loses 2 + 2 and is gone, the target -1 + 1 + 3.
    expect([...totalEffects(small, nodes[3])]).toEqual([3, 4, 2, 0]);
  });

  test("kept features carry the answer, as many at random do not; the ends are the model and no feature", async () => {
    const result = await graphFaithfulness(model, graph, set, {
      counts: [0, 64, graph.nodes.filter((n) => n.kind === "feature").length],
    });
    const [none, some, all] = result.points;
    const { logits } = await model.run("The capital of France is", { logits: "last" });
    const paris = centred(logits, model.toSingleToken(" Paris"));
    expect(result.clean).toBeCloseTo(paris, 3);
    if (none === undefined || some === undefined || all === undefined) throw new Error("three points");
    for (const value of [none.ablated, none.ablatedRandom, all.kept, all.keptRandom])
      expect(value).toBeCloseTo(paris, 3);
    for (const value of [none.kept, all.ablated]) expect(value).toBeCloseTo(result.empty, 3);
    expect(result.share(some.kept)).toBeGreaterThan(0.5);
    expect(result.share(some.keptRandom)).toBeLessThan(0.3);
    expect(String(result)).toMatch(/^GraphFaithfulness of " Paris": \d+\.\d+ in the model/);
  });

  test("a feature that is taken away by hand has the effect that is reported", async () => {
    const [node] = graph.nodes.filter((one) => one.kind === "feature" && one.layer === 4 && one.pos === 4);
    if (node?.kind !== "feature") throw new Error("no such feature");
    const { totals } = await verifyGraph(model, graph, set, { nodes: [node] });
    const dictionary = set.layer(4);
    const spliced = model.with(...set.splice({ errorTerm: true }));
    const without = spliced.with(edit.zero(dictionary.hooks.actsPost, { feature: node.feature, pos: node.pos }));
    const paris = async (changed: Model): Promise<number> => {
      const { logits } = await changed.run("The capital of France is", { logits: "last" });
      return centred(logits, model.toSingleToken(" Paris"));
    };
    expect(totals[0]?.effect).toBeCloseTo((await paris(spliced)) - (await paris(without)), 3);
  });

  test("graphs of other models or dictionaries and nodes that cannot be changed are refused", async () => {
    const other = await loadModel(fixture("architectures", "gpt2"));
    const its = randomSet(other, "ln2.hook_normalized", [0]);
    const own = await attributionGraph(other, tokens, its, { target: [0] });
    await expect(verifyGraph(model, own, set)).rejects.toThrow(/interventions on a graph: got/);
    await other.close();
    const bias = graph.nodes.filter(({ kind }) => kind === "bias");
    await expect(verifyGraph(model, graph, set, { nodes: bias })).rejects.toThrow(
      "got bias; expected features, errors",
    );
    await expect(verifyGraph(model, graph, set, { nodes: 0 })).rejects.toThrow("got 0; expected a whole number");
    await expect(graphFaithfulness(model, graph, set, { counts: [-1] })).rejects.toThrow(
      "got -1; expected whole numbers",
    );
    const signal = AbortSignal.abort();
    await expect(verifyGraph(model, graph, set, { signal })).rejects.toThrow(/abort/i);
  });
});
