/** Every refusal of the model layer, by its message: where, what came, what was expected, what to do. */
import { afterAll, describe, expect, it } from "vitest";
import {
  at,
  type Edit,
  edit,
  loadModel,
  type Model,
  type ModelInput,
  type RunOptions,
} from "../../../src/model/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";
import { floats } from "../../property/model-support.js";
import { brokenCopy, failure } from "./support.js";

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
const z = "blocks.1.attn.hook_z";

interface Refusal {
  readonly input?: ModelInput;
  readonly options?: RunOptions;
  readonly edits?: readonly Edit[];
  readonly model?: string;
}

async function refusal({ input = rows, options = {}, edits = [], model = "gpt2" }: Refusal): Promise<string> {
  const subject = await open(model);
  const error = await failure(() => subject.with(...edits).run(input, options));
  return `${error.code} ${error.message}`;
}

describe("hook names", () => {
  it.each<[string, Refusal, string]>([
    [
      "an unknown name",
      { options: { capture: "blocks.0.hook_resid_prE" } },
      'HOOK_NOT_FOUND model.run: capture: got "blocks.0.hook_resid_prE", which matches nothing; expected a hook point that this run passes; nearest: blocks.0.hook_resid_pre, blocks.1.hook_resid_pre, blocks.0.hook_resid_mid. List them with model.hookNames().',
    ],
    [
      "a short name with a slip",
      { edits: [edit.zero("patern")] },
      'HOOK_NOT_FOUND edit.zero: got "patern", which matches nothing; expected a hook point that this run passes; nearest: ',
    ],
    [
      "a layer that does not exist",
      { options: { capture: at.residPost(9) } },
      'HOOK_NOT_FOUND model.run: capture: got "blocks.9.hook_resid_post", which matches nothing; expected a layer that runs: 0–1; the last is blocks.1.hook_resid_post. List them with model.hookNames().',
    ],
    [
      "one layer of several that does not exist",
      { edits: [edit.zero(at.z([0, 7]))] },
      'HOOK_NOT_FOUND edit.zero: got "blocks.0,7.attn.hook_z": no "blocks.7.attn.hook_z"; expected a layer that runs: 0–1; the last is blocks.1.attn.hook_z.',
    ],
    [
      "a negative layer",
      { edits: [edit.zero(at.z(-1))] },
      'HOOK_NOT_FOUND edit.zero: got "blocks.-1.attn.hook_z", which matches nothing; expected a layer that runs: 0–1; the last is',
    ],
    [
      "a layer after the one where the run stops",
      { edits: [edit.zero(at.z(1))], options: { stopAtLayer: 1 } },
      'HOOK_NOT_FOUND edit.zero: got "blocks.1.attn.hook_z", which matches nothing; expected a layer that runs: 0; the last is blocks.0.attn.hook_z.',
    ],
    [
      "a second time that a layer does not run",
      { options: { capture: "blocks.0~2.hook_resid_post", layers: [0, 1, 1] } },
      'got "blocks.0~2.hook_resid_post", which matches nothing; expected a layer that runs: 0, 1, 1~2; the last is blocks.1~2.hook_resid_post.',
    ],
    [
      "a glob that matches nothing",
      { options: { capture: "blocks.*.hook_rezid" } },
      'HOOK_NOT_FOUND model.run: capture: got "blocks.*.hook_rezid", which matches nothing; expected a hook point that this run passes; nearest: blocks.',
    ],
    [
      "one glob of two that matches nothing",
      { options: { capture: ["*", "ln_fina.*"] } },
      'got "ln_fina.*", which matches nothing; expected a hook point that this run passes; nearest: hook_tokens',
    ],
    [
      "a RegExp that matches nothing",
      { edits: [edit.zero(/hook_rezid/)] },
      "HOOK_NOT_FOUND edit.zero: got /hook_rezid/, which matches nothing; expected a hook point that this run passes; nearest: ",
    ],
    [
      "a point that this architecture lacks",
      { model: "tl-attn-only", options: { capture: "mlp_out" } },
      'got "mlp_out", which matches nothing; expected a hook point',
    ],
    [
      "an empty list",
      { edits: [edit.zero([])] },
      "HOOK_NOT_FOUND edit.zero: got an empty list; expected at least one hook point. Name one, or leave this out.",
    ],
  ])("refuses %s", async (_name, wrong, message) => {
    expect(await refusal(wrong)).toContain(message);
  });
});

