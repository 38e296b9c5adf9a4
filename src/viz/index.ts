/** Views: pure functions from plain data to a typed spec, and renderers to HTML, SVG and text. */
export {
  type AxisOptions,
  type BarsOptions,
  bars,
  type HeatmapOptions,
  heatmap,
  panels,
  type TokensOptions,
  table,
  tokens,
  type ViewOptions,
} from "./build.js";
export type { ColorOptions } from "./color.js";
export { toStaticSvg } from "./draw.js";
export { toHtml, toHtmlPage } from "./html.js";
export type {
  BarsSpec,
  Cell,
  ColorScale,
  HeatmapSpec,
  PanelsSpec,
  TableColumn,
  TableEntry,
  TableSpec,
  TokensSpec,
  ViewAxis,
  ViewHeader,
  ViewSpec,
} from "./spec.js";
export { headline, summarize, toText } from "./text.js";
export { visibleToken } from "./token-text.js";
export { View } from "./view.js";
