/** Outputs: sizes and their limits, the browser code inside, themes. */
import { gunzipSync } from "node:zlib";
import { describe, expect, test, vi } from "vitest";
import { heatmap, tokens } from "../../../src/viz/index.js";
import { clientRuntime } from "../../../src/viz/runtime.js";
import { examples } from "./examples.js";

function noise(rows: number, columns: number): readonly (readonly number[])[] {
  return Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (_cell, j) => Math.sin(i * 7919 + j * j)),
  );
}

describe("the browser code", () => {
  const { gzip } = clientRuntime(false);
  const bytes = Buffer.from(gzip, "base64");

  // Graphs with their search, pins and groups take 5 kB, which other outputs do without.
  test("is at most 60 kB gzipped, and 64 with graphs", () => {
    expect(bytes.length).toBeLessThanOrEqual(60_000);
    expect(Buffer.from(clientRuntime(true).gzip, "base64").length).toBeLessThanOrEqual(64_000);
  });
  test("asks for no module and no address", () => {
    const code = gunzipSync(bytes).toString();
    expect(code).not.toMatch(/\brequire\(|\bimport\(|\bfetch\(|XMLHttpRequest|localStorage|\beval\(/);
    const addresses = code.match(/https?:\/\/[^"'`]+/g) ?? [];
    expect(addresses.filter((address) => !address.startsWith("http://www.w3.org/"))).toEqual([]);
  });
  test("is inside every output by default, and left out when asked", () => {
    for (const view of Object.values(examples)) {
      const own = clientRuntime(view.spec.view === "graph");
      const [bare, html] = [view.toHtml({ runtime: false }), view.toHtml()];
      expect([html.includes(own.gzip), bare.includes(own.gzip), bare.includes(own.hash)]).toEqual([true, false, true]);
      expect(view.toHtml({ runtime: false, allViews: true })).toContain(clientRuntime(true).hash);
    }
  });
});

describe("sizes", () => {
  test("a small view takes at most 90 kB with everything, and 20 kB without the browser code", () => {
    const small = tokens(["a", " b"], [0.5, 1]);
    expect(small.toHtml().length).toBeLessThan(90_000);
    expect(small.toHtml({ runtime: false }).length).toBeLessThan(20_000);
  });
  test("a heatmap of 128 by 128 takes at most 120 kB without the browser code", () => {
    expect(heatmap(noise(128, 128)).toHtml({ runtime: false }).length).toBeLessThan(120_000);
  });
  test("above 512 kB an output warns and names what is large", () => {
    const warnings: string[] = [];
    heatmap(noise(400, 700), { title: "Large" }).toHtml({ onWarning: (message) => warnings.push(message) });
    expect(warnings).toEqual([
      expect.stringMatching(
        /^view "Large" is an output of [\d.]+ [kM]B \((data|picture) [\d.]+ [kM]B, (data|picture) [\d.]+ [kM]B, browser code [\d.]+ kB\); above 512 kB notebooks grow slow\. Show fewer entries, or keep the top k before drawing\.$/,
      ),
    ]);
  });
  test("without a listener the warning goes to standard error", () => {
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    heatmap(noise(400, 700)).toHtml();
    expect(write.mock.calls[0]?.[0]).toMatch(/^limpid: view "heatmap" is an output of /);
    write.mockRestore();
  });
  test("above 4 MB an output is refused unless forced", () => {
    const huge = heatmap(noise(40, 6000), { exact: true, title: "Huge" });
    expect(() => huge.toHtml()).toThrow(
      /^view "Huge": output: got [\d.]+ MB \(data [\d.]+ MB, .*\); expected at most 4\.19 MB\. Show fewer entries, or keep the top k before drawing\. Or pass \{ force: true \}\.$/,
    );
    expect(huge.toHtml({ force: true, onWarning: () => undefined }).length).toBeGreaterThan(4 * 1024 * 1024);
  });
});

describe("keys", () => {
  test("are the same for the same view, so that running again changes no file, and differ otherwise", () => {
    const key = (view: { toHtml: () => string }): string => /data-limpid="(\w+)"/.exec(view.toHtml())?.[1] ?? "";
    expect(key(heatmap([[1, 2]]))).toBe(key(heatmap([[1, 2]])));
    expect(key(heatmap([[1, 2]]))).not.toBe(key(heatmap([[1, 3]])));
  });
});

describe("themes", () => {
  const view = heatmap([[0, 1]], { title: "T" });
  test("a picture is on white unless it is asked to be dark", () => {
    expect(view.toSvg()).toContain('fill="#ffffff"');
    expect(view.toSvg({ theme: "dark" })).toContain('<rect width="168" height="132" fill="#16191d"/>');
    expect(heatmap([[0, 1]], { theme: "dark" }).toSvg()).not.toContain("#1b1f24");
    expect(heatmap([[0, 1]], { theme: "dark" }).toSvg({ theme: "light" })).toContain("#1b1f24");
  });
});
