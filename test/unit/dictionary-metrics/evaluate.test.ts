/** Evaluation on a model against plain loops over single runs. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { data } from "../../../src/data/index.js";
import {
  type Dictionary,
  type DictionaryEvaluation,
  DictionarySet,
  type DictionarySetEvaluation,
  evaluateDictionary,
} from "../../../src/dictionary/index.js";
import { edit, loadModel, type Model } from "../../../src/model/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { randomDictionary } from "../dictionary/random-dictionary.js";

const sizes = { dIn: 192, nFeatures: 40, activation: { kind: "jumprelu" } } as const;
const hook = "blocks.2.hook_resid_post";
const sae = randomDictionary({ ...sizes, readHook: hook });
const transcoders = [1, 4].map((layer) =>
  randomDictionary({
    ...sizes,
    readHook: `blocks.${layer}.ln2.hook_normalized`,
    writeHook: `blocks.${layer}.hook_mlp_out`,
    hasSkip: layer === 4,
    seed: layer,
  }),
);
const set = new DictionarySet("pair", transcoders);

let model: Model;
let special = 0;
let rows: readonly (readonly number[])[] = [];
beforeAll(async () => {
  model = await loadModel("tiny");
  const texts = ["The ship was in the north of the sea", "Two men and a dog walked home", "Rain fell"];
  special = model.tokenizer.bosId ?? -1;
  // A special token in front of each row, and one inside the second.
  rows = texts.map((text, i) => {
    const ids = Array.from(model.toTokens(text).data);
    return [special, ...ids.slice(0, 3), ...(i === 1 ? [special] : []), ...ids.slice(3)];
  });
});
afterAll(() => model.close());

function numbers(tensor: Tensor): readonly number[] {
  return Array.from(tensor.contiguous().data as Float32Array);
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function logProbs(logits: Tensor, pos: number): readonly number[] {
  const size = logits.shape[2] ?? 0;
  const own = numbers(logits).slice(pos * size, (pos + 1) * size);
  const top = Math.max(...own);
  const total = Math.log(sum(own.map((one) => Math.exp(one - top)))) + top;
  return own.map((one) => one - total);
}

/** Losses of each step from a counted token, and divergences at counted tokens. */
function measured(clean: Tensor, other: Tensor, ids: readonly number[]): { ce: number[]; kl: number[] } {
  const counted = [...ids.keys()].filter((pos) => ids[pos] !== special);
  const ce = counted
    .filter((pos) => pos + 1 < ids.length)
    .map((pos) => -(logProbs(other, pos)[ids[pos + 1] ?? 0] ?? 0));
  const kl = counted.map((pos) => {
    const [p, q] = [logProbs(clean, pos), logProbs(other, pos)];
    return sum(p.map((one, i) => Math.exp(one) * (one - (q[i] ?? 0))));
  });
  return { ce, kl };
}

/** Values of a hook point with the counted positions written over, one vector each. */
function mixed(original: Tensor, written: Tensor | undefined, ids: readonly number[]): Tensor {
  const data = Float32Array.from(numbers(original));
  const width = original.shape.at(-1) ?? 0;
  ids.forEach((id, pos) => {
    if (id === special) return;
    const part = numbers(written ?? original).slice(pos * width, (pos + 1) * width);
    data.set(written === undefined ? part.map(() => 0) : part, pos * width);
  });
  return Tensor.of(data, original.shape, original.axes);
}

interface Oracle {
  readonly x: number[][];
  readonly y: number[][];
  readonly acts: number[][];
  readonly ce: { clean: number[]; spliced: number[]; ablated: number[] };
  readonly kl: { spliced: number[]; ablated: number[] };
}

