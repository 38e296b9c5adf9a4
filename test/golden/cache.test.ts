/** The cache's algebra over every architecture: parts sum to what they are parts of, in every precision and view. */
import { afterAll, describe, expect, it } from "vitest";
import {
  type ActivationCache,
  loadModel,
  type Model,
  type Run,
  tokensToResidualDirections,
} from "../../src/model/index.js";
import { einsum, Tensor } from "../../src/tensor/index.js";
import { expectClose } from "../helpers/close.js";
import { architectureNames, fixture } from "../helpers/fixtures.js";

const precisions = ["float32", "float64"] as const;
const tolerances = { float32: 1e-5, float64: 1e-9 } as const;
const tokens = [
  [3, 1, 4, 1, 5, 9, 2],
  [6, 5, 3, 5, 8, 9, 7],
];

/** Architectures that differ in what selection and projection pass through; sums hold in all of them. */
const representative = ["gpt2", "pythia", "gemma2", "llama-gqa-bias", "tl-parallel", "tl-attn-only"];

/** Every processing that a model allows, all together. */
function processedView(model: Model): Model {
  const { normalization, finalNormalization, outputLogitsSoftCap } = model.config;
  const isLayerNorm = [normalization, finalNormalization].every((kind) => kind === "LN" || kind === "LNPre");
  return model.processed({
    foldLn: normalization !== null,
    centerWritingWeights: isLayerNorm,
    centerUnembed: outputLogitsSoftCap === undefined,
    foldValueBiases: true,
  });
}

function sum(stack: { readonly stack: Tensor }): Tensor {
  return stack.stack.sum("component");
}

function heads(model: Model, layers: number): string[] {
  return Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: model.config.nHeads }, (_, head) => `L${layer}H${head}`),
  ).flat();
}

function get(cache: ActivationCache, name: string, layer?: number): Tensor {
  return cache.get(name, layer);
}

