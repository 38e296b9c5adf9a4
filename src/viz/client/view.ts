/** What the interactive part of a view is: a scene drawn again for each state, and targets to point at. */
import type { Drawing } from "../marks.js";
import type { ViewSpec } from "../registry.js";
import type { Theme } from "../theme.js";
import type { State, Targets } from "./targets.js";

export type { MoveKey, State, Targets, Tip } from "./targets.js";

/** A menu above the drawing. */
export interface Control {
  /** Key in the state. */
  readonly name: string;
  readonly label: string;
  /** Value and text of each choice; the first is the initial one. */
  readonly choices: readonly (readonly [string, string])[];
}

/** What a scene is made from besides the spec. */
export interface SceneInput {
  readonly theme: Theme;
  readonly state: State;
  /** Draws another view, title included. */
  readonly draw: (spec: ViewSpec) => Drawing;
}

/** A drawing and what can be pointed at in it. */
export interface Scene {
  readonly drawing: Drawing;
  readonly targets?: Targets;
}

/** What a part beside the drawing may do. */
export interface Desk {
  state(): State;
  change(part: State): void;
  /** Chooses and locks what a node, row or cell of the spec is drawn as. */
  choose(item: number): void;
}

/** A part beside the drawing. */
export interface DeskPart {
  /** Is told what is chosen: an item of the spec. */
  chosen(item: number | undefined): void;
  /** Is told that the state has changed. */
  changed(): void;
  /** Returns whether a key meant something. */
  key(name: string): boolean;
}

/** A view as scenes: the usual kind. */
export interface SceneView<S> {
  controls?(spec: S): readonly Control[];
  /** Puts a part beside the drawing into `place`. */
  desk?(spec: S, place: HTMLElement, desk: Desk): DeskPart;
  scene(spec: S, input: SceneInput): Scene;
}

/** What a view gets that fills its place itself. */
export interface Page {
  readonly theme: Theme;
  /** Puts another view into an element, with title and everything. */
  readonly show: (spec: ViewSpec, place: HTMLElement) => void;
}

/** A view that fills its place itself, such as tables and sheets of views. */
export interface ElementView<S> {
  fill(spec: S, place: HTMLElement, page: Page): void;
}

/** The interactive part of a view. */
export type ClientView<S> = ElementView<S> | SceneView<S>;
