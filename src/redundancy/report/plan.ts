/** How many tokens each section of a report reads, and which sections fit into a budget. */
import { InputError } from "../../core/index.js";

/** What a plan is made for. */
export interface PlanFacts {
  readonly layers: number;
  readonly sublayers: number;
  readonly heads: number;
  /** Tokens that there are. */
  readonly tokens: number;
  readonly window: number;
  /** Measured, of one evaluation. */
  readonly secondsPerToken: number;
}

/** Sections that a short budget leaves out, the last one first. */
export type OptionalSection = "effects" | "greedy" | "heads" | "neurons";

/** Tokens of each section. */
export interface ReportPlan {
  /** Of the map, and of the judgement of the cut list together with those of the frontier. */
  readonly tokens: number;
  readonly frontierTokens: number;
  readonly searchTokens: number;
  readonly sections: readonly OptionalSection[];
  readonly seconds: number;
}

const frontierMost = 4096;
const searchMost = 2048;
/** Orders that are walked: scores, one-shot, iterative, random. */
const linesCount = 9;
/** All of them. */
export const optionalSections: readonly OptionalSection[] = ["heads", "neurons", "greedy", "effects"];
/** Tokens whose layers are skipped one by one, and runs for each layer: everywhere, and at four places. */
const effects = { tokens: 128, runs: 5 } as const;

function sizesOf(tokens: number, window: number): Pick<ReportPlan, "tokens" | "frontierTokens" | "searchTokens"> {
  const whole = (wanted: number): number => Math.max(window, Math.floor(wanted / window) * window);
  return {
    tokens: whole(tokens),
    frontierTokens: whole(Math.min(tokens / 2, frontierMost)),
    searchTokens: whole(Math.min(tokens / 2, searchMost)),
  };
}

function secondsOf(facts: PlanFacts, tokens: number, sections: readonly OptionalSection[]): number {
  const { layers, sublayers, heads, window, secondsPerToken } = facts;
  const sizes = sizesOf(tokens, window);
  const search =
    (sections.includes("heads") ? layers * heads : 0) +
    (sections.includes("neurons") ? 3 * layers : 0) +
    (sections.includes("greedy") ? (sublayers * (sublayers + 1)) / 2 : 0) +
    2 * sublayers;
  const frontier = (linesCount * sublayers) / 2 + layers;
  const map = 1 + sublayers + layers + 6;
  // Each pair of layers runs one layer more.
  const skips = sections.includes("effects") ? effects.tokens * (effects.runs * layers + layers / 2) : 0;
  const { tokens: all, frontierTokens, searchTokens } = sizes;
  return secondsPerToken * (all * map + frontierTokens * frontier + searchTokens * search + skips);
}

/**
 * Returns a plan that fits into `minutes`: fewer tokens first (half as many at a time), then fewer sections.
 *
 * @throws InputError when the smallest report takes longer; it says how long.
 */
export function planReport(facts: PlanFacts, minutes: number | undefined): ReportPlan {
  const limit = minutes === undefined ? Number.POSITIVE_INFINITY : minutes * 60;
  const least = Math.min(facts.tokens, 8 * facts.window);
  for (let dropped = 0; dropped <= optionalSections.length; dropped++) {
    const sections = optionalSections.slice(0, optionalSections.length - dropped);
    for (let tokens = facts.tokens; ; tokens = Math.max(least, tokens / 2)) {
      const seconds = secondsOf(facts, tokens, sections);
      if (seconds <= limit) return { ...sizesOf(tokens, facts.window), sections, seconds };
      if (tokens <= least) break;
    }
  }
  const needed = secondsOf(facts, least, []) / 60;
  throw new InputError({
    where: "redundancy.report: budget",
    got: `${minutes} minutes`,
    expected: `at least ${needed < 0.1 ? needed.toPrecision(1) : needed.toFixed(1)} minutes for ${least} tokens and no section that can be left out`,
    fix: `Raise the budget; everything on ${facts.tokens} tokens takes about ${(secondsOf(facts, facts.tokens, optionalSections) / 60).toFixed(1)} minutes here.`,
  });
}