describe.each(architectureNames)("%s", (name) => {
  const itOfSome = (title: string, test: () => Promise<void>): void => {
    if (representative.includes(name)) it(title, test);
  };
  const loaded = loadModel(fixture("architectures", name));
  afterAll(async () => (await loaded).close());

  const views = precisions.flatMap((precision) => [[precision, "plain"] as const, [precision, "processed"] as const]);
  const runs = new Map<string, Promise<{ model: Model; run: Run }>>();
  /** One captured run per view, shared by the tests. */
  const open = (
    precision: (typeof precisions)[number],
    view: "plain" | "processed",
  ): Promise<{ model: Model; run: Run }> => {
    const start = async (): Promise<{ model: Model; run: Run }> => {
      const base = await loaded;
      const model = (view === "plain" ? base : processedView(base)).withPrecision(precision);
      const point = /^(?!.*hook_(result|q_input|k_input|v_input|attn_in|tokens)$)/;
      return { model, run: await model.run(tokens, { capture: point }) };
    };
    const key = `${precision} ${view}`;
    const known = runs.get(key) ?? start();
    runs.set(key, known);
    return known;
  };

  it.each(views)("takes the stream apart exactly (%s, %s)", async (precision, view) => {
    const { model, run } = await open(precision, view);
    const { cache } = run;
    const { nLayers, attnOnly, parallelAttnMlp } = model.config;
    const tolerance = tolerances[precision];
    const last = get(cache, "resid_post", nLayers - 1);
    expectClose(sum(await cache.decomposeResid()), last, tolerance, "decomposeResid");
    expectClose(
      sum(await cache.decomposeResid({ layer: 1 })),
      get(cache, "resid_pre", 1),
      tolerance,
      "decomposeResid to layer 1",
    );
    if (!attnOnly) {
      const mid = get(cache, parallelAttnMlp ? "resid_pre" : "resid_mid", 1);
      expectClose(
        sum(await cache.decomposeResid({ layer: 1, mlpInput: true })),
        mid,
        tolerance,
        "decomposeResid to the MLP",
      );
      const compact = await cache.getFullResidDecomposition({ layer: 1, mlpInput: true, expandNeurons: false });
      expectClose(sum(compact), mid, tolerance, "full decomposition to the MLP");
    }
    const accumulated = await cache.accumulatedResid();
    expectClose(accumulated.stack.at({ component: -1 }), last, 0, "accumulatedResid ends with resid_post");
    expectClose(
      accumulated.stack.at({ component: 1 }),
      get(cache, "resid_pre", 1),
      0,
      "accumulatedResid holds resid_pre",
    );
    for (const expandNeurons of [true, false])
      expectClose(
        sum(await cache.getFullResidDecomposition({ expandNeurons })),
        last,
        tolerance,
        `full decomposition, neurons ${expandNeurons}`,
      );
    expectClose(sum(await cache.stackHeadResults({ inclRemainder: true })), last, tolerance, "heads and remainder");
  });

  it.each(views)(
    "writes heads and biases as attn_out, neurons and biases as mlp_out (%s, %s)",
    async (precision, view) => {
      const { model, run } = await open(precision, view);
      const { cache } = run;
      for (let layer = 0; layer < model.config.nLayers; layer++) {
        const bias = async (inclMlp: boolean, mlpInput: boolean): Promise<Tensor> =>
          cache.accumulatedBias({ layer, inclMlp, mlpInput });
        const after = async (inclMlp: boolean): Promise<Tensor> =>
          cache.accumulatedBias({ ...(layer + 1 < model.config.nLayers ? { layer: layer + 1 } : {}), inclMlp });
        const attnBias = (await after(false)).sub(await bias(false, false));
        const results = await cache.computeHeadResults(layer);
        expectClose(
          results.sum("head").add(attnBias),
          get(cache, "attn_out", layer),
          tolerances[precision],
          `heads of layer ${layer}`,
        );
        if (model.config.attnOnly) continue;
        const mlpBias = (await after(true)).sub(await bias(true, false)).sub(attnBias);
        const neurons = await cache.getNeuronResults(layer);
        expectClose(
          neurons.sum("dMlp").add(mlpBias),
          get(cache, "mlp_out", layer),
          tolerances[precision],
          `neurons of layer ${layer}`,
        );
      }
    },
  );

  it.each(views)(
    "attributes logits and differences of logits exactly, biases named (%s, %s)",
    async (precision, view) => {
      const { run } = await open(precision, view);
      const { cache } = run;
      const raw = get(cache, "unembed.hook_out");
      const tolerance = tolerances[precision];
      const logit = (ids: readonly number[]): Tensor =>
        Tensor.of(raw.data, raw.shape, ["batch", "pos", "dVocabOut"]).gather(
          "dVocabOut",
          Tensor.of(Int32Array.from(ids), [2], ["batch"]),
        );
      for (const stack of [await cache.decomposeResid(), await cache.getFullResidDecomposition()]) {
        const one = await cache.logitAttrs(stack, { tokens: [7, 3] });
        expect(one.labels).toEqual(stack.labels);
        expectClose(one.attrs.sum("component").add(one.bias.total), logit([7, 3]), tolerance, "logit");
        expectClose(one.bias.lnFinal.add(one.bias.unembed), one.bias.total, 1e-6, "named biases");
        const two = await cache.logitAttrs(stack, { tokens: [7, 3], incorrectTokens: 2 });
        expectClose(
          two.attrs.sum("component").add(two.bias.total),
          logit([7, 3]).sub(logit([2, 2])),
          tolerance,
          "difference",
        );
      }
      const last = await cache.logitAttrs(await cache.decomposeResid({ posSlice: -1 }), { tokens: [7, 3] });
      expectClose(
        last.attrs.sum("component").add(last.bias.total),
        logit([7, 3]).at({ pos: -1 }),
        tolerance,
        "logit at the last position",
      );
    },
  );

  it.each(views)("puts the last stream through the recomputed norm to the logits (%s, %s)", async (precision, view) => {
    const { model, run } = await open(precision, view);
    const { cache } = run;
    const vocabulary = Tensor.of(
      Int32Array.from({ length: model.config.dVocabOut }, (_, i) => i),
      [model.config.dVocabOut],
      ["dVocabOut"],
    ) as Tensor;
    const directions = await tokensToResidualDirections(model, vocabulary);
    const { bias } = await cache.logitAttrs(await cache.accumulatedResid(), { tokens: vocabulary });
    for (const lens of [
      (await cache.accumulatedResid({ applyLn: true, recomputeLn: true })).stack,
      await cache.applyLnToStack(await cache.accumulatedResid(), { recomputeLn: true }),
    ]) {
      const logits = lens.at({ component: -1 }).matmul(directions, "dModel").add(bias.total);
      expectClose(logits, get(cache, "unembed.hook_out"), tolerances[precision], "logit lens of the last entry");
    }
  });

  it.each(views)(
    "applies cached norms linearly: parts sum to the norm's output without its bias (%s, %s)",
    async (precision, view) => {
      const { model, run } = await open(precision, view);
      const { cache } = run;
      const { normalization, attnOnly } = model.config;
      const isFolded = view === "processed";
      const sites = [
        { layer: 1, norm: "blocks.1.ln1" },
        ...(attnOnly ? [] : [{ layer: 1, mlpInput: true, norm: "blocks.1.ln2" }]),
        { norm: "ln_final" },
      ];
      for (const { norm, ...site } of sites) {
        const stack = await cache.decomposeResid({ ...site, applyLn: true });
        expect(stack.norm).toBe(normalization === null ? undefined : norm);
        const input =
          norm === "ln_final"
            ? get(cache, "resid_post", 1)
            : get(cache, norm.endsWith("ln2") && !model.config.parallelAttnMlp ? "resid_mid" : "resid_pre", 1);
        const normalized = normalization === null ? input : cache.get(`${norm}.hook_normalized`);
        const gain = isFolded ? undefined : await model.weights.normGain(norm);
        // model.weights rounds Gemma's 1 + w to float32; the cache does not.
        const tolerance = model.config.gainOffset === 1 ? Math.max(tolerances[precision], 1e-7) : tolerances[precision];
        expectClose(sum(stack), gain === undefined ? normalized : normalized.mul(gain), tolerance, norm);
        expectClose(
          await cache.applyLnToStack(await cache.decomposeResid(site), site),
          stack.stack,
          1e-6,
          `${norm} afterwards`,
        );
        expectClose(
          sum(await cache.getFullResidDecomposition({ ...site, applyLn: true })),
          sum(stack),
          tolerances[precision],
          `${norm} of heads and neurons`,
        );
      }
    },
  );

  it("labels entries as TransformerLens does", async () => {
    const { model, run } = await open("float32", "plain");
    const { cache } = run;
    const { attnOnly, parallelAttnMlp, positionalEmbedding, dMlp } = model.config;
    const embeds = positionalEmbedding === "standard" ? ["embed", "pos_embed"] : ["embed"];
    const outs = (layers: number): string[] =>
      Array.from({ length: layers }, (_, l) => [`${l}_attn_out`, ...(attnOnly ? [] : [`${l}_mlp_out`])]).flat();
    const mlps = attnOnly ? [] : ["0_mlp_out", "1_mlp_out"];
    const neurons = attnOnly ? [] : [0, 1].flatMap((l) => Array.from({ length: dMlp }, (_, n) => `L${l}N${n}`));
    const labels = async (
      stack: Promise<{ readonly labels: readonly string[]; readonly stack: Tensor }>,
    ): Promise<readonly string[]> => {
      const { labels, stack: tensor } = await stack;
      expect(tensor.sizeOf("component")).toBe(labels.length);
      return labels;
    };
    expect(await labels(cache.accumulatedResid())).toEqual(["0_pre", "1_pre", "final_post"]);
    expect(await labels(cache.accumulatedResid({ layer: 1 }))).toEqual(["0_pre", "1_pre"]);
    if (!attnOnly)
      expect(await labels(cache.accumulatedResid({ layer: 1, mlpInput: true }))).toEqual(
        parallelAttnMlp ? ["0_pre", "1_pre"] : ["0_pre", "1_pre", "1_mid"],
      );
    if (attnOnly || parallelAttnMlp)
      await expect(cache.accumulatedResid({ inclMid: true })).rejects.toThrow(/resid_mid/);
    else
      expect(await labels(cache.accumulatedResid({ inclMid: true }))).toEqual([
        "0_pre",
        "0_mid",
        "1_pre",
        "1_mid",
        "final_post",
      ]);
    expect(await labels(cache.decomposeResid())).toEqual([...embeds, ...outs(2)]);
    expect(await labels(cache.decomposeResid({ layer: 1, mode: "attn", inclEmbeds: false }))).toEqual(["0_attn_out"]);
    if (!attnOnly) expect(await labels(cache.decomposeResid({ mode: "mlp" }))).toEqual([...embeds, ...mlps]);
    expect(await labels(cache.stackHeadResults({ inclRemainder: true }))).toEqual([...heads(model, 2), "remainder"]);
    expect(await labels(cache.getFullResidDecomposition())).toEqual([
      ...heads(model, 2),
      ...neurons,
      ...embeds,
      "bias",
    ]);
    expect(await labels(cache.getFullResidDecomposition({ expandNeurons: false }))).toEqual([
      ...heads(model, 2),
      ...mlps,
      ...embeds,
      "bias",
    ]);
    expect(await labels(cache.stackNeuronResults({ neuronSlice: [4, 2] }))).toEqual(
      attnOnly ? [] : ["L0N4", "L0N2", "L1N4", "L1N2"],
    );
  });

  itOfSome("selects positions before the work as slicing selects afterwards", async () => {
    const { run } = await open("float32", "plain");
    const { cache } = run;
    const directions = await tokensToResidualDirections(await loaded, [3, 8]);
    const perToken = directions.rename({ batch: "token" });
    const selections = [-1, [4, 1], { from: 2, to: 5 }] as const;
    const calls = [
      (posSlice?: (typeof selections)[number]) => cache.accumulatedResid({ posSlice, applyLn: true }),
      (posSlice?: (typeof selections)[number]) =>
        cache.decomposeResid({ posSlice, applyLn: true, inclRemainder: true }),
      (posSlice?: (typeof selections)[number]) =>
        cache.stackHeadResults({ posSlice, layer: 1, applyLn: true, inclRemainder: true }),
      (posSlice?: (typeof selections)[number]) =>
        cache.getFullResidDecomposition({ posSlice, layer: 1, projectOutputOnto: perToken }),
      (posSlice?: (typeof selections)[number]) =>
        cache.getFullResidDecomposition({ posSlice, layer: 1, projectOutputOnto: directions, applyLn: true }),
    ];
    for (const [i, call] of calls.entries()) {
      const whole = await call();
      for (const selection of selections) {
        const sliced = await call(selection);
        const expected = whole.stack.at({ pos: selection });
        expect(sliced.stack.axes).toEqual(expected.axes);
        expectClose(sliced.stack, expected, 2e-6, `call ${i}, positions ${JSON.stringify(selection)}`);
      }
    }
  });

  itOfSome("projects onto directions before the product as projecting does afterwards", async () => {
    const { model, run } = await open("float64", "plain");
    const { cache } = run;
    const perToken = (await tokensToResidualDirections(model, [3, 8, 1])).rename({ batch: "token" });
    const cases = [perToken.at({ token: 0 }), perToken, await tokensToResidualDirections(model, [3, 8])];
    const perPosition = Tensor.of(
      Float64Array.from({ length: 14 * model.config.dModel }, (_, i) => Math.sin(i)),
      [2, 7, model.config.dModel],
      ["batch", "pos", "dModel"],
    ) as Tensor;
    for (const [i, directions] of [...cases, perPosition].entries()) {
      for (const applyLn of [false, true]) {
        const whole = await cache.getFullResidDecomposition({ applyLn });
        const projected = await cache.getFullResidDecomposition({ applyLn, projectOutputOnto: directions });
        const own = directions.axes.filter((axis) => axis === "token");
        const expected = einsum([whole.stack, directions], ["component", "batch", "pos", ...own]);
        expect(projected.stack.axes).toEqual(expected.axes);
        expect(projected.labels).toEqual(whole.labels);
        expectClose(projected.stack, expected, 1e-9, `directions ${i}, norm ${applyLn}`);
      }
    }
    const one = await cache.computeHeadResults(1, { projectOutputOnto: perToken, posSlice: -1 });
    expect(one.axes).toEqual(["batch", "head", "token"]);
    expectClose(
      one,
      einsum([await cache.computeHeadResults(1, { posSlice: -1 }), perToken], ["batch", "head", "token"]),
      1e-9,
      "heads of one layer",
    );
  });

  it("agrees with the naive products of activations and weights", async () => {
    const { model, run } = await open("float32", "plain");
    const { cache } = run;
    const { attnOnly, postNorms } = model.config;
    if (postNorms) return;
    const block = await model.weights.block(1);
    const weight = (key: string): Tensor => {
      const tensor = block[key];
      if (tensor === undefined) throw new Error(`no ${key}`);
      return tensor;
    };
    const naive = einsum([get(cache, "z", 1), weight("W_O")], ["batch", "pos", "head", "dModel"]);
    expectClose(await cache.computeHeadResults(1), naive, 1e-6, "heads");
    const captured = await model.run(tokens, { capture: ["result", "hook_embed"] });
    expectClose(await captured.cache.computeHeadResults(1), naive, 1e-6, "heads from a captured hook_result");
    if (attnOnly) return;
    const all = einsum([get(cache, "post", 1), weight("W_out")], ["batch", "pos", "dMlp", "dModel"]);
    expectClose(await cache.getNeuronResults(1), all, 1e-6, "neurons");
    expectClose(
      await cache.getNeuronResults(1, { neuronSlice: [5, 0, 3], posSlice: 2 }),
      all.at({ dMlp: [5, 0, 3], pos: 2 }),
      1e-6,
      "some neurons",
    );
    expectClose(await cache.getNeuronResults(1, { neuronSlice: 4 }), all.at({ dMlp: 4 }), 1e-6, "one neuron");
    expectClose(
      await cache.getNeuronResults(1, { neuronSlice: { from: 2, to: 6 } }),
      all.at({ dMlp: { from: 2, to: 6 } }),
      1e-6,
      "a range",
    );
  });

  it("gives directions that are columns of W_U in every view", async () => {
    const model = await loaded;
    const { finalNormalization, normalization } = model.config;
    const ids = [3, 0, 9];
    for (const view of [model, processedView(model)]) {
      const { foldLn, centerUnembed } = view.view.processing;
      const stored = await model.weights.W_U();
      const gain = foldLn ? await model.weights.normGain("ln_final") : undefined;
      const folded = gain === undefined ? stored : stored.mul(gain);
      const centred =
        foldLn && finalNormalization?.startsWith("LN") === true ? folded.sub(folded.mean("dModel")) : folded;
      const unembed = centerUnembed ? centred.sub(centred.mean("dVocabOut")) : centred;
      const expected = unembed.at({ dVocabOut: ids }).transpose(["dVocabOut", "dModel"]);
      const directions = await tokensToResidualDirections(view, ids);
      expect(directions.axes).toEqual(["batch", "dModel"]);
      expectClose(directions, expected, 2e-6, "three tokens");
      expectClose(await tokensToResidualDirections(view, 3), expected.at({ dVocabOut: 0 }), 2e-6, "one token");
      // model.weights.W_U() folds by the blocks' kind of norm, which is not the final one's in one fixture.
      if (finalNormalization === normalization)
        expectClose(
          (await view.weights.W_U()).at({ dVocabOut: ids }).transpose(["dVocabOut", "dModel"]),
          directions,
          2e-6,
          "W_U",
        );
    }
  });

  it("works on one row as on the batch", async () => {
    const { run } = await open("float32", "plain");
    const row = run.cache.batch(1);
    const whole = await run.cache.getFullResidDecomposition({ applyLn: true });
    const one = await row.getFullResidDecomposition({ applyLn: true });
    expect(one.stack.axes).toEqual(["component", "pos", "dModel"]);
    expectClose(one.stack, whole.stack.at({ batch: 1 }), 1e-6, "full decomposition");
    const attrs = await row.logitAttrs(await row.decomposeResid(), { tokens: 5 });
    const both = await run.cache.logitAttrs(await run.cache.decomposeResid(), { tokens: 5 });
    expectClose(attrs.attrs, both.attrs.at({ batch: 1 }), 1e-6, "attributions");
  });
});
