/** Heads of attribution graphs: by hand, and against heads that were fixed beforehand by independent detectors. */
import { afterAll, describe, expect, test } from "vitest";
import { ablation, heads, metric } from "../../src/analysis/index.js";
import {
  type AttributionGraph,
  attentionCauses,
  attributionGraph,
  type GraphHeads,
  graphHeads,
} from "../../src/circuits/index.js";
import { tasks } from "../../src/data/index.js";
import { type DictionarySet, mlpNeurons, openDictionarySet } from "../../src/dictionary/index.js";
import { edit, loadModel, type Model } from "../../src/model/index.js";
import { dataFolder, fixture, oracle } from "../helpers/fixtures.js";

const opened: Model[] = [];
afterAll(async () => {
  await Promise.all(opened.map((model) => model.close()));
});

async function open(name: string): Promise<Model> {
  const model = await loadModel(name);
  opened.push(model);
  return model;
}

type Task = ReturnType<(typeof tasks)["capitals" | "greaterThan" | "ioi"]>;

const nameOf = ({ layer, head }: { readonly layer: number; readonly head: number }): string => `${layer}.${head}`;

describe("a move of a head", () => {
  // RMS norms and no biases of values: what an entry of a pattern moves is all that goes without it.
  test("is what the target loses without that entry of the pattern, all else held", async () => {
    const model = (await open(fixture("architectures", "llama-mha-linear"))).withPrecision("float64");
    const tokens = [3, 1, 4, 1];
    const token = 7;
    const graph = await attributionGraph(model, tokens, undefined, {
      target: { logitDiff: [token, 9] },
      precision: "float64",
      firstPosition: 0,
    });
    const size = graph.edgesInto(0).reduce((sum, { weight }) => sum + Math.abs(weight), 0);
    const found = await graphHeads(model, graph, undefined, { precision: "float64" });
    const held = /hook_pattern$|hook_scale$|hook_mlp_out$/;
    const clean = await model.run([tokens], { capture: held, prependBos: false });
    const logits = async (one: Model): Promise<number> => {
      const run = await one.run([tokens], { prependBos: false, logits: "last" });
      return Number(run.logits.data[token]) - Number(run.logits.data[9]);
    };
    // Scales in front of MLPs reach nothing once what the MLPs write is held.
    const names = model.hookNames().filter((name) => held.test(name) && !name.includes("ln2"));
    const frozen = model.with(edit.patch(names, clean.cache));
    const before = await logits(frozen);
    const moves = found.moves(40);
    expect(moves.length).toBeGreaterThan(20);
    for (const { layer, head, from, to, flow } of moves) {
      const hook = `blocks.${layer}.attn.hook_pattern`;
      const without = frozen.with(edit.zero(hook, { head, pos: to, keyPos: from }));
      expect(Math.abs(before - (await logits(without))) / size).toBeCloseTo(flow, 9);
    }
  });
});

describe("models without MLPs", () => {
  test.each(["attn-only-2l", "constructed/induction"])(
    "%s: induction heads bring the token, previous-token heads make them look",
    async (name) => {
      const model = await open(name);
      const vocabulary = model.config.dVocab;
      const start = [5, 27, 33, 13, 12, 60, 8, 44].map((token) => token % vocabulary);
      const tokens = [...start, ...start.slice(0, 4)];
      const detected = await heads.detect(model, [tokens], { patterns: ["induction", "previousToken"] });
      const [induction, previous] = ["induction", "previousToken"].map((pattern) => detected.top(pattern, 1)[0]);
      const graph = await attributionGraph(model, tokens, undefined, { target: [start[4] ?? 0], firstPosition: 0 });
      expect(graph.nodes.some(({ kind }) => kind === "error")).toBe(false);
      expect(graph.certificate.worst).toBeLessThan(1e-5);
      const flow = await graphHeads(model, graph);
      const all = model.config.nLayers * model.config.nHeads;
      // The likeliest induction head is among the strongest moves, from the token after the repeated one to the last.
      const moves = flow
        .moves(Math.ceil(all / 2))
        .filter((move) => nameOf(move) === nameOf(induction ?? { layer: -1, head: 0 }));
      expect(moves[0]).toMatchObject({ from: 4, to: tokens.length - 1 });
      // Its pattern is made by the previous-token head, which no edge shows.
      const causes = await attentionCauses(model, flow, { moves: 4 });
      expect(nameOf(causes.heads[0] ?? { layer: -1, head: 0 })).toBe(nameOf(previous ?? { layer: -2, head: 0 }));
    },
  );
});