describe("edits", () => {
  it.each<[string, Refusal, string]>([
    [
      "one that reaches no output",
      { edits: [edit.zero(z)], options: { capture: "blocks.0.hook_resid_post", logits: "none" } },
      `UNREACHED_EDIT edit.zero at ${z}: got an edit that cannot change what was asked for (blocks.0.hook_resid_post); expected an edit upstream of a requested output, not overwritten by a later edit. Ask for logits or a later hook point, or remove the edit.`,
    ],
    [
      "one that a later edit overwrites",
      { edits: [edit.add(z, 1), edit.zero(z)] },
      `UNREACHED_EDIT edit.add at ${z}: got an edit that cannot change what was asked for (logits)`,
    ],
    [
      "a replacement of the wrong shape",
      { edits: [edit.replace(z, floats([1, 2, 3, 4], [4], ["dHead"]))] },
      `SHAPE edit at ${z}: got a value of shape [dHead=4]; expected an "dHead" axis of size 1 or 5 in [batch=batch, pos=pos, head=3, dHead=5]. Select or broadcast the value to the hook point's shape.`,
    ],
    [
      "a replacement with too many axes",
      { edits: [edit.replace(z, floats([1], [1, 1, 1, 1, 1], ["a", "b", "c", "d", "e"]))] },
      "SHAPE edit value: got 5 axes [1, 1, 1, 1, 1]; expected at most 4: batch, pos, head, dHead.",
    ],
    [
      "a value from another length",
      {
        edits: [
          edit.replace(
            z,
            floats(
              Array.from({ length: 105 }, () => 1),
              [1, 7, 3, 5],
              ["batch", "pos", "head", "dHead"],
            ),
          ),
        ],
      },
      `SHAPE edit at ${z}: got a value of shape [1, 7, 3, 5]; expected sizes that broadcast to [batch=1, pos=5, head=3, dHead=5].`,
    ],
    [
      "a value of another dtype",
      { edits: [edit.replace(z, Tensor.of(Uint8Array.of(1, 0, 1, 0, 1), [5], ["dHead"]))] },
      `DTYPE edit at ${z}: got a value of dtype uint8; expected float32 or float64. Convert it with tensor.cast("float32").`,
    ],
    [
      "NaN in a value",
      { edits: [edit.add(z, [1, 2, Number.NaN, 4, 5])] },
      `NUMERIC edit at ${z}: got NaN at element 2 of the value; expected numbers.`,
    ],
    [
      "NaN as a value",
      { edits: [edit.replace(z, Number.NaN)] },
      `NUMERIC edit at ${z}: got NaN at element 0 of the value`,
    ],
    [
      "a factor that is no number",
      { edits: [edit.scale(z, Number.NaN)] },
      `NUMERIC edit.scale at ${z}: got the factor NaN; expected a finite number.`,
    ],
    [
      "NaN from a callback",
      { edits: [edit.callback(z, (x) => x.div(0).mul(0))] },
      `NUMERIC callback at ${z}: got NaN in the returned tensor; expected numbers, as in the value it was given. Look for 0/0`,
    ],
    [
      "another shape from a callback",
      { edits: [edit.callback(z, (x) => x.sum("head"))] },
      `SHAPE callback at ${z}: got shape [2, 5, 5]; expected [2, 5, 3, 5]. Return a tensor of the value's own shape.`,
    ],
    [
      "another dtype from a callback",
      { edits: [edit.callback(z, (x) => x.cast("int32"))] },
      `DTYPE callback at ${z}: got int32; expected float32.`,
    ],
    [
      "another shape from a map",
      { edits: [edit.map(z, (x) => x.sum("head"))] },
      `SHAPE edit.map at ${z}: got a result of shape [batch, pos, 1, 5]; expected [batch, pos, 3, 5].`,
    ],
    [
      "an axis that a map lacks",
      { edits: [edit.map(z, (x) => x.add(x.sum("heads")))] },
      'AXIS edit.map: got the axis "heads"; expected one of batch, pos, head, dHead. Nearest: head',
    ],
    [
      "infinity from a map, with the layer",
      { edits: [edit.map(z, (x) => x.mul(1e30).exp())] },
      "NUMERIC model.run: got NaN or infinity in the stream after layer 1; expected finite numbers.",
    ],
    [
      "a selection by an axis that the point lacks",
      { edits: [edit.zero("blocks.0.hook_resid_post", { head: 1 })] },
      'AXIS edit.zero: got a selection by "head" at blocks.0.hook_resid_post; expected one of row, pos, dModel, where, steps (axes batch, pos, dModel).',
    ],
    [
      "a selection that touches nothing",
      { edits: [edit.zero(z, { where: () => false })] },
      `INPUT edit at ${z}: got a selection that touches nothing; expected at least one element.`,
    ],
    [
      "an empty range",
      { edits: [edit.zero(z, { pos: { from: 3, to: 3 } })] },
      `edit at ${z}: got a selection that touches nothing`,
    ],
    [
      "a head out of range",
      { edits: [edit.zero(z, { head: 3 })] },
      `INPUT edit at ${z}: head: got index 3; expected an index from -3 to 2.`,
    ],
    [
      "a head that is no integer",
      { edits: [edit.zero(z, { head: 0.5 })] },
      `edit at ${z}: head: got index 0.5; expected an index from -3 to 2.`,
    ],
    [
      "a row out of range",
      { edits: [edit.zero(z, { row: 2 })] },
      `edit at ${z}: row: got index 2; expected an index from -2 to 1.`,
    ],
    [
      "generated positions in a plain run",
      { edits: [edit.zero(z, { pos: "generated" })] },
      `edit at ${z}: pos: got the position "generated" in a plain run; expected generate(), which makes positions.`,
    ],
    [
      "steps in a plain run",
      { edits: [edit.zero(z, { steps: 0 })] },
      "INPUT model.run: edit.zero: got a selection by steps in a plain run; expected generate(), which makes steps.",
    ],
    [
      "a norm scale of 0",
      { edits: [edit.zero("blocks.0.ln1.hook_scale")] },
      "UNSUPPORTED edit.zero at blocks.0.ln1.hook_scale: got a norm scale to be set to 0, which divides by zero; expected a positive scale. Zero the sublayer's output",
    ],
    [
      "a norm scale times 0",
      { edits: [edit.scale("ln_final.hook_scale", 0)] },
      "UNSUPPORTED edit.scale at ln_final.hook_scale: got a norm scale to be set to 0",
    ],
    [
      "a norm scale replaced by 0",
      { edits: [edit.replace("ln_final.hook_scale", 0)] },
      "UNSUPPORTED edit.replace at ln_final.hook_scale: got a norm scale to be set to 0",
    ],
    [
      "an edit of tokens",
      { edits: [edit.zero("hook_tokens")] },
      "UNSUPPORTED edit.zero at hook_tokens: got a hook point that can only be read",
    ],
  ])("refuses %s", async (_name, wrong, message) => {
    expect(await refusal(wrong)).toContain(message);
  });

  it("refuses a patch from a cache that lacks the point or was made of a longer prompt", async () => {
    const model = await open("gpt2");
    const { cache } = await model.run([[1, 2, 3, 4, 5, 6, 7]], { capture: "blocks.1.attn.hook_q" });
    expect(await refusal({ edits: [edit.patch(z, cache)] })).toContain(
      `HOOK_NOT_FOUND cache.get: got "${z}", which this run did not capture`,
    );
    const longer = await refusal({ edits: [edit.patch("blocks.1.attn.hook_q", cache)] });
    expect(longer).toContain(
      "SHAPE edit at blocks.1.attn.hook_q: got a value of shape [1, 7, 3, 5]; expected sizes that broadcast to [batch=1, pos=5, head=3, dHead=5]. Give a value made from a run of the same batch and length, or select positions.",
    );
    const inGenerate = await failure(() =>
      model.with(edit.patch("blocks.1.attn.hook_q", cache)).generate(rows, { maxNewTokens: 2 }),
    );
    expect(inGenerate.message).toContain("edit at blocks.1.attn.hook_q: got a value of shape [1, 7, 3, 5]");
  });
});

