/** Bins to point at: their range, and how many values each series has there. */

import { element } from "../../marks.js";
import { formatNumber } from "../../numbers.js";
import { isInField } from "../../plane.js";
import {
  binBoxes,
  binText,
  countText,
  type HistogramSpec,
  heightAt,
  histogramKind,
  layOutHistogram,
} from "../../views/histogram.js";
import { listMove } from "../moves.js";
import type { SceneView, Targets, Tip } from "../view.js";

/** The interactive histogram. */
export const histogramClient: SceneView<HistogramSpec> = {
  scene: (spec, input) => ({ drawing: histogramKind.draw(spec, input), targets: targetsOf(spec) }),
};

function targetsOf(spec: HistogramSpec): Targets {
  const plane = layOutHistogram(spec);
  const boxes = binBoxes(spec, plane);
  const noBox = { x: 0, y: 0, width: 0, height: 0 };
  return {
    at(x, y) {
      if (!isInField(plane, x, y)) return undefined;
      const bin = boxes.findIndex((box) => x >= box.x && x <= box.x + box.width);
      return bin < 0 ? undefined : bin;
    },
    move: listMove(boxes.length),
    box: (target) => ({ ...(boxes[target] ?? noBox), height: 20 }),
    overlay(target) {
      const { x, y, width, height } = boxes[target] ?? noBox;
      const size = { x, y, width: Math.max(1, width), height };
      return [element("rect", { ...size, fill: "accent", "fill-opacity": 0.12, stroke: "accent" })];
    },
    tip: (target) => tipOf(spec, target),
  };
}

function tipOf(spec: HistogramSpec, bin: number): Tip {
  const rows = spec.series.flatMap((series): [string, string][] => [
    [series.name || "count", countText(series, bin)],
    ...(spec.measure === "density"
      ? ([[`${series.name} density`.trim(), formatNumber(heightAt(spec, series, bin))]] as [string, string][])
      : []),
  ]);
  return { title: binText(spec, bin), rows };
}
