/** Feature cards on a page: a map and a list to choose from, and the card that is chosen. */
import { type Selection, select } from "d3-selection";
import type { Theme } from "../../theme.js";
import type { FeaturesSpec } from "../../views/features-spec.js";
import type { ElementView } from "../view.js";
import { fillCard } from "./features-card.js";
import { createList } from "./features-list.js";
import { createMap } from "./features-map.js";
import { featuresStyle } from "./features-style.js";

type Place = Selection<HTMLElement, unknown, null, undefined>;

/** The interactive cards. */
export const featuresClient: ElementView<FeaturesSpec> = {
  fill(spec, place, page) {
    const root = select(place).classed("features", true);
    root.append("style").text(featuresStyle);
    const dashboard = new Dashboard(spec, root, page.theme);
    onTheme(place, (theme) => dashboard.setTheme(theme));
  },
};

/** Calls `listener` when the view that `place` lies in changes its theme. */
function onTheme(place: HTMLElement, listener: (theme: Theme) => void): void {
  const view = place.closest<HTMLElement>(".view");
  if (view === null) return;
  const observer = new MutationObserver(() => listener(view.dataset["theme"] === "dark" ? "dark" : "light"));
  observer.observe(view, { attributes: true, attributeFilter: ["data-theme"] });
}

/** What is chosen, and all that shows it. */
class Dashboard {
  readonly #spec: FeaturesSpec;
  readonly #card: Place;
  readonly #heading: Place;
  readonly #map: ReturnType<typeof createMap> | undefined;
  readonly #list: ReturnType<typeof createList> | undefined;
  #theme: Theme;
  #feature: number;

  constructor(spec: FeaturesSpec, root: Place, theme: Theme) {
    this.#spec = spec;
    this.#theme = theme;
    this.#feature = spec.cards[0]?.index ?? -1;
    const choose = (feature: number): void => this.#choose(feature);
    const { overview } = spec;
    if (overview !== undefined) {
      const top = root.append("div").attr("class", "overview");
      const cards = new Set(spec.cards.map(({ index }) => index));
      this.#map = createMap(overview, top.append("div").attr("class", "map").node() as HTMLElement, choose);
      this.#list = createList(overview, top.append("div").attr("class", "list").node() as HTMLElement, {
        cards,
        choose,
      });
    }
    this.#heading = root.append<HTMLElement>("div").attr("class", "steps");
    this.#card = root.append<HTMLElement>("div").attr("class", "card");
    this.#show();
  }

  /** Draws everything anew. */
  setTheme(theme: Theme): void {
    this.#theme = theme;
    this.#show();
  }

  #choose(feature: number): void {
    this.#feature = feature;
    this.#show();
  }

  #show(): void {
    this.#map?.draw(this.#theme, this.#feature);
    this.#list?.mark(this.#feature);
    const at = this.#spec.cards.findIndex(({ index }) => index === this.#feature);
    this.#showSteps(at);
    this.#card.selectChildren().remove();
    const card = this.#spec.cards[at];
    const place = this.#card.node() as HTMLElement;
    if (card !== undefined)
      return fillCard({ spec: this.#spec, card, theme: this.#theme, choose: (f) => this.#choose(f) }, place);
    if (this.#feature >= 0) this.#card.append("p").text(`Feature ${this.#feature} has no card on this page.`);
  }

  /** Back and on, where there are several cards. */
  #showSteps(at: number): void {
    this.#heading.selectChildren().remove();
    const { cards } = this.#spec;
    if (cards.length < 2) return;
    const step = (text: string, label: string, to: number): void => {
      const target = cards[to];
      const button = this.#heading.append("button").attr("type", "button").attr("aria-label", label).text(text);
      if (target === undefined) button.attr("disabled", "");
      else button.on("click", () => this.#choose(target.index));
    };
    step("‹", "previous card", at < 0 ? -1 : at - 1);
    this.#heading.append("span").text(at < 0 ? `${cards.length} cards` : `card ${at + 1} of ${cards.length}`);
    step("›", "next card", at + 1);
    const label = this.#heading.append("label").text("feature ");
    const menu = label.append("select").attr("aria-label", "feature");
    if (at < 0) menu.append("option").attr("value", "").text("—");
    for (const { index } of cards) menu.append("option").attr("value", index).text(String(index));
    const node = menu.node() as HTMLSelectElement;
    node.value = at < 0 ? "" : String(this.#feature);
    menu.on("change", () => {
      if (node.value !== "") this.#choose(Number(node.value));
    });
  }
}
