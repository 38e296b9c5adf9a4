/** Every refusal of metrics and gradients says where, what came, what was expected and what to do. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metric } from "../../../src/analysis/index.js";
import { at, edit, loadModel, type Metric, type Model, type RunGradientOptions } from "../../../src/model/index.js";
import { tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

const rows = [[3, 1, 4, 1, 5]];
const of = metric.logitDiff({ answerTokens: [[5]], wrongAnswerTokens: [[6]] });

let model: Model;
beforeAll(async () => {
  model = await loadModel(fixture("architectures", "gpt2"));
});
afterAll(() => model.close());

/** The message of a run that is refused. */
async function refusal(gradients: Omit<RunGradientOptions, "of">, own: Model = model): Promise<string> {
  try {
    await own.run(rows, { gradients: { of, ...gradients } });
  } catch (error) {
    return String(error);
  }
  return "no error";
}

describe("what cannot be differentiated", () => {
  it("names the nearest hook points and weights for an unknown name", async () => {
    expect(await refusal({ wrt: "rezid_post" })).toMatch(
      /^HookNotFoundError: model\.run: gradients\.wrt: got "rezid_post", which matches nothing|got "rezid_post".*; or a weight, such as/,
    );
    expect(await refusal({ wrt: "blocks.0.attn.W_X" })).toContain("or a weight, such as blocks.0.attn.W_");
    expect(await refusal({ wrt: /nothing$/ })).toContain("gradients.wrt: got /nothing$/, which matches nothing");
    expect(await refusal({ wrt: "hook_embed", stopAt: "patern" })).toContain("gradients.stopAt");
    expect(await refusal({ wrt: "hook_embed", edits: [edit.zero("nowhere")] })).toContain("edit.zero");
  });

  it("asks for something", async () => {
    expect(await refusal({ wrt: [] })).toContain("gradients.wrt: got an empty list");
  });

  it("refuses token ids", async () => {
    expect(await refusal({ wrt: "hook_tokens" })).toContain("token ids, which have no gradient; expected a hook point");
  });

  it("refuses a layer's shared norm beside inputs of single heads", async () => {
    expect(await refusal({ wrt: ["blocks.0.hook_q_input", "blocks.0.ln1.hook_scale"] })).toContain(
      "got blocks.0.hook_q_input together with blocks.0.ln1",
    );
    const edits = [edit.scale("blocks.1.ln1.hook_scale", 2)];
    expect(await refusal({ wrt: "q_input", edits })).toContain("Ask for them in two runs");
    expect(await refusal({ wrt: ["blocks.0.hook_q_input", "blocks.1.ln1.hook_scale"] })).toBe("no error");
  });

  it("refuses callbacks by name, in the model and among the edits of gradients", async () => {
    const called = model.with(edit.callback(at.z(0), (z) => z));
    expect(await refusal({ wrt: "hook_embed" }, called)).toContain(
      'a model with edit.callback at "blocks.0.attn.hook_z", a function that cannot be differentiated',
    );
    expect(await refusal({ wrt: "hook_embed", edits: [edit.callback(at.z(0), (z) => z)] })).toContain(
      "gradients.edits: got edit.callback, which cuts the graph",
    );
    expect(await refusal({ wrt: "hook_embed", edits: [edit.zero(at.z(0), { steps: 0 })] })).toContain(
      "gradients.edits: edit.zero: got a selection by steps",
    );
  });

  it("says what stands between a point and the metric", async () => {
    const overwritten = model.with(edit.replace("blocks.1.hook_resid_pre", 1));
    const message = await refusal({ wrt: ["blocks.1.hook_resid_post", "hook_embed"] }, overwritten);
    expect(message).toBe(
      "UnsupportedError: model.run: gradient with respect to hook_embed: got no path to the outputs; expected a value that the metric depends on through derivatives. Leave it out: its gradient is 0. Check the metric, stopAt and edits behind it.",
    );
    expect(await refusal({ wrt: "blocks.0.attn.W_O" }, overwritten)).toContain(
      "gradient with respect to transformer.h.0.attn.c_proj.weight: got no path to the outputs",
    );
    const stopped = await refusal({ wrt: "blocks.1.attn.hook_q", stopAt: at.z(1) });
    expect(stopped).toContain(
      "gradient with respect to blocks.1.attn.hook_q: got paths that only lead through Identity",
    );
    expect(stopped).toContain("(gradients stop at blocks.1.attn.hook_z)");
  });

  it("refuses an edit of a gradient that does not pass", async () => {
    expect(await refusal({ wrt: "blocks.1.hook_resid_mid", edits: [edit.zero(at.z(0))] })).toContain(
      "model.run: gradients.edits at blocks.0.attn.hook_z: got a value that no gradient passes; expected a point between",
    );
  });

  it("refuses an edit that changes the shape of a gradient, or selects an axis that is not there", async () => {
    const shrink = edit.map(at.mlpOut(1), (g) => g.sum("dModel"));
    expect(await refusal({ wrt: "hook_embed", edits: [shrink] })).toContain("edit.map at blocks.1.hook_mlp_out");
    expect(await refusal({ wrt: "hook_embed", edits: [edit.zero(at.mlpOut(1), { head: 0 })] })).toContain(
      'a selection by "head"',
    );
  });
});

