/** Trained models with recorded activations and known answers: real weights, real tokenizer, real behaviour. */
import { afterAll, describe, expect, it } from "vitest";
import { loadSafetensors } from "../../src/io/index.js";
import { at, edit, loadModel, type Model } from "../../src/model/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { expectClose } from "../helpers/close.js";
import { dataFolder, oracle } from "../helpers/fixtures.js";

const hasData = dataFolder !== undefined;
const opened: Model[] = [];

async function open(...parts: readonly string[]): Promise<Model> {
  const model = await loadModel(oracle(...parts));
  opened.push(model);
  return model;
}

afterAll(async () => {
  await Promise.all(opened.map((model) => model.close()));
});

describe.skipIf(!hasData)("stories260k, a trained Llama with grouped heads", () => {
  it.each(["golden-opening", "golden-lily"])("reproduces every recorded activation of %s", async (file) => {
    const model = await open("stories260k", "hf");
    const golden = await loadSafetensors(oracle("stories260k", `${file}.safetensors`));
    const names = Object.keys(golden).filter((name) => name !== "tokens" && name !== "logits");
    expect(names.length).toBe(98);
    const run = await model.run(golden["tokens"] as Tensor, { capture: names });
    for (const name of names) expectClose(run.cache.get(name), golden[name] as Tensor, 1e-4, name);
    expectClose(run.logits, golden["logits"] as Tensor, 1e-4, "logits");
  });

  it("tokenizes, continues greedily as recorded, and gives the recorded last logits", async () => {
    const model = await open("stories260k", "hf");
    expect([...model.toTokens("Once upon a time").data]).toEqual([1, 403, 407, 261, 378]);
    const { logits } = await model.run("Once upon a time", { logits: "last" });
    const last = logits.at({ batch: 0, pos: 0 }) as Tensor;
    for (const [id, value] of [
      [432, 17.7994],
      [383, 14.2813],
      [322, 9.7097],
    ] as const)
      expect(last.at({ dVocabOut: id }).item()).toBeCloseTo(value, 3);
    expect((last.argmax() as Tensor).item()).toBe(432);
    const golden = await loadSafetensors(oracle("stories260k", "golden-lily.safetensors"));
    // The recorded prompt is itself the model's greedy story up to "Lily. She loved to play".
    const ids = Array.from((golden["tokens"] as Tensor).data as Int32Array, Number);
    const made = await model.generate([ids.slice(0, 5)], { maxNewTokens: 8 });
    expect(made.newTokens[0]).toEqual(ids.slice(5, 13));
  });
});

describe.skipIf(!hasData)("sort-gpt-nano, a trained GPT-2", () => {
  it("reproduces the activations that a third party recorded in PyTorch", async () => {
    const model = await open("sort-gpt-nano", "hf");
    const golden = await loadSafetensors(oracle("sort-gpt-nano", "golden.safetensors"));
    const names = Object.keys(golden).filter((name) => /hook_/.test(name));
    const run = await model.run(golden["tokens"] as Tensor, { capture: names });
    for (const name of names) expectClose(run.cache.get(name), golden[name] as Tensor, 1e-5, name);
    expectClose(run.logits, golden["logits"] as Tensor, 1e-5, "logits");
  });

  it("sorts every list of six letters that it is given", async () => {
    const model = await open("sort-gpt-nano", "hf");
    const lists = Array.from({ length: 3 ** 6 }, (_, n) =>
      Array.from({ length: 6 }, (_, i) => Math.floor(n / 3 ** i) % 3),
    );
    const { newTokens } = await model.generate(lists, { maxNewTokens: 6 });
    const right = newTokens.filter((made, row) => made.join() === [...(lists[row] ?? [])].sort().join());
    expect(right.length / lists.length).toBeGreaterThan(0.99);
  });
});

describe.skipIf(!hasData)("routing-toy, a TransformerLens checkpoint with a known circuit", () => {
  const inputs = Array.from({ length: 8 ** 4 * 4 }, (_, n) => {
    const features = Array.from({ length: 4 }, (_, i) => Math.floor(n / 8 ** i) % 8);
    return [...features, 8 + Math.floor(n / 8 ** 4)];
  });
  const answer = (input: readonly number[]): number => input[(input[4] ?? 8) - 8] ?? -1;

  it("answers all 16,384 inputs", async () => {
    const model = await open("routing-toy");
    const { logits } = await model.run(inputs, { logits: "last" });
    const chosen = (logits.argmax("dVocabOut") as Tensor).data;
    expect(inputs.filter((input, row) => Number(chosen[row]) === answer(input)).length).toBe(16_384);
  });

  it("fails on the selected slot when layer 1's heads may not look at it", async () => {
    const model = await open("routing-toy");
    const some = inputs.filter((_, n) => n % 64 === 5);
    const { cache } = await model.run(some, { capture: at.pattern(1), logits: "none" });
    const pattern = cache.get("pattern", 1);
    const onSelected = some.map((input, row) =>
      (pattern.at({ batch: row, queryPos: 4, keyPos: (input[4] ?? 8) - 8 }).max() as Tensor).item(),
    );
    expect(Math.min(...onSelected)).toBeGreaterThan(0.5);
    const blind = model.with(
      edit.zero(at.pattern(1), { pos: "last", where: ({ row, keyPos }) => keyPos === (some[row ?? 0]?.[4] ?? 8) - 8 }),
    );
    const { logits } = await blind.run(some, { logits: "last" });
    const chosen = (logits.argmax("dVocabOut") as Tensor).data;
    const right = some.filter((input, row) => Number(chosen[row]) === answer(input)).length;
    // 64 % when measured: an eighth by chance, the rest reaches the last position through layer 0.
    expect(right / some.length).toBeLessThan(0.75);
  });
});
