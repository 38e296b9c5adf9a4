/** Beside a graph: search, cards of pinned nodes, groups with the links between them, and all of it as a file. */
import { type Selection, select } from "d3-selection";
import { formatNumber } from "../../numbers.js";
import { nodeRows, nodeTitle } from "../../views/graph.js";
import { neighboursOf } from "../../views/graph-links.js";
import {
  type GraphMarks,
  groupPins,
  markedLinks,
  noMarks,
  searchNodes,
  togglePin,
  ungroup,
} from "../../views/graph-marks.js";
import type { GraphSpec } from "../../views/graph-spec.js";
import type { Desk, DeskPart, State } from "../view.js";

/** Links on a card each way, and results that are listed. */
const linksOnCard = 6;
const results = 12;
const linksBetween = 30;

type Place = Selection<HTMLElement, unknown, null, undefined>;

/** Reads the marks of a state. */
export function marksOf(spec: GraphSpec, state: State): GraphMarks {
  const text = state["marks"];
  return text === undefined ? (spec.reading ?? noMarks) : (JSON.parse(text) as GraphMarks);
}

/** Puts the desk of a graph into `place`. */
export function graphDesk(spec: GraphSpec, place: HTMLElement, desk: Desk): DeskPart {
  const root = select(place);
  const part = (name: string): Place => root.append<HTMLElement>("div").attr("class", name);
  const [tools, found, cards, groups] = [part("bar"), part("bar"), part("cards"), part("groups")];
  const ticked = new Set<string>();
  let chosen: number | undefined;
  const marks = (): GraphMarks => marksOf(spec, desk.state());
  const set = (next: GraphMarks): void => desk.change({ marks: JSON.stringify(next) });
  const pin = (node: number | undefined): void => {
    if (node !== undefined) set(togglePin(marks(), spec.ids[node] ?? ""));
  };
  const draw = (): void => {
    drawFound(found, spec, desk);
    drawCards(cards, spec, { marks: marks(), ticked, pin, find: (node) => desk.choose(node) });
    drawGroups(groups, spec, marks(), (label) => set(ungroup(marks(), label)));
  };
  addTools(tools, {
    search: (text) => desk.change({ search: text }),
    pin: () => pin(chosen),
    only: (isOnly) => desk.change({ only: isOnly ? "1" : "" }),
    group(label) {
      set(groupPins(marks(), label, [...ticked]));
      ticked.clear();
      draw();
    },
    save: () => save(spec, marks()),
  });
  draw();
  return {
    chosen(node) {
      chosen = node ?? chosen;
    },
    changed: draw,
    key(name) {
      if (name === "p") pin(chosen);
      else if (name === "/") tools.select<HTMLInputElement>("input").node()?.focus();
      else return false;
      return true;
    },
  };
}

interface Tools {
  search(text: string): void;
  pin(): void;
  only(isOnly: boolean): void;
  group(label: string): void;
  save(): void;
}

function button(place: Place, text: string, press: () => void): void {
  place.append("button").attr("type", "button").text(text).on("click", press);
}

function addTools(place: Place, tools: Tools): void {
  const search = place.append("input").attr("type", "search").attr("placeholder", "Search nodes ( / )");
  search.attr("aria-label", "Search nodes");
  search.on("input", (event: Event) => tools.search((event.target as HTMLInputElement).value));
  button(place, "Pin last node (p)", () => tools.pin());
  const only = place.append("label").text("Only pinned ").append("input").attr("type", "checkbox");
  only.on("change", (event: Event) => tools.only((event.target as HTMLInputElement).checked));
  const name = place.append("input").attr("type", "text").attr("placeholder", "Name of a group");
  name.attr("aria-label", "Name of a group");
  button(place, "Group ticked", () => {
    const label = (name.node() as HTMLInputElement).value.trim();
    if (label !== "") tools.group(label);
  });
  button(place, "Save marks", () => tools.save());
}

function drawFound(place: Place, spec: GraphSpec, desk: Desk): void {
  place.selectChildren().remove();
  const text = desk.state()["search"] ?? "";
  const nodes = searchNodes(spec, text);
  if (text.trim() === "") return;
  place.append("span").text(`${nodes.length} found`);
  for (const node of nodes.slice(0, results)) button(place, nodeTitle(spec, node), () => desk.choose(node));
}

interface Cards {
  readonly marks: GraphMarks;
  readonly ticked: Set<string>;
  pin(node: number): void;
  find(node: number): void;
}

function drawCards(place: Place, spec: GraphSpec, cards: Cards): void {
  place.selectChildren().remove();
  for (const id of cards.marks.pins) {
    const node = spec.ids.indexOf(id);
    const card = place.append<HTMLElement>("div").attr("class", "card").attr("role", "group");
    card.attr("aria-label", nodeTitle(spec, node));
    const head = card.append<HTMLElement>("div").attr("class", "bar");
    const tick = head
      .append("label")
      .append("input")
      .attr("type", "checkbox")
      .property("checked", cards.ticked.has(id));
    tick.attr("aria-label", `Tick ${id}`).on("change", (event: Event) => {
      if ((event.target as HTMLInputElement).checked) cards.ticked.add(id);
      else cards.ticked.delete(id);
    });
    button(head, nodeTitle(spec, node), () => cards.find(node));
    button(head, "Unpin", () => cards.pin(node));
    fillCard(card, spec, node);
  }
}

function fillCard(card: Place, spec: GraphSpec, node: number): void {
  for (const text of spec.details?.[node] ?? []) card.append("p").attr("class", "detail").text(text);
  const { inputs, outputs } = neighboursOf(spec, node);
  const rows = [
    ...nodeRows(spec, node),
    ...inputs.slice(0, linksOnCard).map(({ from, weight }) => [`from ${nodeTitle(spec, from)}`, formatNumber(weight)]),
    ...outputs.slice(0, linksOnCard).map(({ to, weight }) => [`to ${nodeTitle(spec, to)}`, formatNumber(weight)]),
  ];
  fillRows(card, rows);
}

function fillRows(place: Place, rows: readonly (readonly (string | undefined)[])[]): void {
  const body = place.append("table").append("tbody");
  for (const cells of rows) {
    const row = body.append("tr");
    cells.forEach((cell, i) =>
      row
        .append("td")
        .attr("class", i === cells.length - 1 ? "number" : "")
        .text(cell ?? ""),
    );
  }
}

function drawGroups(place: Place, spec: GraphSpec, marks: GraphMarks, apart: (label: string) => void): void {
  place.selectChildren().remove();
  for (const { label, nodes } of marks.groups) {
    const line = place.append<HTMLElement>("div").attr("class", "bar");
    line.append("b").text(label);
    line.append("span").text(nodes.join(", "));
    button(line, "Ungroup", () => apart(label));
  }
  const links = markedLinks(spec, marks).slice(0, linksBetween);
  if (links.length === 0) return;
  place.append("p").text("Between what is marked:");
  fillRows(
    place,
    links.map(({ from, to, weight }) => [from, "→", to, formatNumber(weight)]),
  );
}

/** Hands the marks over as a file, which `viz.graph` and `graph.toView` take as `marks`. */
function save(spec: GraphSpec, marks: GraphMarks): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(marks, undefined, 2)], { type: "application/json" }));
  const name = spec.title.replaceAll(/\W+/g, "-").slice(0, 60);
  select(document.createElement("a")).attr("href", url).attr("download", `${name}-marks.json`).node()?.click();
  URL.revokeObjectURL(url);
}
