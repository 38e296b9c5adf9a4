/** What a view's file offers: how its spec is drawn and said. Nothing here touches the network, the page or a file. */
import type { Drawing } from "./marks.js";
import type { ViewSpec } from "./registry.js";
import type { ViewHeader } from "./spec.js";
import type { Theme } from "./theme.js";

/** What drawing needs besides the spec. */
export interface DrawContext {
  readonly theme: Theme;
  /** Draws another view, title included: for views made of views. */
  readonly draw: (spec: ViewSpec) => Drawing;
}

/** How another view is said: for views made of views. */
export interface Words {
  readonly text: (spec: ViewSpec) => string;
  readonly summary: (spec: ViewSpec) => string;
}

/** Values in rows, for readers who want no picture. */
export interface TableData {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Everything static about one view. */
export interface ViewKind<S extends ViewHeader> {
  /** Returns the drawing, without its title. */
  draw(spec: S, context: DrawContext): Drawing;
  /** Returns the lines of the text form, without its title. */
  text(spec: S, words: Words): readonly string[];
  /** Returns what the view shows as half a sentence, put after its name: `heatmap, layer (2) × head (3); 0 to 1`. */
  summary(spec: S, words: Words): string;
  /** Returns the values as rows: what "Show as table" shows. */
  table(spec: S): TableData;
}
