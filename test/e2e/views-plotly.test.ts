/** Figures of plotly.js, and lines, histograms and points, in a real browser, offline. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { histogram, lines, panels, plotly, scatter, type View } from "../../src/viz/index.js";
import { launchChromium, openPage, type WatchedPage } from "../helpers/chromium.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-plotly-"));
let browser: Browser;
let pages = 0;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

async function open(body: string, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const path = join(folder, `${pages++}.html`);
  writeFileSync(
    path,
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>x</title><body>${body}</body></html>`,
  );
  return openPage(browser, pathToFileURL(path).href, options);
}

const quiet = { onWarning: () => undefined } as const;

/** The output of a figure that carries plotly.js, and one that does not. */
const carrying = (view: View): string => view.toHtml(quiet);
const bare = (view: View): string => view.toHtml({ ...quiet, plotly: false });

const figure = plotly({
  data: [
    { name: "squares", x: [1, 2, 3, 4], y: [1, 4, 9, 16] },
    { type: "bar", name: "bars", x: [1, 2], y: [3, 5] },
  ],
  layout: { title: { text: "Squares" }, xaxis: { title: { text: "n" } } },
});
const heat = plotly({
  data: [
    {
      type: "heatmap",
      z: [
        [1, 2],
        [3, 4],
      ],
    },
  ],
});
const long = plotly({ data: [{ type: "histogram", x: Array.from({ length: 3000 }, (_, i) => Math.sin(i)) }] });
const pie = plotly({ data: [{ type: "pie", labels: ["a", "b"], values: [1, 3] }] });

function plots(page: Page): Locator {
  return page.locator(".js-plotly-plot .main-svg").first();
}

async function drawn(page: Page, count: number): Promise<void> {
  await expect.poll(() => page.locator(".js-plotly-plot").count(), { timeout: 15_000 }).toBe(count);
}

/** The status line of the view that a drawing is in. */
function statusOf(plot: Locator): Locator {
  return plot.locator("xpath=following-sibling::*[@role='status']");
}

describe("figures of plotly.js", () => {
  test("are drawn without a request or a complaint, and hover gives values", async () => {
    const { page, requests, complaints } = await open(carrying(figure));
    await drawn(page, 1);
    expect(await page.locator("img").count()).toBe(0);
    expect(await page.locator("h3").textContent()).toBe("Squares");
    // The title stands above, not twice.
    expect(await page.locator(".js-plotly-plot .gtitle").count()).toBe(0);
    const point = await page.locator(".js-plotly-plot .points path.point").first().boundingBox();
    await page.mouse.move((point?.x ?? 0) + 3, (point?.y ?? 0) + 3);
    await expect.poll(() => page.locator(".hoverlayer text").allTextContents()).toContain("squares");
    expect(requests).toEqual([]);
    expect(complaints).toEqual([]);
  }, 30_000);

  test("find the plotly.js that another output carries, whatever their order, and panels do, too", async () => {
    const sheet = panels([figure, heat]);
    const { page, complaints } = await open([bare(heat), carrying(figure), bare(long), bare(sheet)].join(""));
    for (const output of await page.locator(".limpid-view").all()) await output.scrollIntoViewIfNeeded();
    await drawn(page, 5);
    expect(complaints).toEqual([]);
  }, 40_000);

  test("of rare traces wait for the large build, and usual ones use it", async () => {
    const { page } = await open([carrying(figure), bare(pie), carrying(pie), bare(heat)].join(""));
    for (const output of await page.locator(".limpid-view").all()) await output.scrollIntoViewIfNeeded();
    await drawn(page, 4);
    expect(await page.locator(".pielayer").count()).toBeGreaterThan(0);
  }, 40_000);

  test("without plotly.js on the page are our own views, with a line that says what to do", async () => {
    const { page, complaints } = await open(bare(figure));
    await page.getByText("plotly.js is not on this page: run the first cell with a figure again").waitFor();
    expect(await page.locator(".js-plotly-plot").count()).toBe(0);
    const plot = page.locator(".plot").first();
    await plot.focus();
    for (const key of ["ArrowRight", "End"]) await plot.press(key);
    expect(await statusOf(plot).textContent()).toContain("squares 16");
    expect(complaints).toEqual([]);
  }, 30_000);

  test("follow the theme of the page, also when it changes", async () => {
    const { page } = await open(carrying(heat), { colorScheme: "dark" });
    await drawn(page, 1);
    const ground = async (): Promise<string | null> => plots(page).getAttribute("style");
    await expect.poll(ground).toContain("rgb(22, 25, 29)");
    await page.emulateMedia({ colorScheme: "light" });
    await expect.poll(ground).toContain("rgb(255, 255, 255)");
  }, 30_000);

  test("offer their values as a table", async () => {
    const { page } = await open(carrying(figure));
    await drawn(page, 1);
    await page.getByRole("button", { name: "Show as table" }).click();
    expect((await page.locator("td").allTextContents()).slice(0, 6)).toEqual([
      "squares",
      "1",
      "1",
      "squares",
      "2",
      "4",
    ]);
  }, 30_000);

  test("without JavaScript are pictures with a sentence", async () => {
    const { page, requests } = await open(carrying(figure) + bare(pie), { javaScriptEnabled: false });
    const images = await page.locator("img").all();
    expect(await Promise.all(images.map((image) => image.getAttribute("alt")))).toEqual([
      figure.summary(),
      pie.summary(),
    ]);
    for (const image of images) expect((await image.boundingBox())?.height).toBeGreaterThan(40);
    expect(requests).toEqual([]);
  }, 30_000);

  test("a saved page holds all that it needs", async () => {
    const path = await figure.save(join(folder, "saved.html"));
    const { page, requests } = await openPage(browser, pathToFileURL(path).href);
    await drawn(page, 1);
    expect(requests).toEqual([]);
  }, 30_000);
});

