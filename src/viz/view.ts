/** The object that users hold: a view's data and its renderers. */
import { rename, rm, writeFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { printsItself, UnsupportedError } from "../core/index.js";
import { summarize, toText } from "./compose.js";
import { type HtmlOptions, type PictureOptions, toHtml, toHtmlPage, toStaticSvg } from "./html.js";
import type { PlotlyJson } from "./plotly/figure.js";
import { toPlotlyFigure } from "./plotly/from-views.js";
import { type PngOptions, toPng } from "./raster.js";
import { isKnownView, type ViewSpec } from "./registry.js";

/** The key under which notebook kernels look for a value's display forms; Deno's shows a cell's last value by it. */
export const displaySymbol: unique symbol = Symbol.for("Jupyter.display");

/** How a view is written to a file. */
export interface SaveOptions extends PngOptions {
  /** Writes HTML above 4 MB, too. */
  readonly force?: boolean;
}

/** A drawing as data, with its renderers. Views are immutable; `show(view)` puts one into a notebook. */
export class View {
  static {
    printsItself(View.prototype);
    // A method under a symbol cannot be declared with isolated declarations.
    Object.defineProperty(View.prototype, displaySymbol, {
      value(this: View) {
        return { "text/html": this.toHtml(), "text/plain": this.toText() };
      },
    });
  }

  /** The view as plain JSON. */
  readonly spec: ViewSpec;

  /**
   * Takes a spec, such as one read from a `.json` file that {@link View.save} wrote.
   *
   * @throws UnsupportedError when the spec is of an unknown view or version.
   */
  constructor(spec: ViewSpec) {
    if (!isKnownView(spec)) {
      throw new UnsupportedError({
        where: "new View",
        got: `view ${JSON.stringify(spec.view)} of version ${JSON.stringify(spec.v)}`,
        expected: "a view that this version of limpid draws",
        fix: "Make the view anew with viz, or use the version of limpid that wrote the file.",
      });
    }
    this.spec = spec;
  }

  /** Returns the view as an HTML fragment that needs no network; without scripts it shows a picture. */
  toHtml(options: HtmlOptions = {}): string {
    return toHtml(this.spec, options);
  }

  /** Returns the view as a self-contained SVG document. */
  toSvg(options: PictureOptions = {}): string {
    return toStaticSvg(this.spec, options);
  }

  /** Returns the view as a PNG file; needs the optional package `sharp`. */
  toPng(options: PngOptions = {}): Promise<Uint8Array> {
    return toPng(this.spec, options);
  }

  /** Returns the view as plain text: title, shape, range, largest entries. */
  toText(): string {
    return toText(this.spec);
  }

  /**
   * Returns the view as a figure of plotly.js, `{ data, layout, config, frames }`, to restyle or to use elsewhere.
   *
   * Heatmaps, bars, lines, histograms and points have their like there; other views come as a table.
   *
   * @throws UnsupportedError for a sheet of several views.
   */
  toPlotly(): PlotlyJson {
    return toPlotlyFigure(this.spec);
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
   * The ending decides the form: `.html` (a whole page), `.svg`, `.png`, `.txt` or `.json`. The file appears whole or
   * not at all.
   *
   * @throws UnsupportedError for another ending, or for `.png` without the optional package `sharp`.
   */
  async save(path: string, options: SaveOptions = {}): Promise<string> {
    const target = resolve(path);
    const content = await this.#contentFor(path, options);
    const scratch = `${target}.${process.pid}.part`;
    try {
      await writeFile(scratch, content);
      await rename(scratch, target);
    } finally {
      await rm(scratch, { force: true });
    }
    return target;
  }

  async #contentFor(path: string, options: SaveOptions): Promise<Uint8Array | string> {
    const ending = extname(path).toLowerCase();
    if (ending === ".html") return toHtmlPage(this.spec, options);
    if (ending === ".svg") return this.toSvg(options);
    if (ending === ".png") return this.toPng(options);
    if (ending === ".txt") return `${this.toText()}\n`;
    if (ending === ".json") return `${JSON.stringify(this.spec)}\n`;
    throw new UnsupportedError({
      where: "view.save: path",
      got: JSON.stringify(path),
      expected: "a name that ends in .html, .svg, .png, .txt or .json",
      fix: "Choose one of these endings.",
    });
  }

  /** Returns {@link toText}, so that consoles and notebook cells print the view readably. */
  toString(): string {
    return this.toText();
  }
}
