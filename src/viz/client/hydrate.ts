/** From the elements of an output to views on the page. */
import type { ViewSpec } from "../registry.js";
import { createFrame, type Frame } from "./frame.js";
import { onPageTheme, pageTheme } from "./page-theme.js";
import { styleSheet } from "./style.js";
import { unpack } from "./unpack.js";

/** Outputs may be asked for before they stand in the page: look again this often, at this interval in ms. */
const attempts = 20;
const interval = 100;

/** Makes every output with this key interactive that is not yet. */
export function hydrate(key: string, attempt = 0): void {
  const found = document.querySelectorAll<HTMLElement>(`[data-limpid="${CSS.escape(key)}"]:not([data-limpid-done])`);
  for (const output of found) {
    output.setAttribute("data-limpid-done", "");
    whenNear(output, () => void draw(output));
  }
  if (found.length === 0 && attempt < attempts) setTimeout(() => hydrate(key, attempt + 1), interval);
}

/** Views far down a long page are drawn when they come near. */
function whenNear(output: HTMLElement, action: () => void): void {
  if (typeof IntersectionObserver === "undefined") return action();
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      action();
    },
    { rootMargin: "600px" },
  );
  observer.observe(output);
}

/** Replaces the picture after the drawing has succeeded; otherwise it stays, with a line below it. */
async function draw(output: HTMLElement): Promise<void> {
  const image = output.querySelector("img");
  const host = document.createElement("div");
  // JupyterLab leaves keys alone inside; other hosts see none because they stop here.
  host.setAttribute("data-lm-suppress-shortcuts", "true");
  for (const type of ["keydown", "keypress", "keyup"]) host.addEventListener(type, (event) => event.stopPropagation());
  try {
    const data: unknown = JSON.parse(output.querySelector('script[type="application/json"]')?.textContent ?? "");
    const { value, rounding } = await unpack(data);
    const frame = build(value as ViewSpec, host, rounding);
    image?.replaceWith(host);
    if (image === null) output.append(host);
    onPageTheme(() => frame.setTheme(pageTheme()));
  } catch (error) {
    const line = document.createElement("div");
    line.textContent = `This picture could not be made interactive: ${String(error)}`;
    output.append(line);
  }
}

function build(spec: ViewSpec, host: HTMLElement, rounding: number): Frame {
  const shadow = host.attachShadow({ mode: "open" });
  const style = document.createElement("style");
  style.textContent = styleSheet();
  const place = document.createElement("div");
  shadow.append(style, place);
  return createFrame(spec, place, { rounding, theme: pageTheme() });
}
