/** The list of all features: found by number or by word, in an order of choice. */
import { select } from "d3-selection";
import { formatNumber } from "../../numbers.js";
import { densityText, type FeatureOverview, overviewFacts } from "../../views/features-spec.js";

/** Rows that are shown at once; a search shows the rest. */
const mostRows = 150;

/** What the list tells, and to whom. */
export interface ListOptions {
  /** Features that have a card. */
  readonly cards: ReadonlySet<number>;
  readonly choose: (feature: number) => void;
}

/** The list on the page. */
export interface FeatureList {
  /** Marks the feature that is chosen. */
  mark(feature: number): void;
}

const orders = {
  card: "with a card first",
  index: "by number",
  density: "densest first",
  rare: "rarest first",
  strong: "strongest first",
} as const;

type Order = keyof typeof orders;

/** Puts the list into `place`. */
export function createList(overview: FeatureOverview, place: HTMLElement, { cards, choose }: ListOptions): FeatureList {
  const root = select(place);
  root.append("p").text(overviewFacts(overview));
  const bar = root.append("div").attr("class", "find");
  const find = bar
    .append("input")
    .attr("type", "search")
    .attr("placeholder", "number or token")
    .attr("aria-label", "find features");
  const order = bar.append("select").attr("aria-label", "order");
  for (const [value, text] of Object.entries(orders)) order.append("option").attr("value", value).text(text);
  const rows = root.append("div").attr("class", "found").attr("role", "listbox").attr("aria-label", "features");
  const rest = root.append("p").attr("role", "status");
  let chosen = -1;
  const fill = (): void => {
    const asked = (find.node() as HTMLInputElement).value.trim().toLowerCase();
    const found = featuresFor(overview, asked, { cards, order: (order.node() as HTMLSelectElement).value as Order });
    rows.selectChildren().remove();
    for (const feature of found.slice(0, mostRows)) {
      const row = rows.append("button").attr("type", "button").attr("role", "option").attr("data-feature", feature);
      row.classed("none", !cards.has(feature)).attr("aria-selected", String(feature === chosen));
      row.append("b").text(String(feature));
      row.append("span").text(rowText(overview, feature));
      row.append("i").text(overview.labels[feature] ?? "");
      row.on("click", () => choose(feature));
    }
    rest.text(found.length > mostRows ? `the first ${mostRows} of ${found.length}` : `${found.length} found`);
  };
  find.on("input", fill);
  order.on("change", fill);
  fill();
  return {
    mark(feature) {
      chosen = feature;
      rows.selectChildren<HTMLElement, unknown>().attr("aria-selected", function isChosen() {
        return String(this.dataset["feature"] === String(feature));
      });
    },
  };
}

function rowText({ logDensity, maxActivation }: FeatureOverview, feature: number): string {
  const density = 10 ** Number(logDensity[feature] ?? "NaN");
  return density > 0
    ? `${densityText(density)}, up to ${formatNumber(Number(maxActivation[feature] ?? "NaN"))}`
    : "never fired";
}

function featuresFor(
  { logDensity, maxActivation, labels }: FeatureOverview,
  asked: string,
  { cards, order }: { readonly cards: ReadonlySet<number>; readonly order: Order },
): readonly number[] {
  const all = [...logDensity.keys()];
  const isMeant = (i: number): boolean =>
    asked === "" ||
    (/^\d+$/.test(asked) ? String(i).startsWith(asked) : (labels[i] ?? "").toLowerCase().includes(asked));
  const density = (i: number): number => Number(logDensity[i]);
  const compare: Readonly<Record<Order, (a: number, b: number) => number>> = {
    card: (a, b) => Number(cards.has(b)) - Number(cards.has(a)) || a - b,
    index: (a, b) => a - b,
    density: (a, b) => density(b) - density(a) || a - b,
    rare: (a, b) => rarity(density(a)) - rarity(density(b)) || a - b,
    strong: (a, b) => Number(maxActivation[b]) - Number(maxActivation[a]) || a - b,
  };
  return all.filter(isMeant).sort(compare[order]);
}

/** Features that never fired come last among the rare. */
function rarity(density: number): number {
  return Number.isFinite(density) ? density : 1;
}
