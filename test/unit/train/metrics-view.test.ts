/** What metrics look like: curves as views, one line of text, and what is said when there is nothing to draw. */
import { describe, expect, test } from "vitest";
import type { ProgressEvent } from "../../../src/core/index.js";
import { type MetricRow, MetricSeries, Trainer, TrainingResult, textCurve } from "../../../src/train/index.js";
import type { LinesSpec, View } from "../../../src/viz/index.js";
import { floats, messageOf, squareProblem } from "./support.js";

const rows: readonly MetricRow[] = Array.from({ length: 10 }, (_, i) => ({
  step: i + 1,
  loss: 4 / (i + 1),
  learningRate: 0.001,
  gradientNorm: 1,
  accuracy: i / 10,
  ...(i % 5 === 4 ? { validationLoss: 5 / (i + 1) } : {}),
}));

function linesOf(view: View): LinesSpec {
  const { spec } = view;
  if (spec.view !== "lines") throw new Error(`a view of ${spec.view}`);
  return spec;
}

/** Numbers in attributes that a browser would refuse. */
function badNumbers(svg: string): readonly string[] {
  return [...svg.matchAll(/ [a-z0-9-]+="[^"]*(?:NaN|Infinity|undefined)[^"]*"/g)].map(([text]) => text);
}

describe("MetricSeries.toView", () => {
  test("draws the losses, those measured now and then with their points, and says the last numbers", () => {
    const { series, x, y, note, title } = linesOf(new MetricSeries(rows).toView());
    expect(series.map(({ name, mark, y: values }) => [name, mark, values.length])).toEqual([
      ["loss", "both", 10],
      ["validationLoss", "both", 2],
    ]);
    expect([title, x.name, x.min, x.max, y.kind]).toEqual(["Training", "step", 1, 10, "linear"]);
    expect(note).toBe(
      "step 10: loss 0.400, learningRate 0.00100, gradientNorm 1.00, accuracy 0.900, validationLoss 0.500",
    );
  });

  test("a long curve is a line, a sparse one beside it keeps its points", () => {
    const many = Array.from({ length: 100 }, (_, i) => ({ step: i, loss: 1, ...(i % 2 === 0 ? {} : { testLoss: 2 }) }));
    const marks = (of: readonly MetricRow[]): readonly string[] =>
      linesOf(new MetricSeries(of).toView()).series.map(({ mark }) => mark);
    expect(marks(many)).toEqual(["line", "line"]);
    expect(marks(many.map(({ testLoss: _, ...row }, i) => (i % 9 === 0 ? { ...row, testLoss: 2 } : row)))).toEqual([
      "line",
      "both",
    ]);
  });

  test("takes names, a logarithmic axis and a title", () => {
    const spec = linesOf(new MetricSeries(rows).toView({ metrics: ["accuracy"], title: "How often right" }));
    expect([spec.title, spec.y.name, spec.series.length]).toEqual(["How often right", "accuracy", 1]);
    const log = linesOf(new MetricSeries(rows).toView({ log: true }));
    expect([log.y.kind, log.y.min, log.y.max]).toEqual(["log", 0.1, 10]);
  });

  test("draws what was measured where nothing is called a loss, and else whatever there is", () => {
    const names = (row: MetricRow): readonly string[] =>
      linesOf(new MetricSeries([row]).toView()).series.map(({ name }) => name);
    expect(names({ step: 1, accuracy: 0.5, learningRate: 1, seconds: 2 })).toEqual(["accuracy"]);
    expect(names({ step: 1, learningRate: 1 })).toEqual(["learningRate"]);
  });

  test.each<[string, readonly MetricRow[]]>([
    ["one step", [{ step: 7, loss: 2 }]],
    ["a loss that is not finite", [...rows.slice(0, 5), { step: 6, loss: Number.NaN }, ...rows.slice(6)]],
    ["no finite loss at all", [{ step: 1, loss: Number.POSITIVE_INFINITY }]],
    ["two steps alike", rows.slice(0, 2).map((row) => ({ ...row, loss: 3 }))],
  ])("%s gives a sound picture", (_, some) => {
    const view = new MetricSeries(some).toView();
    expect(view.toSvg()).toMatch(/^<svg .*<\/svg>\s*$/s);
    expect(badNumbers(view.toSvg())).toEqual([]);
    expect(view.toText()).toContain("step");
  });

  test("a value that is not finite is a gap that the text counts", () => {
    const view = new MetricSeries([...rows.slice(0, 5), { step: 6, loss: Number.NaN }]).toView();
    expect(view.toText()).toContain("loss: from 4 to 0.8; lowest 0.8 at step 5, highest 4 at step 1, 1 not finite");
  });

  test("says that there is nothing to draw before the first step", () => {
    expect(messageOf(() => new MetricSeries().toView())).toContain(
      "metrics.toView: got no step so far; expected at least one. Train first; metrics are added step by step.",
    );
  });

  test("names a metric that no step reported, and a logarithmic axis without a value", () => {
    const series = new MetricSeries([{ step: 1, loss: -1 }]);
    expect(messageOf(() => series.toView({ metrics: ["los"] }))).toContain(
      'metrics.curve: got "los", which no step reported; expected one of step, loss. Correct the name. Nearest: "loss", "step".',
    );
    expect(messageOf(() => series.toView({ log: true }))).toContain("got log: true, and no finite value above 0");
  });
});

