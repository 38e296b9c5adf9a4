/** Attention patterns as data, words and pictures; what is refused; how large outputs are. */
import { describe, expect, test } from "vitest";
import { Tensor } from "../../../src/tensor/index.js";
import { layOutAttention } from "../../../src/viz/attention/layout.js";
import type { AttentionSpec } from "../../../src/viz/attention/spec.js";
import { shapeOf } from "../../../src/viz/attention/spec.js";
import { decodeHead } from "../../../src/viz/attention/weights.js";
import { attention, type View } from "../../../src/viz/index.js";
import { kindOf } from "../../../src/viz/registry.js";
import { madePattern, madeTokens } from "./attention-patterns.js";

const tokens = ["<bos>", " Mary", " met", " John"];
/** Two heads; in head 1 John looks at Mary. */
const heads = [
  [
    [1, 0, 0, 0],
    [0.5, 0.5, 0, 0],
    [0.25, 0.25, 0.5, 0],
    [0.25, 0.25, 0.25, 0.25],
  ],
  [
    [1, 0, 0, 0],
    [1, 0, 0, 0],
    [0.9, 0.1, 0, 0],
    [0.3, 0.62, 0, 0.08],
  ],
];
const flat = Float64Array.from(heads.flat(2));
const named = ["head", "queryPos", "keyPos"];

function specOf(view: View): AttentionSpec {
  if (view.spec.view !== "attention") throw new Error(view.spec.view);
  return view.spec;
}

function weightsOf(view: View, head: number): readonly (readonly number[])[] {
  const spec = specOf(view);
  const block = decodeHead(spec.weights, shapeOf(spec), head);
  return tokens.map((_, query) => tokens.map((_token, key) => block.at(query, key)));
}

/** As the cache of a run gives it: which dtype is known only at run time. */
const plainTensor: Tensor = Tensor.of(flat, [2, 4, 4], named);

describe("patterns in every form", () => {
  const forms: readonly (readonly [string, Parameters<typeof attention>[0]])[] = [
    ["nested lists", heads],
    ["nested lists of typed arrays", heads.map((rows) => rows.map((row) => Float64Array.from(row)))],
    ["a flat array with a shape", { shape: [2, 4, 4], data: flat }],
    ["a tensor", plainTensor],
    ["a tensor with a batch of one", { axes: ["batch", ...named], shape: [1, 2, 4, 4], data: flat }],
  ];
  for (const [what, pattern] of forms) {
    test(`${what} give the weights of both heads, the lower triangle only`, () => {
      const view = attention(pattern, tokens);
      expect(specOf(view)).toMatchObject({ isCausal: true, layers: [], heads: [0, 1], queries: 4, large: 1 });
      expect(specOf(view).weights).toEqual(heads.map((rows) => rows.flatMap((row, query) => row.slice(0, query + 1))));
      expect(weightsOf(view, 1)[3]).toEqual([0.3, 0.62, 0, 0.08]);
      expect(weightsOf(view, 1)[0]).toEqual([1, Number.NaN, Number.NaN, Number.NaN]);
    });
  }

  test("one head without a name", () => {
    const view = attention(heads[1] ?? [], tokens);
    expect(specOf(view)).toMatchObject({ layers: [], heads: [] });
    expect(view.summary()).toContain("Attention: one pattern over 4 tokens, causal; strongest ·John → ·Mary 0.62");
  });

  test("one tensor for each layer", () => {
    const layer = { axes: ["batch", ...named], shape: [1, 2, 4, 4], data: flat };
    const view = attention([layer, layer, layer], tokens, { layers: [3, 4, 5], heads: [6, 7] });
    expect(specOf(view)).toMatchObject({ layers: [3, 4, 5], heads: [6, 7], large: 1 });
    expect(view.toText()).toContain("L3H7  3 “·John” → 1 “·Mary”");
  });

  test("an axis of layers", () => {
    const data = Float32Array.from([...flat, ...flat]);
    const axes = ["layer", ...named];
    const view = attention({ axes, shape: [2, 2, 4, 4], data }, tokens, { large: { layer: 1, head: 0 } });
    expect(specOf(view).large).toBe(2);
    expect(view.summary()).toContain(
      "2 layers × 2 heads over 4 tokens, causal; head 0.1: strongest ·John → ·Mary 0.62",
    );
  });

  test("fewer queries than keys are the last tokens", () => {
    const view = attention([(heads[1] ?? []).slice(2)], tokens);
    expect(specOf(view)).toMatchObject({ queries: 2, isCausal: true });
    expect(specOf(view).weights).toEqual([[0.9, 0.1, 0, 0.3, 0.62, 0, 0.08]]);
    expect(view.toText()).toContain("3 “·John” → 1 “·Mary”");
  });

  test("weights above the diagonal are kept when there are any, or on demand", () => {
    const both = attention(
      [
        [0.5, 0.5],
        [0.5, 0.5],
      ],
      ["a", "b"],
    );
    expect(specOf(both)).toMatchObject({ isCausal: false, weights: [[0.5, 0.5, 0.5, 0.5]] });
    expect(specOf(attention(heads, tokens, { causal: false })).weights).toEqual(heads.map((rows) => rows.flat()));
  });

  test("negative weights are centred at 0", () => {
    const view = attention(
      [
        [
          [-1, 0.5],
          [0.25, 0],
        ],
      ],
      ["a", "b"],
      { unit: "change" },
    );
    expect(specOf(view).color).toEqual({ kind: "diverging", min: -1, max: 1 });
    expect(specOf(view).entropy).toEqual([]);
  });
});

