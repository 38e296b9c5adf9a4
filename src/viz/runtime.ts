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

/** The same file whether this one runs from `src/` or from `dist/`. */
const path = new URL("../../dist/viz/client.json", import.meta.url);

/**
 * Returns the browser code.
 *
 * @throws UnsupportedError when the package is not built.
 */
export function clientRuntime(): ClientRuntime {
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
