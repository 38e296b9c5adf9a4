/** Makes a report: reads the text, plans, evaluates, and gathers what was found. */

import { similarity } from "../../analysis/index.js";
import { interruptible, type LongCallOptions, progressOf } from "../../core/index.js";
import { Dataset } from "../../data/index.js";
import type { Model } from "../../model/index.js";
import { cost } from "../cost/index.js";
import { type Part, type Score, sublayersOf } from "../parts.js";
import { attentionRank, depthEffects, unitScores } from "../scores/index.js";
import { checkClaims } from "./claims.js";
import type { PartScore, ReportContent } from "./content.js";
import {
  type FrontierLine,
  greedyOrder,
  iterativeOrder,
  type RemovalOrder,
  randomOrders,
  scoreOrder,
  walk,
} from "./frontier.js";
import { Judges, type ReportMemory } from "./judges.js";
import { type ReportOptions, type ReportSettings, settingsOf } from "./options.js";
import { optionalSections, planReport, type ReportPlan } from "./plan.js";
import { RedundancyReport } from "./report.js";
import {
  cutList,
  headScores,
  type KnownTask,
  knownTasks,
  neuronCuts,
  partScore,
  summarizeLine,
  summarizeScore,
  taskCurves,
} from "./sections.js";
import { similarityScores } from "./similarity-scores.js";
import { type ReportTexts, readWindows } from "./windows.js";

const limits = [0.01, 0.02, 0.05, 0.1] as const;
const randomCount = 3;
/** Tokens that streams of layers are compared on; fewer than the second are too few. */
const similarityTokens = { most: 2048, least: 32 } as const;

