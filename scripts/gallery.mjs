/**
 * `npm run gallery`: draws every picture of the documentation again.
 *
 * Each view of docs/gallery/views.mjs is opened in a browser, made interactive, and photographed in light and in dark;
 * docs/gallery/README.md lists them. Then the README's picture is drawn.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { ensureBuilt } from "./lib/build.mjs";
import { browserPath, ensureChromium } from "./lib/chromium.mjs";
import { root, run, Stop } from "./lib/process.mjs";

const folder = join(root, "docs", "gallery");
const themes = ["light", "dark"];

/** Photographs one view as a page shows it; the view follows the page's colour scheme. */
async function photograph(browser, page, { theme, target }) {
  const context = await browser.newContext({
    viewport: { width: 1100, height: 900 },
    colorScheme: theme,
    deviceScaleFactor: 1.5,
  });
  try {
    const tab = await context.newPage();
    await tab.goto(pathToFileURL(page).href);
    const view = tab.locator(".limpid-view").first();
    await tab.waitForFunction(() => document.querySelector(".limpid-view img") === null);
    await view.screenshot({ path: target });
  } finally {
    await context.close();
  }
}

/** Draws every view in both themes; returns their names and summaries. */
async function drawAll(browser, scratch) {
  const { loadModel } = await import("../dist/index.js");
  const { galleryViews } = await import("../docs/gallery/views.mjs");
  const model = await loadModel("tiny");
  const drawn = [];
  for (const [name, view] of Object.entries(await galleryViews(model))) {
    const page = join(scratch, `${name}.html`);
    await view.save(page);
    for (const theme of themes) {
      await photograph(browser, page, { theme, target: join(folder, `${name}-${theme}.png`) });
    }
    drawn.push({ name, summary: view.summary() });
    process.stdout.write(`${name}\n`);
  }
  await model.close();
  return drawn;
}

const widths = { wide: 1100, phone: 390 };

/** Photographs the first screens of the redundancy report, in both themes, wide and as a phone shows it. */
async function drawReport(browser, scratch) {
  const { redundancy } = await import("../dist/index.js");
  const report = redundancy.open(join(root, "fixtures", "reports", "tiny-redundancy.json"));
  const page = join(scratch, "report.html");
  writeFileSync(page, report.toPage());
  const pictures = [];
  for (const [name, width] of Object.entries(widths))
    for (const theme of themes) {
      const context = await browser.newContext({ viewport: { width, height: 1500 }, colorScheme: theme });
      const tab = await context.newPage();
      await tab.goto(pathToFileURL(page).href);
      const file = `redundancy-report-${name}-${theme}.png`;
      await tab.screenshot({ path: join(folder, file) });
      await context.close();
      pictures.push(`![The redundancy report of the embedded model, ${name}, ${theme}](${file})`);
    }
  process.stdout.write("redundancy report\n");
  return `## redundancy report\n\n${pictures.join("\n\n")}\n`;
}

function listing(drawn, report) {
  const entry = ({ name, summary }) =>
    `## ${name}\n\n${themes.map((theme) => `![${summary}](${name}-${theme}.png)`).join("\n\n")}\n`;
  return [
    "# Gallery\n",
    "Every kind of view, in light and in dark, on activations of the embedded model. `npm run gallery` draws them again;",
    "`notebooks/02-views.ipynb` shows how each is made and what to look for.\n",
    ...drawn.map(entry),
    report,
  ].join("\n");
}

async function main() {
  await ensureBuilt();
  await ensureChromium();
  const scratch = mkdtempSync(join(tmpdir(), "limpid-gallery-"));
  const browser = await chromium.launch({ executablePath: browserPath(), args: ["--no-sandbox", "--disable-gpu"] });
  try {
    const drawn = await drawAll(browser, scratch);
    writeFileSync(join(folder, "README.md"), listing(drawn, await drawReport(browser, scratch)));
  } finally {
    await browser.close();
    rmSync(scratch, { recursive: true, force: true });
  }
  const { code } = await run(process.execPath, [join(root, "docs", "figures", "make.mjs")], { show: true });
  if (code !== 0) throw new Stop("The README's picture could not be drawn; see above.");
}

await main();
