/** Tokens to point at; a menu chooses the channel that colours them. */
import { numberAt } from "../../entries.js";
import { formatNumber } from "../../numbers.js";
import { visibleToken } from "../../token-text.js";
import { drawChannel, flowTokens, type TokenChannel, type TokensSpec } from "../../views/tokens.js";
import { boxAt, flowMove } from "../moves.js";
import type { SceneView, Tip } from "../view.js";

/** The interactive text of coloured tokens. */
export const tokensClient: SceneView<TokensSpec> = {
  controls(spec) {
    if (spec.channels.length < 2) return [];
    const choices = spec.channels.map(({ name }, i) => [String(i), name] as const);
    return [{ name: "channel", label: "colour", choices }];
  },
  scene(spec, { theme, state }) {
    const channel = spec.channels[Number(state["channel"] ?? 0)] ?? { name: "", values: [], color: emptyScale };
    const boxes = flowTokens(spec, channel);
    return {
      drawing: drawChannel(spec, channel, theme),
      targets: {
        at: (x, y) => boxAt(boxes, x, y),
        move: flowMove(boxes),
        box: (target) => boxes[target] ?? { x: 0, y: 0, width: 0, height: 0 },
        tip: (target) => tipOf(spec, channel, target),
      },
    };
  },
};

const emptyScale = { kind: "sequential", min: 0, max: 0 } as const;

/** The chosen channel first, then the others. */
function tipOf(spec: TokensSpec, channel: TokenChannel, target: number): Tip {
  const channels = [channel, ...spec.channels.filter((other) => other !== channel)];
  return {
    title: `${target} “${visibleToken(spec.tokens[target] ?? "")}”`,
    rows: channels.map(({ name, values }) => [name || spec.unit || "value", formatNumber(numberAt(values, target))]),
  };
}
