/**
 * Edges of attribution graphs against interventions: in the model with its patterns, norm scales and other MLP writes held
 * as they were, taking a feature's write away changes every later target by exactly its edge.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AttributionGraph, attributionGraph, type GraphNode, nodeId } from "../../src/circuits/index.js";
import { type Dictionary, DictionarySet } from "../../src/dictionary/index.js";
import { at, edit, loadModel, type Model, type Run } from "../../src/model/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { fixture } from "../helpers/fixtures.js";
import { randomDictionary } from "../unit/dictionary/random-dictionary.js";

const tokens = [3, 1, 4, 1];
const places: Readonly<Record<string, string>> = {
  gpt2: "ln2.hook_normalized",
  pythia: "mlp.hook_in",
  "llama-gqa-bias": "hook_mlp_in",
  gemma2: "ln2.hook_normalized",
  qwen3: "mlp.hook_in",
};

type Feature = Extract<GraphNode, { kind: "feature" }>;

/** `Σ_i v_i W[i, column]` of the value at one position. */
function along(values: Tensor, pos: number, matrix: Tensor, column: number): number {
  const [, , width = 0] = values.shape;
  const columns = matrix.shape[1] ?? 0;
  let sum = 0;
  for (let i = 0; i < width; i++)
    sum += Number(values.data[pos * width + i]) * Number(matrix.data[i * columns + column]);
  return sum;
}

