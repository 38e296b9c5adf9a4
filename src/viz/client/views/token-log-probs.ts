/** Tokens to point at: each shows what the model expected in its place. */
import { formatNumber } from "../../numbers.js";
import { visibleToken } from "../../token-text.js";
import {
  alternativeRows,
  drawLogProbs,
  drawnTokens,
  flowLogProbs,
  logProbOf,
  type SurprisalMeasure,
  type TokenLogProbsSpec,
} from "../../views/token-log-probs.js";
import { boxAt, flowMove } from "../moves.js";
import type { SceneView, Tip } from "../view.js";

const measures: readonly (readonly [SurprisalMeasure, string])[] = [
  ["surprisal", "surprisal"],
  ["probability", "probability"],
];

/** Interactive token log-probabilities. */
export const tokenLogProbsClient: SceneView<TokenLogProbsSpec> = {
  controls: () => [{ name: "measure", label: "colour", choices: measures }],
  scene(spec, { theme, state }) {
    const measure = state["measure"] === "probability" ? "probability" : "surprisal";
    const boxes = flowLogProbs(spec);
    return {
      drawing: drawLogProbs(spec, { theme, measure }),
      targets: {
        at: (x, y) => boxAt(boxes, x, y),
        move: flowMove(boxes),
        box: (target) => boxes[target] ?? { x: 0, y: 0, width: 0, height: 0 },
        tip: (target) => tipOf(spec, target),
      },
    };
  },
};

function tipOf(spec: TokenLogProbsSpec, token: number): Tip {
  const logProb = logProbOf(spec, token);
  const isNext = token >= spec.tokens.length;
  const title = isNext ? "the next token" : `${token} “${visibleToken(drawnTokens(spec)[token] ?? "")}”`;
  if (token === 0) return { title, rows: [["", "first token: not predicted"]] };
  const surprisal = isNext ? [] : [["surprisal", `${formatNumber(-logProb)} nats`] as const];
  return { title, rows: [...surprisal, ["rank, token", "probability, log-prob"], ...alternativeRows(spec, token)] };
}
