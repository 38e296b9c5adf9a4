/** What heads look at, as numbers by layer and head. */
import { InputError, nearestHint, printsItself } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { View } from "../../viz/index.js";
import { scoresTable, scoresView } from "./view.js";

/** One head. */
export interface HeadScore {
  readonly layer: number;
  readonly head: number;
  /** `L0H1`. */
  readonly label: string;
  readonly score: number;
}

/** The scores of one pattern. */
export interface PatternScores {
  readonly name: string;
  /** `[layer, head]`: mean attention on the pattern's keys over queries that have some, 0 to 1. */
  readonly mass: Tensor;
  /** `[layer, head]`: the same, minus what equal attention to all visible keys would put there. */
  readonly excess: Tensor;
  /** Queries that had keys. */
  readonly queries: number;
}

/** What a {@link HeadScores} is made from. */
export interface HeadScoresParts {
  readonly patterns: readonly PatternScores[];
  readonly entropy: Tensor;
  readonly distance: Tensor;
  readonly layers: readonly number[];
  readonly prompts: number;
  readonly provenance: HeadProvenance;
}

/** Where scores come from. */
export interface HeadProvenance {
  /** The model as it was named when loaded, and the identity of its weights. */
  readonly model: string;
  readonly identity: string;
  readonly edits: readonly string[];
}

const decimals = (x: number): string => x.toFixed(2);

/** What the heads of a model look at. */
export class HeadScores {
  static {
    printsItself(this.prototype);
  }

  readonly patterns: readonly PatternScores[];
  /** `[layer, head]`: mean entropy of the attention of a query, in nats. */
  readonly entropy: Tensor;
  /** `[layer, head]`: mean number of positions that a query looks back. */
  readonly distance: Tensor;
  readonly layers: readonly number[];
  /** How many prompts were read. */
  readonly prompts: number;
  readonly provenance: HeadProvenance;

  /** @internal */
  constructor(parts: HeadScoresParts) {
    this.patterns = parts.patterns;
    this.entropy = parts.entropy;
    this.distance = parts.distance;
    this.layers = parts.layers;
    this.prompts = parts.prompts;
    this.provenance = parts.provenance;
  }

  /**
   * Returns the scores of a pattern.
   *
   * @throws InputError for a pattern that was not asked for.
   */
  get(name: string): PatternScores {
    const found = this.patterns.find((pattern) => pattern.name === name);
    if (found !== undefined) return found;
    const names = this.patterns.map((pattern) => pattern.name);
    throw new InputError({
      where: "headScores.get",
      got: JSON.stringify(name),
      expected: `one of ${names.join(", ")}`,
      fix: `Ask heads.detect for it.${nearestHint(name, names)}`,
    });
  }

  /** Returns the heads with the largest excess on a pattern, best first. */
  top(name: string, count = 5): readonly HeadScore[] {
    const { excess, mass } = this.get(name);
    const heads = excess.sizeOf("head");
    const scores = Array.from(excess.data, Number).map((value, i) => {
      const [row, head] = [Math.floor(i / heads), i % heads];
      const layer = this.layers[row] ?? row;
      return { layer, head, label: `L${layer}H${head}`, score: Number(mass.data[i]), value };
    });
    scores.sort((a, b) => b.value - a.value || a.layer - b.layer || a.head - b.head);
    return scores.slice(0, count).map(({ value: _, ...score }) => score);
  }

  /** Returns one heatmap of layers and heads for each pattern, with entropy and distance. */
  toView(): View {
    return scoresView(this);
  }

  /** Returns every head as a row of a table. */
  toTable(): View {
    return scoresTable(this);
  }

  /** The strongest heads of each pattern. */
  toString(): string {
    const lines = this.patterns.map(({ name, queries }) => {
      const best = this.top(name, 3).map(({ label, score }) => `${label} ${decimals(score)}`);
      return `  ${name} (${queries} queries): ${best.join(", ")}`;
    });
    return [`HeadScores over ${this.prompts} prompts; the most attention beyond an even one:`, ...lines].join("\n");
  }
}
