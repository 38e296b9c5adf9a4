/**
 * Transcoder circuits against plain loops over weights, against attribution graphs, and against every path there is.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  attributionGraph,
  type Contribution,
  deEmbedding,
  featureConnections,
  type GraphNode,
  pathsToGraph,
  readingHeads,
  sourceName,
  type TranscoderPathOptions,
  transcoderPaths,
} from "../../src/circuits/index.js";
import { type Dictionary, DictionarySet } from "../../src/dictionary/index.js";
import { loadModel, type Model } from "../../src/model/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { fixture } from "../helpers/fixtures.js";
import { randomDictionary } from "../unit/dictionary/random-dictionary.js";

const tokens = [3, 1, 4];
const places: Readonly<Record<string, string>> = {
  gpt2: "ln2.hook_normalized",
  pythia: "mlp.hook_in",
  "llama-gqa-bias": "hook_mlp_in",
  gemma2: "ln2.hook_normalized",
  qwen3: "mlp.hook_in",
  "tl-no-norm": "hook_mlp_in",
};

function value(tensor: Tensor, ...index: readonly number[]): number {
  const at = index.reduce((sum, i, axis) => sum * (tensor.shape[axis] ?? 1) + i, 0);
  return Number(tensor.contiguous().data[at]);
}

function setFor(model: Model, place: string, nFeatures = 5, hasSkip = false): DictionarySet {
  const dictionary = (layer: number): Dictionary =>
    randomDictionary({
      dIn: model.config.dModel,
      nFeatures,
      readHook: `blocks.${layer}.${place}`,
      writeHook: `blocks.${layer}.hook_mlp_out`,
      hasSkip,
      seed: layer + 3,
    });
  return new DictionarySet(
    "random",
    Array.from({ length: model.config.nLayers }, (_, layer) => dictionary(layer)),
  );
}

describe.each(Object.entries(places))("%s, dictionaries at %s", (name, place) => {
  let model: Model;
  let set: DictionarySet;
  beforeAll(async () => {
    model = (await loadModel(fixture("architectures", name))).withPrecision("float64");
    set = setFor(model, place);
  });
  afterAll(() => model.close());
  const exact = name === "gemma2" ? 1e-6 : 1e-9;
  const all: TranscoderPathOptions = { branches: 1e6, rank: "size", precision: "float64" };

  /** Gain and centring of a norm, transposed. */
  async function back(v: readonly number[], norm: string): Promise<number[]> {
    const gain = await model.weights.normGain(norm);
    const scaled = v.map((x, i) => x * (gain === undefined ? 1 : value(gain, i)));
    const mean = scaled.reduce((a, b) => a + b, 0) / scaled.length;
    return (model.config.normalization ?? "").startsWith("LN") ? scaled.map((x) => x - mean) : scaled;
  }

  async function reads(layer: number, feature: number): Promise<number[]> {
    const encoder = set.layer(layer).weight("W_enc") as Tensor;
    const own = Array.from({ length: model.config.dModel }, (_, i) => value(encoder, i, feature));
    if (place === "hook_mlp_in" || model.config.normalization === null) return own;
    if (place === "mlp.hook_in") return back(own, `blocks.${layer}.ln2`);
    const mean = own.reduce((a, b) => a + b, 0) / own.length;
    return (model.config.normalization ?? "").startsWith("LN") ? own.map((x) => x - mean) : own;
  }

  async function behindHead(layer: number, head: number, v: readonly number[]): Promise<number[]> {
    const { dModel, dHead, normalization } = model.config;
    const [W_V, W_O] = [await model.weights.layer("W_V", layer), await model.weights.layer("W_O", layer)];
    const hasPost = model.hookNames().includes(`blocks.${layer}.ln1_post.hook_scale`);
    const written = hasPost ? await back(v, `blocks.${layer}.ln1_post`) : v;
    const out = Array.from({ length: dModel }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < dHead; k++)
        for (let j = 0; j < dModel; j++) sum += value(W_V, head, i, k) * value(W_O, head, k, j) * (written[j] ?? 0);
      return sum;
    });
    return normalization === null ? out : back(out, `blocks.${layer}.ln1`);
  }

  const dot = (a: readonly number[], b: (i: number) => number): number => a.reduce((sum, x, i) => sum + x * b(i), 0);

  test("connections and de-embeddings are products of weights, directly and through heads", async () => {
    const to = { layer: 1, feature: 2 };
    const direct = await featureConnections(model, set, to);
    const direction = await reads(1, 2);
    const W_dec = set.layer(0).weight("W_dec") as Tensor;
    expect([...direct.weights.keys()]).toEqual([0]);
    for (let j = 0; j < 5; j++)
      expect(direct.weights.get(0)?.[j]).toBeCloseTo(
        dot(direction, (i) => value(W_dec, j, i)),
        9,
      );
    const W_E = await model.weights.W_E();
    const plain = await deEmbedding(model, set, to);
    expect(plain.weights[7]).toBeCloseTo(
      dot(direction, (i) => value(W_E, 7, i)),
      9,
    );
    const behind = await behindHead(0, 1, direction);
    const through = await deEmbedding(model, set, to, { through: { layer: 0, head: 1 } });
    expect(through.weights[4]).toBeCloseTo(
      dot(behind, (i) => value(W_E, 4, i)),
      9,
    );
    const heads = await readingHeads(model, set, to);
    const own = heads.find(({ layer, head }) => layer === 0 && head === 1);
    expect(own?.norm).toBeCloseTo(Math.hypot(...behind), 9);
    if (!model.config.parallelAttnMlp) {
      const late = await behindHead(1, 0, direction);
      const viaHead = await featureConnections(model, set, to, { through: { layer: 1, head: 0 }, from: [0] });
      expect(viaHead.weights.get(0)?.[3]).toBeCloseTo(
        dot(late, (i) => value(W_dec, 3, i)),
        9,
      );
    }
  });

  test("every way back sums to the target, at every step, and leaves nothing out", async () => {
    const found = await transcoderPaths(model, tokens, set, { ...all, target: [2], iterations: 12 });
    expect(found.certificate).toBeLessThan(exact);
    const children = new Map<number, number>();
    for (const { parent, step } of found.prefixes)
      children.set(parent, (children.get(parent) ?? 0) + step.contribution);
    const scale = Math.max(1, ...found.prefixes.map(({ step }) => Math.abs(step.contribution)));
    for (const [index, { step, remainder }] of found.prefixes.entries()) {
      expect(Math.abs(step.invariant * step.dependent - step.contribution) / scale).toBeLessThan(1e-12);
      if (remainder === undefined) continue;
      const sum = (children.get(index) ?? 0) + remainder.error + remainder.bias + remainder.pruned;
      expect(Math.abs(sum - step.contribution) / scale).toBeLessThan(exact);
    }
    const { error, bias } = found.remainder;
    const leaves = found.prefixes.filter(({ remainder }) => remainder === undefined);
    const rest = found.prefixes.flatMap(({ remainder }) => remainder ?? []);
    const total = [...leaves.map(({ step }) => step.contribution), ...rest.map((one) => one.error + one.bias)];
    expect(rest.every(({ pruned }) => pruned === 0)).toBe(true);
    expect(Math.abs(total.reduce((a, b) => a + b, error + bias) - found.target.value) / scale).toBeLessThan(exact);
  });

  test("paths from feature to feature through attention sum to the edge of the attribution graph", async () => {
    const graph = await attributionGraph(model, tokens, set, { target: [2], precision: "float64" });
    const isFeature = (node: GraphNode): node is Extract<GraphNode, { kind: "feature" }> => node.kind === "feature";
    const [index, target] = [...graph.nodes.entries()].find(([, node]) => isFeature(node) && node.layer === 1) ?? [];
    if (index === undefined || target === undefined || !isFeature(target)) throw new Error("no feature in layer 1");
    const { layer, feature, pos } = target;
    const found = await transcoderPaths(model, tokens, set, {
      ...all,
      target: { feature: { layer, feature, pos } },
      iterations: 6,
    });
    const sums = new Map<string, number>();
    for (const path of found.prefixes) {
      const above = found.prefixes[path.parent];
      const isFirst = (at: typeof above): boolean =>
        at === undefined || (at.step.source.kind !== "feature" && isFirst(found.prefixes[at.parent]));
      if (!isFirst(above)) continue;
      const id = sourceName(path.step.source);
      sums.set(id, (sums.get(id) ?? 0) + path.step.contribution);
    }
    const edges = graph.edgesInto(index).filter(({ source }) => isFeature(source));
    expect(edges.length).toBeGreaterThan(0);
    for (const { source, weight } of edges) {
      if (!isFeature(source)) continue;
      expect(sums.get(`L${source.layer} #${source.feature} @${source.pos}`)).toBeCloseTo(weight, 6);
    }
  });

  test("the greedy search keeps the strongest of all, and the cap is the smallest activation above", async () => {
    const layer = 1;
    const everything = await transcoderPaths(model, tokens, set, { ...all, target: [2], iterations: 1 });
    const first = everything.prefixes.find(({ step }) => step.source.kind === "feature" && step.source.layer === layer);
    if (first?.step.source.kind !== "feature") return;
    const { feature, pos } = first.step.source;
    const target = { feature: { layer, feature, pos } };
    const whole = await transcoderPaths(model, tokens, set, { ...all, target, iterations: 2 });
    const capped = whole.prefixes.map(({ parent, step }) => {
      const above: Contribution[] = [];
      for (let at = parent; at >= 0; at = whole.prefixes[at]?.parent ?? -1) {
        const prefix = whole.prefixes[at];
        if (prefix !== undefined) above.push(prefix.step);
      }
      const activations = above.flatMap(({ source }) => (source.kind === "feature" ? [source.activation] : []));
      return Math.min(step.contribution, whole.target.value, ...activations);
    });
    for (const [i, prefix] of whole.prefixes.entries()) expect(prefix.capped).toBeCloseTo(capped[i] ?? 0, 12);
    const few = await transcoderPaths(model, tokens, set, { target, branches: 3, iterations: 2, precision: "float64" });
    const ofParent = (parent: number): typeof whole.prefixes => whole.prefixes.filter((one) => one.parent === parent);
    const best = [...ofParent(-1)].sort((a, b) => b.capped - a.capped).slice(0, 3);
    const kept = few.prefixes.filter(({ parent }) => parent === -1);
    expect(kept.map(({ step }) => sourceName(step.source))).toEqual(best.map(({ step }) => sourceName(step.source)));
    const next = best.flatMap((one) =>
      [...ofParent(whole.prefixes.indexOf(one))].sort((a, b) => b.capped - a.capped).slice(0, 3),
    );
    const second = [...next].sort((a, b) => b.capped - a.capped).slice(0, 3);
    expect(few.prefixes.slice(kept.length).map(({ capped: own }) => own)).toEqual(
      second.filter(({ capped: own }) => own > 0).map(({ capped: own }) => expect.closeTo(own, 9) as number),
    );
    const free = await transcoderPaths(model, tokens, set, { target, cap: false, precision: "float64" });
    for (const { step, capped: own } of free.prefixes) expect(own).toBe(step.contribution);
  });

  test("merged paths add up at every node, whatever is left out", async () => {
    const found = await transcoderPaths(model, tokens, set, { branches: 6, iterations: 4, precision: "float64" });
    const graph = pathsToGraph(found);
    expect(graph.nodes[0]?.contribution).toBe(found.target.value);
    for (const { id, contribution, remainder } of graph.nodes) {
      if (remainder === undefined) continue;
      const into = graph.edgesInto(id).reduce((sum, edge) => sum + edge.contribution, 0);
      const { error, bias, pruned } = remainder;
      expect(into + error + bias + pruned).toBeCloseTo(contribution, name === "gemma2" ? 5 : 9);
    }
    const sum = found.prefixes.reduce((total, { step }) => total + step.contribution, 0);
    expect(graph.edges.reduce((total, { contribution }) => total + contribution, 0)).toBeCloseTo(sum, 9);
    expect(String(graph)).toContain("PathGraph of");
    expect(String(found)).toContain("TranscoderPaths into");
    expect(found.toView().spec.view).toBe("table");
    expect(graph.toView().spec.view).toBe("table");
  });
});

