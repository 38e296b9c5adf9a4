/** Views of a real notebook: executed by Jupyter, written as a page, opened offline. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { launchChromium, openPage } from "../helpers/chromium.js";
import { root } from "./notebook.js";

interface Scripts {
  readonly executeNotebook: (source: string, target: string) => Promise<{ code: number; output: string }>;
  readonly writeNotebookPage: (notebook: string, target: string, title: string) => Promise<void>;
}

async function loadScripts(): Promise<Scripts> {
  const load = (name: string): Promise<unknown> => import(pathToFileURL(join(root, "scripts/lib", name)).href);
  const [jupyter, page] = (await Promise.all([load("jupyter.mjs"), load("notebook-page.mjs")])) as [Scripts, Scripts];
  return { executeNotebook: jupyter.executeNotebook, writeNotebookPage: page.writeNotebookPage };
}

const cells = [
  'import { configure, show, viz } from "limpid";\nconst view = viz.heatmap([[1, 2], [3, -4]], { title: "Four" });\nawait show(view);',
  "await show(new Promise<typeof view>((resolve) => setTimeout(() => resolve(view), 900)));",
  'configure({ runtime: "once" });\nfor (const n of [1, 2]) await show(viz.tokens(["<s>", " a</script>"], [n, 2 * n]));',
];

test("a saved notebook's views live on: interactive, offline, without a complaint", async () => {
  mkdirSync(join(root, "out"), { recursive: true });
  const folder = mkdtempSync(join(root, "out", "views-"));
  const browser = await launchChromium();
  try {
    const [notebook, executed, target] = ["a.ipynb", "b.ipynb", "c.html"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const code = cells.map((source, i) => ({
      ["cell_type"]: "code",
      id: `c${i}`,
      ["execution_count"]: null,
      metadata: {},
      outputs: [],
      source,
    }));
    const kernelspec = { name: "tslab", ["display_name"]: "TypeScript", language: "typescript" };
    writeFileSync(
      notebook,
      JSON.stringify({ nbformat: 4, ["nbformat_minor"]: 5, metadata: { kernelspec }, cells: code }),
    );
    const { executeNotebook, writeNotebookPage } = await loadScripts();
    const run = await executeNotebook(notebook, executed);
    expect(run.code, run.output).toBe(0);
    await writeNotebookPage(executed, target, "views");
    const { page, requests, complaints } = await openPage(browser, pathToFileURL(target).href, { offline: true });
    await page.locator(".plot").nth(3).waitFor();
    expect(await page.locator(".plot").count()).toBe(4);
    const plot = page.locator(".plot").first();
    await plot.focus();
    for (const key of ["ArrowRight", "ArrowRight", "ArrowDown"]) await plot.press(key);
    expect(await page.locator(".status").first().textContent()).toBe("y 1, x 1 · value −4");
    expect({ requests, complaints }).toEqual({ requests: [], complaints: [] });
    expect(await page.getByText("running for ").count()).toBe(0);
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true });
  }
}, 60_000);
