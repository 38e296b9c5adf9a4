import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { AbortedError, CheckpointError } from "../../../src/core/index.js";
import { loadModel, verify } from "../../../src/model/index.js";
import { above, atMost, exactly, judge } from "../../../src/model/verify/check.js";
import { distance, divergence, logSoftmax, worst } from "../../../src/model/verify/compare.js";
import { findKnownAnswers } from "../../../src/model/verify/known-answers.js";
import { Verification } from "../../../src/model/verify/verification.js";
import { dataFolder, fixture, oracle } from "../../helpers/fixtures.js";

const gpt2 = fixture("architectures", "gpt2");
/** One of each kind of block; test/golden compares all fixtures with their reference. */
const kinds = [
  "gpt2",
  "pythia",
  "llama-gqa-bias",
  "mistral",
  "qwen3",
  "gemma2",
  "tl-no-norm",
  "tl-bidirectional",
  "tl-vocab-out",
];

describe("a verification", () => {
  const verification = new Verification({
    model: "m",
    identity: "0123",
    architecture: "gpt2",
    coverage: { layers: [0, 6, 11], nLayers: 12, nParameters: 124_439_808, tokens: 12, inputs: "text" },
    checks: [
      judge("parts", { measured: "a sum", value: 1.26e-7, bound: atMost(1e-5) }),
      judge("edits", {
        measured: "an effect",
        value: 0,
        bound: above(0),
        detail: "nothing happens at blocks.0.hook_q",
      }),
      judge("known answers", { measured: "answers", skipped: "none" }),
    ],
  });

  it("prints a table, what was covered and every detail that matters", () => {
    expect(verification.toString()).toBe(
      [
        "Verification of m (gpt2, 124 M parameters)",
        "law            what was measured  value   bound     result",
        "─────────────  ─────────────────  ──────  ────────  ───────",
        "parts          a sum              1.3e-7  ≤ 1.0e-5  ok",
        "edits          an effect          0       > 0       failed",
        "known answers  answers                              not run",
        "",
        "Layers read and edited: 0, 6, 11 of 12. Inputs: 12 tokens (text).",
        "failed: edits: an effect: nothing happens at blocks.0.hook_q",
        "not run: known answers: answers: none",
        "1 ok, 1 failed, 1 not run.",
      ].join("\n"),
    );
    expect(inspect(verification)).toBe(verification.toString());
  });

  it("is plain data for others", () => {
    expect(JSON.parse(JSON.stringify(verification))).toMatchObject({
      model: "m",
      isOk: false,
      coverage: { nLayers: 12 },
    });
    expect(verification.failures).toMatchObject([{ law: "edits", value: 0, bound: { relation: ">", value: 0 } }]);
    expect(verification.toView().spec).toMatchObject({ view: "table", rows: { length: 3 } });
  });
});

describe("verify", () => {
  it.each(kinds)("finds nothing wrong with %s", async (name) => {
    const model = await loadModel(fixture("architectures", name));
    const verification = await verify(model, { quick: true });
    await model.close();
    expect(verification.failures).toEqual([]);
    expect(verification.count("ok")).toBeGreaterThan(15);
  });

  it("reports progress and stops when told", async () => {
    const model = await loadModel(gpt2);
    const done: number[] = [];
    const controller = new AbortController();
    const onProgress = ({ done: count }: { readonly done: number }): void => {
      done.push(count);
      if (count === 2) controller.abort();
    };
    await expect(verify(model, { onProgress, signal: controller.signal })).rejects.toBeInstanceOf(AbortedError);
    expect(done).toEqual([0, 1, 2]);
    await model.close();
  });

  it("covers first, middle and last layer when quick, and says so", async () => {
    const model = await loadModel("tiny");
    const { coverage } = await verify(model, { quick: true });
    const { nLayers } = model.config;
    await model.close();
    const layers = [0, Math.floor(nLayers / 2), nLayers - 1];
    expect(coverage).toMatchObject({ layers, nLayers, tokens: 6, inputs: "text" });
  });

  it("leaves swapped or misnamed weights to loading, which lists them", async () => {
    await expect(loadModel(fixture("io"))).rejects.toBeInstanceOf(CheckpointError);
  });
});

