/**
 * Greedy ranking of sublayers of a GPT-2-small-shaped model on 10 x 256 tokens, against the naive loop in PyTorch eager.
 *
 * Naive, as the paper's code: the full model's log-probabilities once, then for every candidate a whole forward pass of each row
 * with the candidate's output times 0, and KL over all positions; its time is the median candidate times their number. Ours ranks
 * the first rounds in earnest. Later rounds are cheaper for us (fewer layers run) and not for the naive loop. The weights are
 * random and all sublayers nearly alike, which is the worst case for giving candidates up early. Run by hand:
 * `npx tsx bench/redundancy.ts [rounds]`.
 */
import { createRandom } from "../src/core/index.js";
import { loadModel } from "../src/model/index.js";
import { finerCut, sublayersOf } from "../src/redundancy/index.js";
import { benchCheckpoint } from "./checkpoint.js";
import { startPeer } from "./peer.js";
import { median, spread } from "./stats.js";

const rounds = Number(process.argv[2] ?? 2);
const random = createRandom(2);
const tokens = Array.from({ length: 10 }, () => Array.from({ length: 256 }, () => random.int(0, 50_000)));
const folder = await benchCheckpoint();
const peer = await startPeer(folder);
const model = await loadModel(folder, { threads: 2 });
const count = sublayersOf(model).length;
const candidates = Array.from({ length: rounds }, (_, round) => count - round).reduce((a, b) => a + b, 0);

const naive = [...(await peer.cuts({ tokens, threads: 2, candidates: [0, 13] }))];
const start = performance.now();
const found = await finerCut(model, tokens, { most: rounds });
const own = performance.now() - start;
naive.push(...(await peer.cuts({ tokens, threads: 2, candidates: [22, 7] })));
const whole = median(naive) * candidates;
console.log(`${peer.version}; ${String(rounds)} rounds, ${String(candidates)} candidates`);
console.log(`| naive loop, a candidate | ${spread(naive)} | ${(whole / 1000).toFixed(1)} s | 1.00 |`);
console.log(`| finerCut, all candidates | | ${(own / 1000).toFixed(1)} s | ${(whole / own).toFixed(2)} |`);
console.log(String(found));
peer.close();
await model.close();
