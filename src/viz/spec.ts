/** What all views' specs share; each view's own spec lies in its file under `views/`. */
import type { Theme } from "./theme.js";

/** A number as JSON can hold it: the three that JSON lacks are spelled out. */
export type Cell = number | "NaN" | "Infinity" | "-Infinity";

/** One axis of a drawing. */
export interface ViewAxis {
  /** The axis's name, such as `layer`. */
  readonly name: string;
  /** One label for each index. */
  readonly labels: readonly string[];
  /** How labels are written: token text shows its whitespace and is set in a monospace face. */
  readonly kind: "names" | "tokens";
}

/** How values become colours. `diverging` is centred at 0: blue above, red below. */
export interface ColorScale {
  readonly kind: "diverging" | "sequential";
  /** The value drawn in the first colour; values below it are clipped. */
  readonly min: number;
  /** The value drawn in the last colour; values above it are clipped. */
  readonly max: number;
}

/** What every view carries. */
export interface ViewHeader {
  /** Version of this view's format. */
  readonly v: 1;
  /** Which view it is. */
  readonly view: string;
  readonly title: string;
  /** One line under the title, such as units or provenance. */
  readonly note: string;
  /** Set: always drawn so. Otherwise pictures are light, and the interactive view follows the page. */
  readonly theme?: Theme;
  /** Whether HTML keeps every number exactly, however many there are. */
  readonly exact?: true;
  /** Views of the same link show the same selection. */
  readonly link?: string;
}

/** What every view may be given besides its data. */
export interface ViewOptions {
  /** The headline; say what is shown. */
  readonly title?: string;
  /** One line under the title. */
  readonly note?: string;
  /** Draws it so everywhere; default: pictures are light, and the interactive view follows the page. */
  readonly theme?: Theme;
  /** Keeps every number exactly in HTML; default: above 1,000 numbers they are rounded to 1 part in 250 or finer. */
  readonly exact?: boolean;
  /** A name: views with the same one highlight the same entry together. */
  readonly link?: string;
}

/** Returns the header of a spec: `options` with defaults filled in, and nothing else of them. */
export function header<V extends string>(view: V, options: ViewOptions): ViewHeader & { readonly view: V } {
  const { title = "", note = "", theme, exact = false, link } = options;
  return {
    v: 1,
    view,
    title,
    note,
    ...(theme === undefined ? {} : { theme }),
    ...(exact ? { exact: true } : {}),
    ...(link === undefined ? {} : { link }),
  };
}
