/** Training on activations that are there: what comes out, how it resumes, what it refuses. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  type ArchitectureConfig,
  Dictionary,
  dictionaryPrefix,
  matchFeatures,
  openDictionary,
  plantedFeatures,
  trainDictionariesOn,
  trainDictionaryOn,
} from "../../../src/dictionary/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { readMetrics } from "../../../src/train/index.js";
import { allWeights, normalVectors, numbersOf, refusal, scratch, weightOf } from "./support.js";

const path = scratch();
const hook = "blocks.1.hook_resid_post";
const activations = { [hook]: normalVectors(256, 6, 1), "blocks.1.hook_mlp_out": normalVectors(256, 5, 2) };

const quick = { from: hook, width: 16, batch: 32, steps: 12, threads: 1 } as const;
const every: readonly ArchitectureConfig[] = [
  { name: "standard", targetL0: 3 },
  { name: "gated", targetL0: 3 },
  { name: "topk", k: 3 },
  { name: "batch_topk", k: 3 },
  { name: "jumprelu", targetL0: 3 },
  { name: "matryoshka_batch_topk", k: 3, prefixes: [4, 16] },
];

/** Mean over tokens of the squared error, and the mean number of features. */
async function judge(dictionary: Dictionary, x: Tensor, target: Tensor): Promise<{ mse: number; l0: number }> {
  const { acts, reconstruction } = await dictionary.forward(x);
  const wanted = numbersOf(target);
  const sum = numbersOf(reconstruction).reduce((total, value, i) => total + (value - (wanted[i] ?? 0)) ** 2, 0);
  const tokens = x.shape[0] ?? 1;
  return { mse: sum / tokens, l0: numbersOf(acts).filter((value) => value > 0).length / tokens };
}

function meanSquare(x: Tensor): number {
  const width = x.shape[1] ?? 1;
  const values = numbersOf(x);
  const mean = Array.from(
    { length: width },
    (_, i) => values.reduce((sum, value, at) => sum + (at % width === i ? value : 0), 0) / (values.length / width),
  );
  return values.reduce((sum, value, at) => sum + (value - (mean[at % width] ?? 0)) ** 2, 0) / (values.length / width);
}

