/** The browser code that makes static pictures interactive, as the build left it. */
import { readFileSync } from "node:fs";
import { UnsupportedError } from "../core/index.js";

/** Browser code, compressed. */
export interface ClientRuntime {
  /** Twelve digits of its hash: outputs of different versions on one page keep apart. */
  readonly hash: string;
  /** Gzipped, in base64. */
  readonly gzip: string;
}

/**
 * Returns the browser code.
 *
 * @param withGraphs - Whether graphs are drawn, too: a few kilobytes that other views do without.
 * @throws UnsupportedError when the package is not built.
 */
export function clientRuntime(withGraphs: boolean): ClientRuntime {
  // The same file whether this one runs from src/ or from dist/.
  const path = new URL(`../../dist/viz/client${withGraphs ? "-graph" : ""}.json`, import.meta.url);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new UnsupportedError(
      {
        where: "view.toHtml",
        got: "no browser code at dist/viz/client.json",
        expected: "a built package",
        fix: "Run npm run build in a checkout, or install the package anew.",
      },
      { cause },
    );
  }
  return JSON.parse(text) as ClientRuntime;
}
