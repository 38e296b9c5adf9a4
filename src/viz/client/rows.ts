/** Values as an HTML table; columns sort when their heads are pressed. */
import { select } from "d3-selection";
import type { TableData } from "../kind.js";

/** More rows make the page slow; the rest is in the text form and in saved files. */
const maxRows = 1000;

/** How columns are set. */
export type ColumnKind = "number" | "text" | "token";

/** Fills `place` with a table. */
export function fillTable(data: TableData, place: HTMLElement, kinds: readonly ColumnKind[] = []): void {
  const table = select(place).append("table");
  const head = table.append("thead").append("tr");
  const body = table.append("tbody");
  const kindOf = (j: number): ColumnKind =>
    kinds[j] ?? (data.rows.every((row) => isNumber(row[j])) ? "number" : "text");
  const columnKinds = data.columns.map((_, j) => kindOf(j));
  const fill = (rows: TableData["rows"]): void => {
    body.selectChildren().remove();
    for (const row of rows.slice(0, maxRows)) {
      const line = body.append("tr");
      row.forEach((text, j) =>
        line
          .append("td")
          .attr("class", columnKinds[j] ?? "text")
          .text(text),
      );
    }
  };
  data.columns.forEach((name, j) => {
    const cell = head
      .append("th")
      .attr("scope", "col")
      .attr("class", columnKinds[j] === "number" ? "number" : "text");
    cell
      .append("button")
      .attr("type", "button")
      .text(name)
      .on("click", () => {
        const isDown = cell.attr("aria-sort") !== "descending";
        head.selectChildren().attr("aria-sort", null);
        cell.attr("aria-sort", isDown ? "descending" : "ascending");
        fill(sorted(data.rows, j, isDown));
      });
  });
  fill(data.rows);
  if (data.rows.length > maxRows) {
    select(place).append("p").text(`The first ${maxRows} of ${data.rows.length} rows.`);
  }
}

function sorted(rows: TableData["rows"], column: number, isDown: boolean): TableData["rows"] {
  const sign = isDown ? -1 : 1;
  const isNumeric = rows.every((row) => isNumber(row[column]));
  const compare = (a: string, b: string): number =>
    isNumeric ? numberOf(a) - numberOf(b) : a.localeCompare(b, undefined, { numeric: true });
  return [...rows].sort((a, b) => sign * (compare(a[column] ?? "", b[column] ?? "") || 0));
}

function isNumber(text: string | undefined): boolean {
  return text !== undefined && (text === "NaN" || text.endsWith("∞") || (text !== "" && !Number.isNaN(numberOf(text))));
}

function numberOf(text: string): number {
  return Number(text.replaceAll("−", "-").replace("∞", "Infinity"));
}
