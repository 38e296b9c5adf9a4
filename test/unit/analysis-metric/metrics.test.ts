/** Every metric: inside the graph against plain loops in float64. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metric } from "../../../src/analysis/index.js";
import { tasks } from "../../../src/data/index.js";
import { edit, loadModel, type Metric, type Model, type RunOptions } from "../../../src/model/index.js";
import { type Tensor, tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";

const rows = [
  [3, 1, 4, 1, 5],
  [2, 7, 1, 8, 2],
  [6, 6, 6, 1, 0],
];
/** The second row is shorter: padded on the left. */
const padded = {
  tokens: [
    [3, 1, 4, 1, 5],
    [0, 0, 1, 8, 2],
    [6, 6, 6, 1, 0],
  ],
  attentionMask: [
    [1, 1, 1, 1, 1],
    [0, 0, 1, 1, 1],
    [1, 1, 1, 1, 1],
  ],
};
const answers = { answerTokens: [[5, 9], [7], [1, 2, 3]], wrongAnswerTokens: [[6], [8, 9], [4]] };

/** Logits `[row][pos][id]` as plain numbers. */
function nested(logits: Tensor): number[][][] {
  return logits.toArray() as number[][][];
}

function softmax(x: readonly number[]): number[] {
  const max = Math.max(...x);
  const e = x.map((one) => Math.exp(one - max));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((one) => one / sum);
}

const mean = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
const sum = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);

/** What each metric means, from the logits of one row. */
interface Case {
  readonly name: string;
  readonly metric: Metric;
  readonly loop: (last: readonly number[], row: number) => number;
}

const pick = (x: readonly number[], ids: readonly number[] | undefined): number[] =>
  (ids ?? []).map((id) => x[id] ?? 0);
const right = (row: number): number[] => answers.answerTokens[row] ?? [];
const wrong = (row: number): number[] => answers.wrongAnswerTokens[row] ?? [];
const first = (ids: readonly number[]): number[] => ids.slice(0, 1);

const cases: readonly Case[] = [
  {
    name: "logitDiff",
    metric: metric.logitDiff(answers),
    loop: (x, row) => mean(pick(x, first(right(row)))) - mean(pick(x, first(wrong(row)))),
  },
  {
    name: "logitDiff of all answers",
    metric: metric.logitDiff(answers, { answers: "all" }),
    loop: (x, row) => mean(pick(x, right(row))) - mean(pick(x, wrong(row))),
  },
  { name: "answerLogit", metric: metric.answerLogit(answers), loop: (x, row) => mean(pick(x, first(right(row)))) },
  {
    name: "answerLogit of all answers",
    metric: metric.answerLogit(answers, { answers: "all" }),
    loop: (x, row) => mean(pick(x, right(row))),
  },
  {
    name: "probability",
    metric: metric.probability(answers),
    loop: (x, row) => sum(pick(softmax(x), first(right(row)))),
  },
  {
    name: "probability of all answers",
    metric: metric.probability(answers, { answers: "all" }),
    loop: (x, row) => sum(pick(softmax(x), right(row))),
  },
  {
    name: "probabilityDiff",
    metric: metric.probabilityDiff(answers),
    loop: (x, row) => sum(pick(softmax(x), right(row))) - sum(pick(softmax(x), wrong(row))),
  },
  {
    name: "probabilityDiff of first answers",
    metric: metric.probabilityDiff(answers, { answers: "first" }),
    loop: (x, row) => sum(pick(softmax(x), first(right(row)))) - sum(pick(softmax(x), first(wrong(row)))),
  },
  {
    name: "logProb",
    metric: metric.logProb(answers),
    loop: (x, row) => Math.log(sum(pick(softmax(x), first(right(row))))),
  },
  {
    name: "logProb of all answers",
    metric: metric.logProb(answers, { answers: "all" }),
    loop: (x, row) => Math.log(sum(pick(softmax(x), right(row)))),
  },
  {
    name: "custom with one index, a range and log-probabilities",
    metric: metric.custom(
      "parts",
      (x) =>
        x
          .at("dVocabOut", -2)
          .add(x.at("dVocabOut", { from: 3, to: 5 }).sum("dVocabOut"))
          .add(x.logSoftmax("dVocabOut").at("dVocabOut", 0)),
      {
        of: ([x = new Float64Array(0)]) =>
          (x.at(-2) ?? 0) + (x[3] ?? 0) + (x[4] ?? 0) + Math.log(softmax(Array.from(x))[0] ?? 0),
      },
    ),
    loop: (x) => (x.at(-2) ?? 0) + (x[3] ?? 0) + (x[4] ?? 0) + Math.log(softmax(x)[0] ?? 0),
  },
  {
    name: "custom",
    metric: metric.custom("spread", (x) => x.mul(x).mean("dVocabOut").sqrt(), {
      of: ([x = new Float64Array(0)]) => Math.sqrt(mean(Array.from(x, (one) => one * one))),
    }),
    loop: (x) => Math.sqrt(mean(x.map((one) => one * one))),
  },
];

