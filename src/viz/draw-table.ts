/** A ruled table: numbers to the right, text to the left, tokens in a monospace face. */
import { formatNumber } from "./numbers.js";
import type { TableColumn, TableEntry, TableSpec } from "./spec.js";
import { type Drawing, look, svgLine, svgText, textWidth } from "./svg.js";
import { shorten, visibleToken } from "./token-text.js";

const rowHeight = 22;
const gap = 24;

/** Returns the text of one cell as every renderer writes it. */
export function tableCellText(value: TableEntry, column: TableColumn): string {
  if (column.kind === "number") return formatNumber(Number(value));
  return column.kind === "token" ? visibleToken(String(value)) : String(value);
}

/** Returns the drawing of a table, without its title. */
export function drawTable(spec: TableSpec): Drawing {
  const texts = spec.rows.map((row) =>
    spec.columns.map((column, j) => shorten(tableCellText(row[j] ?? "", column), 48)),
  );
  const widths = spec.columns.map((column, j) => {
    const cells = texts.map((row) => textWidth(row[j] ?? "", look.labelSize, column.kind === "token"));
    return Math.max(textWidth(column.name, look.labelSize) + 6, ...cells);
  });
  const lefts = widths.map((_, j) => widths.slice(0, j).reduce((sum, width) => sum + width + gap, 0));
  const width = (lefts.at(-1) ?? 0) + (widths.at(-1) ?? 0);
  const cellAt = (text: string, j: number, y: number, bold: boolean): string => {
    const column = spec.columns[j];
    const [left, isNumber] = [lefts[j] ?? 0, column?.kind === "number"];
    const x = isNumber ? left + (widths[j] ?? 0) : left;
    const mono = column?.kind === "token" && !bold;
    return svgText(x, y, text, { bold, mono, anchor: isNumber ? "end" : "start" });
  };
  const head = spec.columns.map((column, j) => cellAt(column.name, j, 14, true)).join("");
  const rows = texts.map((row, i) => row.map((text, j) => cellAt(text, j, 22 + i * rowHeight + 15, false)).join(""));
  const rules = [0, ...texts.map((_, i) => i + 1)].map((i) =>
    svgLine([0, 20.5 + i * rowHeight], [width, 20.5 + i * rowHeight], i === 0 ? look.quiet : look.rule),
  );
  return { width, height: 24 + texts.length * rowHeight, body: head + rows.join("") + rules.join("") };
}
