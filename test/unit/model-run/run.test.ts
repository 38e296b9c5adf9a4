/** Loss, TransformerLens's names, plans and test prompts. */
import { afterAll, describe, expect, it } from "vitest";
import { at, edit, loadModel, type Model } from "../../../src/model/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { architectureNames, fixture } from "../../helpers/fixtures.js";
import { expectSame, numbers } from "../../property/model-support.js";

const models = new Map<string, Promise<Model>>();
afterAll(async () => {
  for (const model of models.values()) await (await model).close();
});

function open(name: string): Promise<Model> {
  const model = models.get(name) ?? loadModel(name === "tiny" ? name : fixture("architectures", name));
  models.set(name, model);
  return model;
}

const rows = [
  [3, 1, 4, 1, 5],
  [9, 2, 6, 5, 3],
];

/** `−log softmax(logits)[label]` by its definition. */
function nats(logits: readonly number[], label: number): number {
  const top = Math.max(...logits);
  return Math.log(logits.reduce((sum, x) => sum + Math.exp(x - top), 0)) + top - (logits[label] ?? Number.NaN);
}

describe("loss", () => {
  it.each<[string, number[][] | undefined]>([
    ["every token", undefined],
    [
      "left padding",
      [
        [1, 1, 1, 1, 1],
        [0, 0, 1, 1, 1],
      ],
    ],
    [
      "right padding",
      [
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
      ],
    ],
  ])("counts steps whose token and next token are real: %s", async (_name, attentionMask) => {
    for (const name of ["gpt2", "gemma2"]) {
      const model = await open(name);
      const run = await model.run(
        { tokens: rows, ...(attentionMask === undefined ? {} : { attentionMask }) },
        { loss: true },
      );
      const expected = rows.map((row, r) =>
        row.slice(0, -1).map((_, p) => {
          const isCounted =
            attentionMask === undefined || (attentionMask[r]?.[p] === 1 && attentionMask[r]?.[p + 1] === 1);
          return isCounted ? nats(numbers(run.logits.at({ batch: r, pos: p })), row[p + 1] ?? -1) : 0;
        }),
      );
      expect(run.lossPerToken.shape).toEqual([2, 4]);
      expected.flat().forEach((value, i) => {
        expect(numbers(run.lossPerToken as Tensor)[i]).toBeCloseTo(value, 5);
      });
      const counted = expected.flat().filter((value) => value !== 0);
      expect(run.loss).toBeCloseTo(counted.reduce((a, b) => a + b, 0) / counted.length, 5);
    }
  });

  it("needs no logits to be returned and sees edits", async () => {
    const model = await open("gpt2");
    const whole = await model.run(rows, { loss: true });
    for (const logits of ["none", "last"] as const) {
      const run = await model.run(rows, { loss: true, logits });
      expect(run.loss).toBe(whole.loss);
      if (logits === "last") expectSame(run.logits, whole.logits.at({ pos: [4] }), "last logits");
    }
    expect((await model.with(edit.zero("z")).run(rows, { loss: true })).loss).not.toBe(whole.loss);
  });
});

