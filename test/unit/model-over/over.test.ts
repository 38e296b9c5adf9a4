/** Statistics over data against naive sums over single runs of a trained model. */
import { inspect } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { data } from "../../../src/data/index.js";
import { at, edit, type Model, type ModelInput } from "../../../src/model/index.js";
import { type OverProgress, overModel, reduce } from "../../../src/model/over/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { refusal } from "../data/support.js";
import { hasModel, numbersOf, packedStories, rowsOf, scratch, stories, storyModel, vectorsOf } from "./support.js";

const model = storyModel();
const path = scratch();
const resid = "blocks.2.hook_resid_post";

const meanOf = (vectors: readonly (readonly number[])[]): number[] =>
  (vectors[0] ?? []).map((_, i) => vectors.reduce((sum, vector) => sum + (vector[i] ?? 0), 0) / vectors.length);

function expectNear(actual: Tensor, expected: readonly number[], tolerance: number): void {
  expect(actual.size).toBe(expected.length);
  const worst = numbersOf(actual).reduce((most, x, i) => Math.max(most, Math.abs(x - (expected[i] ?? Number.NaN))), 0);
  expect(worst).toBeLessThanOrEqual(tolerance * Math.max(1, ...expected.map(Math.abs)));
}

describe.runIf(hasModel)("statistics over data", () => {
  it("are those of all real tokens, however they lie in batches", async () => {
    const batches = packedStories(model());
    const vectors = await vectorsOf(model(), await rowsOf(batches), resid);
    const result = await overModel(model().view, batches, {
      capture: [resid, at.z(1)],
      reduce: { mean: reduce.mean(), spread: reduce.covariance(), top: reduce.topk(2) },
    });
    const mean = meanOf(vectors);
    expectNear(result.mean.get(resid), mean, 1e-5);
    const covariance = mean.flatMap((mi, i) =>
      mean.map(
        (mj, j) => vectors.reduce((sum, v) => sum + ((v[i] ?? 0) - mi) * ((v[j] ?? 0) - mj), 0) / vectors.length,
      ),
    );
    expectNear(result.spread.get("resid_post", 2), covariance, 1e-5);
    expectNear(
      result.top.get(resid).values.at({ rank: 0 }),
      mean.map((_, i) => Math.max(...vectors.map((v) => v[i] ?? 0))),
      1e-5,
    );
    expect(result.hooks).toEqual(["blocks.1.attn.hook_z", resid]);
    expect(result.mean.get(at.z(1)).axes).toEqual(["head", "dHead"]);
    expect([result.tokens, result.rows, result.batches]).toEqual([vectors.length, 6, 3]);
  });

  it("are the same for padded, left-padded and single rows", async () => {
    const dataset = data.text(stories);
    const inputs: readonly (AsyncIterable<ModelInput> | Iterable<ModelInput>)[] = [
      dataset.pad(model(), { batchTokens: 64 }),
      dataset.pad(model(), { batchTokens: 64, side: "left" }),
      stories,
      dataset.pad(model(), { batchTokens: 32, sortByLength: true }),
    ];
    const results = [];
    for (const one of inputs)
      results.push(
        await overModel(model().view, one, { capture: resid, reduce: { m: reduce.mean(), v: reduce.variance() } }),
      );
    const [first, ...others] = results;
    for (const other of others) {
      expect(other.tokens).toBe(first?.tokens);
      expectNear(other.m.get(resid), numbersOf(first?.m.get(resid) as Tensor), 2e-5);
      expectNear(other.v.get(resid), numbersOf(first?.v.get(resid) as Tensor), 2e-5);
    }
  });

  it("include the loss, weighted by steps", async () => {
    const { loss, lossSteps } = await overModel(model().view, data.text(stories).pad(model(), { batchTokens: 64 }), {
      loss: true,
    });
    let [sum, steps] = [0, 0];
    for (const story of stories) {
      const run = await model().run(story, { loss: true });
      const count = run.tokens.sizeOf("pos") - 1;
      sum += run.loss * count;
      steps += count;
    }
    expect(lossSteps).toBe(steps);
    expect(loss).toBeCloseTo(sum / steps, 5);
  });

  it("take the logits as one more hook point", async () => {
    const result = await overModel(model().view, [stories[1] ?? ""], { logits: true, reduce: { top: reduce.mean() } });
    const { logits } = await model().run(stories[1] ?? "");
    expect(result.hooks).toEqual(["logits"]);
    expectNear(result.top.get("logits"), numbersOf(logits.at({ batch: 0 }).mean("pos")), 1e-5);
  });

  it("leave out first tokens, ids and control tokens on request", async () => {
    const rows = await rowsOf(packedStories(model()));
    const vectors = await vectorsOf(model(), rows, resid);
    const flat = rows.flatMap((row) => row.map((id, p) => ({ id, p })));
    const cases = [
      [{ excludeFirst: true }, flat.map(({ p }) => p > 0)],
      [{ excludeSpecial: true }, flat.map(({ id }) => id > 2)],
      [{ excludeTokens: [flat[3]?.id ?? 0], excludeFirst: true }, flat.map(({ id, p }) => p > 0 && id !== flat[3]?.id)],
    ] as const;
    for (const [options, kept] of cases) {
      const result = await overModel(model().view, packedStories(model()), {
        capture: resid,
        reduce: reduce.mean(),
        ...options,
      });
      const expected = vectors.filter((_, i) => kept[i]);
      expect(result.tokens).toBe(expected.length);
      expectNear(result.mean.get(resid), meanOf(expected), 1e-5);
    }
  });

  it("stop after exactly the number of tokens that is asked for", async () => {
    const vectors = await vectorsOf(model(), await rowsOf(packedStories(model())), resid);
    const seen: OverProgress[] = [];
    const options = {
      capture: resid,
      reduce: reduce.mean(),
      maxTokens: 40,
      onProgress: (event: OverProgress) => seen.push(event),
    };
    const result = await overModel(model().view, packedStories(model()), options);
    expect([result.tokens, result.batches]).toEqual([40, 2]);
    expectNear(result.mean.get(resid), meanOf(vectors.slice(0, 40)), 1e-5);
    expect(seen.map(({ done, total, batches }) => [done, total, batches])).toEqual([
      [32, 40, 1],
      [40, 40, 2],
    ]);
    expect(seen.every(({ tokensPerSecond }) => tokensPerSecond > 0)).toBe(true);
  });

  it("give every document a row of its own when a dataset comes as it is", async () => {
    const dataset = data.text(stories);
    const direct = await overModel(model().view, dataset, { capture: resid, reduce: reduce.mean(), batchTokens: 48 });
    const padded = dataset.pad(model(), { batchTokens: 48, long: "split" });
    const expected = await overModel(model().view, padded, { capture: resid, reduce: reduce.mean() });
    expect(direct.provenance).toEqual(expected.provenance);
    expect(direct.mean.get(resid).equals(expected.mean.get(resid))).toBe(true);
  });

  it("serve mean ablation as they are", async () => {
    const { mean } = await overModel(model().view, packedStories(model()), {
      capture: [resid, at.z(1)],
      reduce: reduce.mean(),
    });
    const ablated = model().with(edit.mean([resid, at.z(1)], mean));
    const { cache } = await ablated.run("One day", { capture: [resid, at.z(1)] });
    for (const hook of [resid, "blocks.1.attn.hook_z"])
      expectNear(cache.get(hook).at({ batch: 0, pos: 1 }), numbersOf(mean.get(hook)), 1e-6);
  });

  it("are those of the edited model", async () => {
    const zeroed = model().with(edit.zero(at.z(1)));
    const { mean, provenance } = await overModel(zeroed.view, ["One day"], { capture: at.z(1), reduce: reduce.mean() });
    expect(numbersOf(mean.get("z", 1)).every((x) => x === 0)).toBe(true);
    expect(provenance.edits).toEqual(["zero"]);
  });

  it("cover patterns of rows of one length, one key per slot", async () => {
    const batches = packedStories(model());
    const hook = "blocks.0.attn.hook_pattern";
    const { mean } = await overModel(model().view, batches, { capture: hook, reduce: reduce.mean() });
    expect([mean.get(hook).axes, mean.get(hook).shape]).toEqual([
      ["head", "keyPos"],
      [8, 16],
    ]);
    expectNear(mean.get(hook).sum("keyPos"), new Array<number>(8).fill(1), 1e-5);
  });

  it("accept generators of token rows, and inputs field by field", async () => {
    function* rows(): Generator<ModelInput> {
      yield [1, 403, 407];
      yield { tokens: [[1, 403, 0]], attentionMask: [[1, 1, 0]] };
    }
    const result = await overModel(model().view, rows(), { capture: resid, reduce: reduce.mean() });
    expect([result.tokens, result.rows, result.batches]).toEqual([5, 2, 2]);
  });

  it("state memory and provenance, and print themselves", async () => {
    const result = await overModel(model().view, packedStories(model()), { capture: resid, reduce: reduce.mean() });
    // Two rows of 16 tokens of 64 floats, and one check per layer and before them.
    expect(result.memory.batch).toBeGreaterThanOrEqual(2 * 16 * 64 * 4);
    expect(result.memory.total).toBe(2 * result.memory.batch + result.memory.state);
    expect(result.memory.state).toBe(64 * 8);
    expect(result.provenance).toMatchObject({ precision: "float32", edits: [] });
    expect(result.provenance.dataHash).toMatch(/^[0-9a-f]{64}$/);
    expect(inspect(result.mean)).toBe(`mean of 1 hook points: ${resid}`);
    expect(result.mean.has(resid) && result.mean.size === 1 && result.mean.entries().length === 1).toBe(true);
    expect((await refusal(() => result.mean.get("resid_post", 1), "HOOK_NOT_FOUND")).message).toBe(
      `mean.get: got "blocks.1.hook_resid_post", which was not captured; expected a captured hook point; nearest: ${resid}. Add "blocks.1.hook_resid_post" to capture.`,
    );
  });
});

