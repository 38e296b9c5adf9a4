/** The pictures of the gallery: every kind of view, on activations of the embedded model. */
import {
  at,
  attributionGraph,
  createRandom,
  describeFeatures,
  openDictionarySet,
  viz,
  weightMask,
} from "../../dist/index.js";

const prompt = " The President of the United States shall, in the name of the people of the United States,";
const half = 24;

/** Rows of random tokens, each repeated once. */
function repeatedRows(count) {
  const random = createRandom(0);
  return Array.from({ length: count }, () => {
    const once = Array.from({ length: half }, () => random.int(0, 2000));
    return [...once, ...once];
  });
}

/** Attention to the previous token and to the token after the last occurrence, of every head. */
function headScores(model, cache) {
  const width = 2 * half;
  const previous = Array.from({ length: width - 1 }, (_, i) => (i + 1) * width + i);
  const induction = Array.from({ length: half }, (_, i) => (half + i) * width + (i + 1));
  return Array.from({ length: model.config.nLayers }, (_, layer) => {
    const cells = cache.get("pattern", layer).flatten(["queryPos", "keyPos"], "cell");
    const share = (cell) => Array.from(cells.at({ cell }).mean(["batch", "cell"]).data);
    const [before, after] = [share(previous), share(induction)];
    return before.map((value, head) => ({ layer, head, previous: value, induction: after[head] }));
  }).flat();
}

/** Views of one prompt: text, attention, the stream. */
async function promptViews(model) {
  const words = model.toStrTokens(prompt);
  const run = await model.run(prompt, {
    capture: [at.residPost("all"), at.pattern("all"), at.post("all")],
    loss: true,
  });
  const layers = Array.from({ length: model.config.nLayers }, (_, layer) => layer);
  const ids = Array.from(run.tokens.at({ batch: 0 }).data, Number);
  const predictions = viz.tokenPredictions(run.logits.at({ batch: 0 }), ids, (id) => model.tokenizer.piece(id));
  const unembedding = await model.weights.W_U();
  const direction = unembedding.at({
    dVocabOut: Number(run.logits.at({ batch: 0, pos: -1 }).topk(1, "dVocabOut").indices.data[0]),
  });
  const along = layers.map(
    (layer) => run.cache.get("resid_post", layer).at({ batch: 0 }).matmul(direction, "dModel").data,
  );
  const change = along.map((row, layer) => Array.from(row, (value, i) => value - (along[layer - 1]?.[i] ?? 0)));
  const tokens = { name: "token", labels: words, kind: "tokens" };
  return {
    tokens: viz.tokens(
      words.slice(1),
      { loss: run.lossPerToken.at({ batch: 0 }).data },
      { title: "Surprise at each token", unit: "nats" },
    ),
    "token-log-probs": viz.tokenLogProbs(words, predictions, { title: "What the model expected" }),
    attention: viz.attention(
      layers.map((layer) => run.cache.get("pattern", layer).at({ batch: 0 })),
      words,
      { title: "Attention patterns of every head" },
    ),
    heatmap: viz.heatmap(change, {
      title: "What each layer adds along the direction of the final guess",
      y: { name: "layer" },
      x: tokens,
    }),
    bars: viz.bars(
      change.map((row) => row.at(-1)),
      { title: "The same at the last position", axis: { name: "layer", labels: layers.map(String) } },
    ),
    histogram: viz.histogram(
      Object.fromEntries([0, layers.length - 1].map((layer) => [`layer ${layer}`, run.cache.get("post", layer).data])),
      { title: "Activations of MLP neurons", name: "activation", log: true },
    ),
  };
}

/** Views of random tokens that repeat: curves, heads. */
async function repeatViews(model) {
  const run = await model.run(repeatedRows(16), { loss: true, logits: "none", capture: at.pattern("all") });
  const mean = Array.from(run.lossPerToken.mean("batch").data);
  const spread = Array.from(run.lossPerToken.std("batch").data);
  const heads = headScores(model, run.cache);
  const named = heads.map(({ layer, head }) => `L${layer}H${head}`);
  const line = {
    name: "loss",
    y: mean,
    low: mean.map((value, i) => value - spread[i]),
    high: mean.map((value, i) => value + spread[i]),
  };
  const lines = viz.lines([line], {
    title: "Loss along random tokens that repeat",
    band: "one standard deviation over 16 sequences",
    x: { name: "token" },
    y: { name: "nats" },
  });
  const scatter = viz.scatter(
    heads.map(({ previous }) => previous),
    heads.map(({ induction }) => induction),
    {
      title: "Previous-token heads and induction heads",
      x: { name: "attention to the previous token" },
      y: { name: "attention after the last occurrence" },
      labels: named,
      groups: heads.map(({ layer }) => `layer ${layer}`),
    },
  );
  const best = heads.map((one, i) => [named[i], one.previous, one.induction]).sort((a, b) => b[2] - a[2]);
  const columns = [
    { name: "head", kind: "text" },
    { name: "previous token", kind: "number" },
    { name: "induction", kind: "number" },
  ];
  const table = viz.table(columns, best.slice(0, 8), { title: "The strongest induction heads" });
  return { lines, scatter, table, panels: viz.panels([lines, scatter], { title: "Two views on one sheet" }) };
}

/** Views of circuits: an attribution graph, and where the weights of a subnetwork lie. */
async function circuitViews(model) {
  const transcoders = await openDictionarySet("tiny/transcoders");
  const graph = await attributionGraph(model, "The capital of France is", transcoders, { target: [" Paris"] });
  const describe = await describeFeatures(model, graph, transcoders);
  return {
    graph: graph.toView({ describe, nodeShare: 0.6, edgeShare: 0.85 }),
    mask: (await weightMask.open("tiny/bigram")).toView(),
  };
}

/** Returns every view of the gallery by name. */
export async function galleryViews(model) {
  return { ...(await promptViews(model)), ...(await repeatViews(model)), ...(await circuitViews(model)) };
}