async function oracleOf(dictionary: Dictionary): Promise<Oracle> {
  const oracle: Oracle = {
    x: [],
    y: [],
    acts: [],
    ce: { clean: [], spliced: [], ablated: [] },
    kl: { spliced: [], ablated: [] },
  };
  const { readHook, writeHook, nFeatures } = dictionary;
  for (const ids of rows) {
    const clean = await model.run([ids], { capture: [readHook, writeHook] });
    const { acts, reconstruction } = await dictionary.forward(clean.cache.get(readHook));
    const target = clean.cache.get(writeHook);
    ids.forEach((id, pos) => {
      if (id === special) return;
      const part = (tensor: Tensor, width: number): number[] => numbers(tensor).slice(pos * width, (pos + 1) * width);
      oracle.x.push(part(target, 192));
      oracle.y.push(part(reconstruction, 192));
      oracle.acts.push(part(acts, nFeatures));
    });
    oracle.ce.clean.push(...measured(clean.logits, clean.logits, ids).ce);
    for (const [kind, written] of [
      ["spliced", reconstruction],
      ["ablated", undefined],
    ] as const) {
      const run = await model.with(edit.replace(writeHook, mixed(target, written, ids))).run([ids]);
      const { ce, kl } = measured(clean.logits, run.logits, ids);
      oracle.ce[kind].push(...ce);
      oracle.kl[kind].push(...kl);
    }
  }
  return oracle;
}

const mean = (values: readonly number[]): number => sum(values) / values.length;
const column = (matrix: readonly (readonly number[])[], i: number): number[] => matrix.map((row) => row[i] ?? 0);

