/** The map of all features: point at one, press to choose it. */
import { pointer, select } from "d3-selection";
import { element, type Mark } from "../../marks.js";
import { formatNumber } from "../../numbers.js";
import type { Theme } from "../../theme.js";
import { drawOverview, type OverviewDrawing } from "../../views/features-draw.js";
import { densityText, type FeatureOverview, overviewFacts } from "../../views/features-spec.js";
import { createStage } from "../mount.js";
import { createTooltip } from "../tooltip.js";

/** A point farther from the pointer is not meant, in pixels of the drawing. */
const reach = 24;

/** The map on the page. */
export interface FeatureMap {
  /** Draws it in a theme, with a feature marked. */
  draw(theme: Theme, feature: number): void;
}

/** Puts the map into `place`. */
export function createMap(
  overview: FeatureOverview,
  place: HTMLElement,
  choose: (feature: number) => void,
): FeatureMap {
  const plot = select(place).append("div").attr("class", "area");
  const label = `${overviewFacts(overview)}. The list beside it holds the same features.`;
  plot.attr("role", "img").attr("aria-label", label);
  const node = plot.node() as HTMLElement;
  const stage = createStage(node);
  const tooltip = createTooltip(node, 0);
  let drawn: OverviewDrawing | undefined;
  let now: { theme: Theme; feature: number } = { theme: "light", feature: -1 };
  const nearest = (event: Event): number | undefined => nearestPlace(drawn, pointer(event, stage.svg));
  const mark = (pointed: number | undefined): void => {
    stage.overlay([...ring(drawn, now.feature), ...ring(drawn, pointed)], now.theme);
    if (pointed === undefined || drawn === undefined) return tooltip.hide();
    tooltip.show(tipOf(overview, pointed), onPage(drawn, pointed, stage.svg));
  };
  plot
    .on("pointermove", (event: Event) => mark(nearest(event)))
    .on("pointerleave", () => mark(undefined))
    .on("click", (event: Event) => {
      const feature = nearest(event);
      if (feature !== undefined) choose(feature);
    });
  return {
    draw(theme, feature) {
      if (drawn === undefined || theme !== now.theme) {
        drawn = drawOverview(overview, theme);
        stage.draw(drawn.drawing, theme);
      }
      now = { theme, feature };
      mark(undefined);
    },
  };
}

function nearestPlace(drawn: OverviewDrawing | undefined, [x, y]: readonly [number, number]): number | undefined {
  let [best, bestSquare]: [number | undefined, number] = [undefined, reach * reach];
  drawn?.places.forEach(([px, py], i) => {
    const square = (px - x) ** 2 + (py - y) ** 2;
    if (square < bestSquare) [best, bestSquare] = [i, square];
  });
  return best;
}

function ring(drawn: OverviewDrawing | undefined, feature: number | undefined): readonly Mark[] {
  const [cx, cy] = drawn?.places[feature ?? -1] ?? [Number.NaN, Number.NaN];
  if (!Number.isFinite(cx)) return [];
  return [element("circle", { cx, cy, r: 7, fill: "none", stroke: "accent", "stroke-width": 2 })];
}

/** The drawing may be shown smaller than it is. */
function onPage({ drawing, places }: OverviewDrawing, feature: number, svg: SVGSVGElement) {
  const scale = svg.clientWidth > 0 ? svg.clientWidth / drawing.width : 1;
  const [x, y] = places[feature] ?? [0, 0];
  return { x: x * scale - 6, y: y * scale - 6, width: 12, height: 12 };
}

function tipOf({ logDensity, maxActivation, labels }: FeatureOverview, feature: number) {
  const words = labels[feature] ?? "";
  return {
    title: `feature ${feature}`,
    rows: [
      ["fires on", densityText(10 ** Number(logDensity[feature] ?? "NaN"))],
      ["greatest", formatNumber(Number(maxActivation[feature] ?? "NaN"))],
      ...(words === "" ? [] : [["raises", words] as const]),
    ] as const,
  };
}
