/** What the algebra refuses, and the runs that are not a plain pass through all layers. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ActivationCache,
  at,
  edit,
  loadModel,
  logitBias,
  type Model,
  type Run,
  tokensToResidualDirections,
} from "../../../src/model/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { expectClose } from "../../helpers/close.js";
import { fixture } from "../../helpers/fixtures.js";

const tokens = [
  [3, 1, 4, 1, 5],
  [9, 2, 6, 5, 3],
];
const everything = /^(?!.*hook_(result|q_input|k_input|v_input|attn_in|tokens)$)/;

const models = new Map<string, Promise<Model>>();
function open(name: string): Promise<Model> {
  const known = models.get(name) ?? loadModel(fixture("architectures", name));
  models.set(name, known);
  return known;
}
afterAll(async () => {
  for (const model of models.values()) await (await model).close();
});

let model: Model;
let run: Run;
let cache: ActivationCache;
beforeAll(async () => {
  model = await open("gpt2");
  run = await model.run(tokens, { capture: everything });
  cache = run.cache;
});

describe("missing captures", () => {
  it("are listed all at once, with the capture option that gets them", async () => {
    const { cache: bare } = await model.run(tokens, { capture: "resid_post" });
    await expect(bare.decomposeResid({ applyLn: true })).rejects.toThrow(
      'cache.decomposeResid: got a cache without hook_embed, hook_pos_embed, blocks.0.hook_attn_out, blocks.0.hook_mlp_out, blocks.1.hook_attn_out, blocks.1.hook_mlp_out, ln_final.hook_scale; expected a run that captured them. Run with capture: ["hook_embed", "hook_pos_embed", "blocks.*.hook_attn_out", "blocks.*.hook_mlp_out", "ln_final.hook_scale"] in addition.',
    );
    await expect(bare.getFullResidDecomposition()).rejects.toThrow(
      /blocks\.0\.attn\.hook_z, blocks\.1\.attn\.hook_z, blocks\.0\.mlp\.hook_post.*hook_embed/,
    );
    await expect(bare.logitAttrs(await cache.decomposeResid(), { tokens: 1 })).rejects.toThrow(
      /without ln_final\.hook_scale/,
    );
    expect(() => bare.stackActivation("pattern")).toThrow(
      'cache.stackActivation: got a cache without blocks.0.attn.hook_pattern, blocks.1.attn.hook_pattern; expected a run that captured them. Run with capture: ["pattern"] in addition.',
    );
  });

  it("are not missed where the same stream has another name", async () => {
    const { cache: posts } = await model.run(tokens, { capture: ["resid_post", "blocks.0.hook_resid_pre"] });
    const { cache: pres } = await model.run(tokens, { capture: ["resid_pre", "blocks.1.hook_resid_post"] });
    const expected = (await cache.accumulatedResid()).stack;
    expectClose((await posts.accumulatedResid()).stack, expected, 2e-6, "from resid_post");
    expectClose((await pres.accumulatedResid()).stack, expected, 2e-6, "from resid_pre");
    const edited = model.with(edit.add(at.residPre(1), 1));
    const { cache: before } = await edited.run(tokens, { capture: ["resid_post", "blocks.0.hook_resid_pre"] });
    await expect(before.accumulatedResid()).rejects.toThrow(/without blocks\.1\.hook_resid_pre/);
  });
});

describe("the layer argument", () => {
  it("takes nothing, null and nLayers as the end of the stream", async () => {
    const whole = (await cache.decomposeResid()).stack;
    expect((await cache.decomposeResid({ layer: null })).stack.equals(whole)).toBe(true);
    expect((await cache.decomposeResid({ layer: 2 })).stack.equals(whole)).toBe(true);
    expect((await cache.decomposeResid({ layer: undefined })).stack.equals(whole)).toBe(true);
    expect((await cache.decomposeResid({ layer: 0 })).labels).toEqual(["embed", "pos_embed"]);
  });

  it("refuses -1, which TransformerLens takes as the end, and layers that did not run", async () => {
    await expect(cache.decomposeResid({ layer: -1 })).rejects.toThrow(
      "cache.decomposeResid: layer: got -1; expected a layer that this run passed (0, 1), or 2 or nothing for the stream after the last. TransformerLens takes -1 as the end of the stream, not as the last layer: leave layer out for that, or say 1.",
    );
    await expect(cache.accumulatedResid({ layer: 3 })).rejects.toThrow(
      /got 3; expected a layer that this run passed \(0, 1\).*Leave layer out/,
    );
    await expect(cache.getNeuronResults(2)).rejects.toThrow("cache.getNeuronResults: layer: got 2;");
    await expect(cache.computeHeadResults(1.5)).rejects.toThrow("layer: got 1.5;");
  });

  it("refuses an MLP that is not there", async () => {
    await expect(cache.decomposeResid({ mlpInput: true })).rejects.toThrow(
      "cache.decomposeResid: mlpInput: got the end of the stream, which no MLP reads; expected a layer with an MLP. Say which layer",
    );
    const bare = await (await open("tl-attn-only")).run(tokens, { capture: everything });
    await expect(bare.cache.decomposeResid({ layer: 1, mlpInput: true })).rejects.toThrow(
      "got a model without MLPs; expected a layer with an MLP. Leave mlpInput out.",
    );
    await expect(bare.cache.getNeuronResults(0)).rejects.toThrow(
      "cache.getNeuronResults: got a model without MLPs; expected a model with neurons.",
    );
    await expect(bare.cache.decomposeResid({ mode: "mlp", inclEmbeds: false })).rejects.toThrow(
      /nothing of this kind is written/,
    );
    expect((await bare.cache.stackNeuronResults({ inclRemainder: true })).labels).toEqual(["remainder"]);
  });

  it("gives empty stacks, or the stream as remainder, before the first layer", async () => {
    const none = await cache.stackHeadResults({ layer: 0 });
    expect(none.stack.shape).toEqual([0, 2, 5, 15]);
    const rest = await cache.stackHeadResults({ layer: 0, inclRemainder: true });
    expect(rest.labels).toEqual(["remainder"]);
    expectClose(rest.stack.at({ component: 0 }), cache.get("resid_pre", 0), 0, "remainder");
  });
});

describe("edited runs", () => {
  it("are refused where a sum would silently be wrong, with the way out", async () => {
    const steered = model.with(edit.add(at.residPost(0), 0.5));
    const { cache: edited } = await steered.run(tokens, { capture: everything });
    await expect(edited.decomposeResid()).rejects.toThrow(
      "cache.decomposeResid: got a run with edit.add at blocks.0.hook_resid_post; expected a run in which the stream is the sum of what sublayers wrote. Pass inclRemainder: true",
    );
    await expect(edited.getFullResidDecomposition()).rejects.toThrow(/edit\.add at blocks\.0\.hook_resid_post/);
    const whole = await edited.decomposeResid({ inclRemainder: true });
    expect(whole.labels.at(-1)).toBe("remainder");
    expectClose(whole.stack.sum("component"), edited.get("resid_post", 1), 1e-6, "sum with remainder");
    expectClose(
      whole.stack.at({ component: -1 }),
      Tensor.of(new Float32Array(2 * 5 * 15).fill(0.5), [2, 5, 15]),
      1e-5,
      "remainder is the edit",
    );
    expectClose(
      (await edited.decomposeResid({ layer: 0 })).stack.sum("component"),
      edited.get("resid_pre", 0),
      1e-6,
      "before the edit",
    );
  });

  it("are exact where the edited value is what is read", async () => {
    const zeroed = model.with(
      edit.zero(at.z(0), { head: 1 }),
      edit.scale(at.attnOut(1), 2),
      edit.zero(at.post(1), { neuron: 3 }),
    );
    const { cache: edited } = await zeroed.run(tokens, { capture: everything });
    expectClose(
      (await edited.decomposeResid()).stack.sum("component"),
      edited.get("resid_post", 1),
      1e-6,
      "decomposeResid",
    );
    const first = await edited.stackHeadResults({ layer: 1 });
    expectClose(first.stack.at({ component: 1 }), Tensor.of(new Float32Array(150), [2, 5, 15]), 0, "zeroed head");
    await expect(edited.stackHeadResults()).rejects.toThrow(
      "got a run with edit.scale at blocks.1.hook_attn_out; expected a run in which heads and neurons reach the stream unchanged. Use decomposeResid",
    );
    expectClose(
      await edited.getNeuronResults(1, { neuronSlice: 3 }),
      Tensor.of(new Float32Array(150), [2, 5, 15]),
      0,
      "zeroed neuron",
    );
  });

  it("read edited heads from hook_result, which must then be captured", async () => {
    const scaled = model.with(edit.scale(at.result(0), 3, { head: 2 }));
    const { cache: without } = await scaled.run(tokens, { capture: everything });
    await expect(without.stackHeadResults({ layer: 1 })).rejects.toThrow(/without blocks\.0\.attn\.hook_result/);
    const { cache: edited } = await scaled.run(tokens, { capture: "*" });
    const stack = await edited.getFullResidDecomposition();
    expectClose(stack.stack.sum("component"), edited.get("resid_post", 1), 1e-5, "sum");
    const plain = await cache.stackHeadResults({ layer: 1 });
    expectClose(
      (await edited.stackHeadResults({ layer: 1 })).stack.at({ component: 2 }),
      plain.stack.at({ component: 2 }).mul(3),
      1e-5,
      "scaled head",
    );
  });

  it("keep attributions exact under a frozen or scaled norm and refuse edited logits", async () => {
    const scaled = model.with(edit.scale("ln_final.hook_scale", 2));
    const { cache: edited } = await scaled.run(tokens, { capture: everything });
    const { attrs, bias } = await edited.logitAttrs(await edited.decomposeResid(), { tokens: 4 });
    expectClose(
      attrs.sum("component").add(bias.total),
      edited.get("unembed.hook_out").at({ dVocabOut: 4 }),
      1e-5,
      "scaled norm",
    );
    const broken = await model.with(edit.scale("ln_final.hook_normalized", 2)).run(tokens, { capture: everything });
    await expect(broken.cache.decomposeResid({ applyLn: true })).rejects.toThrow(
      /edit\.scale at ln_final\.hook_normalized; expected a run in which ln_final puts out its input over its scale/,
    );
    const late = await model.with(edit.scale("unembed.hook_out", 2)).run(tokens, { capture: everything });
    await expect(late.cache.logitAttrs(await late.cache.decomposeResid(), { tokens: 1 })).rejects.toThrow(
      /edit\.scale at unembed\.hook_out/,
    );
  });
});

describe("programs of layers", () => {
  it("label a layer that runs twice and sum to the stream", async () => {
    const twice = await model.run(tokens, { capture: everything, layers: [0, 1, 1] });
    const stack = await twice.cache.decomposeResid();
    expect(stack.labels).toEqual([
      "embed",
      "pos_embed",
      "0_attn_out",
      "0_mlp_out",
      "1_attn_out",
      "1_mlp_out",
      "1~2_attn_out",
      "1~2_mlp_out",
    ]);
    expectClose(stack.stack.sum("component"), twice.cache.get("blocks.1~2.hook_resid_post"), 1e-6, "sum");
    const full = await twice.cache.getFullResidDecomposition({ applyLn: true });
    expect(full.labels.slice(3, 9)).toEqual(["L1H0", "L1H1", "L1H2", "L1~2H0", "L1~2H1", "L1~2H2"]);
    const { attrs, bias } = await twice.cache.logitAttrs(stack, { tokens: 4 });
    expectClose(attrs.sum("component").add(bias.total), twice.logits.at({ dVocabOut: 4 }), 1e-5, "logit");
    expect(twice.cache.stackActivation("resid_pre").shape).toEqual([3, 2, 5, 15]);
  });

  it("start from the stream that the run was given", async () => {
    const residual = run.cache.get("blocks.1.hook_resid_pre");
    const inside = await model.run({ residual }, { startAtLayer: 1, capture: everything });
    const stack = await inside.cache.decomposeResid();
    expect(stack.labels).toEqual(["1_pre", "1_attn_out", "1_mlp_out"]);
    expectClose(stack.stack.sum("component"), cache.get("resid_post", 1), 1e-5, "sum");
    expectClose(
      (await inside.cache.getFullResidDecomposition()).stack.sum("component"),
      cache.get("resid_post", 1),
      1e-5,
      "full",
    );
    expect((await inside.cache.accumulatedResid()).labels).toEqual(["1_pre", "final_post"]);
  });

  it("end where the run stopped", async () => {
    const short = await model.run(tokens, { stopAtLayer: 1, capture: /hook_(resid|attn_out|mlp_out|embed|pos_embed)/ });
    expectClose((await short.cache.decomposeResid()).stack.sum("component"), cache.get("resid_post", 0), 1e-6, "sum");
    await expect(short.cache.decomposeResid({ layer: 1 })).rejects.toThrow(/passed \(0\).*Leave layer out/);
  });
});

describe("positions of padded batches", () => {
  it("count real tokens, so that -1 is each row's last token", async () => {
    const padded = await model.run(
      {
        tokens: [
          [3, 1, 4, 0, 0],
          [9, 2, 6, 5, 3],
        ],
        attentionMask: [
          [1, 1, 1, 0, 0],
          [1, 1, 1, 1, 1],
        ],
      },
      { capture: everything },
    );
    const last = await padded.cache.decomposeResid({ posSlice: -1 });
    const short = await model.run([[3, 1, 4]], { capture: everything });
    const alone = await short.cache.decomposeResid({ posSlice: "last" });
    expectClose(last.stack.at({ batch: 0 }), alone.stack.at({ batch: 0 }), 2e-5, "the short row");
    const { attrs, bias } = await padded.cache.logitAttrs(
      await padded.cache.stackHeadResults({ posSlice: -1, inclRemainder: true }),
      { tokens: 4 },
    );
    expectClose(
      attrs.sum("component").add(bias.total).at({ batch: 0 }),
      short.logits.at({ batch: 0, pos: -1, dVocabOut: 4 }),
      2e-5,
      "its logit",
    );
    const row = padded.cache.batch(0);
    expectClose(
      (await row.decomposeResid({ posSlice: -1 })).stack,
      alone.stack.at({ batch: 0 }),
      2e-5,
      "the short row alone",
    );
    await expect(padded.cache.decomposeResid({ posSlice: [3] })).rejects.toThrow(
      "cache.decomposeResid: posSlice: got index 3; expected an index from -3 to 2.",
    );
  });
});

describe("stacks and tokens that do not fit", () => {
  it("are refused: a norm applied twice, and rows or positions that differ", async () => {
    const stack = await cache.decomposeResid({ applyLn: true });
    await expect(cache.logitAttrs(stack, { tokens: 1 })).rejects.toThrow(
      "cache.logitAttrs: got a stack to which ln_final was applied already; expected contributions to the stream. Make the stack without applyLn.",
    );
    const plain = (await cache.decomposeResid()).stack;
    await expect(cache.applyLnToStack(plain.at({ pos: 2 }))).rejects.toThrow(
      "cache.applyLnToStack: got a stack [component=6, batch=2, dModel=15] and a cached norm scale [batch=2, pos=5]; expected the same batch and pos axes. Say with posSlice and batchSlice",
    );
    await expect(cache.applyLnToStack(plain.at({ batch: 0 }))).rejects.toThrow(/the same batch and pos axes/);
    const one = await cache.applyLnToStack(plain.at({ batch: 1, pos: 2 }), { posSlice: 2, batchSlice: 1 });
    expectClose(one, stack.stack.at({ batch: 1, pos: 2 }), 1e-6, "one row and position");
    const some = await cache.applyLnToStack(plain.at({ pos: [3, 0] }), { posSlice: [3, 0] });
    expectClose(some, stack.stack.at({ pos: [3, 0] }), 1e-6, "two positions");
  });

  it("are refused: tokens per row for another number of rows, and ids outside the vocabulary", async () => {
    const stack = await cache.decomposeResid({ posSlice: -1 });
    await expect(cache.logitAttrs(stack, { tokens: [1, 2, 3] })).rejects.toThrow(
      "cache.logitAttrs: tokens: got tokens [batch=3] for a stack [component=6, batch=2, dModel=15]; expected one token for all",
    );
    await expect(cache.logitAttrs(stack, { tokens: 29 })).rejects.toThrow(
      "cache.logitAttrs: tokens: got the token id 29; expected whole numbers from 0 to 28.",
    );
    await expect(cache.logitAttrs(stack, { tokens: 1, incorrectTokens: -1 })).rejects.toThrow(
      "incorrectTokens: got the token id -1",
    );
    await expect(cache.logitAttrs(stack, { tokens: " John" })).rejects.toThrow(
      'got the text " John", for a model without a tokenizer',
    );
    await expect(cache.logitAttrs(stack, { tokens: 1, hasBatchDim: false })).rejects.toThrow(
      "cache.logitAttrs: hasBatchDim: got false, for a stack with axes component, batch, dModel",
    );
    await expect(tokensToResidualDirections(model, Tensor.of(Float32Array.of(1), [1]) as Tensor)).rejects.toThrow(
      "got a tensor of float32; expected token ids",
    );
    await expect(
      cache.stackHeadResults({ projectOutputOnto: Tensor.of(new Float32Array(14), [14], ["dModel"]) }),
    ).rejects.toThrow(
      "cache.stackHeadResults: projectOutputOnto: got [dModel=14]; expected axes among dModel=15, batch=2, pos=5 (dModel is needed) and names of your own.",
    );
    await expect(
      cache.stackHeadResults({
        posSlice: 1,
        projectOutputOnto: Tensor.of(new Float32Array(75), [5, 15], ["pos", "dModel"]),
      }),
    ).rejects.toThrow(/projectOutputOnto/);
  });

  it("are answered for several tokens at once on an axis of their own", async () => {
    const stack = await cache.decomposeResid({ posSlice: -1 });
    const ids = Tensor.of(Int32Array.of(4, 7, 1), [3], ["token"]) as Tensor;
    const { attrs, bias } = await cache.logitAttrs(stack, { tokens: ids });
    expect(attrs.axes).toEqual(["component", "batch", "token"]);
    const logits = run.logits.at({ pos: -1, dVocabOut: [4, 7, 1] });
    expectClose(attrs.sum("component").add(bias.total), logits, 1e-5, "three logits");
    expect((await logitBias(model, ids)).total.equals(bias.total)).toBe(true);
    const perPosition = await cache.logitAttrs(await cache.decomposeResid(), { tokens: run.tokens });
    expect(perPosition.attrs.axes).toEqual(["component", "batch", "pos"]);
    const own = run.logits.gather("dVocabOut", run.tokens);
    expectClose(perPosition.attrs.sum("component").add(perPosition.bias.total), own, 1e-5, "each token's own logit");
    const single = await cache.logitAttrs(stack.stack.at({ component: 0 }), { tokens: 4, posSlice: -1 });
    expect([single.attrs.axes, single.labels]).toEqual([["batch"], ["0"]]);
  });
});

describe("long work", () => {
  it("is refused above the memory limit and stops at a signal", async () => {
    const small = await loadModel(fixture("architectures", "gpt2"), { memoryLimit: 40_000 });
    const { cache: limited } = await small.run(tokens, {
      capture: ["post", "z", "hook_embed", "hook_pos_embed"],
      logits: "none",
    });
    await expect(limited.stackNeuronResults()).rejects.toThrow(
      "cache.stackNeuronResults: got a stack of 120 entries [2, 5, 15], 72.0 kB; expected at most 40.0 kB (memoryLimit of loadModel). Select positions with posSlice",
    );
    await expect(limited.getNeuronResults(0, { posSlice: 1 })).resolves.toBeDefined();
    await small.close();
    await expect(cache.stackHeadResults({ signal: AbortSignal.abort() })).rejects.toThrow(/aborted/);
  });

  it("reports progress by layer", async () => {
    const events: string[] = [];
    await cache.getFullResidDecomposition({
      onProgress: ({ label, done, total }) => events.push(`${label} ${done}/${total ?? "?"}`),
    });
    expect(events).toEqual(["attn by layer 1/2", "attn by layer 2/2", "mlp by layer 1/2", "mlp by layer 2/2"]);
  });
});

describe("selecting from a cache", () => {
  it("stacks one activation of several layers and gives single rows", () => {
    const patterns = cache.stackActivation("pattern");
    expect(patterns.axes).toEqual(["layer", "batch", "head", "queryPos", "keyPos"]);
    expect(patterns.at({ layer: 1 }).equals(cache.get("pattern", 1))).toBe(true);
    expect(cache.stackActivation("z", [1]).at({ layer: 0 }).equals(cache.get("z", 1))).toBe(true);
    const row = cache.batch(1);
    expect(row.get("z", 0).equals(cache.get("z", 0).at({ batch: 1 }))).toBe(true);
    expect(row.tokens?.toArray()).toEqual(tokens[1]);
    expect(row.keys()).toEqual(cache.keys());
    expect(String(cache)).toMatch(/^ActivationCache of .*gpt2: \d+ activations, \d/);
  });
});

describe("caches without a run's record", () => {
  it("need a model for the algebra, which withModel gives", async () => {
    const generated = await model.generate([3, 1, 4], { maxNewTokens: 2, capture: everything });
    const plain = generated.cache.withModel(model);
    expectClose((await plain.decomposeResid()).stack.sum("component"), plain.get("resid_post", 1), 1e-5, "generated");
    const bare = new ActivationCache(new Map());
    await expect(bare.decomposeResid()).rejects.toThrow(
      "cache.decomposeResid: got a cache that does not know its model; expected the cache of a run, or one with a model. Call cache.withModel(model) first",
    );
    expect(() => cache.withModel(model)).not.toThrow();
    const other = await open("tl-attn-only");
    expect(() => cache.withModel(other)).toThrow(
      /cache\.withModel: got the model ".*tl-attn-only" with weights .*; expected the weights that made this cache/,
    );
  });
});