describe("in words", () => {
  const view = attention(heads, tokens, { title: "Names", layers: [5] });
  test("the strongest pair of each head is named beyond the first token, with its entropy", () => {
    // Head 0: (1 + 1.5 + 2) / 3 bits; head 1: (0 + 0.469 + 1.240) / 3.
    expect(view.toText()).toBe(
      [
        "Names",
        "2 heads over 4 tokens, causal; strongest beyond the first token:",
        "  0.62  L5H1  3 “·John” → 1 “·Mary”  entropy 0.57 bits",
        "   0.5  L5H0  1 “·Mary” → 1 “·Mary”  entropy 1.5 bits",
      ].join("\n"),
    );
    expect(view.summary()).toBe(
      "Names: 2 heads over 4 tokens, causal; head 5.1: strongest ·John → ·Mary 0.62, mean entropy 0.57 bits; head 5.0: strongest ·Mary → ·Mary 0.5, mean entropy 1.5 bits.",
    );
  });

  test("a head that only looks at the first token says so", () => {
    const only = attention(
      [
        [
          [1, 0],
          [1, 0],
        ],
      ],
      ["a", "b"],
    );
    expect(only.toText()).toContain("1  H0  0 “a” → 0 “a”");
  });

  test("the table has every weight, or the keys of each query, or the heads", () => {
    const tableOf = (drawn: View) => kindOf(drawn.spec).table(drawn.spec);
    const few = tableOf(view);
    expect(few.columns).toEqual(["head", "token", "looks at", "attention"]);
    expect(few.rows.length).toBe(20);
    expect(few.rows).toContainEqual(["L5H1", "3 “·John”", "1 “·Mary”", "0.62"]);
    const some = tableOf(attention({ shape: [4, 40, 40], data: madePattern(4, 40) }, madeTokens(40)));
    expect(some.columns).toEqual(["head", "token", "looks at"]);
    expect(some.rows.length).toBe(160);
    expect(some.rows[1]?.[2]).toMatch(/^\d “.*” 0\.\d+, \d “.*” 0\.\d+$/);
    const many = tableOf(attention({ shape: [60, 40, 40], data: madePattern(60, 40) }, madeTokens(40)));
    expect(many.columns).toEqual(["head", "token", "looks most at", "attention", "mean entropy, bits"]);
    expect(many.rows.length).toBe(60);
  });
});

