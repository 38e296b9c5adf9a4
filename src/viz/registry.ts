/** The list of all views: one line each in both lists. */

import type { AttentionSpec } from "./attention/spec.js";
import type { ViewKind } from "./kind.js";
import { attentionKind } from "./views/attention.js";
import { type BarsSpec, barsKind } from "./views/bars.js";
import { featuresKind } from "./views/features.js";
import type { FeaturesSpec } from "./views/features-spec.js";
import { graphKind } from "./views/graph.js";
import type { GraphSpec } from "./views/graph-spec.js";
import { type HeatmapSpec, heatmapKind } from "./views/heatmap.js";
import { type HistogramSpec, histogramKind } from "./views/histogram.js";
import { type LinesSpec, linesKind } from "./views/lines.js";
import { type PanelsSpec, panelsKind } from "./views/panels.js";
import { type PlotlySpec, plotlyKind } from "./views/plotly.js";
import { type ScatterSpec, scatterKind } from "./views/scatter.js";
import { type TableSpec, tableKind } from "./views/table.js";
import { type TokenLogProbsSpec, tokenLogProbsKind } from "./views/token-log-probs.js";
import { type TokensSpec, tokensKind } from "./views/tokens.js";

/** Any view as data: versioned, serialisable, free of code. */
export type ViewSpec =
  | AttentionSpec
  | BarsSpec
  | FeaturesSpec
  | GraphSpec
  | HeatmapSpec
  | PanelsSpec
  | TableSpec
  | TokenLogProbsSpec
  | TokensSpec
  | LinesSpec
  | HistogramSpec
  | ScatterSpec
  | PlotlySpec;

const kinds: { readonly [Name in ViewSpec["view"]]: ViewKind<Extract<ViewSpec, { view: Name }>> } = {
  attention: attentionKind,
  bars: barsKind,
  features: featuresKind,
  graph: graphKind,
  heatmap: heatmapKind,
  lines: linesKind,
  histogram: histogramKind,
  scatter: scatterKind,
  plotly: plotlyKind,
  panels: panelsKind,
  table: tableKind,
  tokenLogProbs: tokenLogProbsKind,
  tokens: tokensKind,
};

/** Returns how a view is drawn and said. */
export function kindOf(spec: ViewSpec): ViewKind<ViewSpec> {
  return kinds[spec.view];
}

/** Tells whether this version of the package knows the view that `spec` says it is, and all views inside it. */
export function isKnownView(spec: ViewSpec): boolean {
  if (!Object.hasOwn(kinds, spec.view) || spec.v !== 1) return false;
  return spec.view !== "panels" || spec.panels.every(isKnownView);
}
