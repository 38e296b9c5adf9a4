/** One or more examples of every view: tests of all renderers run over them. A new view adds its own here. */
import {
  attention,
  bars,
  features,
  graph,
  heatmap,
  histogram,
  lines,
  panels,
  plotly,
  scatter,
  table,
  tokenLogProbs,
  tokens,
  type View,
} from "../../../src/viz/index.js";

const words = ["<bos>", " Mary", " and", "\n", " John"];
const grid = [
  [0.1, -0.25, 0, 0.5, 1.25],
  [-0.7, 0.003, Number.NaN, 0.2, 0.1],
  [0, 0, Number.POSITIVE_INFINITY, -1, 0.05],
];

/** Heads that look at the first, the same and the token before. */
const lookers = [
  (key: number) => (key === 0 ? 3 : 0),
  (key: number, query: number) => (key === query ? 2 : 0),
  (key: number, query: number) => (key === query - 1 ? 4 : 0),
];
const heads = lookers.map((score) =>
  words.map((_, query) => {
    const row = words.map((_word, key) => (key > query ? 0 : Math.exp(score(key, query))));
    const total = row.reduce((sum, value) => sum + value, 0);
    return row.map((value) => value / total);
  }),
);

const single = {
  attention: attention([heads, [...heads].reverse()], words, {
    title: "Attention of two layers",
    layers: [3, 4],
    note: "weights after the softmax",
  }),
  "attention-head": attention(heads[2] ?? [], words, { title: "One pattern" }),
  heatmap: heatmap(grid, {
    title: "Effect of one patch",
    note: "0 = corrupted run, 1 = clean run",
    unit: "recovered",
    y: { name: "layer" },
    x: { name: "position", labels: words, kind: "tokens" },
  }),
  "heatmap-text": heatmap(
    [
      [0.1, 0.9],
      [0.5, 0.3],
    ],
    {
      title: "Logit lens",
      unit: "probability",
      y: { name: "layer" },
      x: { name: "position", labels: [" the", " cat"], kind: "tokens" },
      cellText: [
        [" dog", " <sat>"],
        ["\n", " a-very-long-token"],
      ],
      details: {
        unit: "probability",
        labels: [
          [
            [" dog", " cat"],
            [" <sat>", " ran"],
          ],
          [["\n", " ."], [" a-very-long-token"]],
        ],
        values: [
          [
            [0.1, 0.05],
            [0.9, 0.01],
          ],
          [[0.5, 0.25], [0.3]],
        ],
      },
    },
  ),
  "heatmap-large": heatmap(
    Array.from({ length: 40 }, (_, i) => Array.from({ length: 40 }, (_cell, j) => (j > i ? 0 : 1 / (1 + i - j)))),
    { title: "Attention pattern", y: { name: "destination" }, x: { name: "source" } },
  ),
  "heatmap-dark": heatmap(grid, { title: "In the dark", theme: "dark" }),
  tokens: tokens(words, [0, 1.5, -2, 0.25, 3], { title: "Loss by token", unit: "nats" }),
  "tokens-channels": tokens(
    words,
    { loss: [0, 1.5, 2, 0.25, 3], change: [0, -1, 0.5, 0, 2] },
    { title: "Loss and its change", unit: "nats" },
  ),
  bars: bars([2.1, -0.7, 0.31, Number.NaN], {
    title: "Direct logit attribution",
    unit: "logits",
    axis: { name: "component", labels: ["blocks.5.attn head 3", "mlp 6", "embed", "b_U"] },
  }),
  "bars-sorted": bars([0.5, -2, Number.NaN, 1], { order: "size", axis: { labels: ["a", "b", "c", "d"] } }),
  tokenLogProbs: tokenLogProbs(
    words,
    [
      { logProb: -0.5, rank: 1, top: [{ token: " Mary", logProb: -0.5 }] },
      {
        logProb: -2.25,
        rank: 2,
        top: [
          { token: " went", logProb: -0.75 },
          { token: " and", logProb: -2.25 },
        ],
      },
      { logProb: -7, rank: 411, top: [{ token: " John", logProb: -0.125 }] },
      { logProb: -3, top: [{ token: "\n", logProb: -1 }] },
      { top: [{ token: " gave", logProb: -0.25 }] },
    ],
    { title: "What was expected" },
  ),
  table: table(
    [
      { name: "component", kind: "text" },
      { name: "top token", kind: "token" },
      { name: "loss", kind: "number" },
    ],
    [
      ["blocks.0", " the", 3.21],
      ["blocks.1 <mlp>", "\n", -0.0002],
    ],
    { title: "Parts" },
  ),
  lines: lines(
    {
      train: { y: [4, 2.5, Number.NaN, 1.2, 1], low: [3.8, 2.3, 1.6, 1, 0.8], high: [4.3, 2.8, 2, 1.5, 1.3] },
      "held out": [4.1, 2.8, 2.1, 1.9, 1.8],
    },
    {
      title: "Loss while training",
      x: { name: "step", values: [0, 100, 200, 300, 400] },
      y: { name: "nats" },
      band: "90 % of 5 seeds",
    },
  ),
  "lines-own-x": lines(
    [
      { name: "a", x: [1, 10, 1000], y: [1, 0.1, 0.002] },
      { name: "b", x: [2, 20, 200], y: [0.5, 0, 0.003] },
    ],
    { title: "Both axes logarithmic", x: { name: "size", log: true }, y: { name: "loss", log: true } },
  ),
  "lines-labels": lines([0.1, -0.4, 0.25, 0.9, 0], {
    title: "By token",
    x: { labels: words, kind: "tokens" },
    theme: "dark",
  }),
  histogram: histogram([1, 2, 2, 3, 3, 3, 4, 4, 9, Number.NaN], {
    title: "Ranks",
    name: "rank",
    markers: [{ value: 6.5, label: "measured" }],
  }),
  "histogram-series": histogram(
    {
      clean: { counts: [1, 10, 100, 3], edges: [-1, 0, 0.5, 1, 3] },
      corrupted: { counts: [40, 0, 7, 0], edges: [-1, 0, 0.5, 1, 3] },
    },
    { title: "Uneven bins", name: "logit difference", measure: "density", log: true },
  ),
  scatter: scatter([0.1, -0.5, 2, Number.NaN], [1, 0.2, -1, 3], {
    title: "Heads",
    x: { name: "attribution" },
    y: { name: "effect" },
    labels: ["L0H1", "L3H2", "L5H0", "L5H1"],
    groups: ["mover", "other", "mover", "other"],
    zero: true,
  }),
  "scatter-values": scatter([1, 2, 3], [1.5, 1.5, 3.5], {
    title: "Predicted and measured",
    labels: words.slice(0, 3),
    labelKind: "tokens",
    values: [-1, 0, 2],
    unit: "layer",
    diagonal: true,
  }),
  graph: graph({
    tokens: ["The", " cat", "\n"],
    nodes: [
      { id: "t", mark: "target", pos: 2, label: '" sat"', probability: 0.6 },
      { id: "L1 #4 @2", mark: "feature", layer: 1, pos: 2, activation: 1.5, influence: 0.2, label: "cats" },
      { id: "L0 #7 @1", mark: "feature", layer: 0, pos: 1, activation: 0.5, influence: 0.6 },
      { id: "L0 error @1", mark: "error", layer: 0, pos: 1, influence: 0.9 },
      { id: "token @1", mark: "token", pos: 1, label: " cat" },
      { id: "bias", mark: "other" },
    ],
    edges: [
      { source: "L1 #4 @2", target: "t", weight: 2 },
      { source: "L0 error @1", target: "t", weight: -0.5 },
      { source: "L0 #7 @1", target: "L1 #4 @2", weight: 1 },
      { source: "token @1", target: "L0 #7 @1", weight: 0.7 },
      { source: "bias", target: "L1 #4 @2", weight: -0.1 },
    ],
  }),
  features: features(
    [
      {
        index: 3,
        density: 0.012,
        meanActivation: 1.1,
        maxActivation: 2.5,
        activations: { counts: [5, 9, 4, 1], edges: [0, 1, 2, 3, 4] },
        logits: { counts: [1, 8, 20, 7, 1], edges: [-0.5, -0.3, -0.1, 0.1, 0.3, 0.5] },
        top: [
          { token: " John", value: 0.5 },
          { token: "\n", value: 0.4 },
        ],
        bottom: [{ token: " <s>", value: -0.5 }],
        reads: [{ token: " and", value: 1.5 }],
        alike: [
          { feature: 7, cosine: 0.5 },
          { feature: 1, cosine: 0.25 },
        ],
        groups: [
          {
            title: "greatest",
            low: 2,
            high: 2.5,
            examples: [{ tokens: words, values: [0, 0.5, 2.5, 0, 0.1], center: 2 }],
          },
          {
            title: "0–100 % of firings",
            low: 0.5,
            high: 2,
            examples: [{ tokens: words.slice(1, 4), values: [0.5, 0, 0], center: 0 }],
          },
        ],
      },
      { index: 7, density: 0, meanActivation: 0, maxActivation: 0, groups: [] },
    ],
    {
      title: "Features of one dictionary",
      overview: {
        density: [0.1, 0.01, 0.002, 0.012, 0.3, 0.0004, 0.05, 0],
        maxActivation: [3, 2, 1, 2.5, 4, 0.5, 6, 0],
        tokens: 5000,
        labels: ["a", "b", "</i>", "John", "", "x", "y", ""],
      },
      help: "Your own text: run it in a notebook.",
    },
  ),
  plotly: plotly({
    data: [
      { type: "scatter", name: "squares", x: [1, 2, 3], y: [1, 4, 9] },
      { type: "bar", name: "counts", x: ["a", "b"], y: [3, 5], xaxis: "x2", yaxis: "y2" },
      {
        type: "heatmap",
        z: [
          [1, 2],
          [3, 4],
        ],
        xaxis: "x3",
        yaxis: "y3",
      },
    ],
    layout: { title: { text: "A <b>figure</b> of plotly.js" }, xaxis: { title: { text: "n" } } },
  }),
};

