/** Each view as text, SVG and HTML; the golden files under __snapshots__ are figures to look at. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { bars, heatmap, panels, table, tokens, View } from "../../../src/viz/index.js";
import { kindOf } from "../../../src/viz/registry.js";
import { examples } from "./examples.js";

/** One element a line, so that a change of one element is a change of one line. */
function normalise(svg: string): string {
  return svg.replaceAll("><", ">\n<");
}

describe.each(Object.entries(examples))("%s", (name, view) => {
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
  test("its HTML is a picture with a text alternative, the data and a script, and needs nothing from outside", () => {
    const html = view.toHtml({ runtime: false });
    const parts =
      /^<div class="limpid-view" data-limpid="([0-9a-f]{12})"><img alt="[^"<>]+" width="\d+" height="\d+" src="data:image\/svg\+xml;base64,([\w+/=]+)"><script type="application\/json">([^<]*)<\/script><script>([^<]*)<\/script><\/div>$/.exec(
        html,
      );
    const svg = Buffer.from(parts?.[2] ?? "", "base64").toString();
    expect(svg).toBe(view.toSvg());
    expect(svg.replace('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:|<script|url\(/);
    expect(parts?.[4]).toContain(parts?.[1]);
    expect(html).not.toMatch(/https?:| id=|<iframe/);
  });
  test("its table names every column", () => {
    const { columns, rows } = kindOf(view.spec).table(view.spec);
    expect(columns.length).toBeGreaterThan(0);
    for (const row of rows) expect(row.length).toBe(columns.length);
  });
  test("printing it gives its text", () => {
    expect(inspect(view)).toBe(view.toText());
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
      ["a.html", "a.svg", "a.txt", "a.json", "a.png"].map((name) => view.save(join(folder, name))),
    );
    const [html = "", svg = "", text = "", json = "", png = ""] = paths.map((path) => readFileSync(path, "utf8"));
    expect(html).toMatch(/^<!doctype html>[\s\S]*<title>One &lt;cell&gt;<\/title>[\s\S]*<img /);
    expect(svg).toBe(view.toSvg());
    expect(text).toBe(`${view.toText()}\n`);
    expect(JSON.parse(json)).toEqual(view.spec);
    expect(png.slice(1, 4)).toBe("PNG");
    expect(readdirSync(folder).toSorted()).toEqual(["a.html", "a.json", "a.png", "a.svg", "a.txt"]);
  });

  test("another ending is refused", async () => {
    await expect(view.save(join(folder, "a.pdf"))).rejects.toThrow(
      /^view\.save: path: got ".*a\.pdf"; expected a name that ends in \.html, \.svg, \.png, \.txt or \.json\. Choose one of these endings\.$/,
    );
  });
});

describe("specs from elsewhere", () => {
  test.each([
    [{ v: 1, view: "hologram" }, 'view "hologram" of version 1'],
    [{ v: 2, view: "bars" }, 'view "bars" of version 2'],
    [{ v: 1, view: "panels", panels: [{ v: 1, view: "hologram" }] }, 'view "panels" of version 1'],
  ])("%j is refused", (spec, got) => {
    expect(() => new View(spec as unknown as View["spec"])).toThrow(
      `new View: got ${got}; expected a view that this version of limpid draws. Make the view anew with viz, or use the version of limpid that wrote the file.`,
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
