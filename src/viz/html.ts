/** Views as HTML that survives every notebook host: one picture inside the markup, no script, no network. */
import { svgSize, toStaticSvg } from "./draw.js";
import { base64 } from "./png.js";
import type { ViewSpec } from "./spec.js";
import { escapeXml } from "./svg.js";
import { summarize } from "./text.js";

/**
 * Returns a view as an HTML fragment: an `<img>` that holds the whole drawing, with a sentence as its `alt`.
 *
 * Notebooks show it even before they are trusted, and exported pages offline.
 */
export function toHtml(spec: ViewSpec): string {
  const { width, height } = svgSize(spec);
  const source = `data:image/svg+xml;base64,${base64(toStaticSvg(spec))}`;
  const image = `<img alt="${escapeXml(summarize(spec))}" width="${width}" height="${height}" src="${source}">`;
  return `<div class="limpid-view">${image}</div>`;
}

/** Returns a view as a whole HTML page that opens anywhere, offline. */
export function toHtmlPage(spec: ViewSpec): string {
  const title = escapeXml(spec.title === "" ? "limpid" : spec.title);
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>`;
  const style = "<style>body{margin:0;background:#fff}img{max-width:none}</style>";
  return `<!doctype html>\n<html lang="en"><head>${head}${style}</head><body>${toHtml(spec)}</body></html>\n`;
}