/** Views by the name of their golden files. */
export const examples: Readonly<Record<string, View>> = {
  ...single,
  panels: panels([single.tokens, single.bars], { title: "A sheet", note: "two panels" }),
};

/** Returns every view with the given texts, at least two, in all places where callers may put text. */
export function viewsWithTexts(texts: readonly [string, string, ...string[]]): readonly View[] {
  const [first, second] = texts;
  const values = texts.map((_, i) => i);
  const head = { title: first, note: second, link: first };
  const unit = second;
  const axis = { name: first, labels: texts };
  const details = { unit, labels: [texts.map((text) => [text])], values: [values.map((value) => [value])] };
  const views = [
    heatmap([values], { ...head, unit, x: axis, y: { name: second, labels: [first], kind: "tokens" } }),
    heatmap([values], { ...head, unit, x: { ...axis, kind: "tokens" }, cellText: [texts], details }),
    attention(
      texts.map((_, q) => texts.map((_text, k) => (k > q ? 0 : 1 / (q + 1)))),
      texts,
      { ...head, unit },
    ),
    attention(
      texts.map(() => texts.map((_, q) => texts.map((_text, k) => (q + k) / 10))),
      texts,
      head,
    ),
    tokenLogProbs(
      texts,
      texts.map((token, i) => ({ logProb: -i, top: [{ token, logProb: -0.5 }] })),
      head,
    ),
    tokens(texts, values, { ...head, unit }),
    tokens(texts, Object.fromEntries([["a", values], ...texts.map((text) => [`b${text}`, values] as const)]), head),
    bars(values, { ...head, unit, axis }),
    bars(values, { ...head, axis: { ...axis, kind: "tokens" } }),
    table(
      [
        { name: first, kind: "text" },
        { name: second, kind: "token" },
      ],
      texts.map((text) => [text, text]),
      head,
    ),
  ];
  const more = [
    graph(
      {
        tokens: texts,
        nodes: texts.map((label, i) => ({ id: `${label}${i}`, mark: "feature", layer: i, pos: i, label })),
        edges: texts.slice(1).map((text, i) => {
          return { source: `${texts[i] ?? ""}${i}`, target: `${text}${i + 1}`, weight: i + 1 };
        }),
      },
      head,
    ),
    features(
      [
        {
          index: 0,
          density: 0.5,
          meanActivation: 1,
          maxActivation: 2,
          top: texts.map((token) => ({ token, value: 1 })),
          groups: [{ title: first, low: 0, high: 2, examples: [{ tokens: texts, values, center: 1 }] }],
        },
      ],
      {
        ...head,
        help: second,
        overview: { density: values, maxActivation: values, tokens: 1, labels: texts },
      },
    ),
    lines(Object.fromEntries(texts.map((text) => [text, values])), {
      ...head,
      x: axis,
      y: { name: unit },
      band: second,
    }),
    lines([{ name: first, y: values }], { ...head, x: { ...axis, kind: "tokens" } }),
    histogram({ [first]: values, [second]: values }, { ...head, name: first, markers: [{ value: 1, label: second }] }),
    scatter(values, values, { ...head, x: axis, y: { name: second }, labels: texts, groups: texts }),
    scatter(values, values, { ...head, labels: texts, labelKind: "tokens", values, unit }),
    plotly(
      {
        data: [
          { x: texts, y: values, name: first, text: texts },
          { type: "bar", x: texts, y: values, name: second },
          { type: "pie", labels: texts, values, name: first },
        ],
        layout: { title: first, xaxis: { title: second } },
      },
      { title: first, note: second },
    ),
  ];
  return [...views, ...more, panels([...views, ...more], head)];
}
