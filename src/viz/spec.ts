/** What a view is, as plain typed JSON: renderers read it, files keep it, tests compare it. */

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
  /** Version of this format. */
  readonly v: 1;
  readonly title: string;
  /** One line under the title, such as units or provenance. */
  readonly note: string;
}

/** A grid of coloured cells, `[y, x]`, first row on top. */
export interface HeatmapSpec extends ViewHeader {
  readonly view: "heatmap";
  readonly x: ViewAxis;
  readonly y: ViewAxis;
  readonly values: readonly (readonly Cell[])[];
  /** Text inside the cells, `[y, x]`; empty when cells carry none. */
  readonly cellText: readonly (readonly string[])[];
  readonly color: ColorScale;
  /** The unit of the values, such as `logits`. */
  readonly unit: string;
}

/** Running text whose tokens are coloured by one value each. */
export interface TokensSpec extends ViewHeader {
  readonly view: "tokens";
  readonly tokens: readonly string[];
  readonly values: readonly Cell[];
  readonly color: ColorScale;
  readonly unit: string;
  /** Whether each value is also written under its token. */
  readonly showValues: boolean;
}

/** One column of a table. */
export interface TableColumn {
  readonly name: string;
  readonly kind: "number" | "text" | "token";
}

/** One entry of a table: text, or in a column of kind `number` a {@link Cell}. */
export type TableEntry = number | string;

/** Rows of text and numbers. */
export interface TableSpec extends ViewHeader {
  readonly view: "table";
  readonly columns: readonly TableColumn[];
  /** `[row, column]`. */
  readonly rows: readonly (readonly TableEntry[])[];
}

/** Horizontal signed bars, first on top. */
export interface BarsSpec extends ViewHeader {
  readonly view: "bars";
  readonly axis: ViewAxis;
  readonly values: readonly Cell[];
  readonly unit: string;
}

/** Several views on one sheet. */
export interface PanelsSpec extends ViewHeader {
  readonly view: "panels";
  readonly panels: readonly ViewSpec[];
}

/** Any view as data: versioned, serialisable, free of code. */
export type ViewSpec = BarsSpec | HeatmapSpec | PanelsSpec | TableSpec | TokensSpec;
