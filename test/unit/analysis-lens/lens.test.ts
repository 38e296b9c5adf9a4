/** What a lens is asked, how it chunks, what it refuses, and how it is drawn. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lens } from "../../../src/analysis/index.js";
import { chunkSizes } from "../../../src/analysis/lens/measure.js";
import { groupByLength } from "../../../src/analysis/prompts.js";
import { at, edit, loadModel, type Model } from "../../../src/model/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

let model: Model;
let parallel: Model;
let tiny: Model;
beforeAll(async () => {
  [model, parallel, tiny] = await Promise.all([
    loadModel(fixture("architectures", "gpt2")),
    loadModel(fixture("architectures", "pythia")),
    loadModel("tiny"),
  ]);
});
afterAll(() => Promise.all([model.close(), parallel.close(), tiny.close()]));

const prompt = [3, 1, 4, 1, 5, 9];
const statistics = ["kl", "reverseKl", "entropy", "rank", "targetProbability", "overlap", "probability"] as const;

function list(tensor: Tensor): number[] {
  return Array.from(tensor.contiguous().data, Number);
}

describe("rows", () => {
  it("are the embeddings and the stream after each block", async () => {
    const { labels, layers, lens: name } = await lens.logitLens(model, prompt);
    expect([labels, layers, name]).toEqual([["embed", "0_post", "1_post"], [-1, 0, 1], "logit lens"]);
  });

  it("come in the order in which a block makes them, whatever order the sites were asked in", async () => {
    const { labels, layers } = await lens.logitLens(model, prompt, { sites: ["mlp_out", "resid_pre", "attn_out"] });
    expect(labels).toEqual(["0_pre", "0_attn_out", "0_mlp_out", "1_pre", "1_attn_out", "1_mlp_out"]);
    expect(layers).toEqual([0, 0, 0, 1, 1, 1]);
  });

  it("are refused where the architecture has no such site", async () => {
    await expect(lens.logitLens(parallel, prompt, { sites: ["resid_mid"] })).rejects.toThrow(
      "lens.logitLens: sites: got resid_mid; expected sites of this model: resid_pre, attn_out, mlp_out, resid_post. Models whose sublayers read the same stream have no resid_mid, models of attention alone no mlp_out.",
    );
    await expect(lens.logitLens(model, prompt, { sites: [] })).rejects.toThrow(/sites: got none/);
  });
});

describe("prompts", () => {
  it("of unequal lengths give what each gives alone, without padding", async () => {
    const texts = ["The President of the", "My fellow citizens of the Senate,", "We"];
    const together = await lens.logitLens(tiny, texts);
    for (const [i, text] of texts.entries()) {
      const alone = (await lens.logitLens(tiny, text)).prompt(0);
      const one = together.prompt(i);
      expect(one.tokens).toEqual(tiny.toStrTokens(text));
      expect(one.top.map((row) => row.map((place) => place[0]?.id))).toEqual(
        alone.top.map((row) => row.map((place) => place[0]?.id)),
      );
      for (const name of statistics) expect(one[name].maxAbsDiff(alone[name])).toBeLessThan(2e-4);
    }
  });

  it("may be a text, texts, ids, rows of ids", async () => {
    const ids = Array.from(tiny.toTokens("We the people").data);
    const [a, b, c] = [
      await lens.logitLens(tiny, "We the people"),
      await lens.logitLens(tiny, ids),
      await lens.logitLens(tiny, [Int32Array.from(ids)]),
    ];
    expect(list(a.kl)).toEqual(list(b.kl));
    expect(list(a.kl)).toEqual(list(c.kl));
    expect(a.tokens).toEqual(b.tokens);
    const bos = await lens.logitLens(tiny, "We the people", { prependBos: true });
    expect(bos.tokens.length).toBe(a.tokens.length + 1);
  });

  it("run in groups of one length and of bounded size", () => {
    const prompts = [3, 2, 3, 3, 2].map((length) => ({ ids: new Int32Array(length), pieces: [] }));
    const groups = groupByLength(prompts, 7);
    expect(groups.map(({ length, places }) => [length, places])).toEqual([
      [3, [0, 2]],
      [3, [3]],
      [2, [1, 4]],
    ]);
    expect(groupByLength(prompts, 1).every(({ rows }) => rows.length === 1)).toBe(true);
  });

  it("must be there", async () => {
    await expect(lens.logitLens(tiny, [])).rejects.toThrow(
      "lens.logitLens: got no prompts; expected one prompt or more. Pass a text.",
    );
  });

  it("of a model without a tokenizer are spelled by their ids", async () => {
    expect((await lens.logitLens(model, prompt)).tokens).toEqual(["#3", "#1", "#4", "#1", "#5", "#9"]);
  });
});

describe("chunks", () => {
  it("do not change what is measured", async () => {
    const whole = await lens.logitLens(model, [prompt, [2, 7, 1, 8, 2, 8]]);
    // One place of three rows and the final one; then two rows at a time.
    const perRow = 6 * 4 * model.config.dVocabOut;
    for (const memoryLimit of [4 * perRow, 3 * perRow, 2 * perRow]) {
      const parts = await lens.logitLens(model, [prompt, [2, 7, 1, 8, 2, 8]], { memoryLimit });
      for (const i of [0, 1])
        for (const name of statistics)
          expect(parts.prompt(i)[name].maxAbsDiff(whole.prompt(i)[name])).toBeLessThan(1e-5);
    }
  });

  it("hold as many places as fit with all rows, and split rows only when not one place fits", () => {
    const at = (memoryLimit: number): unknown => chunkSizes(3, 100, { memoryLimit, bytesPerNumber: 4, where: "lens" });
    expect(at(2400 * 4)).toEqual({ rows: 3, places: 1 });
    expect(at(2400 * 9)).toEqual({ rows: 3, places: 2 });
    expect(at(2400 * 3)).toEqual({ rows: 2, places: 1 });
    expect(() => at(2400)).toThrow(
      "lens: got a memoryLimit of 2400 bytes; expected at least 4800 bytes: one layer and the final one at one position. Raise memoryLimit.",
    );
  });

  it("report progress, and stop when the signal aborts", async () => {
    const events: string[] = [];
    const perRow = 6 * 4 * model.config.dVocabOut;
    await lens.logitLens(model, prompt, {
      memoryLimit: 4 * perRow,
      onProgress: ({ done, total, label }) => events.push(`${label} ${done}/${total}`),
    });
    expect(events).toEqual([1, 2, 3, 4, 5, 6].map((i) => `lens: chunks ${i}/6`));
    await expect(lens.logitLens(model, prompt, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });
});

describe("targets", () => {
  it("are what the final layer predicts, unless another is asked for", async () => {
    const result = (await lens.logitLens(tiny, "The President of the")).prompt(0);
    const last = result.top.length - 1;
    expect(result.targets).toEqual(result.top[last]?.map(([first]) => first?.token));
    expect(list(result.rank.at({ layer: last }))).toEqual(result.tokens.map(() => 0));
  });

  it("may be what comes next in the prompt, with nothing at its end", async () => {
    const result = (
      await lens.logitLens(tiny, "The President of the", { target: "next", topK: tiny.config.dVocabOut })
    ).prompt(0);
    expect(result.targets).toEqual([...result.tokens.slice(1), ""]);
    for (const [layer, places] of result.top.entries())
      for (const [pos, chances] of places.entries()) {
        const [rank, probability] = [result.rank, result.targetProbability].map((t) => t.at({ layer, pos }).item());
        const place = chances.findIndex(({ id }) => id === result.ids[pos + 1]);
        if (place < 0) expect([rank, probability]).toEqual([Number.NaN, Number.NaN]);
        else {
          expect(chances[place]?.probability).toBeCloseTo(probability ?? 0, 6);
          expect(chances[rank ?? -1]?.probability).toBeCloseTo(probability ?? 0, 6);
        }
      }
    expect(
      (await lens.logitLens(tiny, "The President of the", { target: "next" })).mean("rank").every(Number.isFinite),
    ).toBe(true);
  });

  it("may be one token for all, or one for each prompt", async () => {
    const one = await lens.logitLens(tiny, ["We the", "In the"], { target: { token: " the" } });
    expect(new Set([...one.prompt(0).targets, ...one.prompt(1).targets])).toEqual(new Set([" the"]));
    const each = await lens.logitLens(tiny, ["We the", "In the"], { target: { tokens: [" the", 5] } });
    expect(list(each.prompt(0).rank)).toEqual(list(one.prompt(0).rank));
    expect(new Set(each.prompt(1).targets).size).toBe(1);
    await expect(lens.logitLens(tiny, ["We the", "In the"], { target: { tokens: [" the"] } })).rejects.toThrow(
      "lens.logitLens: target: got 1 tokens for 2 prompts; expected one token for each prompt, or { token } for all. Pass as many tokens as prompts.",
    );
    await expect(lens.logitLens(tiny, "We", { target: { token: 99_999 } })).rejects.toThrow(
      `lens.logitLens: target: got the token id 99999; expected whole numbers from 0 to ${tiny.config.dVocabOut - 1}. Check the id against the model's output vocabulary.`,
    );
  });
});

describe("refusals", () => {
  it("of topK outside the vocabulary", async () => {
    for (const topK of [0, 2.5, 30])
      await expect(lens.logitLens(model, prompt, { topK })).rejects.toThrow(
        `lens.logitLens: topK: got ${topK}; expected a whole number from 1 to 29. Correct the number.`,
      );
  });

  it("of edits behind the stream, which no row would have", async () => {
    for (const change of [edit.scale("ln_final.hook_normalized", 2), edit.scale("unembed.hook_out", 2)])
      await expect(lens.logitLens(model.with(change), prompt)).rejects.toThrow(
        /lens\.logitLens: got a model with edit\.scale at (ln_final|unembed)\..*expected a model whose last steps are its own.*Edit the stream instead, or leave these edits out\./,
      );
    expect((await lens.logitLens(model.with(edit.scale(at.residPost(0), 2)), prompt)).provenance.edits).toEqual([
      "scale",
    ]);
  });

  it("of the parts of one prompt when there are several", async () => {
    const several = await lens.logitLens(model, [prompt, prompt]);
    for (const name of ["tokens", "top", "kl", "reverseKl", "entropy", "rank", "targetProbability", "overlap"] as const)
      expect(() => several[name]).toThrow(
        "lens.logitLens: result: got a result for 2 prompts; expected a result for one. Say which with result.prompt(i).",
      );
    expect(() => several.prompt(2)).toThrow(
      "lens.logitLens: result.prompt: got 2; expected a whole number from 0 to 1. Count prompts from 0.",
    );
    const one = await lens.logitLens(model, prompt);
    expect(one.kl).toBe(one.prompt(0).kl);
  });

  it("of unknown statistics", async () => {
    const result = await lens.logitLens(model, prompt);
    // @ts-expect-error a name that does not exist
    expect(() => result.mean("entropi")).toThrow(
      'lens.logitLens: result.mean: got "entropi"; expected one of probability, kl, reverseKl, entropy, rank, targetProbability, overlap. Correct the name. Nearest: "entropy", "rank", "overlap".',
    );
    // @ts-expect-error a name that does not exist
    expect(() => result.toView({ of: "loss" })).toThrow(/result\.toView: got "loss"/);
  });
});

describe("results", () => {
  it("average over positions of all prompts, or their last ones", async () => {
    const result = await lens.logitLens(model, [prompt, [2, 7]]);
    const [a, b] = [result.prompt(0).kl, result.prompt(1).kl];
    const all = [...list(a.at({ layer: 0 })), ...list(b.at({ layer: 0 }))];
    expect(result.mean("kl")[0]).toBeCloseTo(all.reduce((s, x) => s + x, 0) / 8, 12);
    expect(result.mean("kl", { pos: "last" })[0]).toBeCloseTo(((all[5] ?? 0) + (all[7] ?? 0)) / 2, 12);
  });

  it("know where they come from", async () => {
    const { provenance } = await lens.logitLens(tiny.withPrecision("float64"), "We");
    expect(provenance).toEqual({
      model: "tiny",
      identity: expect.any(String) as string,
      edits: [],
      precision: "float64",
    });
  });

  it("draw one prompt as a table, last layer on top, with the top tokens behind each cell", async () => {
    const result = await lens.logitLens(tiny, "The President of the United States", { topK: 3 });
    const { spec } = result.toView();
    if (spec.view !== "heatmap") throw new Error(spec.view);
    expect(spec.y.labels).toEqual([...result.labels].reverse());
    expect(spec.x.labels).toEqual(result.tokens);
    expect(spec.details?.labels[0]?.at(-1)).toEqual(
      result.top
        .at(-1)
        ?.at(-1)
        ?.map(({ token }) => token),
    );
    expect(spec.unit).toBe("probability");
    const kl = result.toView({ of: "kl" }).spec;
    expect(kl.title).toBe("logit lens: KL(final ‖ layer)");
  });

  it("cut long prompts to their end, and say so", async () => {
    const result = await lens.logitLens(tiny, "the people of the United States and ".repeat(5));
    const { spec } = result.toView();
    if (spec.view !== "heatmap") throw new Error(spec.view);
    expect(spec.x.labels).toEqual(result.tokens.slice(-24));
    expect(spec.note).toContain(`the last 24 of ${result.tokens.length} positions`);
  });

  it("draw several prompts as means by layer, or one of them", async () => {
    const result = await lens.logitLens(model, [prompt, [2, 7]]);
    expect(result.toView().spec.view).toBe("lines");
    expect(result.toView({ prompt: 1 }).spec.view).toBe("heatmap");
  });

  it("print themselves", async () => {
    const positions = tiny.toStrTokens("The President of the").length;
    const text = String(await lens.logitLens(tiny, "The President of the"));
    expect(text.split("\n")[0]).toBe(
      `logit lens of "tiny": ${tiny.config.nLayers + 1} layers, 1 prompt, ${positions} positions`,
    );
    expect(text).toMatch(/\n {2}embed +KL to final \d+\.\d{3} {2}entropy \d+\.\d{3} {2}top-5 overlap \d\.\d\d {2}→ "/);
    expect(text).toMatch(/_post +KL to final 0\.000 .*overlap 1\.00/);
  });
});
