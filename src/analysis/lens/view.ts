/** A lens as a picture. */
import { heatmap, lines, type View } from "../../viz/index.js";
import type { LogitLensResult } from "./result.js";
import { statisticTitles, statisticUnits } from "./statistics.js";
import type { LensPrompt, LensStatistic } from "./types.js";

/** How a lens is drawn. */
export interface LensViewOptions {
  /** What colours the cells; default the probability of the first token, or the KL divergence for several prompts. */
  readonly of?: LensStatistic;
  /** Which prompt's table to draw; without it several prompts give a curve of means. */
  readonly prompt?: number | undefined;
}

/** Positions that a table shows at most; the last ones are kept. */
const shownPositions = 24;

function cellText(token: string): string {
  return token.length <= 9 ? token : `${token.slice(0, 8)}…`;
}

function table(result: LogitLensResult, prompt: LensPrompt, of: LensStatistic): View {
  const from = Math.max(0, prompt.tokens.length - shownPositions);
  const order = result.labels.map((_, row) => row).reverse();
  const values = order.map((row) => Array.from(prompt[of].at({ layer: row }).contiguous().data, Number).slice(from));
  const top = order.map((row) => (prompt.top[row] ?? []).slice(from));
  const cut = from === 0 ? "" : `; the last ${shownPositions} of ${prompt.tokens.length} positions`;
  return heatmap(values, {
    title: `${result.lens}: ${statisticTitles[of]}`,
    note: `cells: the layer's first token${cut}`,
    x: { name: "after token", kind: "tokens", labels: prompt.tokens.slice(from) },
    y: { name: "layer", labels: order.map((row) => result.labels[row] ?? "") },
    unit: statisticUnits[of],
    cellText: top.map((row) => row.map((chances) => cellText(chances[0]?.token ?? ""))),
    details: {
      kind: "tokens",
      unit: "probability",
      labels: top.map((row) => row.map((chances) => chances.map(({ token }) => token))),
      values: top.map((row) => row.map((chances) => chances.map(({ probability }) => probability))),
    },
  });
}

function curve(result: LogitLensResult, of: LensStatistic): View {
  return lines(
    { [result.lens]: result.mean(of) },
    {
      title: `${result.lens}: ${statisticTitles[of]} by layer`,
      note: `mean over the positions of ${result.prompts.length} prompts`,
      x: { name: "layer", labels: result.labels },
      y: { name: `${statisticTitles[of]} (${statisticUnits[of]})` },
    },
  );
}

/** Draws one prompt's table, or the means over all prompts. */
export function lensView(
  result: LogitLensResult,
  { of, prompt }: { readonly of: LensStatistic; readonly prompt: number | undefined },
): View {
  return prompt === undefined ? curve(result, of) : table(result, result.prompt(prompt), of);
}
