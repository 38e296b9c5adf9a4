/** Effects of skipped layers against runs that are put together by hand. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { edit, loadModel, type Model } from "../../../src/model/index.js";
import { depthEffects, withoutParts } from "../../../src/redundancy/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel(fixture("architectures", "gpt2"));
});
afterAll(() => model.close());

const row = Array.from({ length: 14 }, (_, i) => (i * i * 5 + 3 * i + 1) % 29);

/** The stream at a state, `[pos][dModel]`. */
async function states(): Promise<readonly (readonly (readonly number[])[])[]> {
  const hooks = ["blocks.0.hook_resid_pre", "blocks.0.hook_resid_post", "blocks.1.hook_resid_post"];
  const { cache } = await model.run(row, { prependBos: false, capture: hooks, logits: "none" });
  return hooks.map((hook) => rowsOf(cache.get(hook)));
}

function rowsOf(tensor: Tensor): readonly (readonly number[])[] {
  const data = Array.from(tensor.contiguous().data, Number);
  const width = data.length / row.length;
  return row.map((_, pos) => data.slice(pos * width, (pos + 1) * width));
}

function minus(a: readonly number[] = [], b: readonly number[] = []): readonly number[] {
  return a.map((x, i) => x - (b[i] ?? 0));
}

/** What layer 1 leaves of a stream given as rows, and the probabilities behind it. */
async function layerOne(
  stream: readonly (readonly number[])[],
): Promise<{ after: readonly (readonly number[])[]; y: readonly (readonly number[])[] }> {
  const residual = Tensor.of(
    Float32Array.from(stream.flat()),
    [1, row.length, stream[0]?.length ?? 0],
    ["batch", "pos", "dModel"],
  );
  const { cache, logits } = await model.run({ residual }, { startAtLayer: 1, capture: "blocks.1.hook_resid_post" });
  return { after: rowsOf(cache.get("blocks.1.hook_resid_post")), y: rowsOf(logits.softmax("dVocabOut")) };
}

function worst(from: number, one: (pos: number) => number): number {
  return Math.max(...row.map((_, pos) => (pos < from ? 0 : one(pos))));
}

test("of two layers: skipped everywhere, skipped in the past, and directly", async () => {
  const found = await depthEffects(model, [row], { places: 1 });
  const [first = [], second = [], last = []] = await states();
  const delta = (pos: number): readonly number[] => minus(last[pos], second[pos]);
  const whole = await layerOne(second);
  const effect = async (isSkipped: (pos: number) => boolean, from: number): Promise<readonly [number, number]> => {
    const stream = second.map((own, pos) => (isSkipped(pos) ? (first[pos] ?? []) : own));
    const { after, y } = await layerOne(stream);
    const share = worst(
      from,
      (pos) => Math.hypot(...minus(delta(pos), minus(after[pos], stream[pos]))) / Math.hypot(...delta(pos)),
    );
    return [share, worst(from, (pos) => Math.hypot(...minus(whole.y[pos], y[pos])))];
  };
  const [everywhere, output] = await effect((pos) => pos >= 1, 1);
  expect(found.all[0]?.[1]).toBeCloseTo(everywhere, 4);
  expect(found.output.all[0]).toBeCloseTo(output, 4);
  // Of 14 tokens, 8 is the only place that leaves four behind it.
  const [past, later] = await effect((pos) => pos >= 1 && pos < 8, 8);
  expect(found.future[0]?.[1]).toBeCloseTo(past, 4);
  expect(found.output.future[0]).toBeCloseTo(later, 4);
  // With one layer in front, taking its write from what layer 1 reads is skipping it.
  expect(found.local[0]?.[1]).toBeCloseTo(everywhere, 4);
  expect([found.all[0]?.[0], found.all[1]?.[1]]).toEqual([Number.NaN, Number.NaN]);
  expect(found.depthScore).toBe(0);
  expect(String(found)).toContain("without layer 1: no later layer");
  expect(found.toView().summary()).toContain("later layer");
});

test("skipping the last layer moves the output alone, and what is out of range is refused", async () => {
  const found = await depthEffects(model, [row]);
  expect(found.output.all[1]).toBeGreaterThan(0);
  // The last layer's work at earlier positions reaches no later one.
  expect(found.output.future[1]).toBeLessThan(1e-6);
  await expect(depthEffects(model, [row.slice(0, 12)])).rejects.toThrow("depthEffects: got a row of 12 tokens");
  await expect(depthEffects(model, [row], { places: 0 })).rejects.toThrow("got 0 places");
  const edited = model.with(edit.zero("blocks.0.hook_mlp_out"));
  const shorter = withoutParts(model, [{ kind: "block", layer: 0 }]);
  await expect(depthEffects(shorter, [row])).rejects.toThrow(
    "depthEffects: got 1 of 2 layers; expected a model as it was",
  );
  await expect(depthEffects(edited, [row])).rejects.toThrow("depthEffects: got a model with edit.zero");
});
