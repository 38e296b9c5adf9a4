/** Views: pure functions from plain data to a typed spec, and renderers to HTML, SVG, PNG and text. */
export type { AttentionPattern, AttentionRows, AttentionTensor } from "./attention/read.js";
export type { AttentionSpec, StrongPair } from "./attention/spec.js";
export type { WeightCodes, WeightNumbers } from "./attention/weights.js";
export type { BinnedCounts } from "./bins.js";
export type { AxisOptions } from "./checks.js";
export type { ColorOptions } from "./color.js";
export { headline, summarize, toText } from "./compose.js";
export { type HtmlOptions, type PictureOptions, toHtml, toHtmlPage, toStaticSvg } from "./html.js";
export {
  attention,
  bars,
  features,
  graph,
  heatmap,
  histogram,
  lines,
  panels,
  plotly,
  scatter,
  table,
  tokenLogProbs,
  tokens,
} from "./make.js";
export type { NumberAxis, NumberAxisOptions } from "./plane.js";
export type { Json, JsonObject, PlotlyBuild, PlotlyFigure, PlotlyJson } from "./plotly/figure.js";
export { plotlyBuildOf } from "./plotly/library.js";
export type { Positions } from "./positions.js";
export { type PositionLogits, tokenPredictions } from "./predictions.js";
export { type PngOptions, toPng } from "./raster.js";
export type { ViewSpec } from "./registry.js";
export type { SeriesColors } from "./series.js";
export type { Cell, ColorScale, ViewAxis, ViewHeader, ViewOptions } from "./spec.js";
export type { Theme } from "./theme.js";
export { visibleToken } from "./token-text.js";
export { displaySymbol, type SaveOptions, View } from "./view.js";
export type { AttentionOptions } from "./views/attention.js";
export type { BarOrder, BarsOptions, BarsSpec } from "./views/bars.js";
export type {
  FeatureAlike,
  FeatureBins,
  FeatureCard,
  FeatureCardData,
  FeatureExampleData,
  FeatureGroup,
  FeatureGroupData,
  FeatureOverview,
  FeatureOverviewData,
  FeaturesOptions,
  FeaturesSpec,
  FeatureTokenValue,
} from "./views/features-spec.js";
export type { GraphGroup, GraphMarks } from "./views/graph-marks.js";
export type {
  GraphData,
  GraphEdgeData,
  GraphMark,
  GraphNodeData,
  GraphOptions,
  GraphRow,
  GraphSpec,
} from "./views/graph-spec.js";
export type { HeatmapDetails, HeatmapOptions, HeatmapSpec } from "./views/heatmap.js";
export type {
  HistogramData,
  HistogramMarker,
  HistogramMeasure,
  HistogramOptions,
  HistogramSeries,
  HistogramSpec,
} from "./views/histogram.js";
export type {
  LineData,
  LineMark,
  LinesAxisOptions,
  LinesData,
  LinesOptions,
  LinesSeries,
  LinesSpec,
} from "./views/lines.js";
export type { PanelsSpec } from "./views/panels.js";
export type { PlotlyOptions, PlotlySpec } from "./views/plotly.js";
export type { ScatterOptions, ScatterSpec } from "./views/scatter.js";
export type { TableColumn, TableEntry, TableSpec } from "./views/table.js";
export type {
  TokenAlternative,
  TokenLogProbsOptions,
  TokenLogProbsSpec,
  TokenPrediction,
} from "./views/token-log-probs.js";
export type { TokenChannel, TokensOptions, TokensSpec, TokenValues } from "./views/tokens.js";