test("skip connections are steps of their own, and everything still adds up", async () => {
  for (const [name, place] of Object.entries(places)) {
    const model = (await loadModel(fixture("architectures", name))).withPrecision("float64");
    const set = setFor(model, place, 3, true);
    const options = { precision: "float64", branches: 60, rank: "size" } as const;
    const found = await transcoderPaths(model, tokens, set, { ...options, iterations: 3 });
    expect(found.prefixes.some(({ step }) => step.source.kind === "skip")).toBe(true);
    expect(found.certificate).toBeLessThan(name === "gemma2" ? 1e-6 : 1e-9);
    await model.close();
  }
});

test("an edge without attention is the connection by weights, times the activation, over the scale of the norm", async () => {
  const model = (await loadModel(fixture("architectures", "gpt2"))).withPrecision("float64");
  const set = setFor(model, "ln2.hook_normalized");
  const target = { feature: { layer: 1, feature: 2, pos: 2 } };
  const found = await transcoderPaths(model, tokens, set, {
    target,
    branches: 100,
    rank: "size",
    precision: "float64",
  });
  const connections = await featureConnections(model, set, { layer: 1, feature: 2 });
  const hook = "blocks.1.ln2.hook_scale";
  const { cache } = await model.run([tokens], { capture: hook, prependBos: false });
  const scale = Number(cache.get(hook).data[2]);
  const features = found.prefixes.flatMap(({ parent, step }) =>
    parent === -1 && step.source.kind === "feature" ? [{ ...step, source: step.source }] : [],
  );
  expect(features.length).toBeGreaterThan(0);
  for (const { source, contribution, invariant } of features) {
    const weight = connections.weights.get(0)?.[source.feature] ?? 0;
    expect(invariant).toBeCloseTo(weight, 12);
    expect(contribution).toBeCloseTo((weight * source.activation) / scale, 9);
  }
  await model.close();
});