describe.skipIf(dataFolder === undefined)("routing-toy", () => {
  test.each([0, 1, 2, 3])("selector %i: the heads that look at the selected slot bring the answer", async (slot) => {
    const model = await open(oracle("routing-toy"));
    const tokens = [4, 1, 7, 2, 8 + slot];
    const { cache } = await model.run([tokens], { capture: "blocks.1.attn.hook_pattern", prependBos: false });
    const pattern = cache.get("blocks.1.attn.hook_pattern");
    const looks = [0, 1, 2, 3].filter(
      (head) => Number(pattern.at({ batch: 0, head, queryPos: 4, keyPos: slot }).data[0]) > 0.5,
    );
    expect(looks.length).toBeGreaterThan(0);
    const neurons = await mlpNeurons(model);
    const graph = await attributionGraph(model, tokens, neurons, { target: [tokens[slot] ?? 0], firstPosition: 0 });
    const flow = await graphHeads(model, graph, neurons);
    // Eight of the 80 moves there are: the strongest is theirs, and every one of them is there.
    const strongest = flow.moves(8);
    expect(strongest[0]).toMatchObject({ layer: 1, from: slot, to: 4 });
    const theirs = strongest.filter(({ layer, from, to }) => layer === 1 && from === slot && to === 4);
    expect(theirs.map(({ head }) => head).sort()).toEqual(looks);
  });
});

/** The share of all draws of `size` heads out of `all` that hold the `fixed` ones. */
function chance(all: number, size: number, fixed: number): number {
  let share = 1;
  for (let i = 0; i < fixed; i++) share *= (size - i) / (all - i);
  return share;
}

describe("tasks of the embedded model", () => {
  let model: Model;
  let set: DictionarySet;
  const load = async (): Promise<void> => {
    model ??= await open("tiny");
    set ??= await openDictionarySet("tiny/transcoders");
  };

  /** Heads that change the logit difference by at least a quarter of what the strongest does, when resampled. */
  async function ablated(task: Task): Promise<readonly string[]> {
    const sweep = await ablation.sweep(model, {
      prompts: task.clean,
      metric: metric.logitDiff(task),
      sites: ["z"],
      kind: "resample",
      reference: task.corrupted,
    });
    const { nLayers, nHeads } = model.config;
    const raw = sweep.sites[0]?.raw;
    const effects = Array.from({ length: nLayers * nHeads }, (_, i) => Math.abs(Number(raw?.data[i]) - sweep.metric));
    const strong = [...effects.keys()].filter((i) => (effects[i] ?? 0) > Math.max(...effects) / 4);
    return strong.map((i) => nameOf({ layer: Math.floor(i / nHeads), head: i % nHeads }));
  }

  const one = (tokens: number | readonly number[]): number =>
    typeof tokens === "number" ? tokens : (tokens[Math.floor(tokens.length / 2)] ?? 0);

  async function graphOf(task: Task, i: number): Promise<AttributionGraph> {
    const difference = [one(task.answerTokens[i] ?? 0), one(task.wrongAnswerTokens[i] ?? 0)] as const;
    const graph = await attributionGraph(model, task.clean[i] as string, set, {
      target: { logitDiff: difference },
      maxFeatureNodes: 800,
    });
    return graph.prune({ nodeShare: 0.4 });
  }

  function ranked(flows: readonly GraphHeads[]): readonly string[] {
    const sums = new Map<string, number>();
    for (const { heads: own } of flows)
      for (const head of own) sums.set(nameOf(head), (sums.get(nameOf(head)) ?? 0) + head.flow);
    return [...sums].sort(([, a], [, b]) => b - a).map(([name]) => name);
  }

  test("heads that ablation finds are in the graphs' top 8 of 36, in all three", async () => {
    await load();
    let atRandom = 1;
    for (const name of ["capitals", "greaterThan", "ioi"] as const) {
      const wanted = await ablated(tasks[name](model, { n: 24, seed: 0 }));
      const task = tasks[name](model, { n: 3, seed: 1 });
      const flows: GraphHeads[] = [];
      for (const i of task.clean.keys()) flows.push(await graphHeads(model, await graphOf(task, i), set));
      expect(ranked(flows).slice(0, 8), name).toEqual(expect.arrayContaining([...wanted]));
      atRandom *= chance(36, 8, wanted.length);
    }
    // The share of draws of eight heads for each task that would hold them.
    expect(atRandom).toBeLessThan(1e-3);
  });

  test("graphs of other models and directions without a target are refused", async () => {
    await load();
    const graph = await attributionGraph(model, "The capital of France is", set, { target: [" Paris"] });
    await expect(graphHeads(model, graph)).rejects.toThrow("got dictionaries none; expected tiny/transcoders");
    const feature = graph.nodes.find(({ kind }) => kind === "feature");
    if (feature?.kind !== "feature") throw new Error("no feature");
    const { layer, pos } = feature;
    const target = { feature: { layer, pos, feature: feature.feature } };
    const own = await attributionGraph(model, "The capital of France is", set, { target });
    await expect(graphHeads(model, own, set)).rejects.toThrow(
      "expected the feature or direction that the graph was made for",
    );
    const flow = await graphHeads(model, own, set, { target });
    expect(flow.heads).toHaveLength(36);
    await expect(attentionCauses(model, flow, { moves: 0 })).rejects.toThrow("attentionCauses: moves: got 0");
    expect(flow.toView().toText()).toContain("Heads that");
    expect(String(flow)).toContain("GraphHeads of");
  });
});
