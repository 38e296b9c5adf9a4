/** Token log-probabilities as data, words and pictures, and how they come from logits. */
import { describe, expect, test } from "vitest";
import { Tensor } from "../../../src/tensor/index.js";
import { tokenLogProbs, tokenPredictions, type View } from "../../../src/viz/index.js";
import { kindOf } from "../../../src/viz/registry.js";
import { alternativeRows, percent, type TokenLogProbsSpec } from "../../../src/viz/views/token-log-probs.js";

const tokens = ["<bos>", " the", " cat", "\n"];
const log = Math.log;
const predictions = [
  {
    logProb: log(0.5),
    rank: 1,
    top: [
      { token: " the", logProb: log(0.5) },
      { token: " a", logProb: log(0.25) },
    ],
  },
  {
    logProb: log(0.01),
    rank: 17,
    top: [
      { token: " dog", logProb: log(0.4) },
      { token: " end", logProb: log(0.2) },
    ],
  },
  {
    logProb: log(0.25),
    top: [
      { token: " sat", logProb: log(0.5) },
      { token: "\n", logProb: log(0.25) },
    ],
  },
];
const next = { top: [{ token: "<eos>", logProb: log(0.8) }] };

function specOf(view: View): TokenLogProbsSpec {
  if (view.spec.view !== "tokenLogProbs") throw new Error(view.spec.view);
  return view.spec;
}

describe("the data", () => {
  test("are log-probabilities, ranks and alternatives, the rank found among them when it is not given", () => {
    const spec = specOf(tokenLogProbs(tokens, predictions));
    expect(spec.logProbs).toEqual([log(0.5), log(0.01), log(0.25)]);
    expect(spec.ranks).toEqual([1, 17, 2]);
    expect(spec.topTokens[1]).toEqual([" dog", " end"]);
    expect(spec.color).toEqual({ kind: "sequential", min: 0, max: -log(0.01) });
  });

  test("keep the best alternatives only", () => {
    const spec = specOf(tokenLogProbs(tokens, predictions, { topK: 1 }));
    expect(spec.topTokens).toEqual([[" the"], [" dog"], [" sat"]]);
    expect(spec.ranks).toEqual([1, 17, 2]);
  });

  test("may end with what comes next", () => {
    const view = tokenLogProbs(tokens, [...predictions, next]);
    expect(specOf(view).logProbs[3]).toBe("NaN");
    expect(view.summary()).toContain("; next “<eos>” 80%");
    expect(view.toSvg()).toContain(">?</text>");
  });
});

describe("in words", () => {
  // Mean of ln 2, ln 100 and ln 4: ln(800) / 3 = 2.228; its exponential is 800^(1/3) = 9.283.
  const view = tokenLogProbs(tokens, predictions, { title: "A story" });
  test("the most surprising tokens are named with what was expected", () => {
    expect(view.toText()).toBe(
      [
        "A story",
        "4 tokens; mean 2.23 nats, perplexity 9.28; the best guess came 1 of 3 times",
        "   4.61  2 “·cat”, rank 17, expected “·dog” 40%",
        "   1.39  3 “⏎”, rank 2, expected “·sat” 50%",
        "  0.693  1 “·the”, rank 1",
      ].join("\n"),
    );
    expect(view.summary()).toBe(
      "A story: 4 tokens; mean 2.23 nats, perplexity 9.28; the best guess came 1 of 3 times; most surprising 2 “·cat”, rank 17, expected “·dog” 40%: 4.61 nats.",
    );
  });

  test("the table has a row for each token", () => {
    const { columns, rows } = kindOf(view.spec).table(view.spec);
    expect(columns).toEqual(["position", "token", "log-prob", "probability", "rank", "expected"]);
    expect(rows).toEqual([
      ["0", "<bos>", "", "", "", ""],
      ["1", "·the", "−0.693", "50%", "1", "·the 50%, ·a 25%"],
      ["2", "·cat", "−4.61", "1%", "17", "·dog 40%, ·end 20%"],
      ["3", "⏎", "−1.39", "25%", "2", "·sat 50%, ⏎ 25%"],
    ]);
  });

  test("the alternatives of a token mark the one that came, also beyond the best", () => {
    const spec = specOf(tokenLogProbs(tokens, [...predictions, next]));
    const rows = (token: number): readonly string[] =>
      alternativeRows(spec, token).map((row) => row.join(" | ").replaceAll("\u2007", ""));
    expect(rows(0)).toEqual([]);
    expect(rows(1)).toEqual(["1 ·the ◀ came | 50%−0.693", "2 ·a | 25%−1.39"]);
    expect(rows(2)).toEqual(["1 ·dog | 40%−0.916", "2 ·end | 20%−1.61", "17 ·cat ◀ came | 1%−4.61"]);
    expect(rows(4)).toEqual(["1 <eos> | 80%−0.223"]);
  });

  test("two tokens of one text are told apart by rank; without one the place is open", () => {
    const top = [
      { token: "a", logProb: log(0.5) },
      { token: "a", logProb: log(0.3) },
    ];
    const marked = (rank?: number): readonly string[] => {
      const prediction = { logProb: log(0.3), top, ...(rank === undefined ? {} : { rank }) };
      return alternativeRows(specOf(tokenLogProbs(["x", "a"], [prediction])), 1).map(([name]) => name);
    };
    expect(marked(2)).toEqual(["1 a", "2 a ◀ came"]);
    expect(marked()).toEqual(["1 a ◀ came", "2 a"]);
    const other = tokenLogProbs(["x", "b"], [{ logProb: -9, top }]);
    expect(alternativeRows(specOf(other), 1).at(-1)?.[0]).toBe(">2 b ◀ came");
  });

  test("percentages keep three digits and never round to nothing", () => {
    const shown = [1, 0.9876, 0.5, 0.0999, 0.01, 0.000_2, 1e-9, 0].map((p) => percent(log(p)));
    expect(shown).toEqual(["100%", "98.8%", "50%", "9.99%", "1%", "0.02%", "<0.01%", "0%"]);
    expect(percent(Number.NaN)).toBe("NaN");
  });
});