describe("the picture", () => {
  test("has the grid of heads, one head large with its name, and the text coloured by its strongest query", () => {
    const svg = attention(heads, tokens, { layers: [5] }).toSvg();
    expect(svg.match(/<image /g)?.length).toBe(2);
    expect(svg).toContain(">L5H1</text>");
    expect(svg).toContain(">3 “·John” → 1 “·Mary” 0.62</text>");
    expect(svg).toContain(">3 “·John” looks at</text>");
  });

  test("several layers are rows of heads, one layer a block, one head stands alone", () => {
    const data = madePattern(24, 16);
    const table = layOutAttention(specOf(attention({ shape: [2, 12, 16, 16], data }, madeTokens(16))));
    expect(table.thumbs).toMatchObject({ columns: 12, rows: 2 });
    const block = layOutAttention(specOf(attention({ shape: [24, 16, 16], data }, madeTokens(16))));
    expect(block.thumbs).toMatchObject({ columns: 5, rows: 5 });
    const single = attention(heads[0] ?? [], tokens);
    expect(layOutAttention(specOf(single)).thumbs).toBeUndefined();
    expect(single.toSvg().match(/<image /g)?.length).toBe(1);
  });

  test("long texts are drawn with several weights a pixel and without running text", () => {
    const texts = madeTokens(700);
    const frame = { tokens: texts, queries: 700, layers: [], heads: [] };
    const { field, block, text } = layOutAttention(frame);
    expect([field.width, block, text]).toEqual([350, 2, undefined]);
  });
});

describe("sizes", () => {
  for (const kind of ["like a model", "diffuse"] as const) {
    test(`12 × 12 heads over 64 tokens (${kind}) stay below 150 kB, browser code of 52 kB gzipped included`, () => {
      const data = madePattern(144, 64, kind);
      const view = attention({ shape: [12, 12, 64, 64], data }, madeTokens(64));
      expect(view.toHtml({ runtime: false }).length + (52_000 * 4) / 3).toBeLessThan(150_000);
    }, 20_000);
  }

  test("one layer keeps three digits", () => {
    const view = attention({ shape: [12, 64, 64], data: madePattern(12, 64) }, madeTokens(64));
    const { weights } = specOf(view);
    expect("groups" in weights && weights.step).toBe((specOf(view).color.max - 0) / 250);
    expect(view.toHtml({ runtime: false }).length).toBeLessThan(50_000);
  });

  test("more bytes buy finer steps, and exact keeps every weight", () => {
    const data = madePattern(100, 24);
    const coarse = specOf(attention({ shape: [100, 24, 24], data }, madeTokens(24), { bytes: 4000 }));
    const fine = specOf(attention({ shape: [100, 24, 24], data }, madeTokens(24)));
    const step = ({ weights }: AttentionSpec): number => ("groups" in weights ? weights.step : 0);
    expect(step(coarse)).toBeGreaterThan(2 * step(fine));
    expect(step(specOf(attention({ shape: [100, 24, 24], data }, madeTokens(24), { exact: true })))).toBe(0);
  });

  test("beyond a million weights the small heads are kept apart, so that they open before all weights are read", () => {
    const [count, pos] = [4, 720];
    const data = new Float32Array(count * pos * pos);
    for (let i = 0; i < data.length; i++) data[i] = i % pos <= Math.floor(i / pos) % pos && i % 97 === 0 ? 1 : 0;
    const view = attention({ shape: [count, pos, pos], data }, madeTokens(pos));
    const spec = specOf(view);
    expect(typeof spec.small).toBe("string");
    expect("groups" in spec.weights && spec.weights.groups.length).toBe(4);
    expect(view.toSvg().match(/<image /g)?.length).toBe(2);
  }, 20_000);
});

