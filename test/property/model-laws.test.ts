/** The metamorphic laws of the model runtime, over every architecture. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { edit, type Model, type Run } from "../../src/model/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { expectClose } from "../helpers/close.js";
import { architectureNames } from "../helpers/fixtures.js";
import {
  atSlots,
  differences,
  equalRows,
  expectSame,
  fixtureModels,
  kernelTolerance,
  unequalRows,
} from "./model-support.js";

const model = fixtureModels();
const options = { numRuns: 2 };

/** Points whose edit or capture takes other kernels: heads one by one instead of one product. */
const splitPoint = /hook_(result|attn_in|[qkv]_input)$/;
/** Norms and attention are taken apart when somebody looks inside: the same to about 1e-6. */
const insidePoint = /hook_(scale|normalized|attn_scores)$/;

function slotsOf(length: number, longest: number, side: "left" | "right"): number[] {
  return Array.from({ length }, (_, i) => (side === "left" ? longest - length + i : i));
}

/** Hook points that can be read without taking a kernel apart. */
function outside(of: Model): string[] {
  return of.hookNames().filter((name) => !insidePoint.test(name));
}

function editable(of: Model): string[] {
  return of.hookNames().filter((name) => of.hookPoints().get(name)?.isEditable === true);
}

describe.each(architectureNames)("%s", (name) => {
  it("gives real positions the same values with padding on the left, on the right and alone", async () => {
    const subject = await model(name);
    const longest = 7;
    await fc.assert(
      fc.asyncProperty(unequalRows(subject.config, longest), async (rows) => {
        const alone: Run[] = [];
        for (const row of rows) alone.push(await subject.run(row, { capture: "*" }));
        for (const padding of ["left", "right"] as const) {
          const padded = await subject.run(rows, { padding, capture: "*" });
          rows.forEach((row, r) => {
            const slots = slotsOf(row.length, longest, padding);
            const whole = slotsOf(row.length, row.length, padding);
            const place = `${padding} padding, row ${r}`;
            for (const [hook, value] of padded.cache.entries()) {
              const single = alone[r]?.cache.get(hook) as Tensor;
              expectClose(atSlots(value, r, slots), atSlots(single, 0, whole), kernelTolerance, `${hook}, ${place}`);
            }
            expectClose(
              atSlots(padded.logits, r, slots),
              atSlots(alone[r]?.logits as Tensor, 0, whole),
              kernelTolerance,
              place,
            );
          });
        }
      }),
      options,
    );
  });

  it("gives each row of a batch what it gives the row alone", async () => {
    const subject = await model(name);
    await fc.assert(
      fc.asyncProperty(equalRows(subject.config, 3, 6), async (rows) => {
        const capture = outside(subject);
        const batch = await subject.run(rows, { capture });
        for (const [r, row] of rows.entries()) {
          const single = await subject.run(row, { capture });
          for (const [hook, value] of batch.cache.entries())
            expectSame(
              value.at({ batch: r }) as Tensor,
              single.cache.get(hook).at({ batch: 0 }) as Tensor,
              `${hook}, row ${r}`,
            );
          expectSame(batch.logits.at({ batch: r }), single.logits.at({ batch: 0 }), `logits, row ${r}`);
        }
      }),
      options,
    );
  });

  it("does not look ahead, unless it is bidirectional", async () => {
    const subject = await model(name);
    const { dVocab, attentionDirection } = subject.config;
    await fc.assert(
      fc.asyncProperty(equalRows(subject.config, 1, 6), fc.integer({ min: 1, max: 5 }), async ([row = []], at) => {
        const changed = row.map((id, i) => (i >= at ? (id + 1) % dVocab : id));
        const runs = [await subject.run([row, row]), await subject.run([changed, row])];
        const [a, b] = runs.map(({ logits }) => logits.at({ batch: 0, pos: Array.from({ length: at }, (_, i) => i) }));
        if (a === undefined || b === undefined) throw new Error(`no logits before ${at}`);
        if (attentionDirection === "causal") expectSame(b, a, `logits before position ${at}`);
        else expect(differences(a, b)).toBeGreaterThan(0);
        expectSame(
          runs[1]?.logits.at({ batch: 1 }) as Tensor,
          runs[0]?.logits.at({ batch: 1 }) as Tensor,
          "the other row",
        );
      }),
      options,
    );
  });

  it("computes the same logits whatever is captured", async () => {
    const subject = await model(name);
    const row = [
      [3, 1, 4, 1, 5],
      [9, 2, 6, 5, 3],
    ];
    const { logits } = await subject.run(row);
    expectSame(
      (await subject.run(row, { capture: outside(subject) })).logits,
      logits,
      "all but norms and scores captured",
    );
    expectClose((await subject.run(row, { capture: "*" })).logits, logits, kernelTolerance, "everything captured");
    expectSame((await subject.run(row, { checks: false })).logits, logits, "without checks");
    const last = await subject.run(row, { logits: "last" });
    expectClose(last.logits.at({ pos: 0 }), logits.at({ pos: 4 }), kernelTolerance, "last logits");
    const some = await subject.run(row, { logits: [1, -1, 0] });
    expectClose(some.logits, logits.at({ pos: [1, 4, 0] }), kernelTolerance, "logits at chosen positions");
  });

  it("is unchanged by patches of its own values, all points together", async () => {
    const subject = await model(name);
    const rows = [
      [2, 7, 1, 8, 2],
      [6, 0, 3, 3, 1],
    ];
    const base = await subject.run(rows, { capture: "*" });
    const points = editable(subject);
    const usual = points.filter((hook) => !splitPoint.test(hook));
    const patched = subject.with(...usual.map((hook) => edit.patch(hook, base.cache, { row: 1 })));
    const again = await patched.run(rows, { capture: "*" });
    expectSame(again.logits, base.logits, "logits");
    for (const [hook, value] of base.cache.entries()) expectSame(again.cache.get(hook), value, hook);
    const split = subject.with(
      ...points.filter((hook) => splitPoint.test(hook)).map((hook) => edit.patch(hook, base.cache, { row: 1 })),
    );
    expectClose((await split.run(rows)).logits, base.logits, kernelTolerance, "per-head inputs and results");
  });

  it("generates with cached keys and values what it generates without, and in a batch what it generates alone", async () => {
    const subject = await model(name);
    if (subject.config.attentionDirection === "bidirectional") return;
    await fc.assert(
      fc.asyncProperty(unequalRows(subject.config, 5), fc.nat(1000), async (prompts, seed) => {
        for (const sampling of [{}, { seed, temperature: 1.3, topK: 9 }]) {
          const settings = { ...sampling, maxNewTokens: 6 };
          const cached = await subject.generate(prompts, settings);
          const uncached = await subject.generate(prompts, { ...settings, useCache: false });
          expect(uncached.newTokens).toEqual(cached.newTokens);
          expect(cached.newTokens.map((row) => row.length)).toEqual([6, 6, 6]);
          const alone = await subject.generate([prompts[0] ?? []], settings);
          expect(alone.newTokens[0]).toEqual(cached.newTokens[0]);
        }
        const greedy = await subject.generate(prompts, { maxNewTokens: 6 });
        for (const [r, prompt] of prompts.entries())
          expect((await subject.generate([prompt], { maxNewTokens: 6 })).newTokens[0], `row ${r}`).toEqual(
            greedy.newTokens[r],
          );
      }),
      { numRuns: 2 },
    );
  });
});