describe.each(Object.entries(places))("%s, dictionaries at %s", (name, place) => {
  let model: Model;
  let graph: AttributionGraph;
  let held: Model;
  let set: DictionarySet;
  let clean: Run;
  beforeAll(async () => {
    const loaded = await loadModel(fixture("architectures", name));
    model = loaded.withPrecision("float64");
    const { dModel, nLayers } = model.config;
    const dictionary = (layer: number): Dictionary =>
      randomDictionary({
        dIn: dModel,
        nFeatures: 6,
        readHook: `blocks.${layer}.${place}`,
        writeHook: `blocks.${layer}.hook_mlp_out`,
        seed: layer,
      });
    set = new DictionarySet(
      "random",
      Array.from({ length: nLayers }, (_, layer) => dictionary(layer)),
    );
    graph = await attributionGraph(model, tokens, set, { precision: "float64", target: [0, 2] });
    const norms =
      place === "hook_mlp_in" ? /(\.ln1(_post)?|ln_final)\.hook_scale$/ : /(\.ln1(_post)?|\.ln2|ln_final)\.hook_scale$/;
    const scales = model.hookNames().filter((hook) => norms.test(hook));
    const frozen = [...scales, ...Array.from({ length: nLayers }, (_, l) => `blocks.${l}.attn.hook_pattern`)];
    const writes = Array.from({ length: nLayers }, (_, l) => `blocks.${l}.hook_mlp_out`);
    clean = await model.run([tokens], { capture: [...frozen, ...writes], prependBos: false });
    held = model.with(edit.freeze(frozen, clean.cache), edit.patch(writes, clean.cache));
  });
  afterAll(() => model.close());

  test("every edge from a feature is what taking its write away does", async () => {
    const sources = graph.nodes.filter((node): node is Feature => node.kind === "feature" && node.layer === 0);
    const reads = [...set].map(({ readHook }) => readHook);
    const capture = [...reads, "ln_final.hook_normalized", "unembed.hook_in"].filter((hook) =>
      model.hookNames().includes(hook),
    );
    const before = await held.run([tokens], { capture, prependBos: false });
    const W_U = await model.weights.W_U();
    let [largest, scale, compared] = [0, 1e-3, 0];
    for (const source of sources.slice(0, 6)) {
      const { direction } = set.layer(0).feature(source.feature);
      const write = Array.from(direction, (d) => -d * source.activation);
      const changed = held.with(edit.add(at.mlpOut(0), write, { pos: source.pos }));
      const after = await changed.run([tokens], { capture, prependBos: false });
      for (const [index, node] of graph.nodes.entries()) {
        if (node.kind !== "feature" && node.kind !== "target") continue;
        if (node.kind === "feature" && node.layer === 0) continue;
        const edge = graph.edgesInto(index).find((one) => one.source === source)?.weight ?? 0;
        const effect = (run: Run): number =>
          node.kind === "feature"
            ? along(
                run.cache.get(set.layer(node.layer).readHook),
                node.pos,
                encoder(set.layer(node.layer)),
                node.feature,
              )
            : logitAboveMean(run.cache.get("unembed.hook_in"), W_U, node.token ?? 0);
        largest = Math.max(largest, Math.abs(effect(before) - effect(after) - edge));
        scale = Math.max(scale, Math.abs(edge));
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(10);
    // Gemma's gains, 1 + w, are rounded to float32 by the weights view; W_U of a float32 file is exact.
    expect(largest / scale).toBeLessThan(name === "gemma2" ? 1e-6 : 1e-9);
  });

  test("the certificate says how exactly parts sum, and the graph reads as text", () => {
    expect(graph.certificate.worst).toBeLessThan(name === "gemma2" ? 1e-6 : 1e-9);
    expect(graph.omittedFeatures).toBe(0);
    expect(String(graph)).toMatch(/certificate: parts sum to each of \d+ nodes/);
    const pruned = graph.prune({ nodeShare: 0.6 });
    expect(pruned.nodes.length).toBeLessThan(graph.nodes.length);
    const whole = new Map(
      [...graph.edges()].map((one) => [`${JSON.stringify(one.source)}>${JSON.stringify(one.target)}`, one.weight]),
    );
    for (const { source, target, weight } of pruned.edges())
      expect(whole.get(`${JSON.stringify(source)}>${JSON.stringify(target)}`)).toBe(weight);
  });
});

function encoder(dictionary: Dictionary): Tensor {
  return dictionary.weight("W_enc") as Tensor;
}

function logitAboveMean(values: Tensor, W_U: Tensor, token: number): number {
  const vocab = W_U.shape[1] ?? 0;
  const last = (values.shape[1] ?? 1) - 1;
  const logits = Array.from({ length: vocab }, (_, v) => along(values, last, W_U, v));
  return (logits[token] ?? 0) - logits.reduce((a, b) => a + b, 0) / vocab;
}

test("a budget keeps the features with most influence, and bad input is refused", async () => {
  const model = await loadModel(fixture("architectures", "gpt2"));
  const set = new DictionarySet("one layer", [
    randomDictionary({
      dIn: model.config.dModel,
      nFeatures: 20,
      readHook: "blocks.0.ln2.hook_normalized",
      writeHook: "blocks.0.hook_mlp_out",
    }),
  ]);
  const all = await attributionGraph(model, tokens, set, { target: [0] });
  const few = await attributionGraph(model, tokens, set, { target: [0], maxFeatureNodes: 3, batch: 1 });
  const features = (graph: AttributionGraph): GraphNode[] => graph.nodes.filter(({ kind }) => kind === "feature");
  expect(features(few)).toHaveLength(3);
  expect(few.omittedFeatures).toBe(features(all).length - 3);
  const strongest = all
    .edgesInto(0)
    .filter(({ source }) => source.kind === "feature")
    .slice(0, 3);
  expect(new Set(features(few))).toEqual(new Set(strongest.map(({ source }) => source)));
  // What was left out is one node, whose edge is all that its features add.
  const isRemainder = ({ kind }: GraphNode): boolean => kind === "remainder";
  expect(all.nodes.filter(isRemainder)).toEqual([]);
  expect(few.nodes.filter(isRemainder)).toHaveLength(1);
  const kept = new Set(features(few).map(nodeId));
  const sum = (graph: AttributionGraph, isCounted: (node: GraphNode) => boolean): number =>
    graph
      .edgesInto(0)
      .filter(({ source }) => isCounted(source))
      .reduce((total, { weight }) => total + weight, 0);
  const left = sum(all, (node) => node.kind === "feature" && !kept.has(nodeId(node)));
  expect(sum(few, isRemainder)).toBeCloseTo(left, 5);
  expect(Math.abs(left)).toBeGreaterThan(1e-3);
  expect(sum(few, () => true)).toBeCloseTo(
    sum(all, () => true),
    5,
  );
  // It counts as neither explained nor unexplained.
  expect(few.scores().completeness).toBeGreaterThan(0);
  await expect(attributionGraph(model, [1], set)).rejects.toThrow("got 1 token; expected two tokens or more");
  await expect(attributionGraph(model, tokens, set, { maxFeatureNodes: 0 })).rejects.toThrow("got 0");
  await expect(attributionGraph(model, tokens, set, { target: [] })).rejects.toThrow("an empty list");
  const sae = new DictionarySet("saes", [
    randomDictionary({ dIn: model.config.dModel, readHook: "blocks.0.hook_resid_post" }),
  ]);
  await expect(attributionGraph(model, tokens, sae)).rejects.toThrow("a transcoder from the input of an MLP");
  const edited = model.with(edit.zero(at.mlpOut(0)));
  await expect(attributionGraph(edited, tokens, set)).rejects.toThrow(
    "got an edited model (zero); expected the model as it is",
  );
  const signal = AbortSignal.abort();
  await expect(attributionGraph(model, tokens, set, { signal })).rejects.toThrow(/abort/i);
  await model.close();
});
