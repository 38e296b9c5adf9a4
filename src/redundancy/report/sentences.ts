/** A report in sentences. */
import { formatCount } from "../../core/index.js";
import type { Claim, Cut, ReportContent } from "./content.js";

function percent(share: number, digits = 1): string {
  return `${share < 0 ? "−" : ""}${Math.abs(100 * share).toFixed(digits)} %`;
}

function plain(name: string): string {
  const [, layer = "", kind = "block"] = name.split(".");
  return `${{ attn: "attention", mlp: "MLP" }[kind] ?? kind} ${layer}`;
}

/** What one entry of the cut list says. */
export function cutSentence({ limit, parts, method, relative, saved, speedup, tasks }: Cut): string {
  if (parts.length === 0) return `At ${percent(limit, 0)} more loss nothing can go.`;
  const accuracy = tasks.map(({ task, before, after }) => `${task} ${percent(before, 0)} → ${percent(after, 0)}`);
  return [
    `At ${percent(limit, 0)} more loss ${parts.length === 1 ? "one part" : `${parts.length} parts`} can go: ${parts.map(plain).join(", ")}`,
    ` (found by ${method}; loss ${relative.value < 0 ? "" : "+"}${percent(relative.value, 2)}, 95 % interval ${percent(relative.low, 2)} to ${percent(relative.high, 2)}).`,
    ` It saves ${percent(saved.parameters)} of the parameters, ${percent(saved.flops)} of the operations and ${percent(saved.cache)} of the cache; measured, the model is ${speedup.toFixed(2)} times as fast.`,
    accuracy.length === 0 ? "" : ` Tasks: ${accuracy.join(", ")}.`,
  ].join("");
}

/** What one claim says. */
export function claimSentence({ claim, paper, holds, evidence }: Claim): string {
  return `${claim} (${paper}): ${holds ? "so here" : "not here"}; ${evidence}.`;
}

function bestScore({ scores }: ReportContent): ReportContent["scores"][number] | undefined {
  return scores.filter(({ kind }) => kind === "sublayer").toSorted((a, b) => b.spearman - a.spearman)[0];
}

/** What the scores are worth, in a sentence. */
export function scoreSentence(content: ReportContent): string {
  const best = bestScore(content);
  if (best === undefined) return "No score was computed.";
  const others = content.scores
    .filter(({ kind, name }) => kind === "sublayer" && name !== best.name)
    .map(({ title, spearman }) => `${title} ${spearman.toFixed(2)}`);
  return `Of the scores that need no removal, "${best.title}" orders the sublayers most like the measured loss: rank correlation ${best.spearman.toFixed(2)} (${others.join(", ")}).`;
}

/** How the numbers were made. */
export function methodSentences({ provenance }: ReportContent): readonly string[] {
  const { text, tokens, window, windows, seconds, leftOut } = provenance;
  return [
    `Text: ${text}; ${tokens} tokens in windows of ${window}.`,
    windows.held === windows.frontier
      ? `Orders were searched on ${windows.search} windows and judged on the same ${windows.frontier}: there was too little text to keep some apart.`
      : `Orders were searched on ${windows.search} windows, walked on ${windows.frontier}, and the cut list was judged on ${windows.held} others.`,
    "Intervals are 95 % bootstraps over windows; each compares the same windows with and without the parts.",
    ...(leftOut.length === 0 ? [] : [`The budget left out: ${leftOut.join(", ")}.`]),
    `It took ${seconds.toFixed(0)} s.`,
  ];
}

/** A few lines for a console. */
export function reportSummary(content: ReportContent): string {
  const { model, loss, provenance } = content;
  return [
    `RedundancyReport of ${model.id}: ${formatCount(model.parameters)} parameters in ${model.layers} layers, ${loss.toFixed(4)} nats a token on ${provenance.tokens} tokens`,
    ...content.cuts.map((cut) => `  ${cutSentence(cut)}`),
    `  ${scoreSentence(content)}`,
  ].join("\n");
}

function partTable({ parts }: ReportContent): readonly string[] {
  const rows = parts
    .filter(({ kind }) => kind !== "head")
    .toSorted((a, b) => a.lossWithout - b.lossWithout)
    .map(
      ({ name, lossWithout, relative, kl, agreement }) =>
        `| ${name} | ${lossWithout.toFixed(4)} | ${percent(relative.value, 2)} | ${percent(relative.low, 2)} to ${percent(relative.high, 2)} | ${kl.toFixed(4)} | ${percent(agreement)} |`,
    );
  return [
    "| without | loss | rise | 95 % interval | KL | same token |",
    "| --- | --- | --- | --- | --- | --- |",
    ...rows,
  ];
}

/** Returns the report as Markdown. */
export function reportMarkdown(content: ReportContent): string {
  const { model, loss, provenance, cuts, claims } = content;
  return [
    `# What ${model.id} could lose`,
    "",
    `${formatCount(model.parameters)} parameters, ${model.layers} layers of ${model.heads} heads (${model.architecture}, weights ${model.identity}); ${loss.toFixed(4)} nats a token.`,
    "",
    "## What can go",
    "",
    ...cuts.map((cut) => `- ${cutSentence(cut)}`),
    "",
    "## Every sublayer and block, least important first",
    "",
    ...partTable(content),
    "",
    "## Which score was right",
    "",
    scoreSentence(content),
    "",
    "## Claims of papers on this model",
    "",
    ...claims.map((claim) => `- ${claimSentence(claim)}`),
    "",
    "## How it was made",
    "",
    ...methodSentences(content).map((sentence) => `- ${sentence}`),
    "",
    "```",
    provenance.command,
    "```",
    "",
  ].join("\n");
}
