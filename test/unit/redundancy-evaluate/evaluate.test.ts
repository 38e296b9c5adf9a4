/** Models without parts, judged by plain loops over their logits. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { edit, loadModel, type Model } from "../../../src/model/index.js";
import {
  choiceAccuracy,
  evaluateParts,
  measureSpeed,
  type Part,
  partName,
  speedupDegradationRatio,
  withoutParts,
} from "../../../src/redundancy/index.js";
import { fixture } from "../../helpers/fixtures.js";

function rowsOf(model: Model): readonly (readonly number[])[] {
  const ids = (seed: number, length: number) =>
    Array.from({ length }, (_, i) => (seed * 31 + i * i * 7 + i * 3) % model.config.dVocab);
  return [ids(1, 12), ids(2, 12), ids(3, 7), ids(5, 12)];
}

function logProbs(logits: Float64Array): Float64Array {
  const top = Math.max(...logits);
  const total = Math.log(logits.reduce((sum, x) => sum + Math.exp(x - top), 0)) + top;
  return logits.map((x) => x - total);
}

/** Loss, KL and agreement of one row, from the logits of two runs. */
async function plain(full: Model, pruned: Model, row: readonly number[]) {
  const v = full.config.dVocabOut;
  const read = async (model: Model) => Float64Array.from((await model.run([row])).logits.data as Iterable<number>);
  const [a, b] = [await read(full), await read(pruned)];
  let [loss, kl, same] = [0, 0, 0];
  for (let p = 0; p + 1 < row.length; p++) {
    const [x, y] = [logProbs(a.subarray(p * v, (p + 1) * v)), logProbs(b.subarray(p * v, (p + 1) * v))];
    loss -= y[row[p + 1] ?? 0] ?? 0;
    for (let i = 0; i < v; i++) kl += Math.exp(x[i] ?? 0) * ((x[i] ?? 0) - (y[i] ?? 0));
    if (x.indexOf(Math.max(...x)) === y.indexOf(Math.max(...y))) same++;
  }
  const count = row.length - 1;
  return { loss: loss / count, kl: kl / count, same: same / count };
}

describe.each(["gpt2", "pythia", "gemma2", "llama-gqa-bias"])("on %s", (name) => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(fixture("architectures", name));
  });
  afterAll(() => model.close());

  it("gives loss, divergence and agreement of each sequence as plain loops over logits do", async () => {
    const sets: readonly (readonly Part[])[] = [
      [{ kind: "attention", layer: 1 }],
      [{ kind: "block", layer: 0 }],
      [
        { kind: "mlp", layer: 0 },
        { kind: "head", layer: 1, index: 1 },
      ],
    ];
    const rows = rowsOf(model);
    const { sets: found, full } = await evaluateParts(model, rows, sets);
    for (const [s, parts] of sets.entries())
      for (const [r, row] of rows.entries()) {
        const wanted = await plain(model, withoutParts(model, parts), row);
        const { loss, kl, agreement } = found[s]?.perSequence ?? full.perSequence;
        expect(loss[r]).toBeCloseTo(wanted.loss, 5);
        expect(kl[r]).toBeCloseTo(wanted.kl, 5);
        expect(agreement[r]).toBe(wanted.same);
      }
    expect(full.kl.value).toBe(0);
    expect(full.agreement.value).toBe(1);
  });

  it("leaves out a sublayer as writing zero does, and a block as not running it, bit for bit", async () => {
    const rows = rowsOf(model).slice(0, 2);
    const read = async (one: Model, layers?: readonly number[]) =>
      (await one.run(rows, layers === undefined ? {} : { layers })).logits.data;
    const attention = withoutParts(model, [{ kind: "attention", layer: 1 }]);
    expect(await read(attention)).toEqual(await read(model.with(edit.zero("blocks.1.hook_attn_out"))));
    const block = withoutParts(model, [{ kind: "block", layer: 0 }]);
    const kept = model.view.layers.filter((layer) => layer !== 0);
    expect(await read(block)).toEqual(await read(model, kept));
    const written = model.with(edit.zero("blocks.0.hook_attn_out"), edit.zero("blocks.0.hook_mlp_out"));
    expect(await read(block)).toEqual(await read(written));
  });
});

