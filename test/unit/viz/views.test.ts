/** Each view as text, SVG and HTML; the golden files under __snapshots__ are figures to look at. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { bars, heatmap, panels, table, tokens, View } from "../../../src/viz/index.js";

const words = ["<bos>", " Mary", " and", "\n", " John"];
const grid = [
  [0.1, -0.25, 0, 0.5, 1.25],
  [-0.7, 0.003, Number.NaN, 0.2, 0.1],
  [0, 0, Number.POSITIVE_INFINITY, -1, 0.05],
];

const examples: Readonly<Record<string, View>> = {
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
    },
  ),
  "heatmap-large": heatmap(
    Array.from({ length: 40 }, (_, i) => Array.from({ length: 40 }, (_, j) => (j > i ? 0 : 1 / (1 + i - j)))),
    { title: "Attention pattern", y: { name: "destination" }, x: { name: "source" } },
  ),
  tokens: tokens(words, [0, 1.5, -2, 0.25, 3], { title: "Loss by token", unit: "nats" }),
  bars: bars([2.1, -0.7, 0.31, Number.NaN], {
    title: "Direct logit attribution",
    unit: "logits",
    axis: { name: "component", labels: ["blocks.5.attn head 3", "mlp 6", "embed", "b_U"] },
  }),
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
};
const sheet = panels([examples["tokens"] as View, examples["bars"] as View], { title: "A sheet", note: "two panels" });
const all: Readonly<Record<string, View>> = { ...examples, panels: sheet };

/** One element a line, so that a change of one element is a change of one line. */
function normalise(svg: string): string {
  return svg.replaceAll("><", ">\n<");
}

describe.each(Object.entries(all))("%s", (name, view) => {
  test("its picture is the golden one", async () => {
    await expect(normalise(view.toSvg())).toMatchFileSnapshot(`__snapshots__/${name}.svg`);
  });
  test("its text is the golden one", async () => {
    await expect(`${view.toText()}\n\n${view.summary()}\n`).toMatchFileSnapshot(`__snapshots__/${name}.txt`);
  });
  test("its spec survives JSON and draws the same picture again", () => {
    const again = new View(JSON.parse(JSON.stringify(view)) as View["spec"]);
    expect(again.toSvg()).toBe(view.toSvg());
  });
  test("its HTML is one picture with a text alternative and needs nothing from outside", () => {
    const html = view.toHtml();
    expect(html).toMatch(
      /^<div class="limpid-view"><img alt="[^"<>]+" width="\d+" height="\d+" src="data:image\/svg\+xml;base64,[\w+/=]+"><\/div>$/,
    );
    const svg = Buffer.from(/base64,([^"]+)/.exec(html)?.[1] ?? "", "base64").toString();
    expect(svg).toBe(view.toSvg());
    expect(svg.replace('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:|<script|url\(/);
  });
  test("printing it gives its text", () => {
    expect(inspect(view)).toBe(view.toText());
  });
});

describe("escaping", () => {
  test("no token text breaks out of the drawing, whatever its characters", () => {
    const nasty = fc.oneof(
      fc.array(fc.nat(0x10ffff)).map((codes) => String.fromCodePoint(...codes)),
      fc.constantFrom("</script>", "<s>", '"', "'", "&amp;", "]]>", "\ud83d"),
    );
    fc.assert(
      fc.property(fc.array(nasty, { minLength: 1, maxLength: 5 }), (texts) => {
        const svg = tokens(
          texts,
          texts.map(() => 1),
          { title: texts.join("") },
        ).toSvg();
        expect(svg).toBe(Buffer.from(svg).toString());
        const tags = svg.match(/<[^>]*>/g) ?? [];
        expect(tags.every((tag) => /^<\/?(?:svg|title|desc|rect|text|g)\b/.test(tag))).toBe(true);
        expect(svg.replace(/<[^>]*>/g, "")).not.toMatch(/[<>"]|&(?!amp;|lt;|gt;|quot;|#39;)/);
      }),
    );
  });
});

describe("saving", () => {
  const folder = mkdtempSync(join(tmpdir(), "limpid-view-"));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  const view = heatmap([[1]], { title: "One <cell>" });

  test("the ending decides the form, and nothing else stays in the folder", async () => {
    const paths = await Promise.all(
      ["a.html", "a.svg", "a.txt", "a.json"].map((name) => view.save(join(folder, name))),
    );
    const [html = "", svg = "", text = "", json = ""] = paths.map((path) => readFileSync(path, "utf8"));
    expect(html).toMatch(/^<!doctype html>[\s\S]*<title>One &lt;cell&gt;<\/title>[\s\S]*<img /);
    expect(svg).toBe(view.toSvg());
    expect(text).toBe(`${view.toText()}\n`);
    expect(JSON.parse(json)).toEqual(view.spec);
    expect(readdirSync(folder).toSorted()).toEqual(["a.html", "a.json", "a.svg", "a.txt"]);
  });

  test("another ending is refused", async () => {
    await expect(view.save(join(folder, "a.pdf"))).rejects.toThrow(
      /^view\.save: path: got ".*a\.pdf"; expected a name that ends in \.html, \.svg, \.txt or \.json\. Choose one of these endings\.$/,
    );
  });
});

describe("bad data", () => {
  const cases: readonly (readonly [string, () => unknown, string])[] = [
    ["an empty heatmap", () => heatmap([]), "viz.heatmap: got no values; expected at least one value."],
    ["ragged rows", () => heatmap([[1, 2], [3]]), "viz.heatmap: values[1]: got length 1; expected length 2."],
    [
      "labels that do not fit",
      () => heatmap([[1, 2]], { x: { labels: ["a"] } }),
      "viz.heatmap: x.labels: got length 1; expected length 2.",
    ],
    [
      "cell text that does not fit",
      () => heatmap([[1, 2]], { cellText: [["a"]] }),
      "viz.heatmap: cellText[0]: got length 1; expected length 2.",
    ],
    [
      "a range upside down",
      () => heatmap([[1]], { range: [2, 1] }),
      "viz.heatmap: range: got [2, 1]; expected two finite numbers, the lower first.",
    ],
    ["tokens without values", () => tokens(["a"], []), "viz.tokens: values: got length 0; expected length 1."],
    ["no tokens", () => tokens([], []), "viz.tokens: got no values; expected at least one value."],
    ["no bars", () => bars([]), "viz.bars: got no values; expected at least one value."],
    ["no columns", () => table([], []), "viz.table: got no values; expected at least one value."],
    [
      "a short row",
      () => table([{ name: "a", kind: "text" }], [[]]),
      "viz.table: rows[0]: got length 0; expected length 1.",
    ],
    [
      "text among numbers",
      () => table([{ name: "a", kind: "number" }], [["x"]]),
      'viz.table: rows[0][0]: got "x"; expected a number in a column of kind number.',
    ],
    ["no panels", () => panels([]), "viz.panels: got no values; expected at least one value."],
  ];
  for (const [what, action, message] of cases) {
    test(`${what} is refused with a message that says where`, () => {
      expect(action).toThrow(message);
    });
  }
});