describe("metrics of the last token", () => {
  let model: Model;
  beforeAll(async () => {
    model = (await loadModel(fixture("architectures", "gpt2"))).withPrecision("float64");
  });
  afterAll(() => model.close());

  it.each(cases)("$name is its formula, in the graph and in of(), with and without padding", async (one) => {
    for (const input of [rows, padded]) {
      const { logits } = await model.run(input, { logits: "last" });
      const expected = nested(logits).map(([last = []], row) => one.loop(last, row));
      const variants: RunOptions[] = [{}, { logits: "last" }, { logits: "all" }, { logits: "last", loss: true }];
      for (const options of variants) {
        const run = await model.run(input, { ...options, metric: one.metric });
        expect(run.metric.axes).toEqual(["batch"]);
        expected.forEach((value, row) => expect(run.metric.data[row]).toBeCloseTo(value, 12));
      }
      const plain = one.metric.of(logits);
      expected.forEach((value, row) => expect(plain.data[row]).toBeCloseTo(value, 12));
    }
  });

  it("a mapping of rows to prompts puts any prompt in any row", async () => {
    const one = metric.logitDiff(answers);
    const many = [rows[1], rows[1], rows[0], rows[2]].map((row) => row ?? []);
    const run = await model.run(many, { metric: one, metricRows: [1, 0, 0, 2], logits: "last" });
    const expected = nested(run.logits).map(([x = []], row) => {
      const prompt = [1, 0, 0, 2][row] ?? 0;
      return (x[right(prompt)[0] ?? 0] ?? 0) - (x[wrong(prompt)[0] ?? 0] ?? 0);
    });
    expected.forEach((value, row) => expect(run.metric.data[row]).toBeCloseTo(value, 12));
    const plain = one.of(run.logits, { rows: [1, 0, 0, 2] });
    expected.forEach((value, row) => expect(plain.data[row]).toBeCloseTo(value, 12));
  });
});

/** Real positions of a row of the padded input. */
function realPositions(input: typeof rows | typeof padded, row: number): number[] {
  const mask = "attentionMask" in input ? input.attentionMask[row] : [1, 1, 1, 1, 1];
  return [0, 1, 2, 3, 4].filter((pos) => mask?.[pos] === 1);
}

