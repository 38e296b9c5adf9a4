/** What attribution is asked, what it refuses, how it is listed and drawn. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attribution } from "../../../src/analysis/index.js";
import { tasks } from "../../../src/data/index.js";
import { at, edit, loadModel, type Model } from "../../../src/model/index.js";
import { type Tensor, tensor, zeros } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

let model: Model;
let tiny: Model;
beforeAll(async () => {
  [model, tiny] = await Promise.all([loadModel(fixture("architectures", "gpt2")), loadModel("tiny")]);
});
afterAll(() => Promise.all([model.close(), tiny.close()]));

const prompts = [
  [3, 1, 4, 1, 5],
  [9, 2, 6],
];

function list(tensor: Tensor): number[] {
  return Array.from(tensor.contiguous().data, Number);
}

describe("labels", () => {
  it("are TransformerLens's, in its order, biases at the end", async () => {
    const component = await attribution.direct(model, prompts, { of: 6 });
    expect(component.labels).toEqual([
      "embed",
      "pos_embed",
      "0_attn_out",
      "0_mlp_out",
      "1_attn_out",
      "1_mlp_out",
      "ln_final.b",
    ]);
    const head = await attribution.direct(model, prompts, { of: 6, by: "head" });
    expect(head.labels).toEqual(
      "L0H0 L0H1 L0H2 L1H0 L1H1 L1H2 embed pos_embed 0_mlp_out 1_mlp_out 0_b_O 1_b_O ln_final.b".split(" "),
    );
    const layer = await attribution.direct(model, prompts, { of: 6, by: "layer" });
    expect(layer.labels).toEqual(["embed", "pos_embed", "L0", "L1", "ln_final.b"]);
    const neuron = await attribution.direct(model, prompts, { of: 6, by: "neuron" });
    const count = 2 * model.config.dMlp;
    expect(neuron.labels.slice(0, 2)).toEqual(["L0N0", "L0N1"]);
    expect(neuron.labels.slice(count)).toEqual(
      "embed pos_embed 0_attn_out 1_attn_out 0_b_out 1_b_out ln_final.b".split(" "),
    );
    expect(head.entries[4]).toEqual({ label: "L1H1", kind: "head", layer: 1, index: 1 });
    expect(head.entries.at(-2)).toEqual({ label: "1_b_O", kind: "bias", layer: 1 });
    expect(component.entries[3]).toEqual({ label: "0_mlp_out", kind: "mlp", layer: 0 });
    expect(component.entries[0]).toEqual({ label: "embed", kind: "embed" });
  });
});

describe("prompts", () => {
  it("of unequal lengths give what each gives alone", async () => {
    const together = await attribution.direct(model, prompts, { of: [6, 7], by: "head" });
    expect(together.values.shape).toEqual([13, 2]);
    for (const [i, prompt] of prompts.entries()) {
      const alone = await attribution.direct(model, prompt, { of: i === 0 ? 6 : 7, by: "head" });
      expect(alone.values.at({ batch: 0 }).maxAbsDiff(together.values.at({ batch: i }))).toBeLessThan(1e-5);
      expect(alone.total.item()).toBeCloseTo(together.total.at({ batch: i }).item(), 5);
    }
    expect(together.prompts).toEqual([
      ["#3", "#1", "#4", "#1", "#5"],
      ["#9", "#2", "#6"],
    ]);
  });

  it("may be looked at anywhere", async () => {
    const [first = []] = prompts;
    const middle = await attribution.direct(model, first, { of: 6, pos: -3 });
    const shorter = await attribution.direct(model, first.slice(0, 3), { of: 6 });
    expect(middle.values.maxAbsDiff(shorter.values)).toBeLessThan(1e-5);
    expect((await attribution.direct(model, first, { of: 6, pos: 2 })).values.maxAbsDiff(middle.values)).toBe(0);
    await expect(attribution.direct(model, first, { of: 6, pos: 9 })).rejects.toThrow(/9/);
  });
});

describe("targets", () => {
  it("are texts, ids, lists, differences, directions and tasks", async () => {
    const text = "The President of the United";
    const byText = await attribution.direct(tiny, text, { of: " States" });
    expect(byText.of).toBe('logit of " States"');
    const byId = await attribution.direct(tiny, text, { of: tiny.toSingleToken(" States") });
    expect(list(byId.values)).toEqual(list(byText.values));
    const other = await attribution.direct(tiny, text, { of: " the" });
    const difference = await attribution.direct(tiny, text, { of: { tokens: " States", minus: " the" } });
    expect(difference.of).toBe('logit of " States" − " the"');
    expect(difference.values.maxAbsDiff(byText.values.sub(other.values))).toBeLessThan(1e-5);
    const task = tasks.repeated(tiny, { n: 3 });
    const ofTask = await attribution.direct(tiny, task.clean, { of: task });
    const right = task.answerTokens.map(([id = 0]) => id);
    const wrong = task.wrongAnswerTokens.map(([id = 0]) => id);
    const same = await attribution.direct(tiny, task.clean, { of: { tokens: right, minus: wrong } });
    expect(list(ofTask.values)).toEqual(list(same.values));
    expect(ofTask.of).toBe("logit difference");
  });

  it("that do not fit the prompts are refused", async () => {
    await expect(attribution.direct(model, prompts, { of: [1, 2, 3] })).rejects.toThrow(
      "attribution.direct: of: got 3 tokens for 2 prompts; expected one token for each prompt, or one for all. Pass as many tokens as prompts.",
    );
    await expect(attribution.direct(model, prompts, { of: { direction: zeros([4], ["dModel"]) } })).rejects.toThrow(
      "attribution.direct: direction: got [dModel=4]; expected [dModel=15], or [batch=2, dModel=15]. Give one direction, or one for each prompt.",
    );
    await expect(
      attribution.direct(model, prompts, { of: { direction: zeros([3, 15], ["batch", "dModel"]) } }),
    ).rejects.toThrow(/batch=3/);
    await expect(attribution.direct(tiny, "We", { of: " nonsensical words" })).rejects.toThrow(/token/);
    await expect(attribution.direct(model, prompts, { of: 99 })).rejects.toThrow(/99/);
  });
});

describe("edits", () => {
  it("of heads and sublayers are part of what is attributed", async () => {
    const edited = model.with(edit.zero(at.z(1), { head: 0 }));
    const result = await attribution.direct(edited, prompts, { of: 6, by: "head" });
    expect(result.get("L1H0")).toEqual([0, 0]);
    expect(result.error).toBeLessThan(1e-4);
    expect(result.provenance.edits).toEqual(["zero"]);
  });

  it("of the stream are refused, or make an entry of their own", async () => {
    const edited = model.with(edit.add(at.residPost(0), 0.5), edit.scale(at.residMid(1), 1.5));
    await expect(attribution.direct(edited, prompts, { of: 6 })).rejects.toThrow(
      /expected a run in which the stream is the sum of what sublayers wrote/,
    );
    for (const by of ["component", "layer", "head", "neuron"] as const) {
      const result = await attribution.direct(edited, prompts, { of: 6, by, remainder: true });
      expect(result.labels).toContain("remainder");
      expect(result.error).toBeLessThan(1e-4);
      const component = await attribution.direct(edited, prompts, { of: 6, remainder: true });
      for (const i of [0, 1]) expect(result.get("remainder")[i]).toBeCloseTo(component.get("remainder")[i] ?? 0, 4);
    }
    const plain = await attribution.direct(model, prompts, { of: 6, remainder: true });
    for (const value of plain.get("remainder")) expect(Math.abs(value)).toBeLessThan(1e-5);
  });

  it("between stream and logits are refused", async () => {
    for (const change of [
      edit.scale("unembed.hook_in", 2),
      edit.scale("unembed.hook_out", 2),
      edit.scale("ln_final.hook_normalized", 2),
    ])
      await expect(attribution.direct(model.with(change), prompts, { of: 6 })).rejects.toThrow(
        /attribution\.direct: got a model with edit\.scale at (unembed|ln_final)\..*expected logits that are the unembedding of the final norm's output\. Edit the stream instead\./,
      );
    const scaled = await attribution.direct(model.with(edit.scale("ln_final.hook_scale", 2)), prompts, { of: 6 });
    expect(scaled.error).toBeLessThan(1e-4);
  });
});

describe("refusals", () => {
  it("of unknown units, and of neurons where there are none", async () => {
    // @ts-expect-error a unit that does not exist
    await expect(attribution.direct(model, prompts, { of: 6, by: "heads" })).rejects.toThrow(
      'attribution.direct: by: got "heads"; expected "component", "layer", "head" or "neuron". Correct the word.',
    );
    const bare = await loadModel(fixture("architectures", "tl-attn-only"));
    await expect(attribution.direct(bare, prompts, { of: 6, by: "neuron" })).rejects.toThrow(
      'attribution.direct: by: got "neuron", for a model without MLPs; expected a model with neurons. Use by: "head".',
    );
    await bare.close();
  });

  it("of labels and prompts that are not there, and of no prompts", async () => {
    const result = await attribution.direct(model, prompts, { of: 6 });
    expect(() => result.get("L9H9")).toThrow(
      'attribution: result.get: got "L9H9"; expected a label such as embed, pos_embed, 0_attn_out, 0_mlp_out. List them with result.labels.',
    );
    expect(() => result.list(2)).toThrow(
      "attribution: prompt: got 2; expected a whole number from 0 to 1. Leave it out for the mean over prompts.",
    );
    await expect(attribution.direct(model, [], { of: 6 })).rejects.toThrow(/attribution\.direct: got no prompts/);
  });

  it("when the signal aborts", async () => {
    await expect(attribution.direct(model, prompts, { of: 6, signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });
});

describe("results", () => {
  it("list means over prompts, or one prompt, largest first", async () => {
    const result = await attribution.direct(model, prompts, { of: 6, by: "head" });
    const [mean] = result.list();
    const [a = 0, b = 0] = result.get("L0H0");
    expect(mean?.value).toBeCloseTo((a + b) / 2, 12);
    expect(result.list(1)[0]?.value).toBe(b);
    const sizes = result.top(5).map(({ value }) => Math.abs(value));
    expect(sizes).toEqual([...sizes].sort((x, y) => y - x));
    expect(sizes).toHaveLength(5);
  });

  it("know where they come from, and print themselves", async () => {
    const result = await attribution.direct(tiny, ["We the people", "In the"], { of: " of", by: "head" });
    expect(result.provenance).toEqual({
      model: "tiny",
      identity: expect.any(String) as string,
      edits: [],
      precision: "float32",
    });
    const lines = String(result).split("\n");
    expect(lines[0]).toBe('logit of " of" by head in "tiny", mean of 2 prompts');
    expect(lines).toHaveLength(11);
    expect(lines.at(-1)).toMatch(
      /^ {2}-?\d+\.\d{4} in all; the model says -?\d+\.\d{4} \(largest difference \d\.\de-\d+\)$/,
    );
  });

  it("draw heads as layers against heads, with the rest beside them", async () => {
    const result = await attribution.direct(model, prompts, { of: 6, by: "head" });
    const { spec } = result.toView();
    if (spec.view !== "panels") throw new Error(spec.view);
    expect(spec.panels.map(({ view }) => view)).toEqual(["heatmap", "bars"]);
    expect(result.toView({ as: "bars" }).spec.view).toBe("bars");
  });

  it("draw bars by size, the small ones as one", async () => {
    const result = await attribution.direct(model, prompts, { of: 6, by: "neuron" });
    const { spec } = result.toView({ top: 5, prompt: 0 });
    if (spec.view !== "bars") throw new Error(spec.view);
    expect(spec.values).toHaveLength(6);
    expect(spec.axis.labels.at(-1)).toBe(`${result.labels.length - 5} others`);
    expect(spec.order).toBe("size");
    const sum = spec.values.reduce<number>((total, value) => total + Number(value), 0);
    expect(sum).toBeCloseTo(result.sum.at({ batch: 0 }).item(), 6);
  });

  it("draw a waterfall from 0 to the total", async () => {
    const result = await attribution.direct(model, prompts, { of: 6 });
    const { spec } = result.toView({ as: "waterfall" });
    if (spec.view !== "bars") throw new Error(spec.view);
    expect(spec.running).toBe(true);
    expect(spec.axis.labels).toEqual([...result.labels, "total"]);
    expect(Number(spec.values.at(-1))).toBeCloseTo(result.sum.mean().item(), 6);
  });

  it("say when a soft cap comes after them", async () => {
    const gemma = await loadModel(fixture("architectures", "gemma2"));
    const capped = await attribution.direct(gemma, prompts, { of: 6 });
    expect(capped.isBeforeSoftCap).toBe(true);
    expect(String(capped)).toContain("before the soft cap");
    expect(capped.toView().spec.note).toContain("before the soft cap");
    const along = await attribution.direct(gemma, prompts, {
      of: {
        direction: tensor(
          Array.from({ length: 12 }, (_, i) => i),
          ["dModel"],
        ),
      },
    });
    expect(along.isBeforeSoftCap).toBe(false);
    await gemma.close();
  });
});