/** Seconds of one evaluation of one token, measured on a few windows. */
async function measureSeconds(model: Model, rows: readonly Int32Array[], options: LongCallOptions): Promise<number> {
  const few = rows.slice(0, 4);
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 2; run++) {
    const start = performance.now();
    await model.run(few, {
      loss: true,
      logits: "none",
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    best = Math.min(best, performance.now() - start);
  }
  const tokens = few.reduce((sum, { length }) => sum + length, 0);
  // Comparing two models costs a second unembedding.
  return (1.4 * best) / 1000 / tokens;
}

/** What is being made: shared by the sections. */
interface Making {
  readonly model: Model;
  readonly judges: Judges;
  readonly plan: ReportPlan;
  readonly settings: ReportSettings;
  readonly options: LongCallOptions;
  readonly say: (label: string) => void;
  readonly sublayers: readonly Part[];
  readonly blocks: readonly Part[];
}

async function mapOf({ judges, sublayers, blocks, options, say }: Making): Promise<readonly PartScore[]> {
  say("loss without each sublayer and block");
  const found: PartScore[] = [];
  for (const part of [...sublayers, ...blocks])
    found.push(partScore(part, await judges.effect("all", [part], options)));
  return found;
}

/** The divergence without each sublayer, as a score. */
async function oneShot({ judges, sublayers, options }: Making): Promise<Score> {
  const values = new Float64Array(sublayers.length);
  for (const [i, part] of sublayers.entries()) values[i] = await judges.divergence([part], options);
  const title = "one-shot by divergence";
  return { name: "oneShot", title, parts: sublayers, values, low: values, high: values };
}

/** Every order in which parts go. */
async function ordersOf(making: Making, scores: readonly Score[]): Promise<readonly RemovalOrder[]> {
  const { judges, plan, settings, sublayers, options, say } = making;
  say("orders of removal");
  const isGreedy = plan.sections.includes("greedy");
  return [
    ...scores.map(scoreOrder),
    scoreOrder(await oneShot(making)),
    await iterativeOrder(judges, sublayers, options),
    ...(isGreedy ? [await greedyOrder(judges, sublayers, options)] : []),
    ...randomOrders(sublayers, settings.seed, randomCount),
  ];
}

async function walksOf(
  { judges, options, say }: Making,
  orders: readonly RemovalOrder[],
): Promise<readonly FrontierLine[]> {
  const lines: FrontierLine[] = [];
  for (const order of orders) {
    say(`removing: ${order.title}`);
    lines.push(await walk(judges, order, options));
  }
  return lines;
}

async function depthOf({ judges, blocks, options, say }: Making): Promise<ReportContent["depth"]> {
  say("depth");
  const found: ReportContent["depth"][number][] = [];
  for (let layers = 1; layers <= blocks.length; layers++) {
    const { loss, kl } = await judges.effect("frontier", blocks.slice(layers), options);
    found.push({ layers, loss, kl: kl.value });
  }
  return found;
}

/** Windows whose layers are skipped one by one, and their tokens. */
const skipped = { rows: 2, tokens: 64, least: 13 } as const;

async function effectsOf({ model, judges, plan, options, say }: Making): Promise<Pick<ReportContent, "depthEffects">> {
  const rows = judges.searchRows.slice(0, skipped.rows).map((row) => row.slice(0, skipped.tokens));
  if (!plan.sections.includes("effects") || model.edits.length > 0 || rows.some(({ length }) => length < skipped.least))
    return {};
  say("effects of layers on later ones");
  const found = await depthEffects(model, rows, options);
  const { tokens, depthScore: score, all, future, local, output } = found;
  return { depthEffects: { tokens, score, all, future, local, output } };
}

async function layerMatrix({ model, judges, options }: Making): Promise<ReportContent["similarity"]> {
  const window = judges.allRows[0]?.length ?? 1;
  const rows = judges.allRows.slice(0, Math.ceil(similarityTokens.most / window));
  if (rows.length * (window - 1) < similarityTokens.least) return [];
  const found = await similarity.layers(model, rows, { ...options, onProgress: () => undefined });
  const width = found.columnLayers.length;
  const data = Array.from(found.values.data, Number);
  return found.rowLayers.map((_, i) => data.slice(i * width, (i + 1) * width));
}

/** Rows whose patterns are ranked. */
const rankedRows = 8;

/** Scores of heads, of neurons, and of attention by its patterns; none of a section that the budget left out. */
interface InsideScores {
  readonly heads: readonly Score[];
  /** What neurons are cut by. */
  readonly neurons: Score | undefined;
}

async function insideScores({ model, judges, plan, options, say }: Making): Promise<InsideScores> {
  const [hasHeads, hasNeurons] = [plan.sections.includes("heads"), plan.sections.includes("neurons")];
  if (!hasHeads && !hasNeurons) return { heads: [], neurons: undefined };
  say("scores of heads and neurons");
  const { heads, neurons } = await unitScores(model, judges.searchRows, options);
  const ranks = hasHeads ? await attentionRank(model, judges.searchRows.slice(0, rankedRows), options) : [];
  return {
    heads: hasHeads ? [...heads, ...ranks] : [],
    neurons: hasNeurons ? neurons.find(({ name }) => name === "ampWeighted") : undefined,
  };
}

/** Every line as data; the greedy one, or the one-shot one, with tasks at each point. */
async function frontierOf(
  { model, options, say }: Making,
  lines: readonly FrontierLine[],
  tasks: readonly KnownTask[],
): Promise<ReportContent["frontier"]> {
  say("tasks as sublayers go");
  const perBlock = model.config.attnOnly ? 1 : 2;
  const chosen = lines.find(({ name }) => name === "greedy") ?? lines.find(({ name }) => name === "oneShot");
  const curves = chosen === undefined ? [] : await taskCurves(model, tasks, chosen, options);
  return lines.map((line) => {
    const summary = summarizeLine(line, perBlock);
    return line === chosen && curves.length > 0 ? { ...summary, tasks: curves } : summary;
  });
}

async function contentOf(making: Making, about: ReportContent["provenance"]): Promise<ReportContent> {
  const { model, judges, plan, options, say, sublayers, blocks } = making;
  const perBlock = model.config.attnOnly ? 1 : 2;
  const start = performance.now();
  const map = await mapOf(making);
  say("scores");
  const scores = await similarityScores(model, judges.allRows, sublayers, options);
  const [blockScore] = await similarityScores(model, judges.allRows, blocks, options);
  const blockScores = [
    ...(blockScore === undefined ? [] : [{ ...blockScore, name: "blockInfluence", title: "block influence" }]),
  ];
  const lines = await walksOf(making, await ordersOf(making, [...scores, ...blockScores]));
  const depth = await depthOf(making);
  say("heads");
  const heads = plan.sections.includes("heads") ? await headScores(judges, options) : [];
  const insides = await insideScores(making);
  say("neurons");
  const neurons = insides.neurons === undefined ? [] : await neuronCuts(judges, insides.neurons, options);
  say("what can go");
  const tasks = await knownTasks(model, options);
  const cuts = await cutList({ judges, lines, tasks, perBlock }, limits, options);
  const measured = new Map([...map, ...heads].map((one) => [one.name, one]));
  const frontier = await frontierOf(making, lines, tasks);
  const { config, id, view } = model;
  return {
    format: "limpid-redundancy-report",
    version: 1,
    model: {
      id,
      identity: view.core.checkpoint.identity,
      architecture: config.architecture,
      layers: config.nLayers,
      heads: config.nHeads,
      parameters: cost(model).parameters.total,
    },
    provenance: { ...about, seconds: about.seconds + (performance.now() - start) / 1000 },
    loss: (await judges.effect("all", [], options)).loss,
    cuts,
    parts: [...map, ...heads],
    scores: [...scores, ...blockScores, ...insides.heads].map((score) => summarizeScore(score, measured)),
    frontier,
    neurons,
    depth,
    ...(await effectsOf(making)),
    similarity: await layerMatrix(making),
    claims: checkClaims(frontier),
  };
}

function describeTexts(texts: ReportTexts, { textName }: ReportOptions): string {
  if (textName !== undefined) return textName;
  return texts instanceof Dataset ? texts.description : "texts given in memory";
}

function aboutOf(
  model: Model,
  { judges, plan, settings }: Pick<Making, "judges" | "plan" | "settings">,
  { text, command }: { readonly text: string; readonly command: string | undefined },
): ReportContent["provenance"] {
  const { tokens, window, seed } = settings;
  const given = `{ tokens: ${tokens}, window: ${window}, seed: ${seed} }`;
  return {
    command: command ?? `await redundancy.report(await loadModel(${JSON.stringify(model.id)}), texts, ${given})`,
    seed,
    text,
    tokens: judges.allRows.length * window,
    window,
    windows: { search: judges.searchRows.length, frontier: judges.frontierRows.length, held: judges.heldRows.length },
    leftOut: optionalSections.filter((name) => !plan.sections.includes(name)),
    seconds: 0,
  };
}

/** Work done and to do, in evaluations. */
function reporter(plan: ReportPlan, options: LongCallOptions): { say: (label: string) => void; step: () => void } {
  const report = progressOf(options);
  const start = performance.now();
  let label = "text";
  const tell = (): void => {
    const done = (performance.now() - start) / 1000;
    report?.({
      done: Math.round(Math.min(done, plan.seconds)),
      total: Math.max(1, Math.round(plan.seconds)),
      label: "redundancy",
      note: label,
    });
  };
  return {
    say: (next) => {
      label = next;
      tell();
    },
    step: tell,
  };
}

/** Where evaluations are kept, and what decides them; nowhere for a model with edits, which no text tells from others. */
function memoryOf(
  { view }: Model,
  {
    rows,
    plan,
    resume,
  }: { readonly rows: readonly Int32Array[]; readonly plan: ReportPlan; readonly resume: string | undefined },
): ReportMemory | undefined {
  if (resume === undefined || view.edits.length > 0) return undefined;
  const { precision, processing, layers, core } = view;
  const { frontierTokens, searchTokens } = plan;
  const model = { identity: core.checkpoint.identity, precision, processing, layers };
  return { folder: resume, settings: { model, frontierTokens, searchTokens, rows: rows.map((row) => [...row]) } };
}

/** See `Redundancy.report`. */
export async function makeReport(
  model: Model,
  texts: ReportTexts,
  given: ReportOptions = {},
): Promise<RedundancyReport> {
  const options = interruptible(given);
  const settings = settingsOf(model, options);
  const { signal, onProgress, resume, command } = options;
  const long = { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) };
  const start = performance.now();
  const read = await readWindows(model, texts, { ...long, ...settings });
  const sublayers = sublayersOf(model);
  const { nLayers, nHeads } = model.config;
  const tokens = read.length * settings.window;
  const secondsPerToken = await measureSeconds(model, read, long);
  const facts = {
    layers: nLayers,
    heads: nHeads,
    sublayers: sublayers.length,
    tokens,
    window: settings.window,
    secondsPerToken,
  };
  const plan = planReport(facts, settings.budget);
  const rows = read.slice(0, Math.max(1, plan.tokens / settings.window));
  const { say, step } = reporter(plan, long);
  const memory = memoryOf(model, { rows, plan, resume });
  const judges = new Judges(model, rows, { plan, memory, onEvaluated: step });
  const blocks = Array.from({ length: nLayers }, (_, layer): Part => ({ kind: "block", layer }));
  const about = aboutOf(model, { judges, plan, settings }, { text: describeTexts(texts, options), command });
  const making = {
    model,
    judges,
    plan,
    settings,
    options: signal === undefined ? {} : { signal },
    say,
    sublayers,
    blocks,
  };
  const content = await contentOf(making, { ...about, seconds: (performance.now() - start) / 1000 });
  onProgress?.({ done: 1, total: 1, label: "redundancy", note: "done" });
  return new RedundancyReport(content);
}
