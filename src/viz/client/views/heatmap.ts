/** Cells to point at; a cell with ranked details shows them. */
import { axisLabel } from "../../axes.js";
import { numberAt } from "../../entries.js";
import { cellBox } from "../../field.js";
import { formatNumber } from "../../numbers.js";
import { visibleToken } from "../../token-text.js";
import { detailRows, type HeatmapSpec, heatmapKind, layOutHeatmap } from "../../views/heatmap.js";
import { gridMove } from "../moves.js";
import type { SceneView, Targets, Tip } from "../view.js";

/** The interactive heatmap. */
export const heatmapClient: SceneView<HeatmapSpec> = {
  scene: (spec, input) => ({ drawing: heatmapKind.draw(spec, input), targets: targetsOf(spec) }),
};

function targetsOf(spec: HeatmapSpec): Targets {
  const { grid, field } = layOutHeatmap(spec);
  const { nx, ny, cellWidth, cellHeight } = grid;
  return {
    at(px, py) {
      const [x, y] = [Math.floor((px - field.x) / cellWidth), Math.floor((py - field.y) / cellHeight)];
      return x >= 0 && x < nx && y >= 0 && y < ny ? y * nx + x : undefined;
    },
    move: gridMove(nx, ny),
    box(target) {
      const box = cellBox(grid, target % nx, Math.floor(target / nx));
      return { ...box, x: box.x + field.x, y: box.y + field.y };
    },
    tip: (target) => tipOf(spec, target % nx, Math.floor(target / nx)),
  };
}

function tipOf(spec: HeatmapSpec, x: number, y: number): Tip {
  const text = spec.cellText[y]?.[x] ?? "";
  const value = formatNumber(numberAt(spec.values[y], x));
  const details = spec.details;
  return {
    title: `${named(spec.y.name, axisLabel(spec.y, y))}, ${named(spec.x.name, axisLabel(spec.x, x))}`,
    rows: [
      ...(text === "" ? [] : [["text", visibleToken(text)] as const]),
      [spec.unit || "value", value],
      ...(details === undefined ? [] : detailRows(details, y, x)),
    ],
  };
}

function named(name: string, label: string): string {
  return name === "" ? label : `${name} ${label}`;
}
