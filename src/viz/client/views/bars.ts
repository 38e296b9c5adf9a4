/** Bars to point at, and a menu that sorts them. */
import { axisLabel } from "../../axes.js";
import { numberAt } from "../../entries.js";
import { formatNumber } from "../../numbers.js";
import { type BarOrder, type BarsSpec, barOrder, barRows, barsKind } from "../../views/bars.js";
import { boxAt, listMove } from "../moves.js";
import type { SceneView } from "../view.js";

const orders: readonly (readonly [BarOrder, string])[] = [
  ["given", "as given"],
  ["value", "by value"],
  ["size", "by size"],
];

/** Interactive bars. */
export const barsClient: SceneView<BarsSpec> = {
  controls(spec) {
    // Bars of a waterfall stand on each other.
    if (spec.running === true) return [];
    const choices = [...orders].sort(([a], [b]) => Number(b === spec.order) - Number(a === spec.order));
    return [{ name: "order", label: "order", choices }];
  },
  scene(given, input) {
    const spec: BarsSpec = { ...given, order: orderOf(input.state["order"], given) };
    const [order, rows] = [barOrder(spec), barRows(spec)];
    return {
      drawing: barsKind.draw(spec, input),
      targets: {
        at: (x, y) => boxAt(rows, x, y),
        move: listMove(rows.length),
        box: (target) => rows[target] ?? { x: 0, y: 0, width: 0, height: 0 },
        tip(target) {
          const i = order[target] ?? 0;
          const name = spec.axis.name === "" ? "" : `${spec.axis.name} `;
          return {
            title: `${name}${axisLabel(spec.axis, i)}`,
            rows: [[spec.unit || "value", formatNumber(numberAt(spec.values, i))]],
          };
        },
      },
    };
  },
};

function orderOf(name: string | undefined, spec: BarsSpec): BarOrder {
  return orders.find(([order]) => order === name)?.[0] ?? spec.order;
}
