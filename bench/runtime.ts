/**
 * The runtime against PyTorch eager with forward hooks, on a GPT-2-small-shaped random checkpoint.
 *
 * Both sides capture TransformerLens's default hook set and let go of it after each run (by reference count there, by
 * `run.release()` here). Rounds of the two alternate, so that a drift of the machine's
 * speed touches both. Run by hand: `npx tsx bench/runtime.ts`.
 */
import { loadModel, type Model } from "../src/model/index.js";
import { benchCheckpoint } from "./checkpoint.js";
import { type Peer, startPeer } from "./peer.js";
import { median, spread, timed } from "./stats.js";

/** What TransformerLens captures without flags. */
const defaultHooks = [
  "hook_embed",
  "hook_pos_embed",
  "resid_pre",
  "blocks.*.ln1.*",
  "q",
  "k",
  "v",
  "attn_scores",
  "pattern",
  "z",
  "attn_out",
  "resid_mid",
  "blocks.*.ln2.*",
  "pre",
  "post",
  "mlp_out",
  "resid_post",
  "ln_final.*",
];

function tokens(batch: number, pos: number): number[][] {
  return Array.from({ length: batch }, (_, row) =>
    Array.from({ length: pos }, (_, p) => (row * 7919 + p * 104_729 + 17) % 50_257),
  );
}

interface Question {
  readonly batch: number;
  readonly pos: number;
  readonly capture: boolean;
}

async function rounds(
  peer: Peer,
  models: Readonly<Record<string, Model>>,
  question: Question,
): Promise<Record<string, readonly number[]>> {
  const ids = tokens(question.batch, question.pos);
  const times: Record<string, number[]> = {};
  const add = (name: string, values: readonly number[]): void => {
    times[name] = [...(times[name] ?? []), ...values];
  };
  const runs = question.batch > 1 ? 2 : 4;
  for (let round = 0; round < 4; round++) {
    for (const threads of [1, 2])
      add(
        `torch ${threads}`,
        await peer.run({ kind: "run", tokens: ids, threads, capture: question.capture, warmup: 1, runs }),
      );
    for (const [name, model] of Object.entries(models))
      add(
        name,
        await timed(runs, 1, async () =>
          (await model.run(ids, question.capture ? { capture: defaultHooks, memoryLimit: 2 ** 34 } : {})).release(),
        ),
      );
  }
  return times;
}

/** Floating-point operations of a forward pass: matrix products and attention, a multiply-add counted as two. */
function flopsOf({ batch, pos }: Question): number {
  const tokens = batch * pos;
  return 2 * tokens * (12 * 12 * 768 * 768 + 768 * 50_257) + 12 * 4 * tokens * pos * 768;
}

/** The forward's share of the GEMM peak; the peak is measured before and after each group of runs. */
async function reportShare(peer: Peer, models: Readonly<Record<string, Model>>, question: Question): Promise<void> {
  const ids = tokens(question.batch, question.pos);
  for (const [name, model] of Object.entries(models)) {
    const [peaks, times]: [number[], number[]] = [[], []];
    for (let round = 0; round < 5; round++) {
      peaks.push(await peer.gemm(2048, 2));
      times.push(...(await timed(2, round === 0 ? 1 : 0, async () => (await model.run(ids)).release())));
    }
    const share = flopsOf(question) / 1e6 / median(times) / median(peaks);
    const what = `${question.batch} x ${question.pos}, logits only`;
    console.log(
      `| ${what} | ${name} | ${spread(times)} | ${(100 * share).toFixed(0)} % of ${median(peaks).toFixed(0)} GFLOP/s |`,
    );
  }
}

function report(question: Question, times: Readonly<Record<string, readonly number[]>>): void {
  const best = Math.min(median(times["torch 1"] ?? []), median(times["torch 2"] ?? []));
  const what = `${question.batch} x ${question.pos}${question.capture ? ", full capture" : ", logits only"}`;
  for (const [name, values] of Object.entries(times))
    console.log(`| ${what} | ${name} | ${spread(values)} | ${(best / median(values)).toFixed(2)} |`);
}

const folder = await benchCheckpoint();
const peer = await startPeer(folder);
const models = {
  "mapped 2": await loadModel(folder, { threads: 2 }),
  "prepacked 2": await loadModel(folder, { threads: 2, prepack: true }),
};
console.log(`${peer.version}; Node ${process.version}; ${new Date().toISOString().slice(0, 10)}`);
console.log("| question | side | ms: median (min–max) | speed against PyTorch's better median |\n|---|---|---|---|");
const questions: readonly Question[] = [
  { batch: 1, pos: 32, capture: true },
  { batch: 1, pos: 128, capture: true },
  { batch: 8, pos: 128, capture: true },
];
for (const question of questions.slice(0, Number(process.argv[2] ?? questions.length)))
  report(question, await rounds(peer, models, question));
await reportShare(peer, models, { batch: 8, pos: 128, capture: false });
peer.close();
for (const model of Object.values(models)) await model.close();
