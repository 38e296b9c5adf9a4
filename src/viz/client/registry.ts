/** The interactive part of every view: one line each. */
import type { ViewSpec } from "../registry.js";
import type { ClientView } from "./view.js";
import { attentionClient } from "./views/attention.js";
import { barsClient } from "./views/bars.js";
import { featuresClient } from "./views/features.js";
import { graphClient } from "./views/graph.js";
import { heatmapClient } from "./views/heatmap.js";
import { histogramClient } from "./views/histogram.js";
import { linesClient } from "./views/lines.js";
import { panelsClient } from "./views/panels.js";
import { plotlyClient } from "./views/plotly.js";
import { scatterClient } from "./views/scatter.js";
import { tableClient } from "./views/table.js";
import { tokenLogProbsClient } from "./views/token-log-probs.js";
import { tokensClient } from "./views/tokens.js";

const clients: { readonly [Name in ViewSpec["view"]]: ClientView<Extract<ViewSpec, { view: Name }>> } = {
  attention: attentionClient,
  bars: barsClient,
  features: featuresClient,
  graph: graphClient,
  heatmap: heatmapClient,
  lines: linesClient,
  histogram: histogramClient,
  scatter: scatterClient,
  plotly: plotlyClient,
  panels: panelsClient,
  table: tableClient,
  tokenLogProbs: tokenLogProbsClient,
  tokens: tokensClient,
};

/** Returns the interactive part of a view. */
export function clientOf(spec: ViewSpec): ClientView<ViewSpec> {
  return clients[spec.view];
}
