/** A ruled table: numbers to the right, text to the left, tokens in a monospace face. */
import { InputError } from "../../core/index.js";
import { checkLength, nothingToDraw } from "../checks.js";
import type { TableData, ViewKind } from "../kind.js";
import { type Drawing, lineMark, type Mark, textMark, textWidth } from "../marks.js";
import { encodeCell, formatNumber } from "../numbers.js";
import { header, type ViewHeader, type ViewOptions } from "../spec.js";
import { type as face } from "../theme.js";
import { columns as columnsOf, shorten, visibleToken } from "../token-text.js";

const rowHeight = 22;
const gap = 24;

/** One column of a table. */
export interface TableColumn {
  readonly name: string;
  readonly kind: "number" | "text" | "token";
}

/** One entry of a table: text, or in a column of kind `number` a `Cell`. */
export type TableEntry = number | string;

/** Rows of text and numbers. */
export interface TableSpec extends ViewHeader {
  readonly view: "table";
  readonly columns: readonly TableColumn[];
  /** `[row, column]`. */
  readonly rows: readonly (readonly TableEntry[])[];
}

/** Returns the spec of a table; see `viz.table`. */
export function tableSpec(
  columns: readonly TableColumn[],
  rows: readonly (readonly (number | string)[])[],
  options: ViewOptions,
): TableSpec {
  const where = "viz.table";
  if (columns.length === 0) throw nothingToDraw(where);
  const cells = rows.map((row, i) => {
    checkLength(`${where}: rows[${i}]`, row.length, columns.length);
    return row.map((value, j) => checkedEntry(`${where}: rows[${i}][${j}]`, value, columns[j]?.kind ?? "text"));
  });
  return { ...header("table", options), columns: columns.map((column) => ({ ...column })), rows: cells };
}

function checkedEntry(where: string, value: number | string, kind: TableColumn["kind"]): TableEntry {
  if (kind !== "number") return String(value);
  if (typeof value === "number") return encodeCell(value);
  const fix = "Give the column the kind text or token, or turn the value into a number.";
  throw new InputError({ where, got: JSON.stringify(value), expected: "a number in a column of kind number", fix });
}

/** Returns the text of one cell as every renderer writes it. */
export function tableCellText(value: TableEntry, column: TableColumn): string {
  if (column.kind === "number") return formatNumber(Number(value));
  return column.kind === "token" ? visibleToken(String(value)) : String(value);
}

/** Returns every cell as text. */
export function tableTexts(spec: TableSpec): readonly (readonly string[])[] {
  return spec.rows.map((row) => spec.columns.map((column, j) => tableCellText(row[j] ?? "", column)));
}

function draw(spec: TableSpec): Drawing {
  const texts = tableTexts(spec).map((row) => row.map((text) => shorten(text, 48)));
  const widths = spec.columns.map((column, j) => {
    const cells = texts.map((row) => textWidth(row[j] ?? "", face.labelSize, column.kind === "token"));
    return Math.max(textWidth(column.name, face.labelSize) + 6, ...cells);
  });
  const lefts = widths.map((_, j) => widths.slice(0, j).reduce((sum, width) => sum + width + gap, 0));
  const width = (lefts.at(-1) ?? 0) + (widths.at(-1) ?? 0);
  const cellAt = (text: string, j: number, y: number, bold: boolean): Mark => {
    const column = spec.columns[j];
    const [left, isNumber] = [lefts[j] ?? 0, column?.kind === "number"];
    const x = isNumber ? left + (widths[j] ?? 0) : left;
    const mono = column?.kind === "token" && !bold;
    return textMark(x, y, text, { bold, mono, anchor: isNumber ? "end" : "start" });
  };
  const head = spec.columns.map((column, j) => cellAt(column.name, j, 14, true));
  const rows = texts.flatMap((row, i) => row.map((text, j) => cellAt(text, j, 22 + i * rowHeight + 15, false)));
  const rules = [0, ...texts.map((_, i) => i + 1)].map((i) =>
    lineMark([0, 20.5 + i * rowHeight], [width, 20.5 + i * rowHeight], i === 0 ? "quiet" : "rule"),
  );
  return { width, height: 24 + texts.length * rowHeight, marks: [...head, ...rows, ...rules] };
}

function lines(spec: TableSpec): readonly string[] {
  const head = spec.columns.map((column) => column.name);
  const rows = tableTexts(spec).map((row) => row.map((text) => shorten(text, 48)));
  const widths = spec.columns.map((_, j) => Math.max(...[head, ...rows].map((row) => columnsOf(row[j] ?? ""))));
  const line = (row: readonly string[]): string =>
    row
      .map((text, j) => pad(text, widths[j] ?? 0, spec.columns[j]?.kind === "number"))
      .join("  ")
      .trimEnd();
  return [line(head), widths.map((width) => "─".repeat(width)).join("  "), ...rows.map(line)];
}

function pad(text: string, width: number, toRight: boolean): string {
  const space = " ".repeat(Math.max(0, width - columnsOf(text)));
  return toRight ? space + text : text + space;
}

function table(spec: TableSpec): TableData {
  return { columns: spec.columns.map((column) => column.name), rows: tableTexts(spec) };
}

/** How tables are drawn and said. */
export const tableKind: ViewKind<TableSpec> = {
  draw,
  table,
  text: lines,
  summary: (spec) => `table of ${spec.rows.length} rows by ${spec.columns.length} columns`,
};
