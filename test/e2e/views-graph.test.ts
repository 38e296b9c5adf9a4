/** A graph read in a real browser: search, pins, groups, and the marks as a file that opens again. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GraphData, type GraphMarks, graph } from "../../src/viz/index.js";
import { launchChromium, openPage, type WatchedPage } from "../helpers/chromium.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-graph-"));
let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

const data: GraphData = {
  tokens: ["The", " capital"],
  nodes: [
    { id: "answer", mark: "target", pos: 1, label: " Paris", probability: 0.9 },
    {
      id: "L1 #7 @1",
      mark: "feature",
      layer: 1,
      pos: 1,
      influence: 0.4,
      activation: 2,
      label: "France",
      details: ["of <b>France</b>"],
    },
    { id: "L0 #3 @1", mark: "feature", layer: 0, pos: 1, influence: 0.7, label: "capitals" },
    { id: "token @0", mark: "token", pos: 0, label: "The" },
  ],
  edges: [
    { source: "L1 #7 @1", target: "answer", weight: 3 },
    { source: "L0 #3 @1", target: "answer", weight: 1.5 },
    { source: "L0 #3 @1", target: "L1 #7 @1", weight: 1 },
    { source: "token @0", target: "L0 #3 @1", weight: 0.5 },
  ],
};

async function open(marks?: GraphMarks): Promise<WatchedPage> {
  const path = join(folder, marks === undefined ? "fresh.html" : "marked.html");
  await graph(data, { title: "A graph", ...(marks === undefined ? {} : { marks }) }).save(path);
  const watched = await openPage(browser, pathToFileURL(path).href);
  await watched.page.locator(".plot").waitFor();
  return watched;
}

test("nodes are found, pinned, grouped, saved, and opened as they were", async () => {
  const watched = await open();
  const { page } = watched;
  await page.getByRole("searchbox", { name: "Search nodes" }).fill("france");
  await page.getByRole("button", { name: "L1 #7 @1: France" }).click();
  expect(await page.locator(".status").textContent()).toContain("(locked; Esc frees)");
  await page.getByRole("button", { name: "Pin last node (p)" }).click();
  // The keyboard does it, too.
  await page.getByRole("searchbox", { name: "Search nodes" }).fill("capitals");
  await page.getByRole("button", { name: "L0 #3 @1: capitals" }).click();
  await page.locator(".plot").focus();
  await page.keyboard.press("p");
  await page.getByRole("searchbox", { name: "Search nodes" }).fill("answer");
  await page.getByRole("button", { name: "answer: Paris" }).click();
  await page.locator(".plot").focus();
  await page.keyboard.press("p");
  expect(watched.complaints, "before cards").toEqual([]);
  const cards = page.locator(".card");
  expect(await cards.count()).toBe(3);
  const card = await cards.first().textContent();
  for (const words of ["L1 #7 @1: France", "of <b>France</b>", "activation", "from L0 #3 @1: capitals", "to answer"])
    expect(card).toContain(words);
  await page.getByRole("checkbox", { name: "Tick L1 #7 @1" }).check();
  await page.getByRole("checkbox", { name: "Tick L0 #3 @1" }).check();
  await page.getByRole("textbox", { name: "Name of a group" }).fill("the country");
  await page.getByRole("button", { name: "Group ticked" }).click();
  expect(await page.locator(".groups").textContent()).toContain("the country→answer4.5");
  expect(watched.complaints, "before only").toEqual([]);
  await page.getByRole("checkbox", { name: "Only pinned" }).check();
  expect(await page.locator(".plot svg rect, .plot svg circle").count()).toBeGreaterThan(2);
  expect(watched.complaints, "before saving").toEqual([]);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Save marks" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe("A-graph-marks.json");
  const marks = JSON.parse(readFileSync((await download.path()) ?? "", "utf8")) as GraphMarks;
  expect(marks).toEqual({
    pins: ["L1 #7 @1", "L0 #3 @1", "answer"],
    groups: [{ label: "the country", nodes: ["L1 #7 @1", "L0 #3 @1"] }],
  });
  const again = await open(marks);
  expect(await again.page.locator(".card").count()).toBe(3);
  expect(await again.page.locator(".plot svg").textContent()).toContain("the country");
  await again.page.getByRole("button", { name: "Ungroup" }).click();
  expect(await again.page.locator(".groups").textContent()).toContain("L1 #7 @1→answer3");
  for (const { requests, complaints } of [watched, again]) {
    expect(requests.filter((url) => !url.startsWith("blob:"))).toEqual([]);
    expect(complaints).toEqual([]);
  }
}, 30_000);