describe("lines, histograms and points", () => {
  const views = [
    lines(
      { a: [1, 2, Number.NaN, 4], b: { x: [0, 3], y: [10, 40], low: [9, 39], high: [11, 41] } },
      { x: { name: "step" } },
    ),
    histogram({ clean: [1, 1, 2], corrupted: [2, 2, 2] }, { name: "rank" }),
    scatter([3, 1, 2], [1, 2, 3], { labels: ["c", "a", "b"], groups: ["g", "h", "g"] }),
  ] as const;

  async function openPlot(view: View): Promise<Locator> {
    const { page } = await open(view.toHtml());
    await page.locator(".plot").waitFor();
    return page.locator(".plot");
  }

  test("lines say the values of all series at one position, between points approximately", async () => {
    const plot = await openPlot(views[0]);
    await plot.focus();
    await plot.press("ArrowRight");
    expect(await statusOf(plot).textContent()).toBe("step 0 · a 1 · b 10 (9 to 11)");
    await plot.press("ArrowRight");
    expect(await statusOf(plot).textContent()).toBe("step 1 · a 2 · b ≈ 20");
    await plot.press("ArrowRight");
    expect(await statusOf(plot).textContent()).toBe("step 2 · a NaN · b ≈ 30");
    await plot.press("End");
    expect(await statusOf(plot).textContent()).toBe("step 3 · a 4 · b 40 (39 to 41)");
    const box = await plot.boundingBox();
    await plot.hover({ position: { x: 60, y: (box?.height ?? 0) / 2 } });
    expect(await plot.locator(".tip b").textContent()).toBe("step 0");
  }, 20_000);

  test("bins say their range and how many values each series has there", async () => {
    const plot = await openPlot(views[1]);
    await plot.focus();
    await plot.press("End");
    expect(await statusOf(plot).textContent()).toBe("rank 1 · clean 2 (66.7 %) · corrupted 0 (0 %)");
    await plot.press("ArrowRight");
    expect(await statusOf(plot).textContent()).toBe("rank 2 · clean 1 (33.3 %) · corrupted 3 (100 %)");
  }, 20_000);

  test("keys go through points from left to right, and the pointer finds the nearest", async () => {
    const plot = await openPlot(views[2]);
    await plot.focus();
    const seen: (string | null)[] = [];
    for (const key of ["ArrowRight", "ArrowRight", "ArrowRight"]) {
      await plot.press(key);
      seen.push(await statusOf(plot).textContent());
    }
    expect(seen).toEqual(["a · x 1 · y 2 · group h", "b · x 2 · y 3 · group g", "c · x 3 · y 1 · group g"]);
    await plot.press("Escape");
    const circle = await plot.locator("svg circle[r='3.5']").first().boundingBox();
    const corner = await plot.boundingBox();
    await plot.hover({
      position: { x: (circle?.x ?? 0) - (corner?.x ?? 0) - 8, y: (circle?.y ?? 0) - (corner?.y ?? 0) + 3 },
    });
    expect(await plot.locator(".tip b").textContent()).toBe("c");
  }, 20_000);

  test("thousands of points are one canvas, and the pointer still finds them", async () => {
    const x = Array.from({ length: 5000 }, (_, i) => Math.sin(i * i));
    const plot = await openPlot(scatter(x, x.toReversed()));
    expect(await plot.locator("canvas").count()).toBe(1);
    expect(await plot.locator("svg circle").count()).toBe(0);
    await plot.hover({ position: { x: 250, y: 200 } });
    expect(await plot.locator(".tip b").textContent()).toMatch(/^point \d+$/);
  }, 20_000);
});
