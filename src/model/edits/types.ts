/** Edits as data: a declared change at hook points. Nothing is ever attached to a model. */
import type { Ops, Value } from "../../graph/index.js";
import type { StoredTensor } from "../../io/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { Precision } from "../components/context.js";
import type { HookSpecs } from "../hooks/index.js";
import type { KeptBytes, KeptWeights } from "./keep-weights.js";
import type { Traced } from "./traced.js";

/**
 * Which indices of one axis an edit touches: one, several, a range `[from, to)`, or a test.
 *
 * On position axes, indices count real tokens of each row (padding is never touched), negative ones from the last;
 * `"last"` is the last real token and `"generated"` means positions made by `generate`.
 */
export type AxisSelection =
  | number
  | readonly number[]
  | { readonly from?: number; readonly to?: number }
  | ((index: number) => boolean);

/** A selection on a position axis. */
export type PositionSelection = AxisSelection | "last" | "generated";

/** An element's index by axis name, as a predicate sees it. */
export type ElementIndex = Readonly<Record<string, number>>;

/** Which elements of a hook point an edit touches; everything when empty. */
export interface Selection {
  /** Batch rows. */
  readonly row?: AxisSelection;
  /** Positions (queries, at a pattern or scores). */
  readonly pos?: PositionSelection;
  /** Key positions of a pattern or scores. */
  readonly keyPos?: PositionSelection;
  /** Heads (key/value heads at `k` and `v`). */
  readonly head?: AxisSelection;
  /** MLP neurons. */
  readonly neuron?: AxisSelection;
  /** Coordinates of the residual stream. */
  readonly dModel?: AxisSelection;
  /** Coordinates inside a head. */
  readonly dHead?: AxisSelection;
  /** Features of a spliced dictionary, at its own hook points. */
  readonly feature?: AxisSelection;
  /** Any test over row, position, head, key position and neuron; combined with the rest by "and". */
  readonly where?: (index: ElementIndex) => boolean;
  /** Steps of `generate` in which the edit acts (0 is the prompt); all when absent. */
  readonly steps?: AxisSelection;
}

/** Values by hook name: a cache, or any lookup. */
export interface ValueSource {
  get(name: string): Tensor;
}

/** What an edit writes: a number, a vector or tensor (aligned by axis name), or values by hook name. */
export type EditValue = number | readonly number[] | Tensor | ValueSource;

/** Where a callback is called. */
export interface CallbackContext {
  /** Full hook name. */
  readonly hook: string;
  readonly axes: readonly string[];
}

/** An opaque function of a hook point's value; returning nothing leaves the value as it is. */
export type EditCallback = (
  value: Tensor,
  context: CallbackContext,
) => Tensor | undefined | Promise<Tensor | undefined>;

/** A tensor of a module: in memory, or float32 in a file that graphs point into. */
export type ModuleWeight = StoredTensor | Tensor;

/** What a module builds with, at one hook point. */
export interface ModuleSite {
  readonly ops: Ops;
  readonly precision: Precision;
  /** Full name of the hook point. */
  readonly hook: string;
  /** The hook point's value, as the edits before this one leave it. */
  readonly value: Value;
  /** Returns the value of a hook point that the module's `reads` names, as edits leave it. */
  readonly read: (name: string) => Value;
  /** Returns a tensor of the module in the graph's precision; equal names are one tensor. */
  readonly weight: (name: string, tensor: ModuleWeight) => Value;
  /** Makes a value the hook point `<hook>.<name>`; returns it as the edits leave it. */
  readonly point: (name: string, value: Value, axes: readonly string[]) => Value;
}

/**
 * A computation with weights of its own in place of a hook point's value, such as a dictionary.
 *
 * Its values are hook points too, so that they can be captured, edited and differentiated.
 */
export interface EditModule {
  /** Full names of the hook points that it reads besides the one it replaces; each must come earlier in the run. */
  readonly reads: readonly string[];
  /** Adds its nodes; returns a value of the hook point's shape. Must build the same each time. */
  readonly build: (site: ModuleSite) => Value;
}

/** What happens to the selected elements. */
export type Change =
  | { readonly kind: "zero" }
  | { readonly kind: "scale"; readonly factor: number }
  | { readonly kind: "add"; readonly value: EditValue }
  | { readonly kind: "replace"; readonly value: EditValue }
  | { readonly kind: "map"; readonly fn: (x: Traced) => Traced }
  | { readonly kind: "module"; readonly module: EditModule }
  | { readonly kind: "callback"; readonly fn: EditCallback }
  /** `stored` is filled in by the model that takes the edit. */
  | { readonly kind: "keepWeights"; readonly kept: KeptWeights; readonly stored?: KeptBytes };

/** One declared change; build it with {@link edit}. */
export interface Edit {
  /** The word the user wrote: `zero`, `mean`, `patch`, `freeze`, … */
  readonly name: string;
  readonly hook: HookSpecs;
  readonly change: Change;
  readonly select: Selection;
}
