/** Pages in a real browser without a window: what they show, ask for and complain about. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** Debian's Chromium, or another browser of its family; `npm test` installs the first where it is missing. */
const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Returns the path of the browser, or `undefined` when there is none. */
export function findChromium(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const paths = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [process.env["LIMPID_CHROMIUM"] ?? "", ...paths].find((path) => path !== "" && existsSync(path));
}

/** Starts the browser. */
export function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error(`No browser: none of ${names.join(", ")} is on the PATH.`);
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
}

/** A page and all that it should not do. */
export interface WatchedPage {
  readonly page: Page;
  /** Addresses asked for besides the page itself and data inside it. */
  readonly requests: readonly string[];
  /** Errors and warnings of the console, uncaught errors, dialogs. */
  readonly complaints: readonly string[];
}

/** Opens `address` in a fresh page. */
export async function openPage(
  browser: Browser,
  address: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, ...options });
  const page = await context.newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => {
    const url = request.url();
    if (url !== address && !url.startsWith("data:")) requests.push(url);
  });
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(address);
  return { page, requests, complaints };
}
