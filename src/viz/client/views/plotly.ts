/**
 * Figures drawn by plotly.js, which one output of the page carries.
 *
 * Until it is there a picture stands in its place, and where it does not come our own views. plotly.js keeps its style
 * sheet in the page's head, so it draws outside the shadow root, into a slot.
 */
import { select } from "d3-selection";
import { colorAt, cssColor } from "../../color.js";
import { drawContext } from "../../compose.js";
import { fallbackOf } from "../../plotly/fallback.js";
import type { PlotlyBuild } from "../../plotly/figure.js";
import { seriesStyle } from "../../series.js";
import type { ColorScale } from "../../spec.js";
import { type as face, palettes, type Theme } from "../../theme.js";
import { layoutOf, type PlotlySpec, plotlyKind } from "../../views/plotly.js";
import { createStage } from "../mount.js";
import { onPageTheme, pageTheme } from "../page-theme.js";
import { fillTable } from "../rows.js";
import type { ElementView, Page } from "../view.js";

/** The part of plotly.js that is used here. */
interface Library {
  newPlot(place: HTMLElement, figure: object): Promise<unknown>;
}

/** What outputs of one page share about plotly.js: the build that is there, and who waits for one. */
interface SharedPlotly {
  library?: Library;
  build?: PlotlyBuild;
  waiting?: (() => void)[];
}

/** After this time without plotly.js it is said what to do, ms. */
const patience = 4000;

const page = globalThis as { __limpid?: { plotly?: SharedPlotly } };
let slots = 0;

/** The interactive figure of plotly.js. */
export const plotlyClient: ElementView<PlotlySpec> = {
  fill(spec, place, context) {
    const simple = select(place).append("div").node() as HTMLElement;
    const line = select(place).append("p");
    const theme = spec.theme ?? context.theme;
    const picture = select(simple).append("div").style("position", "relative").node() as HTMLElement;
    createStage(picture).draw(plotlyKind.draw(spec, drawContext(theme)), theme);
    addTable(spec, place);
    const timer = setTimeout(() => {
      showSimple(spec, simple, context);
      line.text(
        'plotly.js is not on this page: run the first cell with a figure again, or configure({ plotly: "each" }).',
      );
    }, patience);
    whenLoaded(spec.build, (library) => {
      clearTimeout(timer);
      line.text("");
      drawFigure(spec, { library, place, simple, theme }).catch((error: unknown) => {
        line.text(`plotly.js could not draw this figure: ${String(error)}`);
      });
    });
  },
};

/** Our own views in place of their picture. */
function showSimple(spec: PlotlySpec, place: HTMLElement, context: Page): void {
  place.replaceChildren();
  const { specs, rest } = fallbackOf(spec.figure);
  for (const part of specs) {
    const child = document.createElement("div");
    place.append(child);
    context.show(part, child);
  }
  for (const text of rest) select(place).append("p").text(text);
}

/** The button that shows every value as a row. */
function addTable(spec: PlotlySpec, place: HTMLElement): void {
  const button = select(place).append("button").attr("type", "button").attr("aria-expanded", "false");
  const rows = select(place).append("div").attr("class", "rows").node() as HTMLElement;
  rows.hidden = true;
  button.text("Show as table").on("click", () => {
    if (rows.childElementCount === 0) fillTable(plotlyKind.table(spec), rows);
    rows.hidden = !rows.hidden;
    button.attr("aria-expanded", String(!rows.hidden)).text(rows.hidden ? "Show as table" : "Hide table");
  });
}

/** Calls back once a build that can draw the figure is there, now or later. */
function whenLoaded(build: PlotlyBuild, act: (library: Library) => void): void {
  page.__limpid ??= {};
  page.__limpid.plotly ??= {};
  const shared = page.__limpid.plotly;
  const attempt = (): void => {
    const isEnough = shared.build === "all" || shared.build === build;
    if (isEnough && shared.library !== undefined) act(shared.library);
    else (shared.waiting ??= []).push(attempt);
  };
  attempt();
}

interface Drawing {
  readonly library: Library;
  readonly place: HTMLElement;
  readonly simple: HTMLElement;
  readonly theme: Theme;
}

/** Draws into a new element of the page; only when that has worked does the simple picture go. */
async function drawFigure(spec: PlotlySpec, { library, place, simple, theme }: Drawing): Promise<void> {
  const root = place.getRootNode();
  const name = `plotly-${slots++}`;
  const slot = document.createElement("slot");
  slot.name = name;
  slot.style.display = "block";
  const plot = document.createElement("div");
  plot.slot = name;
  if (!(root instanceof ShadowRoot)) throw new Error("no place to draw");
  place.prepend(slot);
  root.host.append(plot);
  const show = async (current: Theme): Promise<void> => {
    await library.newPlot(plot, figureFor(spec, current));
  };
  try {
    await show(theme);
  } catch (error) {
    slot.remove();
    plot.remove();
    throw error;
  }
  simple.remove();
  if (spec.theme === undefined) onPageTheme(() => void show(pageTheme()));
}

/** The figure with a fixed size, our colours where it has none of its own, and nothing that asks the network. */
function figureFor(spec: PlotlySpec, theme: Theme): object {
  // plotly.js writes into what it is given, and it draws again when the theme changes.
  const figure = structuredClone(spec.figure);
  const layout = structuredClone(layoutOf(spec));
  const hasTitle = "title" in layout;
  return {
    data: figure.data,
    frames: figure.frames,
    layout: {
      width: 700,
      height: 420,
      margin: { l: 70, r: 30, t: hasTitle ? 60 : 24, b: 60 },
      template: templateFor(theme),
      ...layout,
      autosize: false,
    },
    config: {
      displaylogo: false,
      ...figure.config,
      responsive: false,
      typesetMath: false,
      showSendToCloud: false,
      showLink: false,
      plotlyServerURL: "",
    },
  };
}

function templateFor(theme: Theme): object {
  const { ground, ink, rule, quiet } = palettes[theme];
  const axis = { gridcolor: rule, linecolor: quiet, zerolinecolor: quiet, automargin: true };
  const sequential = colorStops("sequential", theme);
  return {
    data: { heatmap: [{ colorscale: sequential }] },
    layout: {
      paper_bgcolor: ground,
      plot_bgcolor: ground,
      colorway: Array.from({ length: 7 }, (_, i) => seriesStyle(i, 7, theme).color),
      colorscale: {
        sequential,
        sequentialminus: sequential.map(([at, color]) => [1 - at, color]).reverse(),
        diverging: colorStops("diverging", theme),
      },
      font: { color: ink, family: face.sans, size: 12 },
      xaxis: axis,
      yaxis: axis,
      hoverlabel: { bgcolor: ground, bordercolor: quiet, font: { color: ink, family: face.sans } },
    },
  };
}

/** Our colours as a colour scale of plotly.js. */
function colorStops(kind: ColorScale["kind"], theme: Theme): [number, string][] {
  return Array.from({ length: 11 }, (_, i) => [i / 10, cssColor(colorAt(i / 10, kind, theme))]);
}
