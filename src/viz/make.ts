/** The public functions: plain data to a {@link View}; each view's own file has the builder. */
import type { AttentionPattern } from "./attention/read.js";
import type { PlotlyFigure } from "./plotly/figure.js";
import type { ViewOptions } from "./spec.js";
import { View } from "./view.js";
import { type AttentionOptions, attentionSpec } from "./views/attention.js";
import { type BarsOptions, barsSpec } from "./views/bars.js";
import { featuresSpec } from "./views/features.js";
import type { FeatureCardData, FeaturesOptions } from "./views/features-spec.js";
import { type GraphData, type GraphOptions, graphSpec } from "./views/graph-spec.js";
import { type HeatmapOptions, heatmapSpec } from "./views/heatmap.js";
import { type HistogramData, type HistogramOptions, histogramSpec } from "./views/histogram.js";
import { type LinesData, type LinesOptions, linesSpec } from "./views/lines.js";
import { panelsSpec } from "./views/panels.js";
import { type PlotlyOptions, plotlySpec } from "./views/plotly.js";
import { type ScatterOptions, scatterSpec } from "./views/scatter.js";
import { type TableColumn, tableSpec } from "./views/table.js";
import { type TokenLogProbsOptions, type TokenPrediction, tokenLogProbsSpec } from "./views/token-log-probs.js";
import { type TokensOptions, type TokenValues, tokensSpec } from "./views/tokens.js";

/**
 * Returns a heatmap of `values`, `[y, x]`, first row on top.
 *
 * Colours are centred at 0 (blue above, red below) when any value is negative, otherwise they run from light to dark.
 *
 * @throws ShapeError when rows differ in length or labels do not fit; InputError when there is nothing to draw.
 */
export function heatmap(values: readonly ArrayLike<number>[], options: HeatmapOptions = {}): View {
  return new View(heatmapSpec(values, options));
}

/**
 * Returns running text whose tokens are coloured by values: one a token, or several channels by name.
 *
 * @throws ShapeError when `values` and `tokenTexts` differ in length; InputError when there is nothing to draw.
 */
export function tokens(tokenTexts: readonly string[], values: TokenValues, options: TokensOptions = {}): View {
  return new View(tokensSpec(tokenTexts, values, options));
}

/**
 * Returns horizontal signed bars, in the order given or sorted.
 *
 * @throws ShapeError when labels do not fit; InputError when there is nothing to draw.
 */
export function bars(values: ArrayLike<number>, options: BarsOptions = {}): View {
  return new View(barsSpec(values, options));
}

/**
 * Returns a table of `rows`, whose cells follow `columns`.
 *
 * @throws ShapeError when a row's length differs; InputError when a number column holds text.
 */
export function table(
  columns: readonly TableColumn[],
  rows: readonly (readonly (number | string)[])[],
  options: ViewOptions = {},
): View {
  return new View(tableSpec(columns, rows, options));
}

/**
 * Returns several views on one sheet, side by side as far as they fit.
 *
 * @throws InputError when there are none.
 */
export function panels(views: readonly View[], options: ViewOptions = {}): View {
  const specs = views.map((view) => view.spec);
  return new View(panelsSpec(specs, options));
}

/**
 * Returns lines over a common x or each over its own, with bands, on linear or logarithmic axes.
 *
 * `data` is one list of values, several by name, or a list of series `{ name, x, y, low, high }`. A NaN is a gap.
 *
 * @throws ShapeError when lists of a series differ in length; InputError when there is nothing to draw, or a
 * logarithmic axis has no value above 0.
 */
export function lines(data: LinesData, options: LinesOptions = {}): View {
  return new View(linesSpec(data, options));
}

/**
 * Returns a histogram of raw values, or of counts made before, `{ counts, edges }`; one series or several by name.
 *
 * @throws ShapeError when counts and edges do not fit; InputError when there is nothing to draw, or edges do not ascend.
 */
export function histogram(data: HistogramData, options: HistogramOptions = {}): View {
  return new View(histogramSpec(data, options));
}

/**
 * Returns points at (`x[i]`, `y[i]`) with labels, coloured by group or by value.
 *
 * @throws ShapeError when lists differ in length; InputError when there is nothing to draw.
 */
export function scatter(x: ArrayLike<number>, y: ArrayLike<number>, options: ScatterOptions = {}): View {
  return new View(scatterSpec(x, y, options));
}

/**
 * Returns attention patterns: small heads in a grid, one of them large, and the text coloured by what a token looks at.
 *
 * The pattern is `[queryPos, keyPos]`, `[head, queryPos, keyPos]` or `[layer, head, queryPos, keyPos]`, as a tensor,
 * nested lists, or one tensor for each layer; a batch of one is dropped. Queries are the last tokens when they are
 * fewer than keys. Up to 5,000 weights keep three digits and more; above, they are rounded so that 12 × 12 heads over
 * 64 tokens stay below 150 kB, and tooltips say how. Colours run from 0.
 *
 * @throws AxisError or ShapeError for another shape; InputError for infinite weights.
 */
export function attention(
  pattern: AttentionPattern,
  tokenTexts: readonly string[],
  options: AttentionOptions = {},
): View {
  return new View(attentionSpec(pattern, tokenTexts, options));
}

/**
 * Returns running text coloured by the surprisal of each token; pointing at one shows what was expected in its place.
 *
 * `predictions[i]` is about the token after position i; one more than that is what the model expects next. Make them
 * from logits with `viz.tokenPredictions`.
 *
 * @throws ShapeError when there are fewer predictions; InputError for values that are no log-probabilities.
 */
export function tokenLogProbs(
  tokenTexts: readonly string[],
  predictions: readonly TokenPrediction[],
  options: TokenLogProbsOptions = {},
): View {
  return new View(tokenLogProbsSpec(tokenTexts, predictions, options));
}

/**
 * Returns cards of features of a sparse dictionary, one at a time: how often and how strongly each fires, what it writes and
 * reads, and examples whose tokens are coloured by its activation; with `overview` also a map and a list of all features.
 *
 * @throws ShapeError when lists of an example or of the overview differ in length; InputError when there is nothing to draw.
 */
export function features(cards: readonly FeatureCardData[], options: FeaturesOptions = {}): View {
  return new View(featuresSpec(cards, options));
}

/**
 * Returns a graph over tokens and layers: features as dots, errors as hollow squares, tokens and targets as squares, links in the
 * colours of differences. Pointing at a node shows its strongest links and names what goes in and out; a menu hides nodes of
 * little influence.
 *
 * @throws InputError when there is no node, when ids are not unique or unknown, or a number is out of its range.
 */
export function graph(data: GraphData, options: GraphOptions = {}): View {
  return new View(graphSpec(data, options));
}

/**
 * Returns any figure of plotly.js as a view: an object `{ data, layout, config }`, or such JSON as text.
 *
 * plotly.js draws it, offline; where no script runs, a picture stands for it: heatmaps, bars, lines, points and
 * histograms are drawn, of other traces it says what they hold. In a notebook the first figure carries plotly.js
 * (0.6 MB, for the rarer traces 1.4 MB), and the later ones find it; a saved page carries its own.
 *
 * @throws InputError when it is no figure, holds what JSON cannot, has an unknown type of trace, or would ask the
 * network: maps, pictures by address.
 */
export function plotly(figure: PlotlyFigure | string, options: PlotlyOptions = {}): View {
  return new View(plotlySpec(figure, options));
}
