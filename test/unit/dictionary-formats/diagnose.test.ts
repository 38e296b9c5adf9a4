import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  Dictionary,
  type DictionaryConfig,
  type DictionaryWeightName,
  diagnose,
  openDictionary,
} from "../../../src/dictionary/index.js";
import { symmetricEigen } from "../../../src/linalg/index.js";
import { loadModel, type Model } from "../../../src/model/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { dataFolder, oracle } from "../../helpers/fixtures.js";
import { randomDictionary } from "../dictionary/random-dictionary.js";
import { refusal } from "../io/support.js";

const texts = [
  "The old man walked slowly to the river, where his daughter was waiting with the boat.",
  "In 1492 three ships crossed the ocean; nobody on board knew how wide it was.",
  "She opened the letter, read it twice, and put it back into the blue envelope.",
  "When the rain stopped, the children ran out into the garden and began to play.",
  "Numbers such as 3, 14 and 159 have little in common, but people like to list them.",
];
const rank = 20;
let model: Model;
beforeAll(async () => {
  model = await loadModel("tiny");
});
afterAll(async () => model.close());

type Shape = (x: Float64Array, width: number) => Float64Array;

/** Values of a hook point on the texts, without BOS, each vector as `shape` makes it. */
async function rowsOf(hook: string, prependBos: boolean, shape: Shape = (x) => x): Promise<Float64Array[]> {
  const rows: Float64Array[] = [];
  for (const text of texts) {
    const run = await model.run(text, { capture: hook, logits: "none", prependBos });
    const values = run.cache.get(hook);
    const [, pos = 0, width = 0] = values.shape;
    for (let p = prependBos ? 1 : 0; p < pos; p++)
      rows.push(
        shape(
          Float64Array.from({ length: width }, (_, i) => Number(values.data[p * width + i])),
          width,
        ),
      );
  }
  return rows;
}

const centre: Shape = (x, width) => {
  const mean = x.reduce((a, b) => a + b, 0) / width;
  return x.map((value) => value - mean);
};
const unit: Shape = (x, width) => x.map((value) => (value * Math.sqrt(width)) / Math.hypot(...x));

/** The principal directions of rows, each twice with opposite signs, so that ReLU keeps both: FVU is what they leave. */
function principal(
  rows: readonly Float64Array[],
  config: Partial<DictionaryConfig> & { readHook: string },
  kept = rank,
): Dictionary {
  const width = rows[0]?.length ?? 0;
  const mean = Float64Array.from(
    { length: width },
    (_, i) => rows.reduce((sum, row) => sum + (row[i] ?? 0), 0) / rows.length,
  );
  const covariance = new Float64Array(width * width);
  for (const row of rows)
    for (let i = 0; i < width; i++)
      for (let j = 0; j < width; j++)
        covariance[i * width + j] =
          (covariance[i * width + j] ?? 0) + ((row[i] ?? 0) - (mean[i] ?? 0)) * ((row[j] ?? 0) - (mean[j] ?? 0));
  const { values, vectors } = symmetricEigen(Tensor.of(covariance, [width, width]));
  const order = Array.from({ length: width }, (_, i) => i).sort(
    (a, b) => Number(values.data[b]) - Number(values.data[a]),
  );
  const direction = (feature: number, i: number): number => {
    const column = order[feature >> 1] ?? 0;
    return Number(vectors.data[i * width + column]) * (feature % 2 === 0 ? 1 : -1);
  };
  const nFeatures = 2 * kept;
  const decoder = Float32Array.from({ length: nFeatures * width }, (_, at) =>
    direction(Math.floor(at / width), at % width),
  );
  const encoder = Float32Array.from({ length: nFeatures * width }, (_, at) =>
    direction(at % nFeatures, Math.floor(at / nFeatures)),
  );
  const weights = new Map<DictionaryWeightName, Tensor>([
    ["W_enc", Tensor.of(encoder, [width, nFeatures])],
    ["W_dec", Tensor.of(decoder, [nFeatures, width])],
    ["b_enc", Tensor.of(new Float32Array(nFeatures), [nFeatures])],
    ["b_dec", Tensor.of(Float32Array.from(mean), [width])],
  ]);
  const full: DictionaryConfig = {
    architecture: "standard",
    activation: { kind: "relu" },
    dIn: width,
    dOut: width,
    nFeatures,
    writeHook: config.readHook,
    subtractsDecoderBias: true,
    normalization: "none",
    prependBos: true,
    ...config,
  };
  return new Dictionary({ name: "principal", config: full, weights });
}

const hook = "blocks.2.hook_resid_post";

