/** Edits, captures and endings while generating. */
import { afterAll, describe, expect, it } from "vitest";
import { at, edit, loadModel, type Model } from "../../../src/model/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { expectClose } from "../../helpers/close.js";
import { fixture } from "../../helpers/fixtures.js";
import { floats, numbers } from "../../property/model-support.js";

const opened = loadModel(fixture("architectures", "llama-gqa-bias"));
afterAll(async () => (await opened).close());

const prompt = [3, 1, 4];
const push = (model: Model): Tensor =>
  floats(
    Array.from({ length: model.config.dModel }, (_, i) => 3 * Math.sin(i)),
    [model.config.dModel],
    ["dModel"],
  );

/** The edited stream at every position of a generation. */
async function edited(model: Model, select: object): Promise<number[]> {
  const hook = "blocks.0.hook_resid_post";
  const { cache } = await model
    .with(edit.replace(hook, 7, select))
    .generate([prompt], { maxNewTokens: 4, capture: hook });
  const value = cache.get(hook);
  return Array.from({ length: value.shape[1] ?? 0 }, (_, pos) => pos).filter((pos) =>
    numbers(value.at({ batch: 0, pos }) as Tensor).every((x) => x === 7),
  );
}

describe("an edit in a generation", () => {
  it.each<[string, object, number[]]>([
    ["every position", {}, [0, 1, 2, 3, 4, 5]],
    ["generated positions", { pos: "generated" }, [3, 4, 5]],
    ["the last position of each step", { pos: "last" }, [2, 3, 4, 5]],
    ["a position of the prompt", { pos: 1 }, [1]],
    ["a position that is generated later", { pos: 4 }, [4]],
    ["positions of prompt and continuation", { pos: [0, 4, 5] }, [0, 4, 5]],
    ["a range", { pos: { from: 2, to: 5 } }, [2, 3, 4]],
    ["a test", { pos: (p: number) => p % 2 === 1 }, [1, 3, 5]],
    ["the prompt's step", { steps: 0 }, [0, 1, 2]],
    ["later steps", { steps: { from: 2 } }, [4, 5]],
    ["chosen steps and the last position", { steps: [0, 3], pos: "last" }, [2, 5]],
  ])("acts at %s", async (_name, select, positions) => {
    expect(await edited(await opened, select)).toEqual(positions);
  });

  it("means each row's own positions in a batch of unequal prompts", async () => {
    const model = (await opened).with(edit.add("blocks.0.hook_resid_post", push(await opened), { pos: [1, 4] }));
    const prompts = [prompt, [1, 5, 9, 2, 6], [5]];
    const batch = await model.generate(prompts, { maxNewTokens: 5 });
    for (const [row, one] of prompts.entries())
      expect((await model.generate([one], { maxNewTokens: 5 })).newTokens[0]).toEqual(batch.newTokens[row]);
  });

  it("does the same with and without cached keys and values where its positions are absolute", async () => {
    const model = await opened;
    for (const select of [{}, { pos: "generated" as const }, { pos: [0, 4] }]) {
      const view = model.with(edit.add(at.residPre(1), push(model), select));
      const cached = await view.generate([prompt, [2, 2]], { maxNewTokens: 5 });
      expect((await view.generate([prompt, [2, 2]], { maxNewTokens: 5, useCache: false })).newTokens).toEqual(
        cached.newTokens,
      );
    }
    await expect(model.with(edit.zero("z", { pos: "last" })).generate([prompt], { useCache: false })).rejects.toThrow(
      "generate: edit.zero: got useCache: false with an edit that selects steps or counts positions from the last; expected edits that mean the same positions in every step.",
    );
  });

  it("that never acts is an error", async () => {
    const model = await opened;
    for (const select of [{ pos: 9 }, { steps: 7 }])
      await expect(model.with(edit.zero("z", select)).generate([prompt], { maxNewTokens: 3 })).rejects.toThrow(
        "generate: edit.zero: got an edit that acted in no step; expected positions or steps that the generation passes.",
      );
  });
});

describe("a generation", () => {
  it("keeps the activations that one run over its tokens gives", async () => {
    const model = await opened;
    const capture = ["resid_post", "pattern", "v"];
    const made = await model.generate([prompt], { maxNewTokens: 4, capture });
    const tokens = made.tokens[0]?.slice(0, -1) ?? [];
    const run = await model.run([tokens], { capture });
    expect(made.cache.keys()).toEqual(run.cache.keys());
    for (const [hook, value] of run.cache.entries()) expectClose(made.cache.get(hook), value, 2e-5, hook);
  });

  it("ends at its length or at the context, and repeats with its seed", async () => {
    const model = await opened;
    const { nCtx } = model.config;
    const full = await model.generate([Array.from({ length: nCtx - 2 }, () => 1)], { maxNewTokens: 9 });
    expect(full.newTokens[0]?.length).toBe(3);
    expect(full.stopReasons).toEqual(["context"]);
    const sampled = { maxNewTokens: 8, temperature: 2 };
    const [a, b, c] = [1, 1, 2].map((seed) => model.generate([prompt, prompt], { ...sampled, seed }));
    expect((await a)?.newTokens).toEqual((await b)?.newTokens);
    expect((await a)?.newTokens).not.toEqual((await c)?.newTokens);
    expect((await a)?.newTokens[0]).not.toEqual((await a)?.newTokens[1]);
    expect((await model.generate([prompt], { maxNewTokens: 2 })).stopReasons).toEqual(["length"]);
  });

  it("streams what it would return, and stops when the loop is left", async () => {
    const model = await opened;
    const whole = await model.generate([prompt], { maxNewTokens: 5 });
    const streamed: (number | undefined)[] = [];
    for await (const { ids } of model.generateStream([prompt], { maxNewTokens: 5 })) {
      streamed.push(ids[0]);
      if (streamed.length === 3) break;
    }
    expect(streamed).toEqual(whole.newTokens[0]?.slice(0, 3));
  });
});