describe.each([
  ["an SAE", sae],
  ["a skip transcoder", transcoders[1] as Dictionary],
])("%s", (_, dictionary) => {
  let evaluation: DictionaryEvaluation;
  let oracle: Oracle;
  beforeAll(async () => {
    // Rows of unequal length in one padded batch, and one row alone.
    const padded = (ids: readonly (readonly number[])[]) => {
      const width = Math.max(...ids.map((row) => row.length));
      const fill = (row: readonly number[], by: number): number[] => [
        ...row,
        ...Array<number>(width - row.length).fill(by),
      ];
      return {
        tokens: ids.map((row) => fill(row, 0)),
        attentionMask: ids.map((row) =>
          fill(
            row.map(() => 1),
            0,
          ),
        ),
      };
    };
    evaluation = await evaluateDictionary(model, dictionary, [padded(rows.slice(0, 2)), padded(rows.slice(2))]);
    oracle = await oracleOf(dictionary);
  });

  test("explained variance, error, cosine and ratios are those of the definition", () => {
    const { x, y } = oracle;
    const means = Array.from({ length: 192 }, (_, i) => mean(column(x, i)));
    const square = (row: readonly number[]): number => sum(row.map((one) => one * one));
    const error = mean(x.map((row, t) => square(row.map((one, i) => one - (y[t]?.[i] ?? 0)))));
    const variance = mean(x.map((row) => square(row.map((one, i) => one - (means[i] ?? 0)))));
    const dot = x.map((row, t) => sum(row.map((one, i) => one * (y[t]?.[i] ?? 0))));
    const { reconstruction } = evaluation;
    expect(reconstruction.tokens).toBe(x.length);
    expect(reconstruction.fvu).toBeCloseTo(error / variance, 3);
    expect(reconstruction.mse / error).toBeCloseTo(1, 5);
    const [nx, ny] = [x, y].map((side) => side.map((row) => Math.sqrt(square(row)))) as [number[], number[]];
    expect(reconstruction.cosine).toBeCloseTo(mean(dot.map((one, t) => one / ((nx[t] ?? 0) * (ny[t] ?? 0)))), 5);
    expect(reconstruction.l2Ratio / mean(ny.map((one, t) => one / (nx[t] ?? 1)))).toBeCloseTo(1, 5);
    expect(reconstruction.relativeBias / (mean(y.map(square)) / mean(dot))).toBeCloseTo(1, 3);
  });

  test("features are counted where tokens count", () => {
    const { acts } = oracle;
    expect(evaluation.l0).toBeCloseTo(mean(acts.map((row) => row.filter((a) => a > 0).length)), 10);
    const { density, meanActivation, maxActivation, tokens } = evaluation.statistics;
    expect(tokens).toBe(acts.length);
    for (const feature of [0, 7, 39]) {
      const own = column(acts, feature);
      const fired = own.filter((a) => a > 0);
      expect(density[feature]).toBeCloseTo(fired.length / own.length, 6);
      expect(meanActivation[feature]).toBeCloseTo(fired.length > 0 ? mean(fired) : 0, 4);
      expect(maxActivation[feature]).toBeCloseTo(Math.max(0, ...own), 4);
    }
    const dead = [...Array(40).keys()].filter((i) => column(acts, i).every((a) => a <= 0));
    expect(evaluation.dead).toEqual({ count: dead.length, tokens: acts.length, features: dead });
    const first = density[0] ?? 0;
    expect(evaluation.logDensity[0]).toBeCloseTo(first > 0 ? Math.log10(first) : -10, 5);
    const known = dictionary.withStatistics(evaluation.statistics).feature(7);
    expect(known.density).toBe(density[7]);
  });

  test("the three losses and divergences are those of single runs with special tokens kept", () => {
    const { losses } = evaluation;
    const [clean, spliced, ablated] = [mean(oracle.ce.clean), mean(oracle.ce.spliced), mean(oracle.ce.ablated)];
    expect(losses?.steps).toBe(oracle.ce.clean.length);
    expect(losses?.clean).toBeCloseTo(clean, 4);
    expect(losses?.spliced).toBeCloseTo(spliced, 3);
    expect(losses?.ablated).toBeCloseTo(ablated, 4);
    expect(losses?.score).toBeCloseTo((ablated - spliced) / (ablated - clean), 2);
    const [klSpliced, klAblated] = [mean(oracle.kl.spliced), mean(oracle.kl.ablated)];
    expect(losses?.klSpliced).toBeCloseTo(klSpliced, 3);
    expect(losses?.klAblated).toBeCloseTo(klAblated, 4);
    expect(losses?.klScore).toBeCloseTo((klAblated - klSpliced) / klAblated, 2);
  });

  test("norms and cosines of its vectors", () => {
    const [enc, dec] = ["W_enc", "W_dec"].map((name) => numbers(dictionary.weights.get(name as "W_enc") as Tensor));
    const [e, d] = [
      Array.from({ length: 192 }, (_, i) => enc?.[i * 40 + 5] ?? 0),
      Array.from({ length: 192 }, (_, i) => dec?.[5 * 192 + i] ?? 0),
    ];
    const norm = (v: readonly number[]): number => Math.sqrt(sum(v.map((one) => one * one)));
    const { geometry } = evaluation;
    expect(geometry.encoderNorms[5]).toBeCloseTo(norm(e), 5);
    expect(geometry.decoderNorms[5]).toBeCloseTo(norm(d), 5);
    const cosine = sum(e.map((one, i) => one * (d[i] ?? 0))) / (norm(e) * norm(d));
    expect(geometry.encoderDecoderCosines[5]).toBeCloseTo(cosine, 5);
  });

  test("it prints itself and draws itself", () => {
    expect(evaluation.toString()).toContain("explained variance");
    expect(evaluation.toString()).toMatch(/CE score .*clean .*spliced .*ablated/);
    expect(evaluation.toView().toText()).toContain("dead features");
    expect(evaluation.provenance).toMatchObject({ model: "tiny", excludesSpecial: true, edits: [] });
  });
});

