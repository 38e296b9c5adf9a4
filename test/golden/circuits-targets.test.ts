/** Targets of attribution graphs other than the last logits, MLPs without dictionaries, and edges split by heads. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type AttributionGraph,
  attributionGraph,
  edgeHeads,
  type GraphNode,
  nodeId,
} from "../../src/circuits/index.js";
import { createRandom } from "../../src/core/index.js";
import { type Dictionary, DictionarySet } from "../../src/dictionary/index.js";
import { at, edit, loadModel, type Model } from "../../src/model/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { fixture } from "../helpers/fixtures.js";
import { randomDictionary } from "../unit/dictionary/random-dictionary.js";

const tokens = [3, 1, 4, 1];
const architectures = ["gpt2", "pythia", "llama-gqa-bias", "gemma2"];

type Feature = Extract<GraphNode, { kind: "feature" }>;
const isFeature = (node: GraphNode): node is Feature => node.kind === "feature";

function withoutSkip({ config }: Model): Dictionary {
  const [readHook, writeHook] = ["blocks.0.hook_mlp_in", "blocks.0.hook_mlp_out"];
  return randomDictionary({ dIn: config.dModel, nFeatures: 6, readHook, writeHook });
}

function byName(graph: AttributionGraph, index: number): Map<string, number> {
  return new Map(graph.edgesInto(index).map(({ source, weight }) => [nodeId(source), weight]));
}

describe.each(architectures)("%s", (name) => {
  let model: Model;
  let set: DictionarySet;
  let direction: Float64Array;
  const exact = name === "gemma2" ? 1e-6 : 1e-9;
  beforeAll(async () => {
    model = (await loadModel(fixture("architectures", name))).withPrecision("float64");
    const dictionary = (layer: number): Dictionary =>
      randomDictionary({
        dIn: model.config.dModel,
        nFeatures: 6,
        readHook: `blocks.${layer}.${layer === 0 ? "hook_mlp_in" : "mlp.hook_in"}`,
        writeHook: `blocks.${layer}.hook_mlp_out`,
        hasSkip: layer === 0,
        seed: layer,
      });
    set = new DictionarySet(
      "random",
      Array.from({ length: model.config.nLayers }, (_, layer) => dictionary(layer)),
    );
    const random = createRandom(5);
    direction = Float64Array.from({ length: model.config.dModel }, () => random.normal());
  });
  afterAll(() => model.close());

  test("a feature as the target has the edges that it has as a node", async () => {
    const whole = await attributionGraph(model, tokens, set, { target: [2], precision: "float64" });
    const last = model.config.nLayers - 1;
    const [index, node] = [...whole.nodes.entries()].find(([, one]) => isFeature(one) && one.layer === last) ?? [];
    if (index === undefined || node === undefined || !isFeature(node)) throw new Error("no feature in the last layer");
    const { layer, feature, pos } = node;
    const target = { feature: { layer, feature, pos } };
    const graph = await attributionGraph(model, tokens, set, { target, precision: "float64" });
    expect(graph.certificate.worst).toBeLessThan(exact);
    expect(graph.nodes[0]).toEqual({ kind: "target", pos, label: `L${layer} #${feature}`, weight: 1 });
    expect(graph.nodes.every((one) => !isFeature(one) || one.layer < layer)).toBe(true);
    expect(graph.omittedFeatures).toBe(0);
    const [own, expected] = [byName(graph, 0), byName(whole, index)];
    expect(own.size).toBe(expected.size);
    for (const [id, weight] of expected) expect(own.get(id)).toBeCloseTo(weight, 9);
  });

  test("a feature that does not fire, and one before the first position, still sum", async () => {
    const { cache } = await model
      .with(...set.splice({ errorTerm: true }))
      .run([tokens], { capture: set.layer(1).hooks.actsPost, prependBos: false });
    const acts = cache.get(set.layer(1).hooks.actsPost);
    for (const pos of [0, 2]) {
      const idle = Array.from({ length: 6 }, (_, i) => i).find((i) => Number(acts.data[pos * 6 + i]) === 0) ?? 0;
      const target = { feature: { layer: 1, feature: idle, pos } };
      const graph = await attributionGraph(model, tokens, set, { target, precision: "float64" });
      expect(graph.certificate.worst).toBeLessThan(exact);
    }
  });

  test("logits at any position are explained", async () => {
    const run = await model.run([tokens], { prependBos: false });
    const vocab = model.config.dVocabOut;
    const at1 = Array.from({ length: vocab }, (_, i) => Number(run.logits.data[vocab + i]));
    const best = at1.indexOf(Math.max(...at1));
    const graph = await attributionGraph(model, tokens, set, { target: [best], pos: 1, precision: "float64" });
    expect(graph.certificate.worst).toBeLessThan(exact);
    expect(graph.nodes[0]).toMatchObject({ pos: 1, token: best });
    const cap = model.config.outputLogitsSoftCap;
    const raw = at1.map((x) => (cap === undefined ? x : cap * Math.atanh(x / cap)));
    const above = (raw[best] ?? 0) - raw.reduce((a, b) => a + b, 0) / vocab;
    expect(graph.edgesInto(0).reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(
      above,
      name === "gemma2" ? 4 : 8,
    );
    const later = [...graph.edgesInto(0)].filter(({ source }) => "pos" in source && source.pos > 1);
    expect(later).toEqual([]);
  });

  test("a direction of the stream sums to what lies along it, at every place", async () => {
    const parts = model.config.parallelAttnMlp ? ["pre", "post"] : ["pre", "mid", "post"];
    for (const part of parts) {
      for (const layer of [0, model.config.nLayers - 1]) {
        const hook = `blocks.${layer}.hook_resid_${part}`;
        const target = { direction, at: part === "post" ? hook : `resid_${part}.${layer}`, pos: 2, bias: 0.5 };
        const graph = await attributionGraph(model, tokens, set, { target, precision: "float64" });
        const { cache } = await model.run([tokens], { capture: hook, prependBos: false });
        const value = direction.reduce(
          (sum, x, i) => sum + x * cache.get(hook).at({ batch: 0, pos: 2, dModel: i }).item(),
          0.5,
        );
        const sum = graph.edgesInto(0).reduce((total, { weight }) => total + weight, 0);
        expect(sum).toBeCloseTo(value, name === "gemma2" ? 4 : 8);
        expect(graph.certificate.worst).toBeLessThan(exact);
      }
    }
  });

  test("edges into a direction are what taking a feature's write away does to it", async () => {
    const last = model.config.nLayers - 1;
    const hook = `blocks.${last}.hook_resid_post`;
    const target = { direction: Tensor.of(direction, [direction.length]), at: hook, label: "probe" };
    const plain = new DictionarySet("plain", [set.layer(1), withoutSkip(model)]);
    const graph = await attributionGraph(model, tokens, plain, { target, precision: "float64" });
    expect(nodeId(graph.nodes[0] ?? { kind: "bias" })).toBe("target probe");
    const norms = model.hookNames().filter((one) => /\.ln1(_post)?\.hook_scale$/.test(one));
    const frozen = [...norms, ...Array.from({ length: last + 1 }, (_, l) => `blocks.${l}.attn.hook_pattern`)];
    const writes = Array.from({ length: last + 1 }, (_, l) => `blocks.${l}.hook_mlp_out`);
    const clean = await model.run([tokens], { capture: [...frozen, ...writes, hook], prependBos: false });
    const held = model.with(edit.freeze(frozen, clean.cache), edit.patch(writes, clean.cache));
    const along = (values: Tensor): number => {
      const start = (tokens.length - 1) * direction.length;
      return direction.reduce((sum, x, i) => sum + x * Number(values.data[start + i]), 0);
    };
    const edges = graph.edgesInto(0).filter(({ source }) => isFeature(source) && source.layer < 2);
    expect(edges.length).toBeGreaterThan(3);
    for (const { source, weight } of edges.slice(0, 6)) {
      if (!isFeature(source)) continue;
      const write = Array.from(
        plain.layer(source.layer).feature(source.feature).direction,
        (d) => -d * source.activation,
      );
      const changed = held.with(edit.add(at.mlpOut(source.layer), write, { pos: source.pos }));
      const { cache } = await changed.run([tokens], { capture: hook, prependBos: false });
      expect(along(clean.cache.get(hook)) - along(cache.get(hook))).toBeCloseTo(weight, name === "gemma2" ? 4 : 8);
    }
  });

  test("edges split by heads sum to the edges, whatever the target", async () => {
    const targets = [
      { logitDiff: [0, 2] as const },
      { feature: { layer: 1, feature: 3 } },
      { direction, at: "resid_post.0" },
    ];
    for (const target of targets) {
      const graph = await attributionGraph(model, tokens, set, { target, precision: "float64" });
      const split = await edgeHeads(model, tokens, set, { target, precision: "float64", batch: 7 });
      const scale = graph.edgesInto(0).reduce((sum, { weight }) => sum + Math.abs(weight), 0);
      expect(split.certificate).toBeLessThan(exact);
      for (const { source, weight } of graph.edgesInto(0)) {
        const sum = split.split(source).reduce((total, part) => total + part.weight, 0);
        expect(Math.abs(sum - weight) / scale).toBeLessThan(exact);
      }
      expect(String(split)).toContain("EdgeHeads into");
      expect(split.toView().spec.view).toBe("table");
    }
  });
});

describe("gpt2", () => {
  let model: Model;
  let first: Dictionary;
  beforeAll(async () => {
    model = await loadModel(fixture("architectures", "gpt2"));
    first = randomDictionary({
      dIn: model.config.dModel,
      readHook: "blocks.0.ln2.hook_normalized",
      writeHook: "blocks.0.hook_mlp_out",
    });
  });
  afterAll(() => model.close());

  test("layers without a dictionary, and models without any, are named in the graph and still sum", async () => {
    const some = await attributionGraph(model, tokens, new DictionarySet("first", [first]), { target: [0] });
    const others = Array.from({ length: model.config.nLayers - 1 }, (_, i) => i + 1);
    expect(some.provenance.wholeMlps).toEqual(others);
    expect(String(some)).toContain(`MLPs without a dictionary are errors: layers ${others.join(", ")}`);
    const none = await attributionGraph(model, tokens, undefined, { target: [0], precision: "float64" });
    expect(none.provenance).toMatchObject({ dictionaries: "none", wholeMlps: [0, ...others] });
    expect(none.nodes.some(({ kind }) => kind === "feature")).toBe(false);
    expect(none.certificate.worst).toBeLessThan(1e-9);
    const split = await edgeHeads(model, tokens, undefined, { target: [0] });
    expect(split.certificate).toBeLessThan(1e-4);
  });

  test("models without MLPs have no errors: here tokens are all there is", async () => {
    const copier = await loadModel("constructed/induction");
    const { sources, certificate } = await edgeHeads(copier, [5, 9, 3, 7, 5], undefined);
    expect(new Set(sources.map(({ kind }) => kind))).toEqual(new Set(["token"]));
    expect(certificate).toBeLessThan(1e-4);
    await copier.close();
  });

  test("targets that are not there are refused, with the reason", async () => {
    const set = new DictionarySet("first", [first]);
    const graph = (options: Parameters<typeof attributionGraph>[3]): Promise<AttributionGraph> =>
      attributionGraph(model, tokens, set, options);
    const direction = new Float32Array(model.config.dModel).fill(1);
    await expect(graph({ pos: 4 })).rejects.toThrow(
      "attributionGraph: pos: got 4; expected a whole number from 0 to 3",
    );
    await expect(graph({ pos: -5 })).rejects.toThrow("got -5");
    await expect(graph({ target: { feature: { layer: 1, feature: 0 } } })).rejects.toThrow(
      "target.feature: got layer 1; expected a layer with a dictionary: 0",
    );
    await expect(
      attributionGraph(model, tokens, undefined, { target: { feature: { layer: 0, feature: 0 } } }),
    ).rejects.toThrow("there is none");
    await expect(graph({ target: { feature: { layer: 0, feature: 7 } } })).rejects.toThrow(
      "got 7; expected a whole number",
    );
    await expect(graph({ target: { feature: { layer: 0, feature: 1, pos: 9 } } })).rejects.toThrow("pos: got 9");
    await expect(graph({ target: { feature: { layer: 0, feature: 1 } }, pos: 1 })).rejects.toThrow(
      "expected none: features and directions have a position of their own",
    );
    for (const at of ["resid_post", "resid_post.99", "blocks.0.hook_mlp_out", "blocks.0.hook_resid_post.1"])
      await expect(graph({ target: { direction, at } })).rejects.toThrow(
        `target.at: got ${JSON.stringify(at)}; expected resid_pre`,
      );
    await expect(graph({ target: { direction: [1, 2], at: "resid_post.0" } })).rejects.toThrow(
      "got 2 numbers; expected",
    );
    const broken = direction.map(() => Number.NaN);
    await expect(graph({ target: { direction: broken, at: "resid_post.0" } })).rejects.toThrow(
      "numbers that are not finite",
    );
    await expect(edgeHeads(model, tokens, set, { target: [0, 1] })).rejects.toThrow(
      "edgeHeads: target: got 2 tokens; expected one target",
    );
    const signal = AbortSignal.abort();
    await expect(edgeHeads(model, tokens, set, { target: [0], signal })).rejects.toThrow(/abort/i);
  });
});
