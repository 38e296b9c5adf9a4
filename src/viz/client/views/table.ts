/** Tables are tables of the page: they read, scroll, copy and sort as tables do. */
import { type TableSpec, tableKind } from "../../views/table.js";
import { fillTable } from "../rows.js";
import type { ElementView } from "../view.js";

/** The interactive table. */
export const tableClient: ElementView<TableSpec> = {
  fill(spec, place) {
    place.classList.add("rows");
    const kinds = spec.columns.map((column) => column.kind);
    fillTable(tableKind.table(spec), place, kinds);
  },
};