describe("a trained dictionary", () => {
  test.each(every)("$name: an SAE and a transcoder for raw activations", async (architecture) => {
    const specs = [
      { from: hook, architecture, width: 16, name: "sae" },
      { from: hook, to: "blocks.1.hook_mlp_out", architecture, width: 16, hasSkip: true, name: "skip" },
    ];
    const run = await trainDictionariesOn(activations, specs, { steps: 60, batch: 64, learningRate: 0.02, threads: 1 });
    const [sae, skip] = run.dictionaries;
    expect(sae?.kind).toBe("sae");
    expect(skip?.kind).toBe("skip_transcoder");
    expect(sae?.config).toMatchObject({ architecture: architecture.name, subtractsDecoderBias: true, dIn: 6, dOut: 6 });
    expect(skip?.config).toMatchObject({ subtractsDecoderBias: false, dIn: 6, dOut: 5, readHook: hook });
    const x = activations[hook] ?? Tensor.of(new Float32Array(6), [1, 6]);
    if (sae === undefined) throw new Error("no SAE");
    const judged = await judge(sae, x, x);
    const last: Readonly<Record<string, number>> = run.training.metrics.last ?? {};
    expect(judged.mse / meanSquare(x)).toBeCloseTo(last["sae/fvu"] ?? 0, 0);
    expect(judged.mse / meanSquare(x)).toBeLessThan(0.9);
    expect(judged.l0).toBeLessThan(8);
    if (architecture.name === "matryoshka_batch_topk") expect(sae?.config.prefixes).toEqual([4, 16]);
  });

  test("that is nested gives its prefixes: the first features, alone", async () => {
    const architecture = { name: "matryoshka_batch_topk", k: 3, prefixes: [4, 16] } as const;
    const { dictionary } = await trainDictionaryOn(activations, { ...quick, architecture, steps: 60 });
    const prefix = await dictionaryPrefix(dictionary, 4);
    expect([prefix.nFeatures, prefix.config.prefixes]).toEqual([4, [4]]);
    const x = normalVectors(5, 6, 9);
    const [whole, part] = [await dictionary.forward(x), await prefix.forward(x)];
    const own = numbersOf(whole.acts).filter((_, i) => i % 16 < 4);
    numbersOf(part.acts).forEach((value, i) => expect(value).toBeCloseTo(own[i] ?? Number.NaN, 5));
    const [decoder, bias] = [weightOf(dictionary, "W_dec"), weightOf(dictionary, "b_dec")];
    numbersOf(part.reconstruction).forEach((value, i) => {
      const row = Math.floor(i / 6);
      const sum = [0, 1, 2, 3].reduce((a, f) => a + (own[4 * row + f] ?? 0) * (decoder[6 * f + (i % 6)] ?? 0), 0);
      expect(value).toBeCloseTo(sum + (bias[i % 6] ?? 0), 4);
    });
    expect(await refusal(() => dictionaryPrefix(dictionary, 5))).toContain("got 5 features; expected one of 4, 16");
    const plain = await trainDictionaryOn(activations, { ...quick, architecture: "topk", k: 2 });
    expect(await refusal(() => dictionaryPrefix(plain.dictionary, 4))).toContain("got a dictionary without prefixes");
  });

  test("reports loss, L0, FVU and dead features at every step, and says what it is", async () => {
    const run = await trainDictionaryOn(activations, { ...quick, architecture: "topk", k: 2 });
    const rows = run.training.metrics.rows();
    expect(rows).toHaveLength(12);
    for (const row of rows)
      expect(Object.keys(row)).toEqual(expect.arrayContaining(["loss", "l0", "fvu", "dead", "aux"]));
    expect(String(run)).toMatch(
      /DictionaryTraining: 12 steps, 384 tokens.*\nDictionary resid_post\.1: sae \(topk, k 2\)/,
    );
    expect(String(run)).toMatch(/l0 2, fvu 0\.\d+, dead \d/);
    expect(run.toView().spec).toBeDefined();
    expect(run.summary).toMatchObject({ tokens: 384, tokensPerPass: 256, bufferTokens: 256 });
    expect(run.dictionary.config.origin).toMatchObject({ trainedBy: "limpid", steps: 12, seed: 0 });
  });

  test("decoder rows of the TopK family have norm 1 in raw units, and W_enc began as W_decᵀ", async () => {
    const run = await trainDictionaryOn(activations, { ...quick, architecture: "topk", k: 2 });
    const rows = weightOf(run.dictionary, "W_dec");
    for (let row = 0; row < 16; row++) expect(Math.hypot(...rows.slice(6 * row, 6 * row + 6))).toBeCloseTo(1, 5);
  });

  test("several dictionaries learn what each would learn alone", async () => {
    const specs = [
      { from: hook, architecture: "topk", k: 2, width: 16, seed: 1, name: "one" },
      { from: hook, architecture: "jumprelu", targetL0: 3, width: 12, seed: 2, name: "two" },
    ] as const;
    const options = { ...quick, learningRate: 0.01 };
    const both = await trainDictionariesOn(activations, specs, options);
    for (const [i, spec] of specs.entries()) {
      const alone = await trainDictionariesOn(activations, [spec], options);
      const [a, b] = [both.dictionaries[i], alone.dictionaries[0]];
      expect(a && allWeights(a)).toEqual(b && allWeights(b));
    }
    expect(both.set === undefined).toBe(false);
    expect(await refusal(() => both.set())).toContain("two that write to blocks.1.hook_resid_post");
  });

  test("equal seeds give equal bits, other seeds other dictionaries", async () => {
    const train = async (seed: number) =>
      allWeights((await trainDictionaryOn(activations, { ...quick, architecture: "topk", k: 2, seed })).dictionary);
    const first = await train(4);
    expect(await train(4)).toEqual(first);
    expect(await train(5)).not.toEqual(first);
  });
});

describe("a run in a folder", () => {
  const options = { ...quick, checkpointEvery: 3, bufferTokens: 64, resampling: { every: 4 }, deadAfter: 40 };

  test.each(every)("$name: stopped anywhere and called again, it ends in the same bits", async (architecture) => {
    const whole = await trainDictionaryOn(activations, { ...options, architecture });
    const folder = path(`run-${architecture.name}`);
    for (const stopAt of [1, 5, 7]) {
      const stop = new AbortController();
      const again = { ...options, architecture, folder, signal: stop.signal };
      const onStep = ({ step }: { readonly step: number }): void => {
        if (step === stopAt) stop.abort();
      };
      expect(await refusal(() => trainDictionaryOn(activations, { ...again, onStep }))).toContain(
        `train: after step ${stopAt}`,
      );
    }
    const resumed = await trainDictionaryOn(activations, { ...options, architecture, folder });
    expect(resumed.training.resumedAt).toBe(7);
    expect(allWeights(resumed.dictionary)).toEqual(allWeights(whole.dictionary));
    expect(resumed.training.metrics.rows().map(({ loss }) => loss)).toEqual(
      whole.training.metrics.rows().map(({ loss }) => loss),
    );
    const saved = await openDictionary(`${folder}/dictionary`);
    expect(saved.config.architecture).toBe(architecture.name);
    expect(await readMetrics(`${folder}/metrics.jsonl`).then((series) => series.rows().length)).toBe(12);
  });

  test("a folder of another run is refused with what differs", async () => {
    const folder = path("other");
    await trainDictionaryOn(activations, { ...quick, architecture: "topk", k: 2, folder });
    const other = { ...quick, architecture: "topk", k: 2, folder, seed: 3 } as const;
    expect(await refusal(() => trainDictionaryOn(activations, other))).toContain("seed");
    expect(JSON.parse(readFileSync(`${folder}/dictionary/dictionary.json`, "utf8"))).toBeDefined();
  });
});

