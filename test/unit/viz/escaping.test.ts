/** No text breaks out of any renderer's markup, and all of it arrives exactly. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { View, type ViewSpec } from "../../../src/viz/index.js";
import { escapeXml } from "../../../src/viz/svg.js";
import { viewsWithTexts } from "./examples.js";

const nastyTexts = [
  "</script><script>alert(1)</script>",
  "<s>",
  "<!--",
  "-->",
  "<!--<script>",
  "]]>",
  '"',
  "'",
  "&amp;",
  "&lt;img src=x onerror=alert(1)&gt;",
  '"><img src=x onerror=alert(1)>',
  "\ud83d",
  "\ude00",
  "\u2028",
  "\u0000",
  "\n\r\t ",
  "<0x0A>",
  "\u00c2",
  "__proto__",
  "${1}`\\",
];
const anyText = fc.oneof(
  fc.array(fc.nat(0x10ffff), { maxLength: 6 }).map((codes) => String.fromCodePoint(...codes)),
  fc.constantFrom(...nastyTexts),
  fc.array(fc.constantFrom(...nastyTexts), { maxLength: 3 }).map((texts) => texts.join("")),
);
const someTexts = fc.uniqueArray(anyText, { minLength: 2, maxLength: 4 }) as fc.Arbitrary<
  [string, string, ...string[]]
>;

/** What an HTML parser makes of an output: a script element ends at the first `</script`, whatever stands inside. */
const output =
  /^<div class="limpid-view" data-limpid="[0-9a-f]{12}"><img alt="([^"<>]*)" width="\d+" height="\d+" src="data:image\/svg\+xml;base64,([\w+/=]*)"><script type="application\/json">([\s\S]*?)<\/script><script>([\s\S]*?)<\/script><\/div>$/;

const options = { numRuns: 25 };

test("no text breaks out of an SVG, whatever its characters", () => {
  fc.assert(
    fc.property(someTexts, (texts) => {
      for (const view of viewsWithTexts(texts)) {
        const svg = view.toSvg();
        expect(svg).toBe(Buffer.from(svg).toString());
        const tags = svg.match(/<[^>]*>/g) ?? [];
        expect(tags.filter((tag) => !/^<\/?(?:svg|title|desc|rect|text|g|line|path|circle|image)\b/.test(tag))).toEqual(
          [],
        );
        expect(svg.replace(/<[^>]*>/g, "")).not.toMatch(/[<>"]|&(?!amp;|lt;|gt;|quot;|#39;)/);
      }
    }),
    options,
  );
});

test("no text breaks out of an HTML output, and its data come back exactly", () => {
  fc.assert(
    fc.property(someTexts, (texts) => {
      for (const view of viewsWithTexts(texts)) {
        const html = view.toHtml({ runtime: false });
        const [, alt = "", , data = "", script = ""] = output.exec(html) ?? [];
        expect(alt).toBe(escapeXml(view.summary()));
        // After "<!--<script" a parser would read past "</script>", so no "<" may stand in the data at all.
        expect(data + script).not.toContain("<");
        expect(JSON.parse(data)).toEqual(view.spec);
      }
    }),
    options,
  );
});

test("no text breaks out of a whole page's title", () => {
  for (const text of nastyTexts) {
    const [view] = viewsWithTexts([text, "x"]);
    const html = (view as View).toHtml({ runtime: false });
    expect(html.match(/<(\w+)/g)).toEqual(["<div", "<img", "<script", "<script"]);
  }
});

test("specs survive JSON, lone halves of emoji included", () => {
  for (const view of viewsWithTexts(nastyTexts as [string, string, ...string[]])) {
    expect(new View(JSON.parse(JSON.stringify(view)) as ViewSpec).spec).toEqual(view.spec);
  }
});
