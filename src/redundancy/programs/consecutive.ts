/**
 * Consecutive blocks that turn the stream least: which n of them could go together.
 *
 * The angle between the stream in front of block l and that in front of block l + n, as a share of π, averaged over tokens: what
 * lies between is what n blocks do. The blocks l, …, l + n − 1 go: n blocks, where "gap n" is sometimes read as n + 1.
 */
import { InputError, type LongCallOptions, printsItself, throwIfAborted } from "../../core/index.js";
import type { Model, TokenRow } from "../../model/index.js";
import { lines, type View } from "../../viz/index.js";
import { groupRows } from "../evaluate/rows.js";
import { checkWholeModel, type Part, partName } from "../parts.js";

/** Every run of n blocks, and how far it turns the stream. Immutable. */
export class ConsecutiveBlocks {
  static {
    printsItself(this.prototype);
  }

  readonly count: number;
  /** Mean angle over π, by first block: 0 for blocks that turn nothing. */
  readonly distances: Float64Array;
  /** Tokens that were measured. */
  readonly tokens: number;

  /** @internal Use `consecutiveBlocks`. */
  constructor(parts: Readonly<Pick<ConsecutiveBlocks, "count" | "distances" | "tokens">>) {
    this.count = parts.count;
    this.distances = parts.distances;
    this.tokens = parts.tokens;
  }

  /** The blocks to take away: the run with the least distance, the first of equal ones. */
  get parts(): readonly Part[] {
    const first = this.distances.indexOf(this.distances.reduce((a, b) => Math.min(a, b)));
    return Array.from({ length: this.count }, (_, i) => ({ kind: "block", layer: first + i }));
  }

  /** Draws the distance by first block. */
  toView(): View {
    const x = Array.from(this.distances, (_, layer) => layer);
    return lines([{ name: `${this.count} blocks`, x, y: Array.from(this.distances) }], {
      title: `How far ${this.count} blocks turn the stream`,
      note: `least: ${this.parts.map(partName).join(", ")}`,
      x: { name: "first block" },
      y: { name: "angle / π" },
    });
  }

  /** One line. */
  toString(): string {
    const values = Array.from(this.distances, (value) => value.toFixed(3)).join(" ");
    return `ConsecutiveBlocks, ${this.count} at a time: ${values} by first block; least for ${this.parts.map(partName).join(", ")}`;
  }
}

/** Angle over π between two vectors; ½ where one is 0. */
function angle(x: ArrayLike<number>, y: ArrayLike<number>, from: number, size: number): number {
  let [xx, yy, xy] = [0, 0, 0];
  for (let i = from; i < from + size; i++) {
    const [a, b] = [x[i] ?? 0, y[i] ?? 0];
    xx += a * a;
    yy += b * b;
    xy += a * b;
  }
  if (xx === 0 || yy === 0) return 0.5;
  return Math.acos(Math.min(1, Math.max(-1, xy / Math.sqrt(xx * yy)))) / Math.PI;
}

/**
 * Measures how far every n consecutive blocks turn the stream, and names the run that turns it least.
 *
 * @param count - n, blocks that would go together.
 * @throws InputError for n below 1 or not below the number of layers, and rows that do not fit; UnsupportedError for a model with
 *   edits or without some of its layers; AbortedError.
 * @see Gromov et al. 2024, "The Unreasonable Ineffectiveness of the Deeper Layers"
 */
export async function consecutiveBlocks(
  model: Model,
  rows: readonly TokenRow[],
  count: number,
  { signal }: LongCallOptions = {},
): Promise<ConsecutiveBlocks> {
  const { nLayers, dModel } = model.config;
  checkWholeModel(model, "consecutiveBlocks");
  if (!Number.isInteger(count) || count < 1 || count >= nLayers)
    throw new InputError({
      where: "consecutiveBlocks: count",
      got: String(count),
      expected: `a whole number from 1 to ${nLayers - 1}: a block has to stay`,
      fix: "Pass fewer.",
    });
  const after = Array.from({ length: nLayers }, (_, layer) => `blocks.${layer}.hook_resid_post`);
  const hooks = ["blocks.0.hook_resid_pre", ...after];
  const sums = new Float64Array(nLayers - count + 1);
  let tokens = 0;
  for (const { rows: all } of groupRows(model, rows, "consecutiveBlocks"))
    for (const row of all) {
      throwIfAborted(signal, "consecutiveBlocks");
      const { cache } = await model.run([row], { capture: hooks, logits: "none" });
      const states = hooks.map((hook) => cache.get(hook).contiguous().data as ArrayLike<number>);
      for (let first = 0; first < sums.length; first++)
        for (let pos = 0; pos < row.length; pos++)
          sums[first] =
            (sums[first] ?? 0) + angle(states[first] ?? [], states[first + count] ?? [], pos * dModel, dModel);
      tokens += row.length;
    }
  return new ConsecutiveBlocks({ count, distances: sums.map((sum) => sum / tokens), tokens });
}