describe("planted features", () => {
  const world = plantedFeatures({ d: 32, features: 64, p: 0.04, seed: 1 });
  const planted = { planted: world.batch(0, 20_000).x };
  const learn = { from: "planted", width: 64, batch: 512, steps: 1200, threads: 1, learningRate: 4e-3 } as const;

  test.each([[{ name: "jumprelu", targetL0: 3 }, 0.93]] as const)(
    "are found by $0.name under an optimal matching, at the asked L0",
    async (architecture, least) => {
      const { dictionary } = await trainDictionaryOn(planted, { ...learn, architecture });
      const decoder = dictionary.weight("W_dec");
      if (!(decoder instanceof Tensor)) throw new Error("weights in memory");
      const recovery = matchFeatures(decoder, world.directions);
      expect(recovery.meanCosine, recovery.toString()).toBeGreaterThan(least);
      const fresh = world.batch(7, 4096).x;
      const { l0 } = await judge(dictionary, fresh, fresh);
      expect(l0).toBeGreaterThan(3 * 0.9);
      expect(l0).toBeLessThan(3 * 1.1);
    },
    60_000,
  );
});

describe("wrong options are refused:", () => {
  const on = (more: object): Promise<string> =>
    refusal(() => trainDictionaryOn(activations, { ...quick, architecture: "topk", k: 2, ...more } as never));

  test.each([
    [{ k: 17 }, "trainDictionary: width: got width 16 with k 17; expected a width of at least k"],
    [{ width: 0 }, "got width 0; expected a whole number of features"],
    [{ k: undefined }, 'architecture "topk": got no k; expected k'],
    [{ k: 2, targetL0: 3 }, 'architecture "topk": got targetL0; expected k'],
    [{ architecture: "jumprelu", k: 2 }, 'architecture "jumprelu": got k; expected targetL0 or coefficient'],
    [{ architecture: "gated", k: undefined }, "gated dictionary: got neither targetL0 nor coefficient"],
    [{ architecture: "top_k" }, "got targetL0"],
    [{ architecture: { name: "topk", k: 2 }, k: 2 }, "the options of topk, and k beside them"],
    [{ steps: undefined }, "got neither steps nor tokens"],
    [{ tokens: 100 }, "got both steps and tokens"],
    [{ steps: 0.5 }, "trainDictionary: steps: got 0.5"],
    [{ batch: 0 }, "trainDictionary: batch: got 0"],
    [{ batch: 300 }, "trainDictionary: batch: got 300 tokens, of data with 256"],
    [{ bufferTokens: 300 }, "trainDictionary: bufferTokens: got 300 tokens"],
    [{ warmup: 12 }, "trainDictionary: warmup: got 12"],
    [{ decay: 2 }, "trainDictionary: decay: got 2"],
    [{ deadAfter: 0 }, "trainDictionary: deadAfter: got 0"],
    [{ resampling: { every: 0 } }, "trainDictionary: resampling: got 0"],
    [{ hasSkip: true }, "hasSkip: got true for a dictionary that reads and writes"],
    [{ from: "blocks.9.hook_resid_post" }, '"blocks.9.hook_resid_post", of which there are no activations'],
    [{ name: "a/b" }, 'trainDictionaries: name: got "a/b"'],
  ])("%j", async (more, message) => {
    const said = await on(more);
    if (JSON.stringify(more).includes("top_k")) expect(said).toContain('architecture "top_k"');
    else expect(said).toContain(message);
  });

  test("no dictionary, and two of one name", async () => {
    expect(await refusal(() => trainDictionariesOn(activations, [], quick))).toContain("got an empty list");
    const spec = { from: hook, architecture: "topk", k: 2, width: 16, name: "a" } as const;
    expect(await refusal(() => trainDictionariesOn(activations, [spec, spec], quick))).toContain('"a" more than once');
    const { name: _, ...unnamed } = spec;
    const run = await trainDictionariesOn(activations, [unnamed, unnamed], { ...quick, steps: 1, warmup: 0 });
    expect(run.dictionaries.map(({ name }) => name)).toEqual(["resid_post.1", "resid_post.1#2"]);
    expect([...run]).toHaveLength(2);
    expect(String(run)).toContain("resid_post.1#2");
  });
});