describe("directions", () => {
  it("need the shape of their hook point, and nothing but hook points beside them", async () => {
    const along = tensor([[[1, 2, 3]]], ["batch", "pos", "dModel"]);
    expect(await refusal({ wrt: "hook_embed", along })).toContain(
      "gradients.along at hook_embed: got a direction of shape [1, 1, 3]; expected [1, 5, 15]",
    );
    expect(await refusal({ wrt: ["hook_embed", "W_O"], along })).toContain("a direction together with transformer.h.0");
    const edits = [edit.zero(at.z(0))];
    expect(await refusal({ wrt: "hook_embed", along, edits })).toContain("a direction together with edit.zero");
  });

  it("are asked for when products are read", async () => {
    const { gradients } = await model.run(rows, { gradients: { of, wrt: "hook_embed" } });
    expect(() => gradients.hessianVector("hook_embed")).toThrow("Pass gradients: { of, wrt, along: direction }");
  });
});

describe("weights that cannot be asked for", () => {
  it("that are tied, by either of their two names", async () => {
    expect(await refusal({ wrt: "embed.W_E" })).toContain(
      'the same stored tensor "transformer.wte.weight", whose gradient is the sum of both',
    );
    expect(await refusal({ wrt: "transformer.wte.weight" })).toBe("no error");
  });

  it("that are made of several stored tensors in a processed view", async () => {
    expect(await refusal({ wrt: "W_Q" }, model.processed({ foldLn: true }))).toContain("a weight of a processed view");
    expect(await refusal({ wrt: "transformer.h.0.attn.c_attn.weight" }, model.processed({ foldLn: true }))).toBe(
      "no error",
    );
  });

  it("that the model scales after reading them", async () => {
    const gemma = await loadModel(fixture("architectures", "gemma2"));
    await expect(gemma.run(rows, { gradients: { of, wrt: "embed.W_E" } })).rejects.toThrow(
      /tied|same stored tensor|scales/,
    );
    await gemma.close();
  });

  it("that this run does not read", async () => {
    const run = model.run(rows, { layers: [0], gradients: { of, wrt: "blocks.1.attn.W_O" } });
    await expect(run).rejects.toThrow(
      'gradients: wrt "transformer.h.1.attn.c_proj.weight": got a stored tensor that this run does not read',
    );
  });
});

