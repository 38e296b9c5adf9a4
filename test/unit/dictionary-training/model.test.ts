/** Activations from a model while training: the right tokens, the right values, bounded reads. */
import { describe, expect, test } from "vitest";
import { data } from "../../../src/data/index.js";
import { trainDictionaries, trainDictionary, trainDictionaryOn } from "../../../src/dictionary/index.js";
import { modelSource } from "../../../src/dictionary/training/model-source.js";
import { shardSource } from "../../../src/dictionary/training/shard-source.js";
import { at, edit, loadModel, type Model, openShards, reduce } from "../../../src/model/index.js";
import { allWeights, numbersOf, refusal, scratch } from "./support.js";

const path = scratch();
const model: Model = await loadModel("tiny", { threads: 1 });
const texts = Array.from({ length: 12 }, (_, i) => `Story ${i}: the cat sat on mat number ${i * 7}, and it was red.`);
const residual = "blocks.1.hook_resid_post";
const written = "blocks.1.hook_mlp_out";
const source = (more: object = {}) =>
  modelSource(model, texts, { hooks: [residual, written], seed: 0, enough: 1e6, contextLength: 16, ...more });
const spec = { from: at.residPost(1), architecture: "topk", k: 2, width: 32 } as const;
const quick = { steps: 3, batch: 16, contextLength: 16, threads: 1 } as const;

describe("activations of a model", () => {
  test("are those of model.run at the tokens that count, several hook points at once", async () => {
    const { tokenizer } = model;
    const own = await source({ runTokens: 32 });
    const pieces = [3, 0, 5].map((unit) => ({ unit, from: 2, to: 11 }));
    const vectors = await own.read(pieces, {});
    const ids = texts.flatMap((text) => {
      const ends = tokenizer.prependsBos || tokenizer.eosId === undefined ? [] : [tokenizer.eosId];
      return [...tokenizer.encode(text).ids, ...ends];
    });
    for (const [i, { unit, from, to }] of pieces.entries()) {
      const row = ids.slice(16 * unit, 16 * unit + 16);
      const counted = row.flatMap((id, pos) => (tokenizer.isSpecial(id) ? [] : [pos])).slice(from, to);
      const run = await model.run(row, { capture: [residual, written] });
      for (const hook of [residual, written]) {
        const width = 192;
        const whole = numbersOf(run.cache.get(hook));
        const wanted = counted.flatMap((pos) => whole.slice(pos * width, (pos + 1) * width));
        const got = Array.from(vectors.get(hook)?.subarray(9 * i * width, 9 * (i + 1) * width) ?? []);
        expect(wanted).toHaveLength(9 * width);
        const worst = Math.max(...got.map((value, at) => Math.abs(value - (wanted[at] ?? Number.NaN))));
        expect(worst).toBeLessThan(1e-4);
      }
    }
  });

  test("leave out control tokens, the first token, and named ids, and count what is left", async () => {
    const all = await source({ excludeSpecial: false });
    const some = await source();
    const sum = ({ unitTokens }: { readonly unitTokens: ArrayLike<number> }): number =>
      Array.from(unitTokens).reduce((a, b) => a + b, 0);
    expect(Array.from(all.unitTokens)).toEqual(new Array(all.unitTokens.length).fill(16));
    expect(sum(some)).toBeLessThan(sum(all));
    const later = await source({ excludeSpecial: false, excludeFirst: true });
    expect(sum(later)).toBe(sum(all) - all.unitTokens.length);
    const [{ unitTokens }] = [await source({ excludeTokens: [model.tokenizer.encode(" the").ids.at(-1) ?? 0] })];
    expect(sum({ unitTokens })).toBeLessThan(sum(some));
    expect((await later.read([{ unit: 0, from: 0, to: 15 }], {})).get(residual)).toHaveLength(15 * 192);
  });

  test("of a dataset are those of its packed rows, and no more text is read than needed", async () => {
    const dataset = data.text(texts);
    const packed = await modelSource(model, dataset, { hooks: [residual], seed: 1, enough: 40, contextLength: 16 });
    expect(packed.unitTokens.length).toBeLessThanOrEqual(4);
    const whole = await modelSource(model, dataset, { hooks: [residual], seed: 1, enough: 1e6, contextLength: 16 });
    expect(whole.unitTokens.length).toBeGreaterThan(8);
    expect(whole.about).not.toEqual(packed.about);
  });

  test("of rows that begin with the ends of two documents are read like any others", async () => {
    const end = model.tokenizer.eosId ?? 0;
    const row = [end, end, ...Array.from({ length: 14 }, (_, i) => 300 + i)];
    const documents = data.tokens([row, row, row, row]);
    const own = await modelSource(model, documents, { hooks: [residual], seed: 0, enough: 1e6, contextLength: 16 });
    const vectors = await own.read([{ unit: 0, from: 0, to: 5 }], {});
    expect(vectors.get(residual)).toHaveLength(5 * 192);
    const packed = documents.pack(model, { contextLength: 16, eos: false });
    const { mean } = await model.over(packed, { capture: residual, reduce: { mean: reduce.mean() } });
    expect(mean.get(residual).shape).toEqual([192]);
    // Given as a prompt, the same row is taken for a mistake.
    await expect(model.run([row])).rejects.toThrow("got the BOS token");
    await expect(model.run([row], { prependBos: false })).resolves.toBeDefined();
  });

  test("give equal dictionaries through shards on disk, whatever their size", async () => {
    const batches = data.text(texts).pack(model, { contextLength: 16 });
    const train = async (name: string, shardBytes: number) => {
      await model.over(batches, {
        capture: residual,
        excludeSpecial: true,
        shards: { folder: path(name), shardBytes, dtype: "float32" },
      });
      const run = await trainDictionaryOn(await openShards(path(name)), { ...quick, ...spec, from: residual });
      expect(run.dictionary.readHook).toBe(residual);
      return run;
    };
    const whole = await train("large", 2 ** 26);
    expect(whole.summary.bufferTokens).toBeGreaterThan(100);
    const again = await trainDictionaryOn(await openShards(path("large")), { ...quick, ...spec, from: residual });
    expect(allWeights(again.dictionary)).toEqual(allWeights(whole.dictionary));
    expect((await train("small", 192 * 4 * 20)).training.steps).toBe(3);
    const shards = await openShards(path("small"));
    const own = shardSource(shards, [residual]);
    const first = await own.read([{ unit: 1, from: 3, to: 5 }], {});
    const shard = await shards.shard(1);
    expect(Array.from(first.get(residual) ?? [])).toEqual(numbersOf(await shard.get(residual)).slice(3 * 192, 5 * 192));
    expect(await refusal(() => shardSource(shards, [written]))).toContain("which was not written");
  });
});