describe("TransformerLens's names", () => {
  it("runWithCache keeps everything, or what a filter names", async () => {
    const model = await open("gpt2");
    const { logits, cache } = await model.runWithCache(rows);
    expect(cache.keys()).toEqual(model.hookNames());
    expect(logits.shape).toEqual([2, 5, 29]);
    expect((await model.runWithCache(rows, "blocks.*.hook_resid_post")).cache.keys()).toEqual([
      "blocks.0.hook_resid_post",
      "blocks.1.hook_resid_post",
    ]);
    expect((await model.runWithCache(rows, /ln_final/)).cache.size).toBe(2);
    expect((await model.runWithCache(rows, ["q1", "pattern", at.embed()])).cache.keys()).toEqual([
      "hook_embed",
      "blocks.0.attn.hook_pattern",
      "blocks.1.attn.hook_q",
      "blocks.1.attn.hook_pattern",
    ]);
  });

  it("runWithHooks applies functions in the order given and attaches nothing", async () => {
    const model = await open("gpt2");
    const before = await model.run(rows);
    const logits = await model.runWithHooks(rows, [
      [at.mlpOut(0), (x) => x.add(1)],
      ["blocks.0.hook_mlp_out", (x) => x.mul(0)],
    ]);
    const zeroed = await model.with(edit.callback(at.mlpOut(0), (x) => x.mul(0))).run(rows);
    expectSame(logits, zeroed.logits, "logits");
    expectSame((await model.run(rows)).logits, before.logits, "the model itself");
  });

  it("toTokens, toStrTokens, toString and toSingleToken agree with the tokenizer", async () => {
    const model = await open("tiny");
    const text = "The ship came home.";
    const tokens = model.toTokens(text);
    expect(tokens.axes).toEqual(["batch", "pos"]);
    expect([...tokens.data]).toEqual([...model.tokenizer.encode(text).ids]);
    const pieces = model.toStrTokens(text);
    expect(pieces.length).toBe(tokens.shape[1]);
    expect(pieces.join("")).toContain(text);
    const plain = model.toTokens(text, { prependBos: false });
    expect(model.toString(plain.data)).toBe(text);
    for (const id of plain.data) expect(model.toSingleToken(model.tokenizer.piece(id))).toBe(id);
    expect(() => model.toSingleToken("the ship came home")).toThrow(/token/);
    expect(model.toTokens([text, "A"], { padding: "left" }).shape).toEqual([2, tokens.shape[1]]);
    expect(() => model.toStrTokens([text, "A"])).toThrow(
      "model.toStrTokens: got 2 rows; expected one prompt. Call it once per prompt.",
    );
    expect(String(model)).toMatch(/^Model "tiny"/);
  });
});

describe("explain", () => {
  it("tells bytes, work and what each edit reaches before anything runs", async () => {
    const model = (await open("gpt2")).with(edit.zero(at.z(1), { head: 0 }), edit.add(at.residPre(0), 1));
    const options = { capture: ["resid_post", "pattern1"], logits: "last" } as const;
    const plan = model.explain(rows, options);
    const run = await model.run(rows, options);
    expect(plan.captures.map(({ name, axes, shape, bytes }) => [name, axes, shape, bytes])).toEqual(
      run.cache.entries().map(([name, value]) => [name, value.axes, value.shape, value.data.byteLength]),
    );
    expect(plan.resultBytes).toBeGreaterThanOrEqual(run.cache.bytes + run.logits.data.byteLength);
    expect(plan.resultBytes).toBeLessThan(run.cache.bytes + run.logits.data.byteLength + 100);
    expect(plan.edits).toEqual([
      {
        name: "add",
        hook: "blocks.0.hook_resid_pre",
        reaches: ["blocks.0.hook_resid_post", "blocks.1.attn.hook_pattern", "blocks.1.hook_resid_post", "logits"],
      },
      { name: "zero", hook: "blocks.1.attn.hook_z", reaches: ["blocks.1.hook_resid_post", "logits"] },
    ]);
    expect(plan.segments).toBe(run.receipt.segments);
    expect(plan.layers).toEqual([0, 1]);
    expect(plan.flops).toBeGreaterThan(2 * 10 * 2 * 12 * 15 * 15);
    expect(String(plan)).toMatch(/Plan: batch 2 × 5 tokens through 2 layers.*\n.*GFLOP/);
  });

  it("shows that less is computed when less is asked", async () => {
    const model = await open("gpt2");
    const flops = (options: Parameters<Model["explain"]>[1]): number => model.explain(rows, options).flops;
    const first = flops({ capture: "blocks.0.hook_resid_post", logits: "none" });
    const last = flops({ capture: "blocks.1.hook_resid_post", logits: "none" });
    expect(last / first).toBeGreaterThan(1.8);
    expect(flops({ logits: "last" })).toBeLessThan(flops({}));
    expect(last).toBeLessThan(flops({ logits: "last" }));
  });

  it("refuses what the run would refuse", async () => {
    const model = await open("gpt2");
    expect(() => model.explain(rows, { capture: "nothing.like.this" })).toThrow(/matches nothing/);
    expect(() => model.with(edit.zero(at.z(1))).explain(rows, { capture: "z0", logits: "none" })).toThrow(
      /cannot change/,
    );
  });

  it("counts the weights that a run reads, all of them for a whole run", async () => {
    for (const name of architectureNames.slice(0, 3)) {
      const model = await open(name);
      const { weightBytes } = model.explain(rows);
      const stored = [...model.view.core.tensors.entries()].filter(
        ([key]) => !/bias$|mask/.test(key) || /\.(weight|bias)$/.test(key),
      );
      expect(weightBytes).toBeLessThanOrEqual(stored.reduce((sum, [, { length }]) => sum + length, 0));
      expect(weightBytes).toBeGreaterThan(0.8 * stored.reduce((sum, [, { length }]) => sum + length, 0));
    }
  });
});