describe("diagnosing a dictionary", () => {
  it("says that it is right as claimed, with the FVU that its directions leave", async () => {
    const rows = await rowsOf(hook, true);
    const found = await diagnose(principal(rows, { readHook: hook }), model, texts);
    expect(found.verdict).toBe("as claimed");
    expect(found.differences).toEqual([]);
    expect(found.claimed.l0).toBeCloseTo(rank, 1);
    expect(found.provenance).toMatchObject({ model: "tiny", tokens: rows.length });
    expect(String(found)).toMatch(
      /^Diagnosis of principal: right as claimed \(FVU 0\.\d{4}, L0 20\.0\) on \d+ tokens of tiny\n/,
    );
    expect(found.toView().spec.view).toBe("table");
  });

  it("finds the hook point that it was made at", async () => {
    const rows = await rowsOf(hook, true);
    const found = await diagnose(principal(rows, { readHook: "blocks.2.hook_resid_mid" }), model, texts);
    expect(found).toMatchObject({ verdict: "other", differences: [`reads ${hook}`] });
    expect(found.dictionary).toMatchObject({ readHook: hook, writeHook: hook });
    const oneOff = await diagnose(principal(rows, { readHook: "blocks.3.hook_resid_post" }), model, texts);
    expect(oneOff.differences).toEqual([`reads ${hook}`]);
    expect(String(oneOff)).toContain(`not as claimed: reads ${hook} (FVU 0.`);
  });

  it("finds a centred stream, and says how to get one", async () => {
    const rows = await rowsOf(hook, true, centre);
    // Nearly all directions, so that the mean over the width, a small part of this model's stream, is what is left.
    const found = await diagnose(principal(rows, { readHook: hook }, 116), model, texts);
    expect(found.differences).toEqual(["stream centred"]);
    expect(String(found)).toContain("model.processed({ centerWritingWeights: true })");
    const centred = await diagnose(found.dictionary, model.processed({ centerWritingWeights: true }), texts);
    expect(centred.verdict).toBe("as claimed");
    expect(centred.claimed.fvu).toBeCloseTo(found.best.fvu, 4);
  });

  it("finds vectors that were scaled to one norm, and makes the dictionary do it", async () => {
    const rows = await rowsOf(hook, true, unit);
    const found = await diagnose(principal(rows, { readHook: hook }), model, texts);
    expect(found.differences).toEqual(["normalisation constant_norm_rescale"]);
    expect(found.dictionary.config.normalization).toBe("constant_norm_rescale");
  });

  it("finds one factor on all inputs, and folds it into the weights", async () => {
    const raw = await rowsOf(hook, true);
    const norm = raw.reduce((sum, row) => sum + Math.hypot(...row), 0) / raw.length;
    const rows = raw.map((row) => row.map((value) => (value * Math.sqrt(row.length)) / norm));
    const found = await diagnose(principal(rows, { readHook: hook }), model, texts);
    expect(found.differences).toEqual(["input times sqrt(d) / mean norm"]);
    const again = await diagnose(found.dictionary, model, texts);
    expect(again.verdict).toBe("as claimed");
    expect(again.claimed.fvu).toBeCloseTo(found.best.fvu, 4);
  });

  it("finds a bias that is subtracted, or not", async () => {
    const rows = await rowsOf(hook, true);
    const found = await diagnose(principal(rows, { readHook: hook, subtractsDecoderBias: false }), model, texts);
    expect(found.differences).toEqual(["b_dec subtracted"]);
    expect(found.dictionary.config.subtractsDecoderBias).toBe(true);
  });

  it("finds that a transcoder reads after the gain and not before it", async () => {
    const made = principal(await rowsOf("blocks.1.mlp.hook_in", true), { readHook: "blocks.1.mlp.hook_in" });
    // What it writes stands in for an MLP: the model's own MLP is not needed to tell where it reads.
    const identity = new Dictionary({
      name: "identity",
      config: { ...made.config, readHook: "blocks.1.ln2.hook_normalized", writeHook: "blocks.1.mlp.hook_in" },
      weights: made.weights,
    });
    const found = await diagnose(identity, model, texts);
    expect(found.differences).toContain("reads blocks.1.mlp.hook_in");
  });

  it("measures texts with BOS and without, and BOS itself apart", async () => {
    const rows = await rowsOf(hook, false);
    const found = await diagnose(principal(rows, { readHook: hook }), model, texts);
    const kinds = new Set(found.rows.map(({ convention }) => convention.prependBos));
    expect(kinds).toEqual(new Set([true, false]));
    expect(found.best.convention.prependBos).toBe(false);
    expect(found.bos).toMatchObject({ tokens: texts.length });
    const only = await diagnose(principal(rows, { readHook: hook }), model, texts, { prependBos: false });
    expect(only.bos).toBeUndefined();
    expect(only.verdict).toBe("as claimed");
  });

  it("says that nothing fits a dictionary of another model", async () => {
    const config = { dIn: 192, nFeatures: 40, readHook: hook };
    const random = randomDictionary(config);
    const other = new Dictionary({
      name: "other",
      config: { ...random.config, model: { name: "someone/else", identity: "0".repeat(16) } },
      weights: random.weights,
    });
    const found = await diagnose(other, model, texts);
    expect(found.verdict).toBe("none");
    expect(String(found)).toContain("nothing fits (least FVU ");
    expect(String(found)).toContain(
      "Check the model: the dictionary says that it was made for someone/else; tiny is loaded here.",
    );
    expect(String(found)).toContain(
      `It was made for weights ${"0".repeat(16)}; these are ${found.provenance.identity}.`,
    );
  });

  it("notes a TopK dictionary of which fewer features fire than its k", async () => {
    const made = principal(await rowsOf(hook, true), { readHook: hook });
    const config: DictionaryConfig = {
      ...made.config,
      activation: { kind: "topk", k: 30, scalesByDecoderNorm: false },
    };
    const found = await diagnose(new Dictionary({ name: "topk", config, weights: made.weights }), model, texts);
    expect(String(found)).toContain("Fewer features fire (20.0) than its k of 30");
  });

  it("refuses a dictionary of another width, naming both", async () => {
    const narrow = randomDictionary({ dIn: 64, readHook: hook });
    expect((await refusal(diagnose(narrow, model, texts), "SHAPE")).message).toBe(
      `diagnose: dictionary random: got width 64, and model tiny has 192 at ${hook}; expected a dictionary of the model's own ` +
        "width. It was made for another model, or for another hook point: load that one.",
    );
  });

  it("refuses a hook point that the model lacks", async () => {
    const far = randomDictionary({ dIn: 192, readHook: "blocks.40.hook_resid_post" });
    expect((await refusal(diagnose(far, model, texts), "HOOK_NOT_FOUND")).got).toContain("blocks.40.hook_resid_post");
  });

  it("refuses data that say nothing", async () => {
    const dictionary = randomDictionary({ dIn: 192, readHook: hook });
    expect((await refusal(diagnose(dictionary, model, ["a"], { tokens: 1 }), "INPUT")).message).toContain(
      "diagnose: data: got 1 ordinary tokens; expected at least 2, better some hundreds",
    );
    const same = [[5, 5, 5, 5]];
    const embed = randomDictionary({ dIn: 192, readHook: "hook_embed" });
    expect((await refusal(diagnose(embed, model, same, { prependBos: false }), "INPUT")).got).toBe(
      "activations that do not vary from token to token",
    );
  });

  it("stops when it is told to, and reports how far it is", async () => {
    const dictionary = randomDictionary({ dIn: 192, readHook: hook });
    await refusal(diagnose(dictionary, model, texts, { signal: AbortSignal.abort() }), "ABORTED");
    const done: number[] = [];
    await diagnose(dictionary, model, texts, { onProgress: (event) => done.push(event.done) });
    expect(done.length).toBeGreaterThan(5);
  });
});