describe("bad input", () => {
  const shape4 = { shape: [2, 4, 4], data: flat };
  const cases: readonly (readonly [string, () => unknown, string])[] = [
    [
      "a batch of several prompts",
      () => attention({ axes: ["batch", ...named], shape: [2, 1, 4, 4], data: flat }, tokens),
      "viz.attention: pattern: got axes [batch=2, head=1, queryPos=4, keyPos=4]; expected [queryPos, keyPos], [head, queryPos, keyPos] or [layer, head, queryPos, keyPos]. Pick one prompt: pattern.at({ batch: 0 }).",
    ],
    [
      "activations that are no pattern",
      () => attention({ axes: ["batch", "pos", "dModel"], shape: [1, 4, 8], data: flat }, tokens),
      "viz.attention: pattern: got axes [batch=1, pos=4, dModel=8]; expected [queryPos, keyPos], [head, queryPos, keyPos] or [layer, head, queryPos, keyPos]. Pick one index of pos: pattern.at({ pos: 0 }).",
    ],
    [
      "axes in another order",
      () => attention({ axes: ["head", "keyPos", "queryPos"], ...shape4 }, tokens),
      "viz.attention: pattern: got axes [head=2, keyPos=4, queryPos=4]",
    ],
    [
      "five axes without names",
      () => attention({ shape: [1, 1, 2, 4, 4], data: flat }, tokens),
      "viz.attention: pattern: got 5 axes of sizes [1, 1, 2, 4, 4]",
    ],
    [
      "data of another size",
      () => attention({ shape: [3, 4, 4], data: flat }, tokens),
      "viz.attention: pattern: got 32 numbers for shape [3, 4, 4]; expected 48 numbers.",
    ],
    [
      "raw bits of half precision",
      () => attention({ ...shape4, dtype: "float16" }, tokens),
      'viz.attention: pattern: got float16; expected float32 or float64. Turn it into numbers first: pattern.cast("float32").',
    ],
    [
      "ragged lists",
      () => attention([heads[0] ?? [], (heads[1] ?? []).slice(1)], tokens),
      "viz.attention: pattern[1]: got a list of 3; expected a list of 4, like the first.",
    ],
    [
      "layers of different shapes",
      () => attention([shape4, { shape: [1, 4, 4], data: flat.slice(16) }], tokens),
      "viz.attention: pattern[1]: got shape [1, 4, 4]; expected shape [2, 4, 4], like the first layer.",
    ],
    [
      "layers within layers",
      () => attention([{ shape: [1, 2, 4, 4], data: flat }], tokens),
      "viz.attention: pattern: got shape [1, 2, 4, 4]; expected one tensor [head, queryPos, keyPos] for each layer.",
    ],
    [
      "other tokens",
      () => attention(heads, tokens.slice(1)),
      "viz.attention: tokens: got length 3; expected length 4.",
    ],
    [
      "a transposed pattern",
      () => attention({ shape: [4, 2], data: flat.slice(0, 8) }, tokens.slice(2)),
      "viz.attention: pattern: got 4 queries over 2 keys; expected at most as many queries as keys.",
    ],
    [
      "scores in place of weights",
      () =>
        attention(
          [
            [
              [0, Number.NEGATIVE_INFINITY],
              [0, 0],
            ],
          ],
          ["a", "b"],
          { causal: false },
        ),
      "viz.attention: pattern: got -Infinity at query 0, key 1; expected finite weights. Give the pattern, after the softmax, not the scores before it.",
    ],
    [
      "a pattern that is not causal",
      () =>
        attention(
          [
            [
              [0.5, 0.5],
              [0.5, 0.5],
            ],
          ],
          ["a", "b"],
          { causal: true },
        ),
      "viz.attention: causal: got true, and a pattern in which queries look at later keys",
    ],
    ["no heads", () => attention({ shape: [0, 4, 4], data: [] }, tokens), "viz.attention: pattern: got no values"],
    ["an empty list", () => attention([], tokens), "viz.attention: pattern: got no values"],
    [
      "numbers of other heads",
      () => attention(heads, tokens, { heads: [1] }),
      "viz.attention: heads: got length 1; expected length 2.",
    ],
    [
      "a head that is not there",
      () => attention(heads, tokens, { large: { head: 7 } }),
      'viz.attention: large: got {"head":7}; expected a layer of [] and a head of [0, 1].',
    ],
    [
      "a range upside down",
      () => attention(heads, tokens, { range: [1, 0] }),
      "viz.attention: range: got [1, 0]; expected two finite numbers, the lower first.",
    ],
  ];
  for (const [what, action, message] of cases) {
    test(`${what} are refused with a message that says where`, () => {
      expect(action).toThrow(message);
    });
  }

  test("NaN is drawn grey, and never chosen as the strongest", () => {
    const view = attention(
      [
        [
          [1, 0],
          [Number.NaN, 0.5],
        ],
      ],
      ["a", "b"],
    );
    expect(view.toText()).toContain("0.5  H0  1 “b” → 1 “b”");
    expect(view.toText()).not.toContain("entropy");
    const none = attention([[[Number.NaN]]], ["a"]);
    expect(none.summary()).toBe("Attention: head 0 over 1 tokens, causal.");
  });
});
