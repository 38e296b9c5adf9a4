/** Views in words: what it is, how far it reaches, its largest entries. */
import { tableCellText } from "./draw-table.js";
import { decodeCell, finiteExtent, formatNumber } from "./numbers.js";
import type { BarsSpec, HeatmapSpec, TableSpec, TokensSpec, ViewAxis, ViewSpec } from "./spec.js";
import { columns, shorten, visibleToken } from "./token-text.js";

/** How many of the largest entries are named. */
const topCount = 5;

/** A value and the words for where it stands. */
interface Entry {
  readonly where: string;
  readonly value: number;
}

/** Returns a view as plain text: title, shape, range and the largest entries; tables in full. */
export function toText(spec: ViewSpec): string {
  const title = [spec.title, spec.note].filter((line) => line !== "");
  if (spec.view === "panels") return [...title, ...spec.panels.map((panel) => indent(toText(panel)))].join("\n");
  if (spec.view === "table") return [...title, ...tableLines(spec)].join("\n");
  const entries = entriesOf(spec);
  return [...title, `${shapeOf(spec)}; ${rangeOf(entries, spec.unit)}`, ...topLines(entries)].join("\n");
}

/** Returns one sentence that says what a view shows: the text alternative of its picture. */
export function summarize(spec: ViewSpec): string {
  const name = spec.title === "" ? capital(spec.view) : spec.title;
  if (spec.view === "panels") return [name, ...spec.panels.map(summarize)].join(" | ");
  if (spec.view === "table") return `${name}: table of ${spec.rows.length} rows by ${spec.columns.length} columns.`;
  const entries = entriesOf(spec);
  const top = largest(entries)[0];
  const peak = top === undefined ? "" : `; largest at ${top.where}: ${formatNumber(top.value)}`;
  return `${name}: ${shapeOf(spec)}; ${rangeOf(entries, spec.unit)}${peak}.`;
}

/** Returns a line that names a view: its summary, or for a sheet the titles of its panels. */
export function headline(spec: ViewSpec): string {
  if (spec.view !== "panels") return shorten(summarize(spec), 160);
  const titles = spec.panels.map((panel) => panel.title).filter((title) => title !== "");
  const name = spec.title === "" ? "Sheet" : spec.title;
  return shorten([`${name}: ${spec.panels.length} panels`, titles.join(", ")].filter((t) => t !== "").join(": "), 160);
}

type Measured = BarsSpec | HeatmapSpec | TokensSpec;

function shapeOf(spec: Measured): string {
  if (spec.view === "tokens") return `${spec.tokens.length} tokens`;
  if (spec.view === "bars") return `${spec.values.length} bars${spec.axis.name === "" ? "" : ` by ${spec.axis.name}`}`;
  return `heatmap, ${spec.y.name} (${spec.y.labels.length}) × ${spec.x.name} (${spec.x.labels.length})`;
}

function rangeOf(entries: readonly Entry[], unit: string): string {
  const extent = finiteExtent(entries.map((entry) => entry.value));
  const bad = entries.filter((entry) => !Number.isFinite(entry.value)).length;
  const warning = bad === 0 ? "" : `, ${bad} not finite`;
  if (extent === undefined) return `no finite value${warning}`;
  return `${formatNumber(extent.min)} to ${formatNumber(extent.max)}${unit === "" ? "" : ` ${unit}`}${warning}`;
}

function entriesOf(spec: Measured): readonly Entry[] {
  if (spec.view === "tokens") {
    return spec.tokens.map((token, i) => ({ where: `${i} “${visibleToken(token)}”`, value: at(spec.values, i) }));
  }
  if (spec.view === "bars") {
    return spec.axis.labels.map((_, i) => ({ where: labelAt(spec.axis, i), value: at(spec.values, i) }));
  }
  return spec.values.flatMap((row, y) => row.map((_, x) => heatmapEntry(spec, y, x)));
}

function heatmapEntry(spec: HeatmapSpec, y: number, x: number): Entry {
  const text = spec.cellText[y]?.[x];
  const label =
    text === undefined || text === "" || Number.isFinite(Number(text.replace("−", "-")))
      ? ""
      : ` “${visibleToken(text)}”`;
  return { where: `${labelAt(spec.y, y)}, ${labelAt(spec.x, x)}${label}`, value: at(spec.values[y] ?? [], x) };
}

function labelAt(axis: ViewAxis, index: number): string {
  const label = axis.labels[index] ?? "";
  const text = axis.kind === "tokens" ? `${index} “${visibleToken(label)}”` : label;
  return axis.name === "" ? text : `${axis.name} ${text}`;
}

function at(values: readonly (number | "NaN" | "Infinity" | "-Infinity")[], index: number): number {
  return decodeCell(values[index] ?? "NaN");
}

function largest(entries: readonly Entry[]): readonly Entry[] {
  const finite = entries.filter((entry) => Number.isFinite(entry.value));
  return finite.toSorted((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, topCount);
}

function topLines(entries: readonly Entry[]): readonly string[] {
  const top = largest(entries);
  const width = Math.max(0, ...top.map((entry) => formatNumber(entry.value).length));
  return top.map((entry) => `  ${formatNumber(entry.value).padStart(width)}  ${entry.where}`);
}

function tableLines(spec: TableSpec): readonly string[] {
  const head = spec.columns.map((column) => column.name);
  const rows = spec.rows.map((row) =>
    spec.columns.map((column, j) => shorten(tableCellText(row[j] ?? "", column), 48)),
  );
  const widths = spec.columns.map((_, j) => Math.max(...[head, ...rows].map((row) => columns(row[j] ?? ""))));
  const line = (row: readonly string[]): string =>
    row
      .map((text, j) => pad(text, widths[j] ?? 0, spec.columns[j]?.kind === "number"))
      .join("  ")
      .trimEnd();
  return [line(head), widths.map((width) => "─".repeat(width)).join("  "), ...rows.map(line)];
}

function pad(text: string, width: number, toRight: boolean): string {
  const space = " ".repeat(Math.max(0, width - columns(text)));
  return toRight ? space + text : text + space;
}

function indent(text: string): string {
  return text.replace(/^/gm, "  ");
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
