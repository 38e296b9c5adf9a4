/** Views in a real browser, offline: what they show, and what hover, keys and menus do. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, BrowserContextOptions, Locator } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bars, heatmap, tokens, type View, visibleToken } from "../../src/viz/index.js";
import { launchChromium, openPage, type WatchedPage } from "../helpers/chromium.js";
import { examples } from "../unit/viz/examples.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-views-"));
let browser: Browser;
let pages = 0;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

/** Opens a page with the given markup and waits until as many views as asked are interactive. */
async function open(body: string, views: number, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const path = join(folder, `${pages++}.html`);
  writeFileSync(
    path,
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>views</title><body>${body}</body></html>`,
  );
  const watched = await openPage(browser, pathToFileURL(path).href, options);
  await watched.page.waitForFunction(`(() => {
    const outputs = [...document.querySelectorAll(".limpid-view")];
    // Views are drawn when they come near: one after the other, for the page may be long.
    outputs.find((output) => output.querySelector("img") !== null)?.scrollIntoView();
    return outputs.filter((output) => output.querySelector("img") === null).length >= ${views};
  })()`);
  return watched;
}

function show(...views: readonly View[]): Promise<WatchedPage> {
  return open(views.map((view) => view.toHtml()).join("\n"), views.length);
}

/** The status line of the view that a drawing is in. */
function statusOf(plot: Locator): Locator {
  return plot.locator("xpath=following-sibling::*[@role='status']");
}

const grid = heatmap(
  [
    [0.5, -0.25, 3],
    [1, 2, Number.NaN],
  ],
  {
    title: "Grid",
    unit: "logits",
    y: { name: "layer" },
    x: { name: "token", labels: [" a", "<s>", "\n"], kind: "tokens" },
  },
);

describe("all views on one page", () => {
  const all = Object.values(examples);
  test("become interactive, ask for nothing and complain about nothing", async () => {
    const { page, requests, complaints } = await show(...all);
    expect(requests).toEqual([]);
    expect(complaints).toEqual([]);
    // plotly.js calls its own parts so, too.
    const plots = await page.locator("div.plot").all();
    expect(plots.length).toBeGreaterThanOrEqual(all.length - 3);
    for (const plot of plots) {
      await plot.focus();
      await plot.press("ArrowRight");
      await plot.press("End");
      const status = (await statusOf(plot).textContent()) ?? "";
      expect(status).not.toBe("");
      for (const part of (await plot.locator(".tip b, .tip span").allTextContents()).filter((text) => text !== "")) {
        expect(status).toContain(part);
      }
      await plot.press("Escape");
      expect(await statusOf(plot).textContent()).toBe("");
    }
    expect(await page.locator('[role="group"]').count()).toBe(await page.locator(".view[aria-label]").count());
  }, 20_000);

  test("without JavaScript every one is a picture with a sentence", async () => {
    const { page, complaints } = await open(all.map((view) => view.toHtml()).join("\n"), 0, {
      javaScriptEnabled: false,
    });
    const images = await page.locator("img").all();
    expect(images.length).toBe(all.length);
    const alternatives = await Promise.all(images.map((image) => image.getAttribute("alt")));
    expect(alternatives).toEqual(all.map((view) => view.summary()));
    for (const image of images) expect((await image.boundingBox())?.height).toBeGreaterThan(40);
    expect(complaints).toEqual([]);
  }, 20_000);
});

describe("pointing", () => {
  test("hover gives the value, a click locks it, Escape frees it", async () => {
    const { page } = await show(grid);
    const plot = page.locator(".plot");
    const cells = plot.locator("svg rect[width='29']");
    await cells.nth(1).hover();
    expect(await statusOf(plot).textContent()).toBe("layer 0, token <s> · logits −0.25");
    expect(await plot.locator(".tip").innerText()).toMatch(/^layer 0, token <s>\s+logits\s+−0\.25$/);
    await cells.nth(3).click();
    await cells.nth(0).hover();
    expect(await statusOf(plot).textContent()).toBe("layer 1, token ·a · logits 1 (locked; Esc frees)");
    await plot.press("Escape");
    await page.mouse.move(1, 800);
    expect(await statusOf(plot).textContent()).toBe("");
    expect(await plot.locator(".tip").isVisible()).toBe(false);
  });

  test("Tab enters once, arrows move, Enter locks, and no key reaches the page", async () => {
    const { page } = await show(grid);
    await page.evaluate("window.keys = 0; document.addEventListener('keydown', () => window.keys++)");
    const plot = page.locator(".plot");
    await plot.focus();
    for (const key of ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowRight"]) await plot.press(key);
    expect(await statusOf(plot).textContent()).toBe("layer 1, token ⏎ · logits NaN");
    await plot.press("Enter");
    expect(await statusOf(plot).textContent()).toContain("(locked");
    await plot.press("j");
    expect(await page.evaluate("window.keys")).toBe(0);
    await plot.press("Tab");
    expect(await page.evaluate("document.activeElement.getAttribute('data-lm-suppress-shortcuts')")).not.toBe("true");
    const host = page.locator("[data-lm-suppress-shortcuts=true]");
    expect(await host.count()).toBe(1);
  });

  test("the status line is announced, and the drawing says how to use it", async () => {
    const { page } = await show(grid);
    expect(await page.locator(".status").getAttribute("aria-live")).toBe("polite");
    const label = await page.locator(".plot").getAttribute("aria-label");
    expect(label).toBe(`${grid.summary()} Arrow keys move, Enter locks, Escape frees.`);
  });

  test("linked views choose together", async () => {
    const { page } = await show(bars([1, 2], { link: "x" }), bars([3, 4], { link: "x" }), bars([5, 6]));
    const plots = await page.locator(".plot").all();
    await plots[0]?.focus();
    await plots[0]?.press("ArrowDown");
    await plots[0]?.press("ArrowDown");
    const lines = await Promise.all(plots.map((plot) => statusOf(plot).textContent()));
    expect(lines).toEqual(["1 · value 2", "1 · value 4", ""]);
  });
});

describe("menus and tables", () => {
  test("bars sort, and their table follows", async () => {
    const { page } = await show(bars([1, -3, 2], { axis: { labels: ["a", "b", "c"] } }));
    const labels = (): Promise<string[]> => page.locator("svg text[text-anchor=end]").allTextContents();
    expect((await labels()).filter((text) => /^[abc]$/.test(text))).toEqual(["a", "b", "c"]);
    await page.locator("select").selectOption("size");
    expect((await labels()).filter((text) => /^[abc]$/.test(text))).toEqual(["b", "c", "a"]);
    await page.getByRole("button", { name: "Show as table" }).click();
    expect(await page.locator("td").allTextContents()).toEqual(["a", "1", "b", "−3", "c", "2"]);
    await page.locator("th button").nth(1).click();
    expect(await page.locator("td").allTextContents()).toEqual(["c", "2", "a", "1", "b", "−3"]);
    expect(await page.locator("th").nth(1).getAttribute("aria-sort")).toBe("descending");
  });

  test("tokens change their channel", async () => {
    const { page } = await show(tokens([" a", " b"], { loss: [1, 2], entropy: [7, 8] }));
    const captions = (): Promise<string[]> => page.locator("svg text[font-size='10']").allTextContents();
    expect(await captions()).toEqual(["1", "2"]);
    await page.locator("select").selectOption({ label: "entropy" });
    expect(await captions()).toEqual(["7", "8"]);
    await page.locator(".plot").focus();
    await page.locator(".plot").press("End");
    expect(await page.locator(".status").textContent()).toBe("0 “·a” · entropy 7 · loss 1");
  });
});

describe("token text", () => {
  const nasty = [
    "</script><script>alert(1)</script>",
    "<s>",
    '"',
    "'",
    "&amp;",
    "\ud83d",
    "\n",
    " ",
    "<0x0A>",
    "👩‍👩‍👧",
    "<!--",
  ];
  test("is shown exactly, and never runs", async () => {
    const view = tokens(
      nasty,
      nasty.map((_, i) => i),
      { title: nasty.join(""), showValues: false },
    );
    const { page, complaints } = await show(view);
    expect(complaints).toEqual([]);
    const texts = await page.locator("svg text[text-anchor=middle]").allTextContents();
    expect(texts).toEqual(nasty.map(visibleToken));
    expect(await page.locator("h3").textContent()).toBe(nasty.join(""));
  });
});

describe("themes", () => {
  const theme = (watched: WatchedPage): Promise<string | null> =>
    watched.page.locator(".view").getAttribute("data-theme");
  test("a view follows the system, also when it changes", async () => {
    const watched = await open(grid.toHtml(), 1, { colorScheme: "dark" });
    expect(await theme(watched)).toBe("dark");
    await watched.page.emulateMedia({ colorScheme: "light" });
    await expect.poll(() => theme(watched)).toBe("light");
  });
  test("JupyterLab's own theme wins over the system's", async () => {
    const watched = await open(`${grid.toHtml()}<script>document.body.dataset.jpThemeLight="false"</script>`, 1);
    expect(await theme(watched)).toBe("dark");
    await watched.page.evaluate("document.body.dataset.jpThemeLight = 'true'");
    await expect.poll(() => theme(watched)).toBe("light");
  });
  test("a view's own theme wins over both", async () => {
    const fixed = heatmap([[1]], { theme: "light" });
    expect(await theme(await open(fixed.toHtml(), 1, { colorScheme: "dark" }))).toBe("light");
  });
});

describe("outputs", () => {
  test("with the browser code only once, order does not matter", async () => {
    const bare = (view: View): string => view.toHtml({ runtime: false });
    const body = [bare(bars([1])), grid.toHtml(), bare(bars([2])), bare(tokens(["a"], [1]))].join("");
    const { page, complaints } = await open(body, 4);
    expect(await page.locator(".plot").count()).toBe(4);
    expect(complaints).toEqual([]);
  });

  test("the same output twice becomes interactive twice", async () => {
    const { page } = await open(grid.toHtml() + grid.toHtml(), 2);
    expect(await page.locator(".plot").count()).toBe(2);
  });

  test("an output whose data are broken keeps its picture and says so in one line", async () => {
    const html = grid.toHtml().replace('{"v":1,', '{"v":1,,');
    const path = join(folder, "broken.html");
    writeFileSync(path, `<!doctype html><meta charset="utf-8"><body>${html}</body>`);
    const { page } = await openPage(browser, pathToFileURL(path).href);
    await page.getByText("This picture could not be made interactive").waitFor();
    expect(await page.locator("img").getAttribute("alt")).toBe(grid.summary());
    expect(await page.locator(".plot").count()).toBe(0);
  });

  test("many cells are one canvas, say how they were rounded, and are found by the pointer", async () => {
    const size = 160;
    const values = Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_cell, j) => Math.sin(i) * j));
    const { page } = await show(heatmap(values));
    const plot = page.locator(".plot");
    expect(await plot.locator("svg rect").count()).toBeLessThan(60);
    expect(await plot.locator("canvas").count()).toBe(1);
    const corner = await plot.locator("canvas").boundingBox();
    await page.mouse.move((corner?.x ?? 0) + 1, (corner?.y ?? 0) + 1);
    expect(await plot.locator(".tip").innerText()).toMatch(/^y 0, x 0\s+value\s+0\s+rounded to 1\.27$/);
  });
});
