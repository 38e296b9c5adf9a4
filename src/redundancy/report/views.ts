/** The pictures of a report. */
import { heatmap, lines, panels, table, type View } from "../../viz/index.js";
import type { FrontierSummary, PartScore, ReportContent, ScoreSummary } from "./content.js";
import { ranksOf, spearman } from "./ranks.js";

function layerAxis(layers: number): { readonly name: string; readonly labels: readonly string[] } {
  return { name: "layer", labels: Array.from({ length: layers }, (_, layer) => String(layer)) };
}

const rowNames: Readonly<Record<string, string>> = { block: "block", attn: "attention", mlp: "MLP" };

/** `attn`, `mlp` or `block`, from a part's name. */
function rowOf(name: string): string {
  return name.split(".")[2] ?? "block";
}

/** One row of numbers for each kind of part. */
function rowsOf(
  layers: number,
  entries: readonly { readonly name: string; readonly value: number }[],
): ReadonlyMap<string, Float64Array> {
  const rows = new Map<string, Float64Array>();
  for (const { name, value } of entries) {
    const row = rows.get(rowOf(name)) ?? new Float64Array(layers).fill(Number.NaN);
    row[Number(name.split(".")[1])] = value;
    rows.set(rowOf(name), row);
  }
  return rows;
}

function texts(rows: readonly Float64Array[], digits: number): readonly (readonly string[])[] {
  return rows.map((row) => Array.from(row, (value) => value.toFixed(digits)));
}

/** Returns the loss without each sublayer and block. */
export function mapView({ parts, model, loss, provenance }: ReportContent): View {
  const entries = parts
    .filter(({ kind }) => kind !== "head")
    .map(({ name, relative }) => ({ name, value: 100 * relative.value }));
  const rows = rowsOf(model.layers, entries);
  const values = [...rows.values()];
  return heatmap(values, {
    title: "Rise of the loss without each part, %",
    note: `${loss.toFixed(3)} nats a token with everything, ${provenance.tokens} tokens`,
    unit: "%",
    x: layerAxis(model.layers),
    y: { name: "", labels: [...rows.keys()].map((kind) => rowNames[kind] ?? kind) },
    cellText: model.layers <= 24 ? texts(values, 1) : [],
  });
}

/** What rows are called where titles are too long. */
const shortTitles: Readonly<Record<string, string>> = {
  similarity: "1 − cos",
  bareSimilarity: "1 − cos, bare",
  magnitude: "magnitude",
};

/** Returns what each score says about each sublayer, as ranks, beside the measured ranks. */
export function scoresView({ scores, parts, model }: ReportContent): View {
  const sublayers = parts.filter(({ kind }) => kind === "sublayer");
  const ranked = (title: string, names: readonly string[], values: ArrayLike<number>) => {
    const ranks = ranksOf(values);
    const rows = rowsOf(
      model.layers,
      names.map((name, i) => ({ name, value: ranks[i] ?? Number.NaN })),
    );
    return [...rows].map(([kind, row]) => ({ label: `${title}: ${kind}`, row }));
  };
  const rows = [
    ...ranked(
      "measured",
      sublayers.map(({ name }) => name),
      sublayers.map(({ lossWithout }) => lossWithout),
    ),
    ...scores
      .filter(({ kind }) => kind === "sublayer")
      .flatMap(({ name, title, parts: own, values }) => ranked(shortTitles[name] ?? title, own, values)),
  ];
  const values = rows.map(({ row }) => row);
  return heatmap(values, {
    title: "Which part would go first, by each score",
    note: "1 goes first",
    unit: "rank",
    x: layerAxis(model.layers),
    y: { name: "", labels: rows.map(({ label }) => label) },
    cellText: model.layers <= 24 ? texts(values, 0) : [],
  });
}

/** Random walks as one line with the range of seeds. */
function randomLine(random: readonly FrontierSummary[], limit: number) {
  const counts = Math.min(...random.map(({ points }) => points.length));
  const at = (i: number): readonly number[] => random.map(({ points }) => points[i]?.loss ?? Number.NaN);
  const places = Array.from({ length: counts }, (_, i) => i);
  const clip = (loss: number): number => Math.min(loss, limit);
  return {
    name: `random, ${random.length} seeds`,
    x: places.map((i) => i + 1),
    y: places.map((i) => clip(at(i).reduce((sum, one) => sum + one, 0) / random.length)),
    low: places.map((i) => clip(Math.min(...at(i)))),
    high: places.map((i) => clip(Math.max(...at(i)))),
  };
}

