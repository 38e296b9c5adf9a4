/**
 * Every hook point of every layer of every architecture is live: an edit there moves the logits and nothing that it
 * cannot reach.
 *
 * Hook points share a run: point `i` is edited in batch row `i` only, all rows hold the same tokens. A run of the same
 * graph in which no edit adds anything is the base, so that what an edit cannot reach must keep its bits.
 */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../src/core/index.js";
import { type Edit, edit, type Model, type Selection } from "../../src/model/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { architectureNames } from "../helpers/fixtures.js";
import { differences, fixtureModels, floats, numbers } from "../property/model-support.js";

const model = fixtureModels();
const row = [3, 1, 4, 1, 5, 9];
/** Edited position: the first key is still inside a window of 3, and earlier positions exist. */
const pos = 2;

/** Per-head inputs and the input norm's own points exclude each other in one graph. */
const splitPoint = /hook_(attn_in|[qkv]_input)$/;

function groups(of: Model): string[][] {
  const names = of.hookNames().filter((name) => of.hookPoints().get(name)?.isEditable === true);
  return [names.filter((name) => !splitPoint.test(name)), names.filter((name) => splitPoint.test(name))];
}

function selection(of: Model, name: string, batchRow: number): Selection {
  const axes = of.hookPoints().get(name)?.axes ?? [];
  return {
    row: batchRow,
    pos,
    ...(axes.includes("head") ? { head: 0 } : {}),
    ...(axes.includes("keyPos") ? { keyPos: 0 } : {}),
  };
}

/** Random numbers along a vector axis; one number where there is none. */
function addition(of: Model, name: string, seed: number): Tensor {
  const point = of.hookPoints().get(name);
  const size = point?.shape.at(-1);
  const random = createRandom(seed);
  if (typeof size !== "number" || size === 1) return floats([0.1 + random.uniform()], [1], [point?.axes.at(-1) ?? ""]);
  return floats(
    Array.from({ length: size }, () => 0.5 * random.normal()),
    [size],
    [point?.axes.at(-1) ?? ""],
  );
}

function edits(of: Model, names: readonly string[], isOn: (i: number) => boolean): Edit[] {
  return names.map((name, i) =>
    edit.add(name, addition(of, name, i + 1).mul(isOn(i) ? 1 : 0) as Tensor, selection(of, name, i)),
  );
}

function positions(logits: Tensor, batch: number, of: readonly number[]): Tensor {
  return logits.at({ batch, pos: of } as { batch: number }) as Tensor;
}

const earlier = [0, 1];
const later = [2, 3, 4, 5];

describe.each(architectureNames)("%s", (name) => {
  it("moves its logits by an edit at every hook point, in its own row and from its own position on", async () => {
    const subject = await model(name);
    const isCausal = subject.config.attentionDirection === "causal";
    for (const names of groups(subject)) {
      const batch = names.map(() => row);
      const logits = async (isOn: (i: number) => boolean): Promise<Tensor> =>
        (await subject.with(...edits(subject, names, isOn)).run(batch)).logits;
      const base = await logits(() => false);
      const even = await logits((i) => i % 2 === 0);
      const odd = await logits((i) => i % 2 === 1);
      for (const [i, hook] of names.entries()) {
        const [own, other] = i % 2 === 0 ? [even, odd] : [odd, even];
        expect(
          differences(other.at({ batch: i }) as Tensor, base.at({ batch: i }) as Tensor),
          `${hook}: other rows`,
        ).toBe(0);
        expect(
          differences(positions(own, i, later), positions(base, i, later)),
          `${hook}: later positions`,
        ).toBeGreaterThan(0);
        if (isCausal)
          expect(
            differences(positions(own, i, earlier), positions(base, i, earlier)),
            `${hook}: earlier positions`,
          ).toBe(0);
        expect(numbers(own.at({ batch: i }) as Tensor).every(Number.isFinite), `${hook}: finite`).toBe(true);
      }
    }
  });

  it("names every hook point with the axes and sizes that a run returns", async () => {
    const subject = await model(name);
    const { cache } = await subject.run([row, row], { capture: "*" });
    const sizes: Readonly<Record<string, number>> = { batch: 2, pos: row.length };
    for (const [hook, point] of subject.hookPoints()) {
      const value = cache.get(hook);
      expect(value.axes, hook).toEqual(point.axes);
      expect(value.shape, hook).toEqual(point.shape.map((dim) => (typeof dim === "number" ? dim : sizes[dim])));
    }
    expect(cache.keys()).toEqual([...subject.hookPoints().keys()]);
  });
});

describe.each(["gpt2", "qwen3", "gemma2", "tl-vocab-out"])("%s, one question per hook point", (name) => {
  it("shows an edit at its own hook point as what was asked for, and nowhere before", async () => {
    const subject = await model(name);
    const names = subject.hookNames();
    for (const hook of groups(subject).flat()) {
      const select = selection(subject, hook, 1);
      const delta = addition(subject, hook, 7);
      const made = async (factor: number): Promise<{ logits: Tensor; at: Tensor; before: Tensor }> => {
        const before = names.filter((one) => one.startsWith("blocks.0.hook_resid_pre"));
        const edited = subject.with(edit.add(hook, delta.mul(factor), select));
        const run = await edited.run([row, row], { capture: [hook, ...before] });
        return { logits: run.logits, at: run.cache.get(hook), before: run.cache.get(before[0] ?? "") };
      };
      const [base, edited] = [await made(0), await made(1)];
      const changed = numbers(edited.at).filter((value, i) => value !== numbers(base.at)[i]).length;
      expect(changed, `${hook}: elements changed`).toBe(delta.shape[0]);
      expect(
        differences(edited.logits.at({ batch: 0 }) as Tensor, base.logits.at({ batch: 0 }) as Tensor),
        `${hook}: row 0`,
      ).toBe(0);
      expect(
        differences(edited.logits.at({ batch: 1 }) as Tensor, base.logits.at({ batch: 1 }) as Tensor),
        `${hook}: row 1`,
      ).toBeGreaterThan(0);
      if (hook.startsWith("blocks.0.") && hook !== "blocks.0.hook_resid_pre")
        expect(differences(edited.before, base.before), `${hook}: the stream before`).toBe(0);
    }
  });
});

describe("what cannot be edited", () => {
  it("is refused with the reason", async () => {
    const subject = await model("gpt2");
    await expect(subject.with(edit.zero("hook_tokens")).run([row])).rejects.toThrow(
      "edit.zero at hook_tokens: got a hook point that can only be read; expected a hook point on the way to an output. Change the input instead.",
    );
    await expect(subject.with(edit.zero("blocks.0.ln1.hook_scale")).run([row])).rejects.toThrow(
      /got a norm scale to be set to 0, which divides by zero.*hook_attn_out/,
    );
    await expect(subject.with(edit.zero("q_input"), edit.add("blocks.0.ln1.hook_scale", 1)).run([row])).rejects.toThrow(
      /gives each head its own norm; expected one of the two in a layer/,
    );
  });
});