describe("runs that do not fit", () => {
  it("refuses two metrics, a run that stops early, and results above the memory limit", async () => {
    const other = metric.answerLogit({ answerTokens: [[5]] });
    const gradients = { of, wrt: "hook_embed" };
    await expect(model.run(rows, { metric: other, gradients })).rejects.toThrow(
      'metric: got "answerLogit" beside gradients of another metric, "logitDiff"',
    );
    await expect(model.run(rows, { metricRows: [0] })).rejects.toThrow("rows of a metric without a metric");
    await expect(model.run(rows, { stopAtLayer: 1, metric: of })).rejects.toThrow(
      'metric "logitDiff": got a run that stops before the logits',
    );
    await expect(model.run(rows, { gradients, memoryLimit: 100 })).rejects.toThrow(/results of .* at most 100/);
  });

  it("says what was not asked for", async () => {
    const run = await model.run(rows);
    expect(() => run.metric).toThrow("run.metric: got a run that did not compute it");
    expect(() => run.gradients).toThrow("Pass gradients: { of: metric, wrt: [...] }");
    const { gradients } = await model.run(rows, { gradients: { of, wrt: ["hook_embed", "W_O"] } });
    expect(() => gradients.get("z", 0)).toThrow(
      'run.gradients.get: got "blocks.0.attn.hook_z", which was not asked for',
    );
    expect(() => gradients.get(at.z(0))).toThrow('Add "blocks.0.attn.hook_z" to gradients.wrt');
    expect(() => gradients.get(at.z("all"))).toThrow("a reference to all layers");
    expect(() => gradients.weight("W_Q", 0)).toThrow('run.gradients.weight: got "W_Q" of layer 0');
    const none = (await model.run(rows, { gradients: { of, wrt: "hook_embed" } })).gradients;
    expect(() => none.weight("W_Q")).toThrow("none: no weight was asked for");
  });

  it("refuses a gradient that is not a number", async () => {
    const root = metric.custom("root", (x) => x.mul(0).sum("dVocabOut").sqrt());
    const run = await model.run(rows, { gradients: { of: root, wrt: "hook_embed" } });
    expect(() => run.gradients.get("hook_embed")).toThrow("gradient with respect to hook_embed: got NaN at element 0");
    const unchecked = await model.run(rows, { checks: false, gradients: { of: root, wrt: "hook_embed" } });
    expect(Number.isNaN(Number(unchecked.gradients.get("hook_embed").data[0]))).toBe(true);
  });

  it("refuses a metric that is not a number", async () => {
    const log = metric.custom("log", (x) => x.mul(0).sum("dVocabOut").sub(1).log());
    await expect(model.run(rows, { metric: log })).rejects.toThrow('metric "log": got NaN in row 0');
  });
});

describe("metrics that do not fit a run", () => {
  const message = async (own: Metric, options = {}): Promise<string> => {
    try {
      await model.run([...rows, ...rows], { metric: own, ...options });
    } catch (error) {
      return String(error);
    }
    return "no error";
  };

  it("by their number of prompts or the mapping of rows", async () => {
    expect(await message(of)).toContain('got 2 rows for a metric "logitDiff" of 1 prompts');
    expect(await message(of, { metricRows: [0] })).toContain(
      "metricRows: got 1 numbers; expected one for each of 2 rows",
    );
    expect(await message(of, { metricRows: [0, 1] })).toContain("metricRows: got 1; expected integers from 0 to 0");
    expect(await message(metric.loss(), { metricRows: [0, -1] })).toContain("got -1; expected integers from 0");
    expect(await message(of, { metricRows: [0, 0] })).toBe("no error");
  });

  it("by token ids and lengths", async () => {
    const far = metric.answerLogit({ answerTokens: [[29], [1]] });
    expect(await message(far)).toContain("the token id 29; expected an id from 0 to 28");
    const { logits } = await model.run([[1, 2, 3]]);
    expect(await message(metric.klToReference(logits), { metricRows: [0, 0] })).toContain("87 numbers for one prompt");
  });

  it("by their shape", async () => {
    const wide = metric.custom("wide", (x) => x);
    expect(await message(wide)).toContain('metric "wide": got values of shape [batch, 1, 29]');
  });

  it("a loss without tokens, or without a next token", async () => {
    const embeddings = tensor([[[...Array(15).keys()].map((i) => i / 10)]], ["batch", "pos", "dModel"]);
    await expect(model.run({ embeddings }, { metric: metric.loss() })).rejects.toThrow(
      'metric "loss": got a run without tokens',
    );
    await expect(model.run([[1]], { metric: metric.loss() })).rejects.toThrow(
      "no row with two real tokens side by side",
    );
  });
});