describe("the picture", () => {
  test("colours each predicted token and frames the others", () => {
    const svg = tokenLogProbs(tokens, predictions).toSvg();
    expect(svg.match(/fill="none"/g)?.length).toBe(1);
    expect(svg).toContain(">1%</text>");
    expect(svg).toContain("surprisal, nats");
  });

  test("NaN is grey and said, infinite surprisal is drawn", () => {
    const view = tokenLogProbs(
      ["a", "b", "c"],
      [
        { logProb: Number.NaN, top: [] },
        { logProb: Number.NEGATIVE_INFINITY, top: [] },
      ],
    );
    expect(view.toSvg()).toContain(">NaN</text>");
    expect(view.toSvg()).toContain("#d6d6d6");
    expect(view.toText()).toContain("3 tokens");
  });

  test("2,000 tokens with ten alternatives each stay below 420 kB without browser code", () => {
    const many = Array.from({ length: 2000 }, (_, i) => `w${(i * 7919) % 5000}`);
    const view = tokenLogProbs(
      many,
      many.slice(1).map((_, i) => ({
        logProb: -((i * 31) % 97) / 10,
        rank: 1 + ((i * 17) % 400),
        top: Array.from({ length: 10 }, (_token, k) => ({ token: `t${(i * k * 101) % 5000}`, logProb: -k / 3 - 0.1 })),
      })),
    );
    expect(view.toHtml({ runtime: false, onWarning: () => undefined }).length).toBeLessThan(420_000);
  });
});

describe("from logits", () => {
  const vocabulary = ["<bos>", " the", " cat", "\n", " a"];
  const ids = [0, 1, 2];
  const logits = [
    [0, 2, 1, -1, 1],
    [0, 0, 0, 0, 5],
    [3, 1, 2, 0, -2],
  ];
  const text = (id: number): string => vocabulary[id] ?? "";
  const made = tokenPredictions(logits, ids, text, { topK: 3 });

  test("log-probabilities are those of the softmax, ranks count the larger logits", () => {
    const softmax = (row: readonly number[], id: number): number =>
      log(Math.exp(row[id] ?? 0) / row.reduce((sum, value) => sum + Math.exp(value), 0));
    expect(made[0]?.logProb).toBeCloseTo(softmax(logits[0] ?? [], 1), 12);
    expect(made[1]?.logProb).toBeCloseTo(softmax(logits[1] ?? [], 2), 12);
    expect(made.map((prediction) => prediction.rank)).toEqual([1, 2, undefined]);
    expect(made[0]?.top.map(({ token }) => token)).toEqual([" the", " cat", " a"]);
    expect(made[2]).not.toHaveProperty("logProb");
    expect(made[2]?.top[0]?.token).toBe("<bos>");
    expect(made[2]?.top[0]?.logProb).toBeCloseTo(softmax(logits[2] ?? [], 0), 12);
  });

  test("a tensor, a flat array and log-probabilities give the same", () => {
    const flat = Float64Array.from(logits.flat());
    expect(tokenPredictions(Tensor.of(flat, [1, 3, 5], ["batch", "pos", "dVocab"]), ids, text, { topK: 3 })).toEqual(
      made,
    );
    expect(tokenPredictions({ shape: [3, 5], data: flat }, Int32Array.from(ids), text, { topK: 3 })).toEqual(made);
    const shifted = logits.map((row) => row.map((value) => value + 1000));
    const again = tokenPredictions(shifted, ids, text, { topK: 3 });
    expect(again[0]?.logProb).toBeCloseTo(made[0]?.logProb ?? Number.NaN, 9);
  });

  test("they draw as they are", () => {
    const view = tokenLogProbs(ids.map(text), made);
    expect(view.summary()).toContain("the best guess came 1 of 2 times");
  });
});

