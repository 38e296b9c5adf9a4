/** The picture of a probe: score by layer. */
import { type LineData, lines, type View } from "../../viz/index.js";
import type { ProbeResult } from "./result.js";
import type { ProbeScore } from "./types.js";

function scoreLine(name: string, own: readonly ProbeScore[]): LineData {
  return {
    name,
    y: own.map(({ score }) => score),
    low: own.map(({ interval }) => interval.low),
    high: own.map(({ interval }) => interval.high),
  };
}

/** Returns the score by layer with bootstrap intervals, the control task and the baseline. */
export function probeView({ scores, baseline, labels, method, provenance }: ProbeResult): View {
  const positions = [...new Set(scores.map(({ pos }) => pos))];
  const isNumber = labels.length === 0;
  const word = isNumber ? "R²" : "accuracy";
  const data = positions.flatMap((pos): readonly LineData[] => {
    const own = scores.filter((score) => score.pos === pos);
    const name = positions.length > 1 ? `${word} at ${pos}` : word;
    const control = own.map((score) => score.control);
    if (control.some(Number.isNaN)) return [scoreLine(name, own)];
    const controlName = positions.length > 1 ? `control at ${pos}` : "control task";
    return [scoreLine(name, own), { name: controlName, y: control }];
  });
  const layers = scores.filter(({ pos }) => pos === positions[0]).map(({ layer }) => String(layer));
  const floor = isNumber ? "R² of the mean" : "commonest label";
  return lines([...data, { name: floor, y: layers.map(() => baseline), mark: "line" }], {
    title: isNumber ? "Probe: a number by layer" : `Probe: ${labels.join(" / ")} by layer`,
    note: `${method}, ${provenance.examples} examples, ${provenance.folds} folds by ${provenance.split}, held out`,
    band: "95 % bootstrap interval",
    x: { name: "layer", labels: layers },
    y: { name: word },
  });
}