describe("input", () => {
  it.each<[string, Refusal, string]>([
    [
      "a token id out of range",
      {
        input: [
          [1, 2],
          [3, 29],
        ],
      },
      "TOKEN model input: row 1, position 1: got token id 29; expected an integer from 0 to 28. Use ids of this model's own tokenizer.",
    ],
    [
      "a negative token id",
      { input: [-1] },
      "TOKEN model input: row 0, position 0: got token id -1; expected an integer from 0 to 28.",
    ],
    ["a token id that is no integer", { input: [1.5] }, "model input: row 0, position 0: got token id 1.5;"],
    [
      "an empty prompt",
      { input: [] },
      "TOKEN model input: row 0: got 0 tokens; expected at least one token. Give a prompt, or prependBos: true for an empty one.",
    ],
    ["an empty row", { input: [[1], []] }, "TOKEN model input: row 1: got 0 tokens;"],
    [
      "an empty text",
      { model: "tiny", input: "", options: { prependBos: false } },
      "TOKEN model input: row 0: got 0 tokens;",
    ],
    [
      "a prompt longer than the context",
      { input: Array.from({ length: 20 }, () => 1) },
      "TOKEN model input: row 0: got 20 tokens; expected at most 19, the model's context. Shorten the prompt",
    ],
    [
      "rows of unequal length",
      { input: [[1, 2, 3], [4]] },
      'TOKEN model input: got rows of 3, 1 tokens; expected rows of equal length. Pass padding: "left" or "right", or an attentionMask.',
    ],
    [
      "text for a model without a tokenizer",
      { input: "hello" },
      "INPUT model input: got text, for a model without a tokenizer; expected token ids.",
    ],
    [
      "a mask of other numbers",
      {
        input: {
          tokens: rows,
          attentionMask: [
            [1, 1, 1, 1, 2],
            [1, 1, 1, 1, 1],
          ],
        },
      },
      "INPUT model input: attentionMask: got other numbers than 0 and 1;",
    ],
    [
      "a mask of another shape",
      { input: { tokens: rows, attentionMask: [[1, 1]] } },
      "SHAPE model input: attentionMask: got [1, 2]; expected [batch=2, pos=5].",
    ],
    [
      "a row of padding only",
      {
        input: {
          tokens: rows,
          attentionMask: [
            [1, 1, 1, 1, 1],
            [0, 0, 0, 0, 0],
          ],
        },
      },
      "TOKEN model input: row 1: got a row of padding only;",
    ],
    [
      "positions beyond the context",
      {
        input: {
          tokens: rows,
          positions: [
            [0, 1, 2, 3, 19],
            [0, 1, 2, 3, 4],
          ],
        },
      },
      "TOKEN model input: positions: got 19; expected 0 to 18.",
    ],
    [
      "tokens and embeddings",
      { input: { tokens: rows, embeddings: floats([1], [1, 1, 1], ["a", "b", "c"]) } },
      "UNSUPPORTED model input: got 2 of tokens, embeddings, residual; expected exactly one of them.",
    ],
    [
      "embeddings of another width",
      { input: { embeddings: floats([1, 2], [1, 1, 2], ["a", "b", "c"]) } },
      "SHAPE model input: embeddings: got [1, 1, 2]; expected [batch, pos, dModel=15].",
    ],
    [
      "NaN in embeddings",
      {
        input: {
          embeddings: floats(
            Array.from({ length: 15 }, (_, i) => (i === 3 ? Number.NaN : i)),
            [1, 15],
            ["pos", "dModel"],
          ),
        },
      },
      "NUMERIC model.run: got NaN or infinity in the stream before the first layer;",
    ],
    [
      "a tensor of three axes",
      { input: floats([1], [1, 1, 1], ["a", "b", "c"]) },
      "SHAPE model input: tokens: got a tensor of rank 3; expected [pos] or [batch, pos].",
    ],
  ])("refuses %s", async (_name, wrong, message) => {
    expect(await refusal(wrong)).toContain(message);
  });

  it("refuses a doubled BOS and says who put the other one there", async () => {
    const model = await open("tiny");
    const bos = model.tokenizer.bosId;
    if (bos === undefined) throw new Error("the embedded model has a BOS");
    const error = await failure(() => model.run([[bos, bos, 5]]));
    expect(error.code).toBe("TOKEN");
    expect(error.where).toBe("model input: row 0");
    expect(error.message).toMatch(/BOS/);
  });
});