describe("a set", () => {
  let evaluation: DictionarySetEvaluation;
  beforeAll(async () => {
    evaluation = await evaluateDictionary(model, set, [[rows[0] ?? []]]);
  });

  test("each dictionary alone is judged as if it were alone", async () => {
    for (const [i, one] of transcoders.entries()) {
      const alone = await evaluateDictionary(model, one, [[rows[0] ?? []]]);
      expect(evaluation.evaluations[i]?.losses?.spliced).toBeCloseTo(alone.losses?.spliced ?? 0, 5);
      expect(evaluation.evaluations[i]?.reconstruction.fvu).toBeCloseTo(alone.reconstruction.fvu, 5);
    }
  });

  test("all at once is one run with every dictionary in place", async () => {
    const ids = rows[0] ?? [];
    // BOS is kept in every layer: replaced one after another by hand, from the first layer on.
    let view = model;
    for (const one of transcoders) {
      const run = await view.run([ids], { capture: [one.readHook, one.writeHook] });
      const { reconstruction } = await one.forward(run.cache.get(one.readHook));
      view = view.with(edit.replace(one.writeHook, mixed(run.cache.get(one.writeHook), reconstruction, ids)));
    }
    const [clean, both] = [await model.run([ids]), await view.run([ids])];
    const { ce, kl } = measured(clean.logits, both.logits, ids);
    expect(evaluation.together?.spliced).toBeCloseTo(mean(ce), 3);
    expect(evaluation.together?.klSpliced).toBeCloseTo(mean(kl), 3);
    expect(evaluation.toString()).toContain("all at once: CE score");
    expect(evaluation.toView().toText()).toContain("all at once");
  });
});

describe("data and options", () => {
  test("texts, a limit of tokens, and no losses", async () => {
    const evaluation = await evaluateDictionary(model, sae, ["The ship was in the north", "of the sea"], {
      tokens: 7,
      losses: false,
    });
    expect(evaluation.provenance.tokens).toBe(7);
    expect(evaluation.losses).toBeUndefined();
    const pair = await evaluateDictionary(model, set, ["The ship was in the north"], { losses: false });
    expect(pair.together).toBeUndefined();
  });

  test("special tokens count when asked, and are replaced then", async () => {
    const ids = rows[1] ?? [];
    const all = await evaluateDictionary(model, sae, [[ids]], { excludeSpecial: false });
    expect(all.provenance.tokens).toBe(ids.length);
    const whole = await model.with(sae.splice()).run([ids], { loss: true });
    expect(all.losses?.spliced).toBeCloseTo(whole.loss, 4);
  });

  test("BOS is put in front where the dictionary was trained so", async () => {
    const { name, config, weights } = sae;
    const { Dictionary: make } = await import("../../../src/dictionary/index.js");
    const trained = new make({ name, config: { ...config, prependBos: true }, weights });
    const withBos = await evaluateDictionary(model, trained, ["Rain fell"], { excludeSpecial: false });
    const without = await evaluateDictionary(model, sae, ["Rain fell"], { excludeSpecial: false });
    expect(withBos.provenance.tokens).toBe(without.provenance.tokens + 1);
  });

  test("documents of a dataset get BOS when asked, and one row each", async () => {
    const documents = data.text(["Rain fell", "The ship was in the north of the sea"]);
    const count = async (prependBos: boolean): Promise<number> => {
      const options = { prependBos, excludeSpecial: false, losses: false };
      return (await evaluateDictionary(model, sae, documents, options)).provenance.tokens;
    };
    expect(await count(true)).toBe((await count(false)) + 2);
  });

  test("wrong use is refused", async () => {
    const missing = randomDictionary({ ...sizes, readHook: "blocks.9.hook_resid_post" });
    await expect(evaluateDictionary(model, missing, ["a"])).rejects.toThrow(
      'dictionary random: got the hook point "blocks.9.hook_resid_post", which model "tiny" lacks',
    );
    const narrow = randomDictionary({ dIn: 64, readHook: hook });
    await expect(evaluateDictionary(model, narrow, ["Rain fell"])).rejects.toThrow("values of width 192; expected 64");
    await expect(evaluateDictionary(model, sae, [[[special]]])).rejects.toThrow("got no token that counts");
    const controller = new AbortController();
    controller.abort();
    await expect(evaluateDictionary(model, sae, ["a"], { signal: controller.signal })).rejects.toThrow(
      "got an aborted signal",
    );
  });
});