/** Returns removed sublayers against loss, a line for each method. */
export function frontierView({ frontier, loss, provenance }: ReportContent): View {
  const random = frontier.filter(({ name }) => name.startsWith("random"));
  const limit = 2.5 * loss;
  const series = frontier
    .filter(({ name }) => !name.startsWith("random"))
    .map(({ title, points }) => ({
      name: title,
      x: points.map(({ sublayers }) => sublayers),
      y: points.map((point) => Math.min(point.loss, limit)),
    }));
  return lines([...series, ...(random.length === 0 ? [] : [randomLine(random, limit)])], {
    title: "Loss as sublayers go",
    note: `nats a token, ${provenance.windows.frontier} windows; above ${limit.toFixed(1)} cut off`,
    x: { name: "sublayers removed" },
    y: { name: "nats a token" },
    band: "range of seeds",
  });
}

/** Returns accuracy at known tasks as sublayers go; `undefined` where there is no task. */
export function tasksView({ frontier }: ReportContent): View | undefined {
  const line = frontier.find(({ tasks = [] }) => tasks.length > 0);
  if (line === undefined) return undefined;
  const x = [0, ...line.points.map(({ sublayers }) => sublayers)];
  const series = line.tasks?.map(({ task, before, after }) => ({ name: task, x, y: [before, ...after].map(percent) }));
  return lines(series ?? [], {
    title: "Tasks as sublayers go",
    note: `${line.title}; tasks that the whole model knows, chance is 50 %`,
    x: { name: "sublayers removed" },
    y: { name: "right, %" },
  });
}

/** Returns how alike the orders of scores and of the measured loss are; `undefined` for fewer than two scores. */
export function agreementView({ scores, parts }: ReportContent): View | undefined {
  const own = scores.filter(({ kind }) => kind === "sublayer");
  const [first] = own;
  if (first === undefined || own.length < 2) return undefined;
  const losses = new Map(parts.map(({ name, lossWithout }) => [name, lossWithout]));
  const measured = first.parts.map((name) => losses.get(name) ?? Number.NaN);
  const named = [
    { name: "measured", values: measured },
    ...own.map(({ name, title, values }) => ({ name: shortTitles[name] ?? title, values })),
  ];
  const rows = named.map((a) => Float64Array.from(named, (b) => spearman(a.values, b.values)));
  const labels = named.map(({ name }) => name);
  return heatmap(rows, {
    title: "Do scores agree? Rank correlations over sublayers",
    range: [-1, 1],
    x: { name: "", labels },
    y: { name: "", labels },
    cellText: texts(rows, 2),
  });
}

function percent(share: number): number {
  return 100 * share;
}

/** Returns what can go at which cost. */
export function cutsView({ cuts }: ReportContent): View {
  const text = (name: string): { readonly name: string; readonly kind: "text" } => ({ name, kind: "text" });
  const columns = [
    "limit",
    "can go",
    "rise of the loss, 95 %",
    "parameters",
    "FLOP",
    "cache",
    "speed",
    "same token",
  ].map(text);
  const shown = (share: number, digits = 0): string => `${percent(share).toFixed(digits)} %`;
  const rows = cuts.map(({ limit, parts, relative, saved, speedup, agreement }) => [
    shown(limit),
    parts.length === 0 ? "nothing" : parts.map((name) => name.replace("blocks.", "")).join(" "),
    `${shown(relative.value, 2)} (${percent(relative.low).toFixed(2)} to ${percent(relative.high).toFixed(2)})`,
    shown(-saved.parameters),
    shown(-saved.flops),
    shown(-saved.cache),
    `${speedup.toFixed(2)} x`,
    shown(agreement),
  ]);
  return table(columns, rows, { title: "What can go", note: "judged on windows that no choice was made on" });
}

/** Returns how well each score orders the parts. */
export function disagreementView({ scores }: ReportContent): View {
  const words = ({ misjudged }: ScoreSummary): string =>
    misjudged.map(({ part, rank, measured }) => `${part}: ${rank}, measured ${measured}`).join("; ");
  return table(
    [
      { name: "score", kind: "text" },
      { name: "of", kind: "text" },
      { name: "rank correlation", kind: "number" },
      { name: "furthest off (rank, measured rank)", kind: "text" },
    ],
    scores
      .toSorted((a, b) => b.spearman - a.spearman)
      .map((score) => [
        score.title,
        score.kind === "attention" ? "attention" : `${score.kind}s`,
        score.spearman,
        words(score) || "none by much",
      ]),
    { title: "Scores against the measured loss", note: "1: the score ranks as the loss without each part does" },
  );
}

