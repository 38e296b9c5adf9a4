/** Every notebook of the project runs. In the five questions, a part that is not built yet says so by name. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium, openPage } from "../helpers/chromium.js";
import { type ExecutedCell, executeNotebookFile, root } from "./notebook.js";

const folder = join(root, "notebooks");
const fiveQuestions = "00-five-questions.ipynb";
const others = readdirSync(folder).filter((name) => name.endsWith(".ipynb") && name !== fiveQuestions);

/** The five questions in the order of the cells. */
const questions = [
  "1, which heads move the name",
  "2, what does this feature do",
  "3, when does the model know",
  "4, where is it readable",
  "5, which layers could go",
];

function isError(cell: ExecutedCell): boolean {
  return cell.error !== undefined;
}

describe(fiveQuestions, async () => {
  const run = await executeNotebookFile(join(folder, fiveQuestions));
  const [first, ...cells] = run;

  test("loads the embedded model", () => {
    expect(first === undefined || isError(first) ? first : undefined).toBeUndefined();
  });

  for (const [i, question] of questions.entries()) {
    test(`question ${question}: is answered`, () => {
      const cell = cells[i];
      expect(cell).toBeDefined();
      expect(cell === undefined || isError(cell) ? cell?.stderr.split("\n")[0] : undefined).toBeUndefined();
    });
  }
}, 180_000);

const pages = mkdtempSync(join(tmpdir(), "limpid-notebooks-"));
let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(async () => {
  await browser.close();
  rmSync(pages, { recursive: true });
});

/** Scrolls through a page until every view has replaced its picture. */
async function wakeViews(page: Page): Promise<number> {
  const views = page.locator(".limpid-view");
  const count = await views.count();
  for (let i = 0; i < count; i++) {
    await views.nth(i).scrollIntoViewIfNeeded();
    await page.waitForFunction(
      `document.querySelectorAll(".limpid-view")[${i}].querySelector(":scope > img") === null`,
    );
  }
  return count;
}

describe.each(others)("%s", (name) => {
  const target = join(pages, `${name}.html`);
  const address = pathToFileURL(target).href;
  let drawn = 0;

  test("runs without an error", async () => {
    const cells = await executeNotebookFile(join(folder, name), { allowErrors: false, page: target });
    expect(cells.filter(isError).map((cell) => cell.stderr)).toEqual([]);
    // Progress of long work is HTML, too.
    const html = cells.flatMap(({ displays }) => displays).flatMap((output) => output["text/html"] ?? []);
    drawn = html.filter((text) => text.includes("limpid-view")).length;
  }, 300_000);

  test("is a page that needs no network, whose views answer to the keyboard", async () => {
    const { page, requests, complaints } = await openPage(browser, address, { offline: true });
    expect(await wakeViews(page)).toBe(drawn);
    for (const plot of await page.locator(".limpid-view .plot").all()) {
      await plot.focus();
      await plot.press("ArrowRight");
      const status = plot.locator("xpath=following-sibling::*[@role='status']");
      expect(await status.textContent(), `view ${await plot.getAttribute("aria-label")}`).not.toBe("");
    }
    expect({ requests, complaints }).toEqual({ requests: [], complaints: [] });
    await page.context().close();
  }, 120_000);

  test("shows a described picture for every view where scripts are off", async () => {
    const { page } = await openPage(browser, address, { offline: true, javaScriptEnabled: false });
    const pictures = page.locator(".limpid-view > img");
    expect(await pictures.count()).toBe(drawn);
    for (const picture of await pictures.all()) expect((await picture.getAttribute("alt"))?.length).toBeGreaterThan(20);
    await page.context().close();
  }, 60_000);
});