describe.runIf(hasModel)("a run over data that was stopped", () => {
  const all = {
    mean: reduce.mean(),
    covariance: reduce.covariance(),
    norm: reduce.norm(),
    top: reduce.topk(3),
    quantiles: reduce.quantiles([0.5]),
    byPosition: reduce.meanByPosition(),
  };
  const capture = [resid, at.z(1)];

  async function* failingAfter(count: number): AsyncGenerator<ModelInput> {
    let batches = 0;
    for await (const batch of packedStories(model())) {
      if (batches++ === count) throw new Error("stopped");
      yield batch;
    }
  }

  it.each([1, 2])("after %i batches continues with the same bits and runs only the rest", async (stoppedAfter) => {
    const checkpoint = { path: path(`stopped-${stoppedAfter}.safetensors`), everyBatches: 1 };
    const unbroken = await overModel(model().view, packedStories(model()), { capture, reduce: all, loss: true });
    const stopped = overModel(model().view, failingAfter(stoppedAfter), {
      capture,
      reduce: all,
      loss: true,
      checkpoint,
    });
    await expect(stopped).rejects.toThrow("stopped");
    const ran: number[] = [];
    const options = {
      capture,
      reduce: all,
      loss: true,
      checkpoint,
      onProgress: ({ batches }: OverProgress) => ran.push(batches),
    };
    const continued = await overModel(model().view, packedStories(model()), options);
    // The batch before the failing one may have been running when it failed.
    expect(ran.length).toBeLessThanOrEqual(4 - stoppedAfter);
    expect(ran.at(-1)).toBe(3);
    expect({ ...continued, memory: 0 }).toEqual({ ...unbroken, memory: 0 });
    const again = await overModel(model().view, packedStories(model()), {
      ...options,
      onProgress: () => expect.unreachable(),
    });
    expect(again.mean.get(resid).equals(unbroken.mean.get(resid))).toBe(true);
  });

  it("is not continued with other settings, other data or less data", async () => {
    const checkpoint = path("kept.safetensors");
    const run = (inputs: Iterable<ModelInput>, more: object = {}) =>
      overModel(model().view, inputs, { capture: resid, reduce: reduce.mean(), checkpoint, ...more });
    await run(["One day", "Tom had a red ball."]);
    expect((await refusal(run(["One day"], { excludeFirst: true }), "INPUT")).message).toBe(
      `model.over: checkpoint ${checkpoint}: got a run with other settings (excludeFirst was absent and is true); expected the settings of the run that it belongs to. Use another path, or delete the checkpoint to begin again.`,
    );
    const otherEdit = overModel(model().with(edit.scale(resid, 2)).view, ["One day"], {
      capture: resid,
      reduce: reduce.mean(),
      checkpoint,
    });
    expect((await refusal(otherEdit, "INPUT")).message).toContain("edits was [] and is");
    for (const inputs of [["One day", "Tom had a big ball."], ["One day"]])
      expect((await refusal(run(inputs), "INPUT")).message).toBe(
        `model.over: checkpoint ${checkpoint}: got other data in its first 2 batches; expected the same batches as in the run that it belongs to. Give the same data in the same order and batch size, or delete the checkpoint to begin again.`,
      );
    const more = await run(["One day", "Tom had a red ball.", "He was sad"]);
    expect(more.batches).toBe(3);
  });
});