/** Returns the loss without each head; `undefined` where it was left out. */
export function headsView({ parts, model }: ReportContent): View | undefined {
  const heads = parts.filter(({ kind }: PartScore) => kind === "head");
  if (heads.length === 0) return undefined;
  const values = Array.from({ length: model.layers }, (_, layer) =>
    heads.filter((head) => head.layer === layer).map(({ relative }) => percent(relative.value)),
  );
  return heatmap(values, {
    title: "Rise of the loss without each head, %",
    unit: "%",
    x: { name: "head", labels: (values[0] ?? []).map((_, head) => String(head)) },
    y: layerAxis(model.layers),
    cellText: heads.length <= 200 ? values.map((row) => row.map((value) => value.toFixed(1))) : [],
  });
}

/** Returns the loss without shares of each layer's neurons; `undefined` where it was left out. */
export function neuronsView({ neurons }: ReportContent): View | undefined {
  const [first] = neurons;
  if (first === undefined) return undefined;
  const series = first.shares.map((share, i) => ({
    name: `${100 * share} % of the neurons`,
    y: neurons.map(({ relative }) => percent(relative[i] ?? Number.NaN)),
  }));
  return lines(series, {
    title: "Rise of the loss without the lowest neurons of a layer, %",
    colors: "ordered",
    x: { name: "layer", labels: neurons.map(({ layer }) => String(layer)) },
    y: { name: "%" },
  });
}

/** Returns the loss when the model is read out early. */
export function depthView({ depth }: ReportContent): View {
  return lines(
    { loss: depth.map(({ loss }) => loss), "KL to the whole model": depth.map(({ kl }) => kl) },
    {
      title: "Read out after the first layers",
      x: { name: "layers", labels: depth.map(({ layers }) => String(layers)) },
      y: { name: "nats a token" },
    },
  );
}

/** Returns what later layers lose without each layer; `undefined` where it was not measured. */
export function effectsView({ depthEffects, model }: ReportContent): View | undefined {
  if (depthEffects === undefined) return undefined;
  const { all, future, score, tokens } = depthEffects;
  const draw = (title: string, values: readonly (readonly number[])[]): View =>
    heatmap(values, {
      title,
      unit: "share",
      cellText: model.layers <= 12 ? values.map((row) => row.map((x) => (Number.isNaN(x) ? "" : x.toFixed(1)))) : [],
      x: { ...layerAxis(model.layers), name: "later layer" },
      y: { ...layerAxis(model.layers), name: "skipped layer" },
    });
  return panels([draw("at the same positions and later", all), draw("for later tokens only", future)], {
    title: "What later layers write differently without each layer",
    note: `${tokens} tokens; depth score ${score.toFixed(2)}: the layer, on average, whose work later tokens use`,
  });
}

/** Returns how alike the streams behind each two layers are; `undefined` where there were too few tokens. */
export function similarityView({ similarity, model }: ReportContent): View | undefined {
  if (similarity.length === 0) return undefined;
  return heatmap([...similarity].reverse(), {
    title: "Streams behind each two layers, CKA",
    range: [0, 1],
    x: layerAxis(model.layers),
    y: { name: "layer", labels: [...layerAxis(model.layers).labels].reverse() },
    cellText: model.layers <= 12 ? similarity.toReversed().map((row) => row.map((value) => value.toFixed(2))) : [],
  });
}

/** The pictures of a report by name. */
export const sectionViews: Readonly<Record<ReportSection, (content: ReportContent) => View | undefined>> = {
  cuts: cutsView,
  map: mapView,
  scores: scoresView,
  frontier: frontierView,
  disagreement: disagreementView,
  agreement: agreementView,
  tasks: tasksView,
  depth: depthView,
  effects: effectsView,
  similarity: similarityView,
  heads: headsView,
  neurons: neuronsView,
};

/** A picture of a report. */
export type ReportSection =
  | "cuts"
  | "map"
  | "scores"
  | "frontier"
  | "disagreement"
  | "agreement"
  | "tasks"
  | "depth"
  | "effects"
  | "similarity"
  | "heads"
  | "neurons";

/** Returns one picture; `undefined` where the report does not have it. */
export function sectionView(content: ReportContent, section: ReportSection): View | undefined {
  return Object.hasOwn(sectionViews, section) ? sectionViews[section](content) : undefined;
}