describe("options", () => {
  const residual = floats(
    Array.from({ length: 30 }, () => 1),
    [1, 2, 15],
    ["batch", "pos", "dModel"],
  );
  it.each<[string, Refusal, string]>([
    [
      "a layer out of range",
      { options: { layers: [0, 2] } },
      "INPUT model.run: layers: got 2; expected an integer from -2 to 1. This model has 2 layers.",
    ],
    ["a layer that is no integer", { options: { layers: [0.5] } }, "INPUT model.run: layers: got 0.5;"],
    [
      "a start out of range",
      { input: { residual }, options: { startAtLayer: 2 } },
      "INPUT model.run: startAtLayer: got 2; expected an integer from -2 to 1.",
    ],
    [
      "a stop out of range",
      { options: { stopAtLayer: 3 } },
      "INPUT model.run: stopAtLayer: got 3; expected an integer from -2 to 2.",
    ],
    [
      "a stop before the start",
      { input: { residual }, options: { startAtLayer: 1, stopAtLayer: 0 } },
      "INPUT model.run: stopAtLayer: got 0, before startAtLayer 1; expected a layer after the start. Exchange the two.",
    ],
    [
      "a start without a residual stream",
      { options: { startAtLayer: 1 } },
      "UNSUPPORTED model.run: got startAtLayer: 1 with tokens; expected { residual } together with startAtLayer. Pass model.run({ residual }, { startAtLayer: 3 }).",
    ],
    [
      "a residual stream without a start",
      { input: { residual } },
      "UNSUPPORTED model.run: got a residual stream without startAtLayer;",
    ],
    [
      "a run that returns nothing",
      { options: { logits: "none" } },
      'INPUT model.run: got logits: "none" and nothing else; expected something to compute. Ask for capture, logits, loss, a metric or stopAtLayer.',
    ],
    [
      "loss of one token",
      { input: [[1]], options: { loss: true } },
      "INPUT model.run: loss: got no row with two real tokens side by side; expected tokens to predict.",
    ],
    [
      "loss where every row has one real token",
      {
        input: {
          tokens: [
            [1, 2],
            [3, 4],
          ],
          attentionMask: [
            [0, 1],
            [1, 0],
          ],
        },
        options: { loss: true },
      },
      "INPUT model.run: loss: got no row with two real tokens side by side;",
    ],
    [
      "loss of a run that stops",
      { options: { loss: true, stopAtLayer: 1 } },
      "INPUT model.run: loss: got a run that stops before the logits;",
    ],
    [
      "loss of a model with another output vocabulary",
      { model: "tl-vocab-out", options: { loss: true } },
      "model.run: loss: got a model whose output vocabulary is not its input vocabulary",
    ],
    [
      "more bytes than allowed",
      { options: { memoryLimit: 100 } },
      " kB; expected at most 100 B (memoryLimit). Capture fewer hook points",
    ],
    [
      "logits at positions that a row lacks",
      { options: { logits: 5 } },
      "INPUT model.run: logits: got index 5; expected an index from -5 to 4.",
    ],
    [
      "logits at no position",
      { options: { logits: [] } },
      "INPUT model.run: logits: got positions that mean 0 slots per row; expected the same number of slots, at least one, in every row.",
    ],
  ])("refuses %s", async (_name, wrong, message) => {
    expect(await refusal(wrong)).toContain(message);
  });

  it("says what to ask for when a result was not asked for", async () => {
    const run = await (await open("gpt2")).run(rows, { logits: "none", capture: "resid_post" });
    const parts = [
      () => run.logits,
      () => run.loss,
      () => run.lossPerToken,
      () => run.residual,
      () => run.cache.get("z", 0),
    ];
    const messages = [];
    for (const part of parts) messages.push((await failure(part)).message);
    expect(messages).toEqual([
      'run.logits: got a run that did not compute it; expected a run that was asked for it. Pass logits: "all" or "last".',
      "run.loss: got a run that did not compute it; expected a run that was asked for it. Pass loss: true.",
      "run.lossPerToken: got a run that did not compute it; expected a run that was asked for it. Pass loss: true.",
      "run.residual: got a run that did not compute it; expected a run that was asked for it. Pass stopAtLayer.",
      expect.stringMatching(
        /^cache\.get: got "blocks\.0\.attn\.hook_z", which this run did not capture; .*Add "blocks\.0\.attn\.hook_z" to capture\.$/,
      ),
    ]);
  });

  it.each<[string, object, string]>([
    [
      "maxNewTokens",
      { maxNewTokens: 0 },
      "generate: maxNewTokens: got 0; expected a positive integer. Leave it out for 32.",
    ],
    ["temperature", { temperature: -1 }, "generate: temperature: got -1; expected 0 or more."],
    ["topK", { topK: 0 }, "generate: topK: got 0; expected a positive integer."],
    ["topP", { topP: 1.5 }, "generate: topP: got 1.5; expected a number in (0, 1]."],
    ["repetitionPenalty", { repetitionPenalty: 0 }, "generate: repetitionPenalty: got 0; expected a positive number."],
  ])("refuses a %s that generation cannot use", async (_name, options, message) => {
    const model = await open("gpt2");
    expect((await failure(() => model.generate([[1, 2]], options))).message).toContain(message);
  });

  it("refuses a prompt in generation that a run would refuse", async () => {
    const model = await open("gpt2");
    expect((await failure(() => model.generate([[99]]))).message).toContain("got token id 99");
    expect((await failure(() => model.generate([[]]))).message).toContain("got 0 tokens");
  });
});

