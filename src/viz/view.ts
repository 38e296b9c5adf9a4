/** The object that users hold: a view's data and its three renderers. */
import { rename, rm, writeFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { printsItself, UnsupportedError } from "../core/index.js";
import { toStaticSvg } from "./draw.js";
import { toHtml, toHtmlPage } from "./html.js";
import type { ViewSpec } from "./spec.js";
import { summarize, toText } from "./text.js";

/** A drawing as data, with its renderers. Views are immutable; `show(view)` puts one into a notebook. */
export class View {
  static {
    printsItself(View.prototype);
  }

  /** The view as plain JSON. */
  readonly spec: ViewSpec;

  constructor(spec: ViewSpec) {
    this.spec = spec;
  }

  /** Returns the view as an HTML fragment that needs no script and no network. */
  toHtml(): string {
    return toHtml(this.spec);
  }

  /** Returns the view as a self-contained SVG document. */
  toSvg(): string {
    return toStaticSvg(this.spec);
  }

  /** Returns the view as plain text: title, shape, range, largest entries. */
  toText(): string {
    return toText(this.spec);
  }

  /** Returns one sentence that says what the view shows. */
  summary(): string {
    return summarize(this.spec);
  }

  /** Returns the view itself, so that views and results can be shown alike. */
  toView(): this {
    return this;
  }

  /** Returns the spec, so that `JSON.stringify(view)` writes it. */
  toJSON(): ViewSpec {
    return this.spec;
  }

  /**
   * Writes the view to `path` and returns the absolute path.
   *
   * The ending decides the form: `.html` (a whole page), `.svg`, `.txt` or `.json`. The file appears whole or not at all.
   *
   * @throws UnsupportedError for another ending.
   */
  async save(path: string): Promise<string> {
    const target = resolve(path);
    const content = this.#contentFor(path);
    const scratch = `${target}.${process.pid}.part`;
    try {
      await writeFile(scratch, content);
      await rename(scratch, target);
    } finally {
      await rm(scratch, { force: true });
    }
    return target;
  }

  #contentFor(path: string): string {
    const ending = extname(path).toLowerCase();
    if (ending === ".html") return toHtmlPage(this.spec);
    if (ending === ".svg") return this.toSvg();
    if (ending === ".txt") return `${this.toText()}\n`;
    if (ending === ".json") return `${JSON.stringify(this.spec)}\n`;
    throw new UnsupportedError({
      where: "view.save: path",
      got: JSON.stringify(path),
      expected: "a name that ends in .html, .svg, .txt or .json",
      fix: "Choose one of these endings.",
    });
  }

  /** Returns {@link toText}, so that consoles and notebook cells print the view readably. */
  toString(): string {
    return this.toText();
  }
}