describe("on the embedded model", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel("tiny-2l");
  });
  afterAll(() => model.close());

  it("weights sequences by their tokens, holds values inside intervals, and prints itself", async () => {
    const rows = [...rowsOf(model), ...rowsOf(model).map((row) => [...row].reverse())];
    const result = await evaluateParts(model, rows, [[{ kind: "mlp", layer: 1 }], [{ kind: "attention", layer: 0 }]]);
    for (const { loss, increase, relative, perSequence } of result.sets) {
      const total = rows.reduce((sum, row, i) => sum + (perSequence.loss[i] ?? 0) * (row.length - 1), 0);
      expect(loss).toBeCloseTo(total / result.tokens, 10);
      expect(increase.value).toBeCloseTo(loss - result.full.loss, 10);
      expect(relative.value).toBeCloseTo(increase.value / result.full.loss, 10);
      expect(increase.low).toBeLessThanOrEqual(increase.value);
      expect(increase.high).toBeGreaterThanOrEqual(increase.value);
    }
    expect(String(result)).toContain("without blocks.1.mlp");
    expect(result.toView().spec.view).toBe("table");
  });

  it("survives the loss of every block", async () => {
    const all = [0, 1].map((layer): Part => ({ kind: "block", layer }));
    const { sets } = await evaluateParts(model, rowsOf(model), [all]);
    expect(sets[0]?.loss).toBeGreaterThan(1);
  });

  it("answers questions by the likeliest choice, of several tokens too", async () => {
    const choices = [" Paris is", " Berlin is"];
    const prompt = "The capital of France is";
    const scores: number[] = [];
    for (const choice of choices) {
      const before = [...model.toTokens(prompt).data];
      const ids = [...before, ...model.tokenizer.encode(choice, { prependBos: false }).ids];
      const { lossPerToken } = await model.run([ids], { loss: true });
      scores.push(-[...lossPerToken.data].slice(before.length - 1).reduce((a, b) => a + b, 0));
    }
    const best = scores.indexOf(Math.max(...scores));
    const ask = (answer: number) => choiceAccuracy(model, [{ prompt, choices, answer }]);
    expect([await ask(best), await ask(1 - best)]).toEqual([1, 0]);
  });

  it("measures both models in turns, and relates accuracy to speed", async () => {
    const { fullMs, prunedMs, speedup, runs } = await measureSpeed(model, rowsOf(model).slice(0, 2), [], { runs: 2 });
    expect([fullMs > 0, prunedMs > 0, runs]).toEqual([true, true, 2]);
    expect(speedup).toBeCloseTo(fullMs / prunedMs, 10);
    expect(speedupDegradationRatio({ before: 0.68, after: 0.66 }, 1.2)).toBeCloseTo(0.1, 10);
    expect(speedupDegradationRatio({ before: 0.6, after: 0.66 }, 1.2)).toBeLessThan(0);
    expect(speedupDegradationRatio({ before: 0.6, after: 0.66 }, 1)).toBeNaN();
  });

  it("names parts, and refuses rows and parts that the model does not have", async () => {
    expect(
      [
        { kind: "block" as const, layer: 3 },
        { kind: "attention" as const, layer: 3 },
        { kind: "mlp" as const, layer: 3 },
        { kind: "head" as const, layer: 3, index: 2 },
        { kind: "neuron" as const, layer: 3, index: 9 },
      ].map(partName),
    ).toEqual(["blocks.3", "blocks.3.attn", "blocks.3.mlp", "blocks.3.attn head 2", "blocks.3.mlp neuron 9"]);
    for (const bad of [
      { kind: "block", layer: 9 },
      { kind: "head", layer: 0 },
      { kind: "mlp", layer: 0, index: 1 },
    ] as const)
      expect(() => withoutParts(model, [bad])).toThrow("withoutParts: got");
    await expect(evaluateParts(model, [], [])).rejects.toThrow("got no rows");
    await expect(evaluateParts(model, [[1]], [])).rejects.toThrow("row 0: got 1 tokens");
    await expect(evaluateParts(model, [[1, 999_999]], [])).rejects.toThrow("got the token id 999999");
    await expect(choiceAccuracy(model, [])).rejects.toThrow("got no questions");
    await expect(choiceAccuracy(model, [{ prompt: "a", choices: ["b"], answer: 0 }])).rejects.toThrow(
      "question 0 with 1",
    );
    await expect(measureSpeed(model, [[1, 2]], [], { runs: 0 })).rejects.toThrow("measureSpeed: runs");
    const late = model.with(edit.scale("ln_final.hook_normalized", 2));
    await expect(evaluateParts(late, rowsOf(model), [])).rejects.toThrow("edit.scale behind the last layer");
    const stopped = AbortSignal.abort();
    await expect(evaluateParts(model, rowsOf(model), [], { signal: stopped })).rejects.toThrow("aborted");
  });
});
