/**
 * Prints how faithful the embedded model's circuits are on prompts that did not choose them: the table of
 * `docs/circuits-and-edges.md`.
 *
 * `npx tsx scripts/circuits/main.ts`, about two and a half minutes on two cores.
 */
import { type EdgeScores, edges, type FaithfulnessCurve } from "../../src/analysis/index.js";
import { loadModel, type Model } from "../../src/model/index.js";
import { type CircuitTask, circuitTasks, inputOf } from "./tasks.js";

const shares = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
const [discovery, test] = [
  { n: 32, seed: 0 },
  { n: 24, seed: 1 },
] as const;
const steps = 5;
const draws = 4;

/** What stands in for the writes on edges that are cut: the corrupted twin's, or another clean prompt's. */
type Change = "patch" | "resample";

function two(value: number | undefined): string {
  const text = (value ?? Number.NaN).toFixed(2);
  return text === "-0.00" ? "0.00" : text;
}

function line(cells: readonly string[]): void {
  process.stdout.write(`| ${cells.join(" | ")} |\n`);
}

function printCurve(names: readonly string[], curve: FaithfulnessCurve): void {
  if (curve.seen > 0) throw new Error(`${curve.seen} of the prompts chose the edges`);
  const about = [...names, two(curve.whole), two(curve.empty)];
  const blank = about.map(() => "");
  line([...about, "circuit", ...curve.faithfulness.map(two)]);
  line([...blank, "all but it", ...curve.without.map(two)]);
  if ((curve.randomDraws[0] ?? []).length === 0) return;
  const ranges = curve.randomDraws.map((own) => `${two(Math.min(...own))} to ${two(Math.max(...own))}`);
  line([...blank, `random, ${draws} draws`, ...ranges]);
}

async function printTask(model: Model, task: CircuitTask, change: Change): Promise<void> {
  const chosen = inputOf(task, task.discovery(model, discovery));
  const scores: EdgeScores = await edges.scores(model, { ...chosen, change, steps });
  const by = change === "patch" ? "its twin" : "another prompt";
  const parts = [
    [`other ${task.unseen}`, task.heldOut(model, test), change === "patch" ? draws : 0],
    [`and other templates`, task.reworded(model, test), 0],
  ] as const;
  for (const [unseen, pairs, random] of parts) {
    const curve = await edges.curve(model, scores, { ...inputOf(task, pairs), change, shares, random });
    printCurve([task.name, by, unseen], curve);
  }
}

async function main(): Promise<void> {
  const model = await loadModel("tiny");
  const start = performance.now();
  line(["task", "cut edges bring", "new are", "m(M)", "m(0)", "edges", ...shares.map((share) => `${100 * share} %`)]);
  line(Array.from({ length: 6 + shares.length }, () => "---"));
  for (const change of ["patch", "resample"] as const)
    for (const task of circuitTasks) await printTask(model, task, change);
  await model.close();
  const seconds = Math.round((performance.now() - start) / 1000);
  process.stdout.write(
    `\nEAP-IG with ${steps} steps on ${discovery.n} prompts (seed ${discovery.seed}), tested on ${test.n} others (seed ${test.seed}); ${seconds} s\n`,
  );
}

await main();
