/** The vocabulary of edits: `model.with(edit.zero(at.z(5), { head: 3 }))`. */
import type { HookSpecs } from "../hooks/index.js";
import { type KeptWeights, keepWeights } from "./keep-weights.js";
import { type ProjectionDirection, type ProjectOptions, project } from "./project.js";
import { type SteeringTarget, type SteerOptions, steer } from "./steer.js";
import type { Traced } from "./traced.js";
import type { Change, Edit, EditCallback, EditModule, EditValue, Selection, ValueSource } from "./types.js";

function make(name: string, hook: HookSpecs, change: Change, select: Selection = {}): Edit {
  return { name, hook, change, select };
}

/** Builders of edits. Each takes hook points, what to write, and which elements to touch. */
export interface EditBuilders {
  /** Sets the selected elements to 0. */
  zero(hook: HookSpecs, select?: Selection): Edit;
  /** Replaces the selected elements by a mean that you computed, such as `(await model.over(…)).mean`. */
  mean(hook: HookSpecs, means: EditValue, select?: Selection): Edit;
  /** Multiplies the selected elements. */
  scale(hook: HookSpecs, factor: number, select?: Selection): Edit;
  /** Adds a number, vector or tensor to the selected elements. */
  add(hook: HookSpecs, value: EditValue, select?: Selection): Edit;
  /** Writes a number, vector or tensor over the selected elements. */
  replace(hook: HookSpecs, value: EditValue, select?: Selection): Edit;
  /** Activation patching: writes the values that `cache` holds for the same hook points. */
  patch(hook: HookSpecs, cache: ValueSource, select?: Selection): Edit;
  /** Replays patterns, norm scales or anything else from a cache, whole. */
  freeze(hook: HookSpecs, cache: ValueSource): Edit;
  /** Adds a direction, such as a dictionary's feature, its strength in a unit of your choice. */
  steer(target: SteeringTarget, options: SteerOptions): Edit;
  /** Takes the component along directions out (directional ablation), or keeps nothing else. */
  project(
    hook: HookSpecs,
    directions: ProjectionDirection | readonly ProjectionDirection[],
    options?: ProjectOptions,
  ): Edit;
  /** Applies a traced function: it becomes part of the graph. */
  map(hook: HookSpecs, fn: (x: Traced) => Traced, select?: Selection): Edit;
  /** Puts a computation with weights and hook points of its own in place of the value, such as a dictionary. */
  module(hook: HookSpecs, module: EditModule, select?: Selection): Edit;
  /**
   * Keeps some weights and takes the others of the same matrices as 0; the checkpoint stays as it is. Biases, norms and
   * embeddings are not touched. `model.weights` shows what is left.
   */
  keepWeights(kept: KeptWeights): Edit;
  /** Applies any JavaScript function, sync or async; the graph is cut there. */
  callback(hook: HookSpecs, fn: EditCallback, select?: Selection): Edit;
}

/** Declared changes at hook points; pass them to `model.with(...)`. */
export const edit: EditBuilders = {
  zero: (hook, select) => make("zero", hook, { kind: "zero" }, select),
  mean: (hook, means, select) => make("mean", hook, { kind: "replace", value: means }, select),
  scale: (hook, factor, select) => make("scale", hook, { kind: "scale", factor }, select),
  add: (hook, value, select) => make("add", hook, { kind: "add", value }, select),
  replace: (hook, value, select) => make("replace", hook, { kind: "replace", value }, select),
  patch: (hook, cache, select) => make("patch", hook, { kind: "replace", value: cache }, select),
  freeze: (hook, cache) => make("freeze", hook, { kind: "replace", value: cache }),
  steer,
  project,
  map: (hook, fn, select) => make("map", hook, { kind: "map", fn }, select),
  module: (hook, module, select) => make("module", hook, { kind: "module", module }, select),
  keepWeights,
  callback: (hook, fn, select) => make("callback", hook, { kind: "callback", fn }, select),
};
