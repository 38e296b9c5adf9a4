/**
 * Draws the README's picture from the embedded model: `node docs/figures/make.mjs` after `npm run build`.
 *
 * 1. Random tokens, repeated once; attention captured in all layers.
 * 2. The head that looks most from a token to what followed its first appearance (Olsson et al. 2022).
 * 3. Its pattern, the scores of all heads, and the loss on the second copy with and without it.
 */
import { fileURLToPath } from "node:url";
import { at, createRandom, edit, loadModel, viz } from "../../dist/index.js";

const half = 10;
const width = 2 * half;
const random = createRandom(0);
const rows = Array.from({ length: 8 }, () => {
  const once = Array.from({ length: half }, () => random.int(0, 2000));
  return [...once, ...once];
});

/** Rounds for the file's size: a colour needs no seven digits. */
const rounded = (row) => Array.from(row, (value) => Math.round(value * 1000) / 1000);

const model = await loadModel("tiny");
const run = await model.run(rows, { capture: at.pattern("all"), loss: true });
const stripe = Array.from({ length: half }, (_, i) => (half + i) * width + (i + 1));
const scores = Array.from({ length: model.config.nLayers }, (_, layer) => {
  const cells = run.cache.get("pattern", layer).flatten(["queryPos", "keyPos"], "cell");
  return rounded(cells.at({ cell: stripe }).mean(["batch", "cell"]).data);
});
const ranking = scores
  .flatMap((row, layer) => row.map((score, head) => ({ layer, head, score })))
  .sort((a, b) => b.score - a.score);
const [best] = ranking;

const meanLoss = ({ lossPerToken }) =>
  lossPerToken
    .at({ pos: { from: half } })
    .mean()
    .item()
    .toFixed(1);
const without = await model.with(edit.zero(at.z(best.layer), { head: best.head })).run(rows, { loss: true });
const pattern = run.cache.get("pattern", best.layer).at({ batch: 0, head: best.head }).unbind("queryPos");
const sheet = viz.panels(
  [
    viz.heatmap(
      pattern.map((row) => rounded(row.data)),
      { title: `Attention of layer ${best.layer}, head ${best.head}`, y: { name: "query" }, x: { name: "key" } },
    ),
    viz.heatmap(scores, {
      title: "Induction score of every head",
      y: { name: "layer" },
      x: { name: "head" },
      cellText: scores.map((row) => row.map((score) => score.toFixed(2))),
      range: [0, 1],
    }),
  ],
  {
    title: "Which heads repeat what they have seen only once?",
    note: `${half} random tokens, twice. Loss on the second copy: ${meanLoss(run)} nats per token; without this head ${meanLoss(without)}`,
  },
);
process.stdout.write(`${await sheet.save(fileURLToPath(new URL("first-look.svg", import.meta.url)))}\n`);
await model.close();