describe("checkpoints", () => {
  it("with missing, surplus and misshapen weights are refused with all of them in one message", async () => {
    const folder = await brokenCopy("qwen2", {
      weights: ({
        "model.layers.0.mlp.up_proj.weight": _up,
        "model.norm.weight": _norm,
        "model.layers.1.input_layernorm.weight": gain,
        ...rest
      }) => ({
        ...rest,
        "model.layers.1.input_layernorm.weight": (gain as Tensor).at({ d0: [0, 1] }) as Tensor,
        "model.layers.2.stray.weight": floats([1, 2], [2], ["d0"]),
      }),
    });
    const error = await failure(() => loadModel(folder));
    expect(error.code).toBe("CHECKPOINT");
    for (const part of [
      "2 missing (",
      "model.layers.0.mlp.up_proj.weight [19, 16]",
      "model.norm.weight [16]",
      "1 surplus (model.layers.2.stray.weight [2])",
      "1 misshapen (model.layers.1.input_layernorm.weight [2] instead of [16])",
    ])
      expect(error.got).toContain(part);
  });

  it("of an unknown architecture are refused with the list of those that exist", async () => {
    const folder = await brokenCopy("gpt2", {
      config: (config) => ({ ...config, model_type: "mamba", architectures: ["MambaForCausalLM"] }),
    });
    const error = await failure(() => loadModel(folder));
    expect(error.code).toBe("UNSUPPORTED");
    expect(error.message).toMatch(/mamba/i);
    for (const name of ["gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "gemma2"])
      expect(error.message).toContain(name);
  });
});

describe("a closed model", () => {
  it("refuses to run", async () => {
    const model = await loadModel(fixture("architectures", "tl-attn-only"));
    await model.run([[1, 2]]);
    await model.close();
    const error = await failure(() => model.run([[1, 2]]));
    expect(error.code).toBe("DISPOSED");
    await model.close();
  });
});
