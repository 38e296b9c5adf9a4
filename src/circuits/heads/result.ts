/** Heads of an attribution graph by how much flows through them. */
import { printsItself } from "../../core/index.js";
import { heatmap, type View } from "../../viz/index.js";
import type { HeadAddress } from "../paths/directions.js";

/** What one head brought from one position to another. */
export interface HeadMove extends HeadAddress {
  /** The position that was read, and the one that was written to. */
  readonly from: number;
  readonly to: number;
  readonly flow: number;
}

/** How much of a graph flows through a head. */
export interface HeadFlow extends HeadAddress {
  /** Sum over its moves between two positions: in units of the targets' weight, 1 where everything passes it once. */
  readonly flow: number;
  /** The same for what it read where it wrote. */
  readonly inPlace: number;
}

/** The fields of a {@link GraphHeads}. */
export interface GraphHeadsParts {
  readonly prompt: readonly string[];
  readonly tokens: readonly number[];
  readonly shape: { readonly layers: number; readonly heads: number };
  /** By layer: `[head, from, to]`. */
  readonly flows: readonly Float64Array[];
}

/** Heads of a graph, those that most flows through first. Immutable. */
export class GraphHeads {
  static {
    printsItself(this.prototype);
  }

  readonly prompt: readonly string[];
  readonly tokens: readonly number[];
  /** Every head, the one with most flow between positions first. */
  readonly heads: readonly HeadFlow[];
  readonly #parts: GraphHeadsParts;

  /** @internal Use `graphHeads`. */
  constructor(parts: GraphHeadsParts) {
    this.prompt = parts.prompt;
    this.tokens = parts.tokens;
    this.#parts = parts;
    const { layers, heads } = parts.shape;
    const all = Array.from({ length: layers * heads }, (_, i): HeadFlow => {
      const [layer, head] = [Math.floor(i / heads), i % heads];
      return { layer, head, ...this.#flowOf(layer, head) };
    });
    this.heads = all.sort((a, b) => b.flow - a.flow);
  }

  #flowOf(layer: number, head: number): Pick<HeadFlow, "flow" | "inPlace"> {
    const size = this.tokens.length;
    const own = this.#parts.flows[layer]?.subarray(head * size ** 2, (head + 1) * size ** 2) ?? new Float64Array(0);
    const whole = own.reduce((sum, flow) => sum + flow, 0);
    const inPlace = this.tokens.reduce((sum, _, pos) => sum + (own[pos * (size + 1)] ?? 0), 0);
    return { flow: whole - inPlace, inPlace };
  }

  /** Returns the strongest moves of all heads between two positions. */
  moves(count = 10): readonly HeadMove[] {
    const size = this.tokens.length;
    const all = this.#parts.flows.flatMap((flows, layer) =>
      Array.from(flows, (flow, i): HeadMove => {
        const [head, from, to] = [Math.floor(i / size ** 2), Math.floor(i / size) % size, i % size];
        return { layer, head, from, to, flow };
      }).filter(({ flow, from, to }) => flow > 0 && from !== to),
    );
    return all.sort((a, b) => b.flow - a.flow).slice(0, count);
  }

  /** Draws the flow through every head, layer by layer. */
  toView(): View {
    const { layers, heads } = this.#parts.shape;
    const flow = new Map(this.heads.map((one) => [one.layer * heads + one.head, one.flow]));
    const rows = Array.from({ length: layers }, (_, layer) =>
      Array.from({ length: heads }, (_unused, head) => flow.get(layer * heads + head) ?? 0),
    );
    return heatmap(rows, {
      title: `Heads that ${JSON.stringify(this.prompt.join(""))} runs through`,
      note: "Flow: how much of the graph's edges each head brought, weighted by influence.",
      unit: "flow",
      x: { name: "head" },
      y: { name: "layer" },
    });
  }

  /** Returns the strongest moves as text. */
  toString(): string {
    const lines = this.moves(8).map((move) => `  ${move.flow.toFixed(3)} ${moveText(move, this.prompt)}`);
    return [`GraphHeads of ${JSON.stringify(this.prompt.join(""))}, strongest moves:`, ...lines].join("\n");
  }
}

/** Returns a move in words. */
export function moveText({ layer, head, from, to }: HeadMove, prompt: readonly string[]): string {
  const at = (pos: number): string => `${JSON.stringify(prompt[pos] ?? "")} @${pos}`;
  return `L${layer}H${head} from ${at(from)} to ${at(to)}`;
}
