/** Circuits of several prompts against plain loops over the circuits, and mean inputs against plain runs. */
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  aggregatePaths,
  featureConnections,
  meanInputTimesGradient,
  sourceName,
  type TranscoderPaths,
  transcoderPaths,
} from "../../src/circuits/index.js";
import { DictionarySet } from "../../src/dictionary/index.js";
import { loadModel, type Model } from "../../src/model/index.js";
import { fixture } from "../helpers/fixtures.js";
import { forwardByLoops, randomDictionary } from "../unit/dictionary/random-dictionary.js";

const prompts = [
  [3, 1, 4, 1],
  [5, 9, 2],
  [6, 5, 3, 5, 8],
  [1, 1],
];

let model: Model;
let set: DictionarySet;
let circuits: readonly TranscoderPaths[];
beforeAll(async () => {
  model = await loadModel(fixture("architectures", "gpt2"));
  const dictionaries = Array.from({ length: model.config.nLayers }, (_, layer) =>
    randomDictionary({
      dIn: model.config.dModel,
      nFeatures: 8,
      readHook: `blocks.${layer}.ln2.hook_normalized`,
      writeHook: `blocks.${layer}.hook_mlp_out`,
      seed: layer,
    }),
  );
  set = new DictionarySet("random", dictionaries);
  circuits = await Promise.all(prompts.map((prompt) => transcoderPaths(model, prompt, set, { branches: 12 })));
});
afterAll(() => model.close());

/** Contributions by edge of one prompt, straight from its paths. */
function edgesOf({ prefixes, target }: TranscoderPaths, isRelative: boolean): Map<string, number> {
  const edges = new Map<string, number>();
  const name = (index: number): string => {
    const source = prefixes[index]?.step.source;
    if (source === undefined) return "target";
    const pos = source.pos - target.pos;
    if (source.kind === "feature") return `L${source.layer} #${source.feature}${isRelative ? ` @${pos}` : ""}`;
    if (source.kind === "head")
      return `L${source.layer}H${source.head}${isRelative ? ` @${source.to - target.pos}<-@${pos}` : ""}`;
    if (isRelative) return `${source.kind} @${pos}`;
    return source.kind === "token" ? `token ${source.token}` : source.kind;
  };
  prefixes.forEach(({ parent, step }, index) => {
    const key = `${name(index)} -> ${name(parent)}`;
    edges.set(key, (edges.get(key) ?? 0) + step.contribution);
  });
  return edges;
}

test.each([false, true])("edges are means over all prompts, with how often they occur (relative: %s)", (isRelative) => {
  const whole = aggregatePaths(circuits, isRelative ? { positions: "relative" } : {});
  const each = circuits.map((one) => edgesOf(one, isRelative));
  const keys = new Set(each.flatMap((edges) => [...edges.keys()]));
  expect(new Set(whole.edges.map(({ from, to }) => `${from} -> ${to}`))).toEqual(keys);
  for (const { from, to, mean, frequency } of whole.edges) {
    const found = each.flatMap((edges) => edges.get(`${from} -> ${to}`) ?? []);
    expect(mean).toBeCloseTo(found.reduce((a, b) => a + b, 0) / prompts.length, 9);
    expect(frequency).toBe(found.length / prompts.length);
  }
  expect(whole.frequent(1).every(({ frequency }) => frequency === 1)).toBe(true);
  const sizes = whole.edges.map(({ mean }) => Math.abs(mean));
  expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
  expect(String(whole)).toContain("AggregateCircuit of 4 prompts");
  expect(whole.toView().spec.view).toBe("table");
});

test("absolute positions keep the names of sources", () => {
  const [one] = circuits;
  if (one === undefined) throw new Error("no circuit");
  const names = new Set(one.prefixes.map(({ step }) => sourceName(step.source)));
  for (const { from } of aggregatePaths([one], { positions: "absolute" }).edges) expect(names.has(from)).toBe(true);
});

function isFiring(acts: readonly number[] | undefined, feature: number): boolean {
  return (acts?.[feature] ?? 0) > 0;
}

/** Sums over tokens on which a feature of layer 1 fires, from plain runs. */
async function sumsByLoops(feature: number, weights: ArrayLike<number>): Promise<readonly [number[], number]> {
  const sums = new Array<number>(8).fill(0);
  let count = 0;
  const width = model.config.dModel;
  const hooks = [0, 1].map((layer) => set.layer(layer).readHook);
  const scale = "blocks.1.ln2.hook_scale";
  for (const prompt of prompts) {
    const { cache } = await model.run([prompt], { capture: [...hooks, scale], prependBos: false });
    for (let pos = 1; pos < prompt.length; pos++) {
      const acts = [0, 1].map((layer) => {
        const read = Array.from(cache.get(hooks[layer] ?? "").data, Number);
        return forwardByLoops(set.layer(layer), read.slice(pos * width, (pos + 1) * width)).acts;
      });
      if (!isFiring(acts[1], feature)) continue;
      count++;
      for (const [i, act] of (acts[0] ?? []).entries()) {
        const weight = (weights[i] ?? 0) / Number(cache.get(scale).data[pos]);
        sums[i] = (sums[i] ?? 0) + act * weight;
      }
    }
  }
  return [sums, count];
}

test("mean inputs are activations times connections over scales, where the feature fires", async () => {
  const to = { layer: 1, feature: 4 };
  const found = await meanInputTimesGradient(model, set, to, { prompts });
  const connections = await featureConnections(model, set, to);
  const [sums, count] = await sumsByLoops(to.feature, connections.weights.get(0) ?? []);
  expect(count).toBeGreaterThan(1);
  expect(found.basis).toBe(`mean over ${count} tokens on which it fires`);
  for (const [i, sum] of sums.entries()) expect(found.weights.get(0)?.[i]).toBeCloseTo(sum / count, 5);
});

test("nothing, circuits of other dictionaries, and an aborted call are refused", async () => {
  expect(() => aggregatePaths([])).toThrow("aggregatePaths: got no circuit");
  const other = await transcoderPaths(model, [1, 2], new DictionarySet("other", [set.layer(0)]));
  expect(() => aggregatePaths([...circuits, other])).toThrow(/got circuits of .*random and of .*other/);
  const to = { layer: 1, feature: 4 };
  await expect(meanInputTimesGradient(model, set, to, { prompts: [[1]] })).rejects.toThrow(
    "meanInputTimesGradient: prompt: got 1",
  );
  const signal = AbortSignal.abort();
  await expect(meanInputTimesGradient(model, set, to, { prompts, signal })).rejects.toThrow(/abort/i);
});