describe("bounds", () => {
  it.each([
    [1, atMost(1), "ok"],
    [1.1, atMost(1), "failed"],
    [0, above(0), "failed"],
    [1e-30, above(0), "ok"],
    [3, exactly(3), "ok"],
    [2, exactly(3), "failed"],
    [Number.NaN, atMost(1), "failed"],
    [Number.NaN, above(0), "failed"],
    [Number.POSITIVE_INFINITY, atMost(1), "failed"],
  ] as const)("judge %d against %o as %s", (value, bound, status) => {
    expect(judge("law", { measured: "x", value, bound }).status).toBe(status);
  });
});

describe("distances", () => {
  it("follow their definition", () => {
    expect(distance([1, 2, 10], [1, 4, 8])).toEqual({ relative: 0.25, largest: 2, mean: 4 / 3 });
    expect(distance([0.5], [0.25])).toEqual({ relative: 0.25, largest: 0.25, mean: 0.25 });
    expect(distance([], [])).toEqual({ relative: 0, largest: 0, mean: 0 });
  });

  it("take equal infinities for equal and NaN for infinitely far", () => {
    const far = Number.POSITIVE_INFINITY;
    expect(distance([-far, 1], [-far, 1]).relative).toBe(0);
    expect(distance([far], [1]).relative).toBe(far);
    expect(distance([Number.NaN], [Number.NaN]).relative).toBe(far);
    expect(distance([1, 2], [1]).relative).toBe(far);
    expect(
      worst([
        ["a", 1],
        ["b", Number.NaN],
      ]),
    ).toEqual({ name: "b", value: Number.NaN });
  });

  it("of probabilities are exact in closed form", () => {
    const [p, q] = [logSoftmax([Math.log(3), 0]), logSoftmax([0, 0])];
    expect(Array.from(p)).toEqual([expect.closeTo(Math.log(0.75), 14), expect.closeTo(Math.log(0.25), 14)]);
    expect(divergence(p, q)).toBeCloseTo(0.75 * Math.log(1.5) + 0.25 * Math.log(0.5), 14);
    expect(logSoftmax([1000, 1000])[0]).toBeCloseTo(-Math.LN2, 12);
  });
});

describe("known answers", () => {
  const sizes = { architecture: "gpt2", nLayers: 12, nHeads: 12, dModel: 768, dVocab: 50257, nCtx: 1024 };

  it("are found by name and sizes together", async () => {
    const model = await loadModel(gpt2);
    const small = { ...model.config, ...sizes };
    for (const id of ["gpt2", "openai-community/gpt2", "/models/gpt2/"])
      expect(findKnownAnswers(id, small)?.name).toBe("gpt2");
    expect(findKnownAnswers("bench/random-gpt2-shape", small)).toBeUndefined();
    expect(findKnownAnswers("gpt2", model.config)).toBeUndefined();
    await model.close();
  });

  it.skipIf(dataFolder === undefined)("are the recorded outputs", async () => {
    const recorded = JSON.parse(readFileSync(oracle("gpt2-recorded", "example.json"), "utf8")) as {
      readonly tokenIds: readonly number[];
      readonly logits: readonly number[];
    };
    const model = await loadModel(gpt2);
    const top = findKnownAnswers("gpt2", { ...model.config, ...sizes })?.top;
    await model.close();
    expect(top?.tokens).toEqual(recorded.tokenIds);
    const best = recorded.logits.map((logit, id) => [id, logit] as const).sort((a, b) => b[1] - a[1]);
    expect(top?.top.map(([id]) => id)).toEqual(best.slice(0, 10).map(([id]) => id));
    top?.top.forEach(([id, logit]) => {
      expect(logit).toBeCloseTo(recorded.logits[id] ?? 0, 3);
    });
  });
});
