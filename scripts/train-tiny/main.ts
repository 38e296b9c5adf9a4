/** `npm run train:tiny [-- EDITION …] [--threads N] [--measure]`: makes the embedded model and its smaller sibling. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadModel } from "../../src/model/index.js";
import type { StepRecord } from "../../src/train/index.js";
import { measure } from "./evaluate.js";
import { exportModel } from "./export.js";
import { fixtures } from "./paths.js";
import { type Edition, editions, train } from "./train.js";
import { openVocabulary } from "./vocabulary.js";

/** Prints a line now and then. */
function reporter({ name, steps }: Edition): (record: StepRecord) => void {
  const begin = performance.now();
  return ({ step, loss }) => {
    if (step % 50 !== 0) return;
    const minutes = ((performance.now() - begin) / 60_000).toFixed(1);
    console.log(`${name}: step ${step} of ${steps}, loss ${loss.toFixed(3)}, ${minutes} min`);
  };
}

async function make(edition: Edition, threads: number): Promise<void> {
  const model = await train(edition, await openVocabulary(), { threads, onStep: reporter(edition) });
  console.log(JSON.stringify(await exportModel(edition, model), undefined, 2));
  await model.trainer.close();
}

/** Measures a shipped folder again. */
async function measureShipped({ name }: Edition): Promise<void> {
  const model = await loadModel(join(fixtures, name));
  console.log(name, JSON.stringify(await measure(model), undefined, 2));
  await model.close();
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { threads: { type: "string", default: "2" }, measure: { type: "boolean", default: false } },
  });
  const known = editions.map(({ name }) => name);
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`No edition ${unknown.join(", ")}; there are ${known.join(", ")}.`);
  for (const edition of editions.filter(({ name }) => positionals.length === 0 || positionals.includes(name)))
    await (values.measure ? measureShipped(edition) : make(edition, Number(values.threads)));
}

await main();