describe("testPrompt", () => {
  it("ranks each token of each answer among the next tokens, as the logits say", async () => {
    const model = await open("tiny");
    const prompt = "The captain of the";
    const result = await model.testPrompt(prompt, ["ship", " unforeseeable"], { topK: 4 });
    expect(result.prompt).toEqual(model.toStrTokens(prompt));
    expect(result.answers.map(({ answer }) => answer)).toEqual([" ship", " unforeseeable"]);
    const { logits } = await model.run(prompt, { logits: "last" });
    const values = numbers(logits.at({ batch: 0, pos: 0 }));
    const order = values.map((_, id) => id).sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0));
    for (const { tokens } of result.answers) {
      const [first] = tokens;
      if (first === undefined) throw new Error("no token");
      expect(first.rank).toBe(order.indexOf(first.id));
      expect(first.logit).toBeCloseTo(values[first.id] ?? Number.NaN, 4);
      expect(-Math.log(first.probability)).toBeCloseTo(nats(values, first.id), 4);
      expect(first.top.map(({ id }) => id)).toEqual(order.slice(0, 4));
    }
    const long = result.answers[1];
    if (long === undefined) throw new Error("no answer");
    expect(long.tokens.length).toBeGreaterThan(1);
    expect(long.tokens.map(({ text }) => text).join("")).toBe(" unforeseeable");
    expect(long.logProbability).toBeCloseTo(
      long.tokens.reduce((sum, { probability }) => sum + Math.log(probability), 0),
      6,
    );
  });

  it("predicts later tokens of an answer from the earlier ones, and sees edits", async () => {
    const model = await open("tiny");
    const { answers } = await model.testPrompt("Once upon", "a time", { prependSpace: true });
    const ids = answers[0]?.tokens.map(({ id }) => id) ?? [];
    const run = await model.run([[...model.toTokens("Once upon").data, ...ids]], { loss: true });
    const last = numbers(run.lossPerToken).at(-1) ?? Number.NaN;
    expect(-Math.log(answers[0]?.tokens.at(-1)?.probability ?? 0)).toBeCloseTo(last, 4);
    const edited = await model.with(edit.zero("z")).testPrompt("Once upon", "a time");
    expect(edited.answers[0]?.logProbability).not.toBe(answers[0]?.logProbability);
  });

  it("prints itself", async () => {
    const text = String(await (await open("tiny")).testPrompt("The captain of the", "ship", { topK: 2 }));
    expect(text).toMatch(
      /^Prompt: .*" of" " the"\nNext tokens:\n {3}0 {2}".*" {2}[\d.]+ % {2}logit -?[\d.]+\n {3}1 .*\nAnswer " ship"/,
    );
    expect(text).toMatch(/\n {2}rank \d+ {2}/);
  });

  it("refuses what it cannot test", async () => {
    const model = await open("tiny");
    await expect(model.testPrompt("a", [])).rejects.toThrow(
      /^model\.testPrompt: got no answer, or an empty one; expected at least one token to look for\./,
    );
    await expect(model.testPrompt("a", "b", { topK: 0 })).rejects.toThrow(
      "model.testPrompt: got topK: 0; expected a positive integer.",
    );
    await expect(model.testPrompt("", "b", { prependBos: false })).rejects.toThrow(/got an empty prompt/);
    await expect((await open("gpt2")).testPrompt("a", "b")).rejects.toThrow(/got a model without a tokenizer/);
  });
});