describe("trainDictionary on a model", () => {
  test("makes an SAE and a transcoder that know their model, and splice into it", async () => {
    const { dictionary } = await trainDictionary(model, texts, { ...quick, ...spec });
    expect(dictionary.config).toMatchObject({
      readHook: residual,
      writeHook: residual,
      contextSize: 16,
      model: { name: model.id },
    });
    const run = await model.with(dictionary.splice()).run(texts[0] ?? "", { capture: dictionary.hooks.actsPost });
    expect(run.cache.get(dictionary.hooks.actsPost).shape.at(-1)).toBe(32);
    const transcoder = await trainDictionary(model, data.text(texts), {
      ...quick,
      ...spec,
      from: "blocks.1.ln2.hook_normalized",
      to: at.mlpOut(1),
      hasSkip: true,
    });
    expect(transcoder.dictionary.kind).toBe("skip_transcoder");
  });

  test("trains one for each layer on one pass, a set, with held-out numbers", async () => {
    const specs = [0, 1, 2].map((layer) => ({ ...spec, from: at.residPost(layer) }));
    const heldOut = {
      data: ["A text that was kept aside for measuring, long enough for a batch of tokens. ".repeat(9)],
      every: 1,
    };
    const run = await trainDictionaries(model, texts, specs, { ...quick, heldOut });
    expect(run.set("residual").layers).toEqual([0, 1, 2]);
    const row = run.training.metrics.rows()[0] ?? {};
    for (const key of ["heldOutLoss", "resid_post.2/heldOutFvu", "resid_post.0/heldOutL0", "resid_post.1/fvu"])
      expect(Object.keys(row)).toContain(key);
    expect((row as Record<string, number>)["resid_post.1/heldOutL0"]).toBeCloseTo(2, 5);
  });

  test("says how far it is: texts, activations, steps", async () => {
    const labels = new Set<string>();
    await trainDictionary(model, texts, { ...quick, ...spec, onProgress: ({ label }) => labels.add(label) });
    expect([...labels]).toEqual(["read texts", "harvest activations", "train"]);
    const stopped = { ...quick, ...spec, signal: AbortSignal.abort() };
    expect(await refusal(() => trainDictionary(model, texts, stopped))).toContain("aborted");
  });

  test("refuses hook points and texts that do not fit", async () => {
    const on = (more: object, on: Model = model): Promise<string> =>
      refusal(() => trainDictionary(on, texts, { ...quick, ...spec, ...more }));
    expect(await on({ from: "blocks.1.hook_residpost" })).toContain("blocks.1.hook_resid_post");
    expect(await on({ from: "blocks.77.hook_resid_post" })).toContain("trainDictionary: from");
    expect(await on({ to: at.residPost("all") })).toContain("which means 6 hook points");
    expect(await on({ from: "blocks.1.attn.hook_pattern" })).toContain("one vector for each token");
    expect(await on({ contextLength: 1 })).toContain("trainDictionary: contextLength: got 1");
    expect(await on({ bufferTokens: 100_000 })).toContain("trainDictionary: bufferTokens: got 100000 tokens, of data");
    expect(await on({ batch: 4096 })).toContain("trainDictionary: batch: got 4096 tokens, of data with");
    expect(await refusal(() => trainDictionary(model, ["short"], { ...quick, ...spec }))).toContain(
      "got not one whole row of tokens",
    );
    const huge = edit.add(at.residPost(1), 3e38);
    const broken = model.with(huge, huge);
    expect(await on({}, broken)).toMatch(
      /activations of blocks\.1\.hook_resid_post, token id \d+ at position \d+ of a row: got Infinity in dimension 0/,
    );
  });
});