test("bad input is refused, with the reason", async () => {
  const model = await loadModel(fixture("architectures", "gpt2"));
  const set = setFor(model, "ln2.hook_normalized");
  const to = { layer: 1, feature: 2 };
  await expect(featureConnections(model, set, { layer: 1, feature: 9 })).rejects.toThrow(
    "featureConnections: feature of random: got 9; expected a whole number from 0 to 4",
  );
  await expect(featureConnections(model, set, to, { from: [1] })).rejects.toThrow("got layer 1; expected of 0");
  await expect(featureConnections(model, set, { layer: 0, feature: 0 }, { from: [0] })).rejects.toThrow(
    "expected no layer: none has features below layer 0",
  );
  const through = { layer: 2, head: 0 };
  await expect(deEmbedding(model, set, to, { through })).rejects.toThrow("deEmbedding: through: got head 0 of layer 2");
  await expect(transcoderPaths(model, tokens, set, { branches: 0 })).rejects.toThrow("branches: got 0");
  await expect(transcoderPaths(model, tokens, set, { iterations: 1.5 })).rejects.toThrow("iterations: got 1.5");
  await expect(transcoderPaths(model, tokens, set, { target: [1, 2] })).rejects.toThrow("got 2 tokens; expected one");
  await expect(transcoderPaths(model, [1], set)).rejects.toThrow("transcoderPaths: prompt: got 1 token");
  const signal = AbortSignal.abort();
  await expect(transcoderPaths(model, tokens, set, { signal })).rejects.toThrow(/abort/i);
  await model.close();
});

test("connections and de-embeddings read as text and as tables", async () => {
  const model = await loadModel(fixture("architectures", "gpt2"));
  const set = setFor(model, "ln2.hook_normalized");
  const connections = await featureConnections(model, set, { layer: 1, feature: 2 });
  expect(String(connections)).toMatch(/^FeatureConnections into L1 #2 directly, by weights alone:\n {2}[+-]\d/);
  expect(connections.top(2)).toHaveLength(2);
  const tokensOf = await deEmbedding(model, set, { layer: 1, feature: 2 }, { through: { layer: 1, head: 0 } });
  expect(String(tokensOf)).toContain("through L1H0");
  const [best] = tokensOf.top(1);
  expect(best?.weight).toBe(Math.max(...tokensOf.weights));
  expect(tokensOf.top(1, "lowest")[0]?.weight).toBe(Math.min(...tokensOf.weights));
  for (const one of [connections, tokensOf]) expect(one.toView().spec.view).toBe("table");
  await model.close();
});