describe("TrainingResult", () => {
  const metrics = new MetricSeries(rows);
  test("is drawn as its metrics, and prints steps, loss and checkpoint", () => {
    const result = new TrainingResult({ steps: 10, resumedAt: 4, metrics, checkpoint: "runs/a" });
    expect(result.toView({ log: true }).spec).toEqual(metrics.toView({ log: true }).spec);
    expect(String(result)).toBe("TrainingResult: 10 steps, continued from 4, loss 0.4000, runs/a");
  });
  test("without a step prints that much", () => {
    const empty = new TrainingResult({ steps: 0, resumedAt: 0, metrics: new MetricSeries(), checkpoint: undefined });
    expect(String(empty)).toBe("TrainingResult: 0 steps");
  });
});

describe("a run that reports progress", () => {
  test("tells the loss in words, and offers its curve from the first step on", async () => {
    const trainer = Trainer.create({ ...squareProblem, threads: 1 });
    const events: ProgressEvent[] = [];
    const result = await trainer.train({
      steps: 3,
      batches: () => ({ x: floats([0, 0], [1, 2]) }),
      onProgress: (event) => {
        events.push(event);
        expect(event.soFar?.toView()).toMatchObject({ spec: { view: "lines", title: "Training" } });
      },
    });
    await trainer.close();
    // p begins at (1, -2) and each update halves it: the mean square is 2.5, then a quarter of it, and so on.
    expect(events.map(({ done, total, label, note }) => [done, total, label, note])).toEqual([
      [1, 3, "train", "loss 2.50"],
      [2, 3, "train", "loss 0.625"],
      [3, 3, "train", "loss 0.156"],
    ]);
    expect(result).toBeInstanceOf(TrainingResult);
    expect(events[0]?.soFar).toBe(result.metrics);
  });
});

describe("textCurve", () => {
  test("has a block for each value, from the lowest to the highest", () => {
    expect(textCurve([0, 1, 2, 3, 4, 5, 6, 7])).toBe("▁▂▃▄▅▆▇█");
    expect(textCurve([7, 0])).toBe("█▁");
  });
  test("takes means of equal parts when there are more values than room", () => {
    const values = Array.from({ length: 80 }, (_, i) => 79 - i);
    expect(textCurve(values, 8)).toBe("█▇▆▅▄▃▂▁");
    expect(textCurve(Array.from({ length: 1001 }, () => 1))).toBe("▁".repeat(40));
  });
  test("leaves out what is not finite, and marks parts that have nothing else", () => {
    expect(textCurve([0, Number.NaN, 7])).toBe("▁·█");
    expect(textCurve([0, 0, Number.NaN, 7], 2)).toBe("▁█");
    expect(textCurve([Number.NaN])).toBe("·");
    expect(textCurve([])).toBe("");
  });
});
