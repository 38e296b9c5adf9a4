/** The word that a selection uses for each axis of a hook point. */
import type { PositionSelection, Selection } from "./types.js";

/** Selection keys that name one axis. */
export type AxisWord = Exclude<keyof Selection, "where" | "steps">;

const words: Readonly<Record<string, AxisWord>> = {
  batch: "row",
  pos: "pos",
  queryPos: "pos",
  keyPos: "keyPos",
  head: "head",
  dMlp: "neuron",
  dModel: "dModel",
  dHead: "dHead",
  feature: "feature",
};

/** Axes that count positions; indices on them mean real tokens. */
export const positionAxes: readonly string[] = ["pos", "queryPos", "keyPos"];

/** The user's word for an axis; the axis's own name where a selection has none. */
export function axisWord(axis: string): string {
  return words[axis] ?? axis;
}

/** The selection on one axis, or `undefined` for all of it. */
export function selectionOn(select: Selection, axis: string): PositionSelection | undefined {
  const word = words[axis];
  return word === undefined ? undefined : select[word];
}
