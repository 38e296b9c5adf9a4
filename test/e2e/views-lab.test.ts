/** Every view as JupyterLab's own renderer packages show it: interactive when trusted, a picture when not. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchChromium, openPage, type WatchedPage } from "../helpers/chromium.js";
import { bundleLabRenderers } from "../helpers/jupyterlab.js";
import { examples } from "../unit/viz/examples.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-lab-"));
const path = join(folder, "lab.html");
const views = Object.values(examples);
let browser: Browser;
beforeAll(async () => {
  writeFileSync(join(folder, "lab.js"), await bundleLabRenderers());
  const body = '<body data-jp-theme-light="false"><script src="lab.js"></script></body>';
  writeFileSync(path, `<!doctype html><meta charset="utf-8"><title>Lab</title>${body}`);
  browser = await launchChromium();
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

/** Shows all views in Lab's output area. */
async function open(isTrusted: boolean): Promise<WatchedPage> {
  const watched = await openPage(browser, pathToFileURL(path).href);
  const outputs = views.map((view) => ({
    ["output_type"]: "display_data",
    metadata: {},
    data: { "text/html": view.toHtml(), "text/plain": view.toText() },
  }));
  await watched.page.evaluate(`showOutputs(${JSON.stringify(outputs)}, ${isTrusted})`);
  return watched;
}

function ownRequests(watched: WatchedPage): readonly string[] {
  return watched.requests.filter((url) => !url.endsWith("/lab.js"));
}

test("trusted, every view is interactive and follows Lab's theme", async () => {
  const watched = await open(true);
  const { page } = watched;
  await page.waitForFunction(`(() => {
    for (const image of document.querySelectorAll(".limpid-view img")) image.scrollIntoView();
    return document.querySelectorAll(".limpid-view > div").length === ${views.length};
  })()`);
  expect(await page.locator(".limpid-view img").count()).toBe(0);
  const themes = await page
    .locator(".limpid-view .view")
    .evaluateAll((all) => all.map((view) => String(Reflect.get(Reflect.get(view, "dataset") as object, "theme"))));
  expect(new Set(themes)).toEqual(new Set(["dark"]));
  const plot = page.locator(".plot").first();
  await plot.focus();
  await plot.press("ArrowRight");
  expect(await page.locator(".status").first().textContent()).not.toBe("");
  expect(ownRequests(watched)).toEqual([]);
  expect(watched.complaints).toEqual([]);
}, 20_000);

test("untrusted, every view is a picture with a sentence", async () => {
  const watched = await open(false);
  const images = watched.page.locator(".limpid-view img");
  await images.nth(views.length - 1).waitFor();
  const alternatives = await images.evaluateAll((all) => all.map((image) => String(Reflect.get(image, "alt"))));
  expect(alternatives).toEqual(views.map((view) => view.summary()));
  const widths = await images.evaluateAll((all) => all.map((image) => Number(Reflect.get(image, "naturalWidth"))));
  expect(Math.min(...widths)).toBeGreaterThan(40);
  expect(await watched.page.locator(".jp-OutputArea script").count()).toBe(0);
  expect(ownRequests(watched)).toEqual([]);
  expect(watched.complaints).toEqual([]);
}, 20_000);
