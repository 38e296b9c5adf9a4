/** A training run that its parent may kill: prints each step. `child.ts FOLDER STEPS EVERY` */
import { makeBatch, makeTrainer } from "./problem.js";

const [folder = "", steps = "", every = ""] = process.argv.slice(2);
const trainer = makeTrainer();
const result = await trainer.train({
  steps: Number(steps),
  batches: makeBatch,
  folder,
  checkpointEvery: Number(every),
  onStep: ({ step }) => void process.stdout.write(`step ${step}\n`),
});
process.stdout.write(`resumed at ${result.resumedAt}\n`);
await trainer.close();
