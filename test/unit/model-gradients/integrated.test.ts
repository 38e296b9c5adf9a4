/** Integrated gradients: exact where the path is linear, complete in the limit, the same however rows are batched. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gaussLegendre } from "../../../src/analysis/gradients/quadrature.js";
import { integratedGradients, metric } from "../../../src/analysis/index.js";
import { at, loadModel, type Model } from "../../../src/model/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

const into = [
  [3, 1, 4, 1, 5],
  [2, 7, 1, 8, 2],
];
const from = [
  [3, 9, 4, 1, 5],
  [2, 7, 6, 8, 2],
];
const answers = { answerTokens: [[5], [7]], wrongAnswerTokens: [[6], [8]] };
const of = metric.logitDiff(answers);

const largest = (tensor: Tensor): number => Math.max(...Array.from(tensor.data as ArrayLike<number>, Math.abs));

describe("the quadrature", () => {
  it.each([1, 2, 3, 5, 16, 64])("with %i places integrates polynomials up to degree 2n − 1", (n) => {
    const { nodes, weights } = gaussLegendre(n);
    expect(weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    expect([...nodes].sort((a, b) => a - b)).toEqual(nodes);
    for (const degree of [1, 2 * n - 2, 2 * n - 1]) {
      const sum = nodes.reduce((total, x, i) => total + (weights[i] ?? 0) * x ** degree, 0);
      expect(sum).toBeCloseTo(1 / (degree + 1), 12);
    }
  });
});

describe("integratedGradients", () => {
  let model: Model;
  beforeAll(async () => {
    model = (await loadModel(fixture("architectures", "gpt2"))).withPrecision("float64");
  });
  afterAll(() => model.close());

  it("is exact in one step where the model is linear", async () => {
    const linear = (await loadModel(fixture("architectures", "tl-no-norm"))).withPrecision("float64");
    const last = at.residPost(linear.config.nLayers - 1);
    const options = { from, into, metric: metric.answerLogit(answers), at: last, steps: 1 };
    const found = await integratedGradients(linear, options);
    expect(largest(found.completenessError)).toBeLessThan(1e-12);
    const { cache } = await linear.run(into, { capture: last });
    const { cache: before } = await linear.run(from, { capture: last });
    const change = (cache.get(last) as Tensor).sub(before.get(last)).toArray() as number[][][];
    const unembed = (await linear.weights.W_U()).toArray() as number[][];
    const own = found.attributions.toArray() as number[][][];
    answers.answerTokens.forEach(([id = 0], row) => {
      own[row]?.forEach((line, pos) => {
        line.forEach((x, d) => {
          expect(x).toBeCloseTo(pos === 4 ? (change[row]?.[pos]?.[d] ?? 0) * (unembed[d]?.[id] ?? 0) : 0, 12);
        });
      });
    });
    await linear.close();
  });

  it("sums to the difference, with an error that falls with the steps", async () => {
    const errors: number[] = [];
    for (const steps of [1, 4, 16, 48]) {
      const found = await integratedGradients(model, { from, into, metric: of, steps });
      errors.push(largest(found.completenessError));
      const [a, b] = [await model.run(from, { metric: of }), await model.run(into, { metric: of })];
      expect(largest(found.difference.sub(b.metric.sub(a.metric)) as Tensor)).toBeLessThan(1e-12);
    }
    const [one = 0, four = 0, sixteen = 0, many = 0] = errors;
    expect(one).toBeGreaterThan(1e-3);
    expect(four).toBeLessThan(one / 4);
    expect(sixteen).toBeLessThan(four / 4);
    expect(many).toBeLessThan(1e-6);
  });

  it("is the integral that a fine sum over runs with given embeddings has", async () => {
    const [a, b] = await Promise.all([from, into].map((rows) => model.run(rows, { capture: "hook_embed" })));
    const [start, end] = [a?.cache.get("hook_embed") as Tensor, b?.cache.get("hook_embed") as Tensor];
    const change = end.sub(start) as Tensor;
    const places = 200;
    let sum = change.mul(0) as Tensor;
    for (let i = 0; i < places; i++) {
      const embeddings = start.add(change.mul((i + 0.5) / places)) as Tensor;
      const { gradients } = await model.run({ embeddings }, { gradients: { of, wrt: "hook_embed" } });
      sum = sum.add(gradients.get("hook_embed").div(places)) as Tensor;
    }
    const found = await integratedGradients(model, { from, into, metric: of, steps: 40 });
    expect(largest(found.attributions.sub(change.mul(sum)) as Tensor)).toBeLessThan(1e-4);
  });

  it("does not depend on how rows are batched, and starts at zeros without `from`", async () => {
    const [a, b] = [2, 7].map((batch) => integratedGradients(model, { into, metric: of, steps: 5, batch }));
    const [x, y] = [await a, await b];
    expect(x && y && largest(x.attributions.sub(y.attributions) as Tensor)).toBeLessThan(1e-12);
    const { cache } = await model.run(into, { capture: "hook_embed" });
    const zeros = cache.get("hook_embed").mul(0) as Tensor;
    const { metric: start } = await model.run({ embeddings: zeros }, { metric: of });
    expect(x && largest(x.from.sub(start) as Tensor)).toBeLessThan(1e-12);
  });

  it("runs at one head's output too, where `from` patches that point alone", async () => {
    const found = await integratedGradients(model, { from, into, metric: of, at: at.z(0), steps: 24 });
    expect(found.attributions.axes).toEqual(["batch", "pos", "head", "dHead"]);
    expect(found.perToken.shape).toEqual([2, 5]);
    expect(largest(found.completenessError)).toBeLessThan(1e-6);
  });

  it("leaves padding alone", async () => {
    const padded = (rows: readonly (readonly number[])[]) => ({
      tokens: [[0, 0, ...(rows[0] ?? []).slice(0, 3)], [...(rows[1] ?? [])]],
      attentionMask: [
        [0, 0, 1, 1, 1],
        [1, 1, 1, 1, 1],
      ],
    });
    const found = await integratedGradients(model, { from: padded(from), into: padded(into), metric: of, steps: 32 });
    const alone = await integratedGradients(model, {
      from: [(from[0] ?? []).slice(0, 3)],
      into: [(into[0] ?? []).slice(0, 3)],
      metric: metric.logitDiff({ answerTokens: [[5]], wrongAnswerTokens: [[6]] }),
      steps: 32,
    });
    const own = Array.from(found.perToken.at({ batch: 0 }).data as Float64Array);
    expect(own.slice(0, 2)).toEqual([0, 0]);
    Array.from(alone.perToken.data as Float64Array).forEach((x, i) => expect(own[i + 2]).toBeCloseTo(x, 9));
  });

  it("prints and draws itself", async () => {
    const found = await integratedGradients(model, { from, into, metric: of });
    expect(String(found)).toMatch(
      /^Integrated gradients of logitDiff \(logits\) at hook_embed: 2 prompts, 16 steps\n {2}logitDiff of the first from .* to .*\n {2}completeness error at most .*\n {2}strongest: "1" at 1 /,
    );
    expect(found.toView(1).toText?.() ?? String(found.toView(1))).toContain("What each token contributes to logitDiff");
    expect(() => found.toView(2)).toThrow("toView: got row 2; expected a row from 0 to 1");
    const scores = await integratedGradients(model, { from, into, metric: of, at: at.pattern(1), steps: 2 });
    expect(() => scores.toView()).toThrow("contributions at blocks.1.attn.hook_pattern, which are not by token");
  });

  it("reports progress and stops when told to", async () => {
    const seen: number[] = [];
    await integratedGradients(model, {
      from,
      into,
      metric: of,
      steps: 4,
      batch: 3,
      onProgress: ({ done }) => seen.push(done),
    });
    expect(seen).toEqual([3, 6, 8]);
    const signal = AbortSignal.abort();
    await expect(integratedGradients(model, { from, into, metric: of, signal })).rejects.toThrow("aborted");
  });

  it("refuses prompts that do not align, several points, and bad numbers", async () => {
    const ask = (options: object) => integratedGradients(model, { from, into, metric: of, ...options });
    await expect(ask({ from: [[1, 2, 3]] })).rejects.toThrow("from: got prompts of shape [1, 3]; expected [2, 5]");
    await expect(ask({ at: "resid_post" })).rejects.toThrow("at: got 2 hook points");
    await expect(ask({ steps: 0 })).rejects.toThrow("steps: got 0; expected a positive integer");
    await expect(ask({ batch: 1.5 })).rejects.toThrow("batch: got 1.5");
    const { cache } = await model.run(into, { capture: "hook_embed" });
    await expect(ask({ into: { embeddings: cache.get("hook_embed") } })).rejects.toThrow("into: got embeddings");
  });
});
