/** The things of a drawing that can be pointed at. */
import type { Box, Mark } from "../marks.js";

/** Keys that move from target to target. */
export type MoveKey = "ArrowDown" | "ArrowLeft" | "ArrowRight" | "ArrowUp" | "End" | "Home";

/** What is said about a target, in the tooltip and to screen readers. */
export interface Tip {
  readonly title: string;
  /** Name and value. */
  readonly rows: readonly (readonly [string, string])[];
}

/** The things of a drawing that can be pointed at, by number. */
export interface Targets {
  /** Returns the target under a point of the drawing, in pixels. */
  at(x: number, y: number): number | undefined;
  /** Returns the target that a key leads to; it may be the same one. */
  move(from: number, key: MoveKey): number;
  /** Returns where a target lies: it is outlined, and the tooltip stands beside it. */
  box(target: number): Box;
  tip(target: number): Tip;
  /** Returns which item of the spec a target is, for views with a desk. */
  item?(target: number): number;
  /** Returns the target that shows an item of the spec, where it is drawn. */
  find?(item: number): number | undefined;
  /** Returns what is drawn over the picture while a target is chosen; default: an outline of its box. */
  overlay?(target: number): readonly Mark[];
  /** Returns what a click or Enter changes; `undefined` locks the target instead. */
  press?(target: number): State | undefined;
}

/** What the user has set: values of controls, and what `press` put there. */
export type State = Readonly<Record<string, string>>;