describe("bad input", () => {
  const top: never[] = [];
  const cases: readonly (readonly [string, () => unknown, string])[] = [
    ["no tokens", () => tokenLogProbs([], []), "viz.tokenLogProbs: got no values; expected at least one value."],
    [
      "too few predictions",
      () => tokenLogProbs(["a", "b", "c"], [{ logProb: -1, top }]),
      "viz.tokenLogProbs: logProbs: got length 1; expected length 2, or 3 with what comes next. Give the prediction made at each position: the first is about the second token.",
    ],
    [
      "a token without its value",
      () => tokenLogProbs(["a", "b"], [{ top }]),
      'viz.tokenLogProbs: logProbs[0]: got no logProb; expected that of "b".',
    ],
    [
      "probabilities",
      () => tokenLogProbs(["a", "b"], [{ logProb: 0.4, top }]),
      "viz.tokenLogProbs: logProbs[0]: got 0.4; expected natural logarithms, at most 0. Give log-probabilities; viz.tokenPredictions makes them from logits.",
    ],
    [
      "unsorted alternatives",
      () =>
        tokenLogProbs(
          ["a", "b"],
          [
            {
              logProb: -1,
              top: [
                { token: "x", logProb: -3 },
                { token: "b", logProb: -1 },
              ],
            },
          ],
        ),
      "viz.tokenLogProbs: logProbs[0].top[1]: got −1 after −3; expected the best first. Sort them.",
    ],
    [
      "half an alternative",
      () => tokenLogProbs(["a", "b"], [{ logProb: -1, top }], { topK: 1.5 }),
      "viz.tokenLogProbs: topK: got 1.5; expected a whole number from 0.",
    ],
    [
      "logits of a batch",
      () =>
        tokenPredictions({ axes: ["batch", "pos", "dVocab"], shape: [2, 1, 3], data: [1, 2, 3, 4, 5, 6] }, [0], String),
      "viz.tokenPredictions: logits: got [batch=2, pos=1, dVocab=3], 6 numbers; expected [pos, dVocab]. Pick one prompt: logits.at({ batch: 0 }).",
    ],
    [
      "logits of the last position only",
      () => tokenPredictions([[1, 2, 3]], [0, 1], String),
      'viz.tokenPredictions: logits: got [1, 3]; expected [pos=2, dVocab], one row for each id. Run the model with { logits: "all" } and pick one prompt.',
    ],
    [
      "ragged logits",
      () => tokenPredictions([[1, 2], [1]], [0, 1], String),
      "viz.tokenPredictions: logits[1]: got a row of 1; expected rows of 2, like the first.",
    ],
    [
      "an id outside the vocabulary",
      () =>
        tokenPredictions(
          [
            [1, 2],
            [1, 2],
          ],
          [0, 2],
          String,
        ),
      "viz.tokenPredictions: ids[1]: got 2; expected a token id from 0 to 1. Give the ids that the logits were computed from.",
    ],
    [
      "half an id",
      () =>
        tokenPredictions(
          [
            [1, 2],
            [1, 2],
          ],
          [0, 0.5],
          String,
        ),
      "viz.tokenPredictions: ids[1]: got 0.5",
    ],
  ];
  for (const [what, action, message] of cases) {
    test(`${what} are refused with a message that says where`, () => {
      expect(action).toThrow(message);
    });
  }
});