describe.each(["gpt2", "gemma2"])("%s, point by point", (name) => {
  it("is unchanged by a patch of any one hook point with its own value", async () => {
    const subject = await model(name);
    const rows = [
      [2, 7, 1, 8],
      [6, 0, 3, 3],
    ];
    const base = await subject.run(rows, { capture: "*" });
    for (const hook of editable(subject)) {
      const { logits } = await subject
        .with(edit.patch(hook, base.cache))
        .run(rows, { capture: hook.startsWith("blocks.") ? hook : "hook_embed" });
      expectClose(logits, base.logits, kernelTolerance, hook);
      if (!splitPoint.test(hook)) continue;
      // The same kernels on both sides: the patched graph with another batch row's values must differ.
      const other = await subject.run([...rows].reverse(), { capture: hook });
      expect(
        differences((await subject.with(edit.patch(hook, other.cache)).run(rows)).logits, logits),
        hook,
      ).toBeGreaterThan(0);
    }
  });

  it("keeps every bit when a patch writes the value that the same kernels made", async () => {
    const subject = await model(name);
    const rows = [
      [2, 7, 1, 8],
      [6, 0, 3, 3],
    ];
    for (const hook of editable(subject)) {
      const neutral = subject.with(edit.scale(hook, 1));
      const base = await neutral.run(rows, { capture: hook });
      const patched = await subject
        .with(edit.scale(hook, 1), edit.patch(hook, base.cache, { row: 0 }))
        .run(rows, { capture: hook });
      expectSame(patched.logits, base.logits, hook);
      expectSame(patched.cache.get(hook), base.cache.get(hook), hook);
    }
  });
});
