/** plotly.js inside an output, once a page: later figures of the page find it. */
import { readFileSync } from "node:fs";
import { UnsupportedError } from "../../core/index.js";
import type { ViewSpec } from "../registry.js";
import type { PlotlyBuild } from "./figure.js";

/** A build of plotly.js, as `scripts/lib/plotly.mjs` left it. */
interface Library {
  readonly version: string;
  /** Gzipped, in base64. */
  readonly gzip: string;
}

/** Returns which build of plotly.js a view needs; `undefined` when it holds no figure of plotly.js. */
export function plotlyBuildOf(spec: ViewSpec): PlotlyBuild | undefined {
  if (spec.view === "plotly") return spec.build;
  if (spec.view !== "panels") return undefined;
  const builds = spec.panels.map(plotlyBuildOf);
  return builds.includes("all") ? "all" : builds.find((build) => build !== undefined);
}

/**
 * Returns a script that puts a build of plotly.js onto the page, unless one that can do as much is there or on its way.
 *
 * @throws UnsupportedError when the package is not built.
 */
export function plotlyScript(build: PlotlyBuild): string {
  const isThere = build === "all" ? 'p.coming==="all"' : "p.coming";
  return (
    `(async()=>{const g=globalThis.__limpid??={},p=g.plotly??={};if(${isThere})return;p.coming="${build}";` +
    `const b=Uint8Array.from(atob("${readLibrary(build).gzip}"),c=>c.charCodeAt(0)),s=document.createElement('script');` +
    "s.textContent=await new Response(new Blob([b]).stream().pipeThrough(new DecompressionStream('gzip'))).text();" +
    "document.head.append(s);s.remove()})();"
  );
}

function readLibrary(build: PlotlyBuild): Library {
  try {
    // The same file whether this one runs from src/ or from dist/.
    const path = new URL(`../../../dist/viz/plotly-${build}.json`, import.meta.url);
    return JSON.parse(readFileSync(path, "utf8")) as Library;
  } catch (cause) {
    throw new UnsupportedError(
      {
        where: "viz.plotly",
        got: `no plotly.js at dist/viz/plotly-${build}.json`,
        expected: "a built package",
        fix: "Run npm run build in a checkout, or install the package anew.",
      },
      { cause },
    );
  }
}