describe.skipIf(dataFolder === undefined)("the autoencoder of the routing toy", () => {
  it("reads and reconstructs as its authors say, at all three places", async () => {
    const toy = await loadModel(oracle("routing-toy"));
    // One input in 31 of all 16,384: four features of eight, and one selector of four.
    const rows = Array.from({ length: 529 }, (_, n) => {
      const i = n * 31;
      return [...[0, 3, 6, 9].map((shift) => (i >> shift) & 7), 8 + ((i >> 12) & 3)];
    });
    const read = (at: string): Promise<Dictionary> =>
      openDictionary(oracle("routing-toy", "sae.pt"), { hook: at, subtractsDecoderBias: true });
    const wanted = {
      "blocks.0.hook_resid_pre": 0.0006,
      "blocks.0.hook_resid_post": 0.0017,
      "blocks.1.hook_resid_post": 0.0006,
    };
    for (const [at, fvu] of Object.entries(wanted)) {
      const dictionary = await read(at);
      expect(dictionary.config).toMatchObject({ dIn: 32, nFeatures: 64 });
      const found = await diagnose(dictionary, toy, [rows], { tokens: 4000 });
      expect(found.claimed.fvu).toBeCloseTo(fvu, 3);
      expect(found.verdict).toBe("as claimed");
    }
    const wrong = await openDictionary(oracle("routing-toy", "sae.pt"), {
      hook: "blocks.0.hook_resid_pre",
      subtractsDecoderBias: false,
    });
    expect((await diagnose(wrong, toy, [rows], { tokens: 4000 })).differences).toEqual(["b_dec subtracted"]);
    await toy.close();
  });
});
