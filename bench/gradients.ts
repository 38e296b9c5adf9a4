/**
 * The gradient of a metric with respect to every residual and attention hook point, in one run, against the forward pass
 * that computes the metric alone, on a GPT-2-small-shaped random checkpoint.
 *
 * The two alternate, so that a drift of the machine's speed touches both. Run by hand: `npx tsx bench/gradients.ts`.
 */
import { metric } from "../src/analysis/index.js";
import { loadModel, type RunOptions } from "../src/model/index.js";
import { benchCheckpoint } from "./checkpoint.js";
import { median, spread, timed } from "./stats.js";

const residual = ["resid_pre", "resid_mid", "resid_post", "attn_out"];
const attention = ["q", "k", "v", "attn_scores", "pattern", "z"];

function tokens(pos: number): number[][] {
  return [Array.from({ length: pos }, (_, p) => (p * 104_729 + 17) % 50_257)];
}

const of = metric.logitDiff({ answerTokens: [[262]], wrongAnswerTokens: [[257]] });

/** What is asked, by a row's name. */
const questions: Readonly<Record<string, RunOptions>> = {
  forward: { metric: of },
  "residual points": { gradients: { of, wrt: residual } },
  "residual and attention points": { gradients: { of, wrt: [...residual, ...attention] } },
  "q, k, v and z beside them, patterns inside the fused kernel": {
    gradients: { of, wrt: [...residual, "q", "k", "v", "z"] },
  },
};

/** Rounds of all questions in turn; milliseconds by question. */
async function rounds(folder: string, pos: number, prepack: boolean): Promise<Record<string, number[]>> {
  const model = await loadModel(folder, { prepack });
  const ids = tokens(pos);
  const times: Record<string, number[]> = {};
  for (let round = 0; round < 5; round++) {
    for (const [name, options] of Object.entries(questions)) {
      const own = await timed(2, round === 0 ? 2 : 0, async () => {
        (await model.run(ids, { ...options, memoryLimit: 2 ** 34 })).release();
      });
      times[name] = [...(times[name] ?? []), ...own];
    }
  }
  await model.close();
  return times;
}

const folder = await benchCheckpoint();
console.log("| question | what | ms: median (min–max) | against the forward |");
console.log("| -------- | ---- | -------------------- | ------------------- |");
for (const prepack of process.argv.includes("--prepack") ? [false, true] : [false]) {
  for (const pos of [32, 128]) {
    const times = await rounds(folder, pos, prepack);
    const base = median(times["forward"] ?? []);
    for (const [name, own] of Object.entries(times)) {
      const label = `1 x ${pos}${prepack ? " prepacked" : ""}`;
      console.log(`| ${label} | ${name} | ${spread(own)} | ${(median(own) / base).toFixed(2)} |`);
    }
  }
}
