/** Sublayers and blocks taken away one after another, in the order of each method, with the loss at every step. */
import { createRandom, type LongCallOptions } from "../../core/index.js";
import type { PartEffect } from "../evaluate/index.js";
import { type Part, partName, type Score, withoutParts } from "../parts.js";
import type { Judges } from "./judges.js";
import { orderOf } from "./ranks.js";
import { similarityScores } from "./similarity-scores.js";

/** An order in which parts go. */
export interface RemovalOrder {
  readonly name: string;
  readonly title: string;
  readonly parts: readonly Part[];
}

/** A method's walk. */
export interface FrontierLine extends RemovalOrder {
  /** Without the first 1, 2, 3, … parts. */
  readonly points: readonly PartEffect[];
}

/** The order of a score: low values go first. */
export function scoreOrder({ name, title, parts, values }: Score): RemovalOrder {
  return { name, title, parts: orderOf(values).flatMap((place) => parts[place] ?? []) };
}

/** Random orders, the control at the same number of removed parts. */
export function randomOrders(parts: readonly Part[], seed: number, count: number): readonly RemovalOrder[] {
  return Array.from({ length: count }, (_, i) => {
    const random = createRandom(seed + i);
    const keys = parts.map(() => random.uniform());
    return {
      name: `random${i}`,
      title: `random, seed ${seed + i}`,
      parts: orderOf(keys).flatMap((at) => parts[at] ?? []),
    };
  });
}

/** Every round takes the part whose absence, with those gone before, moves the predictions least. FinerCut with KL. */
export async function greedyOrder(
  judges: Judges,
  parts: readonly Part[],
  options: LongCallOptions,
): Promise<RemovalOrder> {
  const gone: Part[] = [];
  while (gone.length < parts.length) {
    const left = parts.filter((part) => !gone.includes(part));
    const found: number[] = [];
    for (const part of left) found.push(await judges.divergence([...gone, part], options));
    const best = left[orderOf(found)[0] ?? 0];
    if (best !== undefined) gone.push(best);
  }
  return { name: "greedy", title: "greedy by divergence", parts: gone };
}

/** Every round scores the model that is left again and takes the most similar part. */
export async function iterativeOrder(
  judges: Judges,
  parts: readonly Part[],
  options: LongCallOptions,
): Promise<RemovalOrder> {
  const gone: Part[] = [];
  while (gone.length < parts.length) {
    const left = parts.filter((part) => !gone.includes(part));
    const [score] = await similarityScores(withoutParts(judges.model, gone), judges.searchRows, left, options);
    const best = left[orderOf(score?.values ?? [])[0] ?? 0];
    if (best !== undefined) gone.push(best);
  }
  return { name: "iterative", title: "1 − cosine, scored again each time", parts: gone };
}

/** A walk ends when the loss has risen by this share: what follows is lost anyway. */
const hopeless = 1;

/** Walks an order, up to where the loss has more than doubled. */
export async function walk(judges: Judges, order: RemovalOrder, options: LongCallOptions): Promise<FrontierLine> {
  const points: PartEffect[] = [];
  for (let count = 1; count <= order.parts.length; count++) {
    const effect = await judges.effect("frontier", order.parts.slice(0, count), options);
    points.push(effect);
    if (effect.relative.value > hopeless) break;
  }
  return { ...order, points };
}

/** Sublayers that a set takes away: a block counts as its own. */
export function sublayerCount(parts: readonly Part[], perBlock: number): number {
  return parts.reduce((sum, { kind }) => sum + (kind === "block" ? perBlock : 1), 0);
}

/** The same set of sublayers, however it is written, has the same text. */
export function cutKey(parts: readonly Part[], perBlock: number): string {
  const names = parts.flatMap((part) =>
    part.kind === "block"
      ? [`blocks.${part.layer}.attn`, ...(perBlock > 1 ? [`blocks.${part.layer}.mlp`] : [])]
      : [partName(part)],
  );
  return [...new Set(names)].sort().join();
}