describe.runIf(hasModel)("an aborted run over data", () => {
  it("ends before its first batch while the data are still being read", async () => {
    const controller = new AbortController();
    let read = 0;
    const slow = data.text(stories).map((document) => {
      if (++read === 2) controller.abort();
      return document;
    });
    const batches = slow.pack(model(), { contextLength: 512 });
    const options = { capture: resid, reduce: reduce.mean(), signal: controller.signal };
    await refusal(overModel(model().view, batches, options), "ABORTED");
    expect(read).toBe(2);
  });

  it("ends within a batch and leaves the engine usable", async () => {
    const controller = new AbortController();
    const options = {
      capture: resid,
      reduce: reduce.mean(),
      signal: controller.signal,
      onProgress: () => controller.abort(),
    };
    await refusal(overModel(model().view, packedStories(model()), options), "ABORTED");
    expect((await model().run("One day")).tokens.sizeOf("pos")).toBeGreaterThan(1);
  });
});

describe.runIf(hasModel)("a run over data refuses", () => {
  afterEach(async () => {
    await model().run("One day");
  });

  const mean = { capture: resid, reduce: reduce.mean() };
  const run = (inputs: unknown, options: object): Promise<unknown> =>
    overModel(model().view, inputs as Iterable<ModelInput>, options as { loss: true });

  it.each<[string, () => unknown, "HOOK_NOT_FOUND" | "INPUT" | "MEMORY" | "SHAPE" | "TOKEN", string]>([
    [
      "a single text",
      () => run("One day", mean),
      "INPUT",
      "model.over: inputs: got one text; expected a dataset, batches, or a list of inputs. Put a single input into a list, or run it with model.run.",
    ],
    [
      "a single input of fields",
      () => run({ tokens: [1] }, mean),
      "INPUT",
      "got one object that cannot be iterated over",
    ],
    [
      "a row of ids",
      () => run([1, 2], mean),
      "INPUT",
      "model.over: inputs: got a list of numbers; expected a list of inputs, each a batch or a row of token ids. Wrap one row in a list",
    ],
    ["nothing", () => run([], mean), "INPUT", "model.over: inputs: got no inputs; expected at least one."],
    [
      "a size for batches that are made",
      () => run(["a"], { ...mean, batchTokens: 8 }),
      "INPUT",
      "model.over: batchTokens: got a size for batches that are made already; expected batchTokens with a dataset of documents only. Say it where the batches are made: dataset.pack(model, { batchTokens }).",
    ],
    [
      "no tokens to count",
      () => run([[1]], { ...mean, excludeFirst: true }),
      "INPUT",
      "model.over: got no counted tokens in 1 rows; expected at least one. Check excludeFirst, excludeTokens and excludeSpecial against the data.",
    ],
    [
      "half a token",
      () => run(["a"], { ...mean, maxTokens: 0.5 }),
      "INPUT",
      "model.over: maxTokens: got 0.5; expected a whole number of tokens, at least 1. Leave it out to read all data.",
    ],
    [
      "no question",
      () => run(["a"], {}),
      "INPUT",
      "model.over: got neither reduce, shards nor loss; expected capture (or logits) with either reduce or shards; or loss alone.",
    ],
    ["two questions", () => run(["a"], { ...mean, shards: "x" }), "INPUT", "model.over: got both reduce and shards"],
    [
      "a statistic of nothing",
      () => run(["a"], { reduce: reduce.mean() }),
      "INPUT",
      "model.over: got no hook points to read",
    ],
    [
      "hook points for nothing",
      () => run(["a"], { capture: resid, loss: true }),
      "INPUT",
      "model.over: got hook points to capture and nothing to do with them",
    ],
    [
      "the loss while writing",
      () => run(["a"], { capture: resid, shards: "x", loss: true }),
      "INPUT",
      "model.over: got loss or checkpoint together with shards",
    ],
    [
      "a statistic named like a count",
      () => run(["a"], { capture: resid, reduce: { tokens: reduce.mean() } }),
      "INPUT",
      'model.over: reduce: got a statistic named "tokens"; expected a name without "/" that is none of tokens, rows',
    ],
    [
      "an unknown hook point",
      () => run(["a"], { ...mean, capture: "blocks.9.hook_resid_post" }),
      "HOOK_NOT_FOUND",
      "blocks.9.hook_resid_post",
    ],
    [
      "token ids as activations",
      () => run(["a"], { ...mean, capture: "hook_tokens" }),
      "SHAPE",
      "model.over: hook_tokens",
    ],
    [
      "more memory than allowed",
      () => run(["One day"], { ...mean, memoryLimit: 1000 }),
      "MEMORY",
      "expected at most 1.00 kB (memoryLimit). Make batches smaller with batchTokens, or capture fewer hook points at a time.",
    ],
    [
      "statistics beyond the memory",
      () => run(["One day"], { capture: resid, reduce: reduce.covariance(), memoryLimit: 60_000 }),
      "MEMORY",
      "of statistics and two batches of",
    ],
    [
      "a later batch beyond the memory",
      () => run(["One", stories.join(" ").slice(0, 400)], { ...mean, memoryLimit: 8000 }),
      "MEMORY",
      "two batches of",
    ],
    [
      "patterns of unequal rows",
      () => run(["One day", "Tom had a red ball."], { ...mean, capture: "blocks.0.attn.hook_pattern" }),
      "SHAPE",
      "expected rows of the same length in every batch, since this hook point has one number per key position. Pack the data into rows of one length",
    ],
    [
      "patterns of left-padded rows",
      () =>
        run([{ tokens: [[0, 1, 403]], attentionMask: [[0, 1, 1]] }], {
          ...mean,
          capture: "blocks.0.attn.hook_pattern",
        }),
      "SHAPE",
      "model.over: blocks.0.attn.hook_pattern: got rows with padding in front; expected rows that begin with a real token",
    ],
    ["an empty prompt", () => run([[]], mean), "TOKEN", "got 0 tokens"],
    [
      "a checkpoint of another kind",
      () => run(["a"], { ...mean, checkpoint: "x.json" }),
      "INPUT",
      "model.over: checkpoint.path: got x.json; expected a file name that ends in .safetensors.",
    ],
    [
      "a checkpoint every 0 batches",
      () => run(["a"], { ...mean, checkpoint: { path: "x.safetensors", everyBatches: 0 } }),
      "INPUT",
      "model.over: checkpoint.everyBatches: got 0; expected a whole number, at least 1.",
    ],
    [
      "a statistic that cannot be saved",
      () =>
        run(["a"], {
          capture: resid,
          reduce: reduce.custom({ name: "mine", init: () => 0, update: () => 0, finish: () => 0 }),
          checkpoint: "x.safetensors",
        }),
      "INPUT",
      'model.over: checkpoint: got the statistic "mine", whose state cannot be saved; expected statistics that can continue.',
    ],
  ])("%s", async (_what, work, code, message) => {
    expect((await refusal(work, code)).message).toContain(message);
  });

  it("what an iterator throws, as it is", async () => {
    async function* broken(): AsyncGenerator<ModelInput> {
      throw await Promise.resolve(new RangeError("mine"));
    }
    await expect(overModel(model().view, broken(), mean)).rejects.toThrow(RangeError);
  });

  it("what a statistic of one's own throws, as it is, after the running batch ended", async () => {
    const failing = reduce.custom({
      name: "failing",
      init: () => 0,
      update: () => {
        throw new RangeError("mine");
      },
      finish: () => 0,
    });
    await expect(overModel(model().view, packedStories(model()), { capture: resid, reduce: failing })).rejects.toThrow(
      RangeError,
    );
  });
});

describe("the types of results", () => {
  it("follow the reducers", () => {
    const typed = async (m: Model): Promise<void> => {
      const one = await overModel(m.view, ["a"], { capture: resid, reduce: reduce.mean() });
      const mean: Tensor = one.mean.get("resid_post", 2);
      const several = await overModel(m.view, ["a"], {
        capture: resid,
        reduce: { a: reduce.norm(), b: reduce.topk(2) },
      });
      const rms: Tensor = several.a.get(resid).rms;
      const tops: Tensor = several.b.get(resid).values;
      const lossOnly = await overModel(m.view, ["a"], { loss: true });
      const loss: number | undefined = lossOnly.loss;
      // @ts-expect-error a statistic that was not asked for
      expect([mean, rms, tops, loss, several.c]).toBeDefined();
    };
    expect(typed).toBeTypeOf("function");
    expect(Tensor).toBeDefined();
  });
});
