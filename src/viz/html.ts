/**
 * Views as HTML that survives every notebook host.
 *
 * 1. A picture inside the markup: shown untrusted, offline, and where scripts never run.
 * 2. The spec as JSON, and the browser code that draws it anew and interactively, when scripts run.
 *
 * Elements are found by `data-limpid`, never by id or by `document.currentScript`: hosts rename ids, copies double
 * them, and scripts may run anywhere.
 */
import { createLogger, formatBytes, MemoryError, sha256 } from "../core/index.js";
import { composeDrawing, summarize } from "./compose.js";
import { pack } from "./pack.js";
import { plotlyBuildOf, plotlyScript } from "./plotly/library.js";
import { base64 } from "./png.js";
import type { ViewSpec } from "./registry.js";
import { type ClientRuntime, clientRuntime } from "./runtime.js";
import { escapeXml, svgDocument } from "./svg.js";
import { palettes, type Theme } from "./theme.js";

/** Above this size an output warns, bytes. */
const warnBytes = 512 * 1024;
/** Above this size an output is refused unless forced, bytes. */
const refuseBytes = 4 * 1024 * 1024;

/** How static pictures are drawn. */
export interface PictureOptions {
  /** Default: the view's own theme, else light. */
  readonly theme?: Theme;
}

/** How HTML is written. */
export interface HtmlOptions extends PictureOptions {
  /** Whether the browser code is inside; without it another output of the page must carry it. Default true. */
  readonly runtime?: boolean;
  /** Whether the browser code draws every kind of view, and not only this one's: for a page that carries it once. */
  readonly allViews?: boolean;
  /** Whether plotly.js is inside when the view holds a figure for it. Default: as `runtime`. */
  readonly plotly?: boolean;
  /** Writes outputs above 4 MB, too. */
  readonly force?: boolean;
  /** Receives the warning about a large output; default: standard error. */
  readonly onWarning?: (message: string) => void;
}

/** Returns a view as a self-contained SVG document of fixed size on the ground of its theme. */
export function toStaticSvg(spec: ViewSpec, options: PictureOptions = {}): string {
  return pictureOf(spec, summarize(spec), options);
}

function pictureOf(spec: ViewSpec, summary: string, options: PictureOptions): string {
  const theme = options.theme ?? spec.theme ?? "light";
  return svgDocument(composeDrawing(spec, theme), { title: spec.title, summary }, theme);
}

/**
 * Returns a view as an HTML fragment: an `<img>` with a sentence as its `alt`, the data, and the browser code.
 *
 * @throws MemoryError when it would exceed 4 MB and `force` is not set; the message names what is large.
 */
export function toHtml(spec: ViewSpec, options: HtmlOptions = {}): string {
  const picture = imageTag(spec, options);
  const data = JSON.stringify(pack(spec, spec.exact === true)).replaceAll("<", "\\u003c");
  const key = sha256(data).slice(0, 12);
  const library = plotlyFor(spec, options);
  const code = clientRuntime(options.allViews === true || hasGraph(spec));
  const script = library + hydration(key, code, options.runtime !== false);
  const sizes = { picture: picture.length, data: data.length, "browser code": script.length - library.length };
  checkSize(spec, library === "" ? sizes : { ...sizes, [plotlyPart]: library.length }, options);
  return [
    `<div class="limpid-view" data-limpid="${key}">${picture}`,
    `<script type="application/json">${data}</script><script>${script}</script></div>`,
  ].join("");
}

function hasGraph(spec: ViewSpec): boolean {
  return spec.view === "graph" || (spec.view === "panels" && spec.panels.some(hasGraph));
}

/** The name of plotly.js among the parts of an output. */
const plotlyPart = "plotly.js";

function plotlyFor(spec: ViewSpec, { runtime = true, plotly = runtime }: HtmlOptions): string {
  const build = plotlyBuildOf(spec);
  return plotly && build !== undefined ? plotlyScript(build) : "";
}

function imageTag(spec: ViewSpec, options: PictureOptions): string {
  const summary = summarize(spec);
  const svg = pictureOf(spec, summary, options);
  const [, width = "", height = ""] = /width="(\d+)" height="(\d+)"/.exec(svg) ?? [];
  const source = `data:image/svg+xml;base64,${base64(svg)}`;
  return `<img alt="${escapeXml(summary)}" width="${width}" height="${height}" src="${source}">`;
}

/** The script of one output: uses the browser code that is there, or waits for it and unpacks its own copy. */
function hydration(key: string, { hash, gzip }: ClientRuntime, withRuntime: boolean): string {
  const ask = `const g=globalThis.__limpid??={},r="${hash}",k="${key}";if(g[r])return g[r].hydrate(k);(g.queue??=[]).push([r,k]);`;
  if (!withRuntime) return `(()=>{${ask}})()`;
  const unpack =
    "const b=Uint8Array.from(atob(z),c=>c.charCodeAt(0)),s=document.createElement('script');" +
    "s.textContent=await new Response(new Blob([b]).stream().pipeThrough(new DecompressionStream('gzip'))).text();" +
    "document.head.append(s);s.remove();g.start(r)";
  return `(async()=>{${ask}if(g[r+"*"])return;g[r+"*"]=1;const z="${gzip}";${unpack}})()`;
}

const plotlyAdvice =
  'In a notebook only the first figure carries plotly.js; configure({ plotly: "never" }) shows simpler pictures without it.';

function checkSize(spec: ViewSpec, parts: Readonly<Record<string, number>>, options: HtmlOptions): void {
  const total = Object.values(parts).reduce((sum, size) => sum + size, 0);
  if (total <= warnBytes) return;
  const sorted = Object.entries(parts).toSorted(([, a], [, b]) => b - a);
  const named = sorted.map(([name, size]) => `${name} ${formatBytes(size)}`).join(", ");
  const where = `view ${JSON.stringify(spec.title === "" ? spec.view : spec.title)}`;
  const advice = sorted[0]?.[0] === plotlyPart ? plotlyAdvice : "Show fewer entries, or keep the top k before drawing.";
  if (total <= refuseBytes || options.force === true) {
    const message = `${where} is an output of ${formatBytes(total)} (${named}); above 512 kB notebooks grow slow. ${advice}`;
    if (options.onWarning === undefined) createLogger().warnOnce("large-view", message);
    else options.onWarning(message);
    return;
  }
  throw new MemoryError({
    where: `${where}: output`,
    got: `${formatBytes(total)} (${named})`,
    expected: `at most ${formatBytes(refuseBytes)}`,
    fix: `${advice} Or pass { force: true }.`,
  });
}

/** Returns a view as a whole HTML page that opens anywhere, offline. */
export function toHtmlPage(spec: ViewSpec, options: HtmlOptions = {}): string {
  const title = escapeXml(spec.title === "" ? "limpid" : spec.title);
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>`;
  const theme = options.theme ?? spec.theme;
  const dark = `body{background:${palettes.dark.ground}}`;
  const auto = `@media(prefers-color-scheme:dark){${dark}}`;
  const ground = theme === undefined ? auto : theme === "dark" ? dark : "";
  const style = `<style>body{margin:0;background:${palettes.light.ground}}img{max-width:none}${ground}</style>`;
  return `<!doctype html>\n<html lang="en"><head>${head}${style}</head><body>${toHtml(spec, options)}</body></html>\n`;
}