describe("metrics of whole prompts", () => {
  let model: Model;
  beforeAll(async () => {
    model = (await loadModel(fixture("architectures", "gpt2"))).withPrecision("float64");
  });
  afterAll(() => model.close());

  it("the loss of a prompt is the mean of −log p(next token) over its steps", async () => {
    for (const input of [rows, padded]) {
      const tokens = "tokens" in input ? input.tokens : input;
      const run = await model.run(input, { logits: "all", loss: true, metric: metric.loss() });
      const logits = nested(run.logits);
      const expected = tokens.map((ids, row) => {
        const real = realPositions(input, row);
        const steps = real.slice(0, -1).filter((pos) => real.includes(pos + 1));
        return mean(steps.map((pos) => -Math.log(softmax(logits[row]?.[pos] ?? [])[ids[pos + 1] ?? 0] ?? 0)));
      });
      expected.forEach((value, row) => expect(run.metric.data[row]).toBeCloseTo(value, 12));
      const mask = run.attentionMask === undefined ? {} : { attentionMask: run.attentionMask };
      const plain = metric.loss().of(run.logits, { tokens: run.tokens, ...mask });
      expected.forEach((value, row) => expect(plain.data[row]).toBeCloseTo(value, 12));
    }
    const whole = await model.run(rows, { loss: true, metric: metric.loss() });
    expect(mean(Array.from(whole.metric.data))).toBeCloseTo(whole.loss, 6);
  });

  it("the divergence from a reference is Σ p (log p − log q), at the last token or averaged over real ones", async () => {
    for (const input of [rows, padded]) {
      const reference = (await model.with(edit.scale("blocks.0.hook_mlp_out", 0.3)).run(input)).logits;
      const run = await model.run(input);
      const [p, q] = [nested(reference), nested(run.logits)];
      const at = (row: number, pos: number): number => {
        const [a, b] = [softmax(p[row]?.[pos] ?? []), softmax(q[row]?.[pos] ?? [])];
        return sum(a.map((x, i) => x * Math.log(x / (b[i] ?? 0))));
      };
      const all = metric.klToReference(reference);
      const last = metric.klToReference(reference.at({ pos: -1 }));
      const found = [await model.run(input, { metric: all }), await model.run(input, { metric: last })];
      const mask = run.attentionMask === undefined ? {} : { attentionMask: run.attentionMask };
      const plain = [all.of(run.logits, mask), last.of(run.logits.at({ pos: [4] }))];
      rows.forEach((_, row) => {
        const expected = [mean(realPositions(input, row).map((pos) => at(row, pos))), at(row, 4)];
        expected.forEach((value, i) => {
          expect(value).toBeGreaterThan(0);
          expect(found[i]?.metric.data[row]).toBeCloseTo(value, 12);
          expect(plain[i]?.data[row]).toBeCloseTo(value, 12);
        });
      });
    }
  });

  it("a token that the reference rules out counts nothing, one that the model rules out counts infinitely", async () => {
    const { logits } = await model.run([[1, 2]], { logits: "last" });
    const ruledOut = logits.at({ pos: 0 }).toArray() as number[][];
    const some = tensor(
      ruledOut.map((row) => row.map((x, i) => (i === 3 ? Number.NEGATIVE_INFINITY : x))),
      ["batch", "dVocabOut"],
    );
    const run = await model.run([[1, 2]], { metric: metric.klToReference(some) });
    const p3 = softmax(ruledOut[0] ?? [])[3] ?? 0;
    expect(run.metric.data[0]).toBeCloseTo(-Math.log(1 - p3), 12);
    expect(metric.klToReference(logits).of(some).data[0]).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("what metrics read", () => {
  it("pairs of a task, by ids, and texts with the model's tokenizer", async () => {
    const model = await loadModel("tiny");
    const t = tasks.ioi(model, { n: 4, seed: 0 });
    const byIds = await model.run(t.clean, { metric: metric.logitDiff(t) });
    const { answers: texts, wrongAnswers } = t;
    const byText = metric.logitDiff({ answers: texts, wrongAnswers }, { tokenizer: model });
    expect((await model.run(t.clean, { metric: byText })).metric.equals(byIds.metric)).toBe(true);
    const { logits } = await model.run(t.clean, { logits: "last" });
    const score = mean(Array.from(byIds.metric.data));
    expect(t.score(logits).logitDiff).toBeCloseTo(score, 4);
    expect(() => metric.probability({ answers: [" Constantinople"] }, { tokenizer: model })).toThrow(
      /metric\.probability: got the answer " Constantinople", which is \d+ tokens: .*; expected answers that are one token, with their leading space\. Choose another answer, or take the first token/,
    );
    await model.close();
  });

  it("print themselves", () => {
    expect(String(metric.logitDiff(answers))).toBe("metric logitDiff in logits at the last position, 3 prompts");
    expect(String(metric.loss())).toBe("metric loss in nats at all positions");
  });

  it("refuse answers that are missing, uneven, or right and wrong at once", () => {
    expect(() => metric.logitDiff({ answerTokens: [[1]] })).toThrow("metric.logitDiff: got no wrong answers");
    expect(() => metric.answerLogit({ answers: [" a"] })).toThrow(
      "answerTokens, or answers together with { tokenizer: model }",
    );
    expect(() => metric.answerLogit({ answerTokens: [] })).toThrow("got no prompts");
    expect(() => metric.answerLogit({ answerTokens: [[1], []] })).toThrow("no right answer of prompt 1");
    const uneven = { answerTokens: [[1], [2]], wrongAnswerTokens: [[3]] };
    expect(() => metric.logitDiff(uneven)).toThrow("right answers of 2 prompts and wrong answers of 1");
    const both = { answerTokens: [[1, 2]], wrongAnswerTokens: [[2]] };
    expect(() => metric.probabilityDiff(both)).toThrow("an answer of prompt 0 that is both right and wrong");
  });

  it("refuse logits of the wrong shape, and say what of() lacks", () => {
    const logits = tensor(
      [
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
      ],
      ["batch", "pos", "dVocabOut"],
    );
    const one = metric.answerLogit({ answerTokens: [[2]] });
    expect(() => one.of(logits)).toThrow(
      "metric answerLogit.of: got logits [batch=1, pos=2, dVocabOut=3]; expected [batch, 1, dVocabOut]",
    );
    expect(() => metric.answerLogit({ answerTokens: [[3]] }).of(logits.at({ pos: [0] }))).toThrow(
      "the token id 3 with 3 logits",
    );
    expect(() => one.of(logits.at({ pos: [0] }), { rows: [1] })).toThrow(
      "metricRows: got 1; expected integers from 0 to 0",
    );
    expect(() => metric.loss().of(logits)).toThrow("Pass { tokens: run.tokens }");
    const short = tensor([[1]], ["batch", "pos"]);
    expect(() => metric.loss().of(logits, { tokens: short })).toThrow("metric loss.of: tokens: got [batch=1, pos=1]");
    expect(() => metric.loss().of(logits.at({ pos: 0 }))).toThrow("expected [batch, pos, dVocabOut]");
    expect(() => metric.klToReference(tensor([1, 2], ["dVocabOut"]))).toThrow(
      "metric.klToReference: got reference logits",
    );
    expect(() => metric.klToReference(logits).of(tensor([[[1, 2, 3]]], ["batch", "pos", "dVocabOut"]))).toThrow(
      "another shape",
    );
    expect(() => metric.custom("mine", (x) => x).of(logits.at({ pos: [0] }))).toThrow(
      "Pass { of: (logits) => … } to metric.custom",
    );
  });
});
