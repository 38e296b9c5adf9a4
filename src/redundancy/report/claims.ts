/** What papers say about pruning, and what this model says. */
import type { Claim, FrontierSummary } from "./content.js";

/** Mean rise of the loss over the first half of the walk, as a share. */
function early(line: FrontierSummary | undefined, count: number): number {
  if (line === undefined) return Number.NaN;
  const last = line.points.at(-1)?.relative.value ?? Number.NaN;
  let sum = 0;
  // A walk that was given up stays where it was: its loss would only be higher.
  for (let i = 0; i < count; i++) sum += line.points[i]?.relative.value ?? last;
  return sum / count;
}

function percent(share: number): string {
  return `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)} %`;
}

interface Rivals {
  readonly claim: string;
  readonly paper: string;
  readonly better: string;
  readonly worse: string;
}

const rivals: readonly Rivals[] = [
  {
    claim: "Similarity with the residual chooses better than without it",
    paper: "He et al. 2024, What Matters in Transformers?",
    better: "similarity",
    worse: "bareSimilarity",
  },
  {
    claim: "Greedy removal beats one-shot removal",
    paper: "Zhang et al. 2024, FinerCut",
    better: "greedy",
    worse: "oneShot",
  },
  {
    claim: "Scoring again after each removal changes little against one-shot scores",
    paper: "He et al. 2024, What Matters in Transformers?",
    better: "iterative",
    worse: "similarity",
  },
  {
    claim: "Scores beat random removal",
    paper: "control",
    better: "similarity",
    worse: "random0",
  },
];

function compare(
  { claim, paper, better, worse }: Rivals,
  lines: ReadonlyMap<string, FrontierSummary>,
): readonly Claim[] {
  const [a, b] = [lines.get(better), lines.get(worse)];
  if (a === undefined || b === undefined) return [];
  const count = Math.max(1, Math.floor(a.order.length / 2));
  const [x, y] = [early(a, count), early(b, count)];
  const isTie = better === "iterative";
  const holds = isTie ? Math.abs(x - y) <= 0.02 : x <= y;
  const evidence = `mean rise of the loss over the first ${count} removals: ${percent(x)} (${a.title}) against ${percent(y)} (${b.title})`;
  return [{ claim, paper, holds, evidence }];
}

function attentionFirst(greedy: FrontierSummary | undefined): readonly Claim[] {
  if (greedy === undefined || !greedy.order.some((name) => name.endsWith(".mlp"))) return [];
  const place = (ending: string): number => {
    const own = greedy.order.flatMap((name, i) => (name.endsWith(ending) ? [i + 1] : []));
    return own.reduce((sum, one) => sum + one, 0) / own.length;
  };
  const [attention, mlp] = [place(".attn"), place(".mlp")];
  return [
    {
      claim: "Attention goes before MLPs",
      paper: "He et al. 2024; Zhang et al. 2024, FinerCut",
      holds: attention < mlp,
      evidence: `mean place in the greedy order: attention ${attention.toFixed(1)}, MLP ${mlp.toFixed(1)}`,
    },
  ];
}

/** Checks the claims that a report's walks can speak about. */
export function checkClaims(frontier: readonly FrontierSummary[]): readonly Claim[] {
  const lines = new Map(frontier.map((line) => [line.name, line]));
  return [...rivals.flatMap((one) => compare(one, lines)), ...attentionFirst(lines.get("greedy"))];
}
