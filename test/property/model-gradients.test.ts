/** Any gradient of any metric at any hook point is what central differences through `edit.add` find. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { metric } from "../../src/analysis/index.js";
import { edit, loadModel, type Metric, type Model, type ModelInput } from "../../src/model/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { fixture } from "../helpers/fixtures.js";
import { wave } from "../unit/model-gradients/support.js";

const architectures = ["gpt2", "pythia", "qwen3", "gemma2", "llama-gqa-bias", "tl-parallel"];
const models: Model[] = [];
beforeAll(async () => {
  for (const name of architectures)
    models.push((await loadModel(fixture("architectures", name))).withPrecision("float64"));
});
afterAll(() => Promise.all(models.map((model) => model.close())));

const vocabulary = 29;
const length = 5;
const id = fc.nat(vocabulary - 1);
const row = fc.array(id, { minLength: length, maxLength: length });
/** Two different ids for each of two prompts. */
const pair = fc.uniqueArray(id, { minLength: 2, maxLength: 2 });

const question = fc.record({
  model: fc.nat(architectures.length - 1),
  hook: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  metric: fc.nat(4),
  rows: fc.tuple(row, row),
  pairs: fc.tuple(pair, pair),
  padding: fc.nat(length - 2),
  side: fc.constantFrom("left", "right"),
  phase: fc.nat(100),
});

/** Two rows, the first of them shorter. */
function inputOf([first, second]: readonly [number[], number[]], padding: number, side: string): ModelInput {
  if (padding === 0) return [first, second];
  const zeros = Array.from({ length: padding }, () => 0);
  const real = Array.from({ length: length - padding }, () => 1);
  const join = (pads: readonly number[], rest: readonly number[]): number[] =>
    side === "left" ? [...pads, ...rest] : [...rest, ...pads];
  return {
    tokens: [join(zeros, first.slice(0, length - padding)), second],
    attentionMask: [join(zeros, real), second.map(() => 1)],
  };
}

function metricOf(which: number, pairs: readonly (readonly number[])[], reference: Tensor): Metric {
  const answers = {
    answerTokens: pairs.map(([right = 0]) => [right]),
    wrongAnswerTokens: pairs.map(([, wrong = 0]) => [wrong]),
  };
  if (which === 0) return metric.logitDiff(answers);
  if (which === 1) return metric.probabilityDiff(answers);
  if (which === 2) return metric.logProb(answers);
  return which === 3 ? metric.loss() : metric.klToReference(reference);
}

const sum = (values: Iterable<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

it("agrees with differences", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(question, async (q) => {
      const model = models[q.model];
      if (model === undefined) throw new Error("no such model");
      const input = inputOf(q.rows, q.padding, q.side);
      const reference = (await model.with(edit.scale("blocks.0.hook_attn_out", 0.5)).run(input)).logits;
      const of = metricOf(q.metric, q.pairs, reference);
      const hooks = model.hookNames().filter((name) => name !== "hook_tokens");
      const hook = hooks[Math.floor(q.hook * hooks.length)] ?? "hook_embed";
      const { gradients } = await model.run(input, { gradients: { of, wrt: hook } });
      const gradient: Tensor = gradients.get(hook);
      const v = wave(gradient, q.phase);
      const slope = ((gradient.mul(v) as Tensor).sum() as Tensor).item();
      const eps = 1e-4;
      const at = async (sign: number): Promise<number> =>
        sum((await model.with(edit.add(hook, v.mul(sign * eps) as Tensor)).run(input, { metric: of })).metric.data);
      // Of fourth order: the third derivative along a long direction is large.
      const difference = async (step: number): Promise<number> => (await at(step)) - (await at(-step));
      const numeric = (8 * (await difference(1)) - (await difference(2))) / (12 * eps);
      expect(Math.abs(slope - numeric), `${architectures[q.model] ?? ""} ${hook}`).toBeLessThan(
        1e-8 * Math.max(1, Math.abs(numeric)),
      );
    }),
    { numRuns: 20 },
  );
});
