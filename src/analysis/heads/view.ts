/** What heads look at, as pictures. */
import type { Tensor } from "../../tensor/index.js";
import { heatmap, panels, table, type View } from "../../viz/index.js";
import type { HeadScores } from "./result.js";

function grid(values: Tensor, layers: number): readonly (readonly number[])[] {
  const heads = values.sizeOf("head");
  const data = Array.from(values.data, Number);
  return Array.from({ length: layers }, (_, row) => data.slice(row * heads, (row + 1) * heads));
}

/** One heatmap for each pattern, then entropy and distance; the last layer is on top. */
export function scoresView({ patterns, entropy, distance, layers, prompts }: HeadScores): View {
  const draw = (title: string, values: Tensor, unit: string, range?: readonly [number, number]): View =>
    heatmap([...grid(values, layers.length)].reverse(), {
      title,
      unit,
      x: { name: "head" },
      y: { name: "layer", labels: layers.map(String).reverse() },
      ...(range === undefined ? {} : { range }),
    });
  const drawn = patterns.map(({ name, mass }) => draw(name, mass, "attention", [0, 1]));
  const shapes = [draw("entropy", entropy, "nats"), draw("distance", distance, "positions back")];
  return panels([...drawn, ...shapes], { title: `What heads look at, over ${prompts} prompts` });
}

/** Every head as a row. */
export function scoresTable({ patterns, entropy, distance, layers }: HeadScores): View {
  const heads = entropy.sizeOf("head");
  const columns = [...patterns.map(({ name, mass }) => ({ name, values: mass }))];
  const all = [...columns, { name: "entropy", values: entropy }, { name: "distance", values: distance }];
  const rows = Array.from({ length: layers.length * heads }, (_, i) => [
    `L${layers[Math.floor(i / heads)] ?? "?"}H${i % heads}`,
    ...all.map(({ values }) => Number(values.data[i])),
  ]);
  const named = [
    { name: "head", kind: "text" as const },
    ...all.map(({ name }) => ({ name, kind: "number" as const })),
  ];
  return table(named, rows, { title: "Heads" });
}
