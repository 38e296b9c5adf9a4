/** A dashboard of a real dictionary as one page: offline, in both themes, on a phone. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collectExamples, type FeatureDashboard, featureDashboard } from "../../src/dictionary/index.js";
import { loadModel } from "../../src/model/index.js";
import { launchChromium, openPage, type WatchedPage } from "../helpers/chromium.js";
import { randomDictionary } from "../unit/dictionary/random-dictionary.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-dashboard-"));
const path = join(folder, "features.html");
let browser: Browser;
let dashboard: FeatureDashboard;

beforeAll(async () => {
  browser = await launchChromium();
  const model = await loadModel("tiny");
  try {
    const sae = randomDictionary({
      dIn: 192,
      nFeatures: 60,
      readHook: "blocks.3.hook_resid_post",
      activation: { kind: "topk", k: 3, scalesByDecoderNorm: false },
    });
    const texts = Array.from(
      { length: 30 },
      (_, i) => `The ship ${i} was in the north of the sea.\nTwo men saw <i>it</i> fall.`,
    );
    dashboard = await featureDashboard(model, sae, await collectExamples(model, sae, texts), { cards: 6 });
    await dashboard.save(path);
  } finally {
    await model.close();
  }
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const watched = await openPage(browser, pathToFileURL(path).href, { offline: true, ...options });
  await watched.page.locator(".card h4").waitFor();
  return watched;
}

test("it opens offline without a complaint, and shows the first card", async () => {
  const { page, requests, complaints } = await open();
  expect(await page.locator(".card h4").textContent()).toBe(`Feature ${dashboard.features[0]}`);
  expect(await page.locator(".card p").first().textContent()).toMatch(/^fires on .* % of tokens · mean .* · maximum /);
  expect(await page.locator(".card .area svg").count()).toBe(2);
  expect(await page.locator(".card caption").allTextContents()).toEqual([
    "Raises",
    "Lowers",
    "Reads",
    "Alike (cosine)",
  ]);
  const [first] = dashboard.readouts[0]?.top ?? [];
  expect(await page.locator(".words td.token").first().textContent()).toBe(first?.token.replaceAll(" ", "·"));
  expect(await page.locator(".help").textContent()).toContain("dashboard.test(");
  expect({ requests, complaints }).toEqual({ requests: [], complaints: [] });
});

test("pointing at a token tells its activation; arrow keys go on to the next", async () => {
  const { page } = await open();
  const example = dashboard.examples[0]?.groups[0]?.examples[0];
  const line = page.locator(".example").first();
  await line.locator(".at").hover();
  const tip = page.locator(".examples > .tip");
  expect(await tip.innerText()).toContain(
    `“${example?.tokens[example.center]?.replaceAll(" ", "·").replaceAll("\n", "⏎")}”`,
  );
  expect(Number(await tip.locator("span").nth(1).textContent())).toBeCloseTo(example?.value ?? 0, 2);
  await line.focus();
  await line.press("ArrowLeft");
  const before = example?.tokens[Math.max(0, example.center - 1)] ?? "";
  expect(await tip.innerText()).toContain(`“${before.replaceAll(" ", "·").replaceAll("\n", "⏎")}”`);
  await page.locator(".find input").focus();
  expect(await tip.isVisible()).toBe(false);
});

test("steps, the menu and the list choose features", async () => {
  const { page } = await open();
  const heading = page.locator(".card h4");
  await page.getByRole("button", { name: "next card" }).click();
  expect(await heading.textContent()).toBe(`Feature ${dashboard.features[1]}`);
  expect(await page.locator(".steps span").textContent()).toBe("card 2 of 6");
  await page.getByLabel("feature", { exact: true }).selectOption(String(dashboard.features[4]));
  expect(await heading.textContent()).toBe(`Feature ${dashboard.features[4]}`);
  await page.locator(".found button:not(.none)").nth(2).click();
  const sorted = [...dashboard.features].sort((a, b) => a - b);
  expect(await heading.textContent()).toBe(`Feature ${sorted[2]}`);
  expect(await page.locator(".found [aria-selected=true]").getAttribute("data-feature")).toBe(String(sorted[2]));
});

test("the list is searched and sorted; features without a card say so", async () => {
  const { page } = await open();
  const asked = String(Math.min(...dashboard.features));
  await page.locator(".find input").fill(asked);
  const numbers = await page.locator(".found b").allTextContents();
  expect(numbers.every((text) => text.startsWith(asked))).toBe(true);
  await page.locator(".find input").fill("");
  await page.locator(".find select").selectOption("density");
  const { density } = dashboard.overview?.statistics ?? { density: new Float32Array() };
  expect(await page.locator(".found b").first().textContent()).toBe(String(density.indexOf(Math.max(...density))));
  const other = await page.locator(".found .none").first().getAttribute("data-feature");
  await page.locator(".found .none").first().click();
  expect(await page.locator(".card p").textContent()).toBe(`Feature ${other} has no card on this page.`);
});

test("the map tells what a point is, and a click chooses it", async () => {
  const { page } = await open();
  const { x = 0, y = 0, width = 0, height = 0 } = (await page.locator(".map svg").boundingBox()) ?? {};
  const tip = page.locator(".map .tip");
  for (let at = 0.1; at < 1 && !(await tip.isVisible()); at += 0.02)
    await page.mouse.move(x + at * width, y + height * 0.3);
  const feature = /^feature (\d+)\s+fires on/.exec(await tip.innerText())?.[1];
  expect(feature).toBeDefined();
  await page.mouse.down();
  await page.mouse.up();
  expect(await page.locator(".card").innerText()).toMatch(new RegExp(`^Feature ${feature ?? ""}\\b`));
});

test("more examples appear when asked for", async () => {
  const { page } = await open();
  const button = page.locator(".examples button").first();
  const before = await page.locator(".example").count();
  await button.click();
  expect(await page.locator(".example").count()).toBeGreaterThan(before);
});

test("it follows the page's theme, and changes with it", async () => {
  const { page } = await open({ colorScheme: "dark" });
  const root = "document.querySelector('.limpid-view > div').shadowRoot";
  const ink = (): Promise<unknown> =>
    page.evaluate(`getComputedStyle(${root}.querySelector('.example .at')).backgroundColor`);
  const dark = await ink();
  await page.emulateMedia({ colorScheme: "light" });
  await page.waitForFunction(`${root}.querySelector('.view').dataset.theme === 'light'`);
  expect(await ink()).not.toBe(dark);
});

test("nothing is wider than a phone", async () => {
  const { page, complaints } = await open({ viewport: { width: 390, height: 844 } });
  const widths = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]");
  expect(widths).toEqual([390, 390]);
  expect(complaints).toEqual([]);
});

test("without scripts it is a picture with a sentence", async () => {
  const { page } = await openPage(browser, pathToFileURL(path).href, { javaScriptEnabled: false });
  expect(await page.locator("img").getAttribute("alt")).toContain("60 features;");
});
