/** Edits as nodes: the subgraph that one edit inserts at one hook point. */
import { NumericError, ShapeError, UnsupportedError } from "../../core/index.js";
import type { Dim, Ops, Value } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";
import type { Precision } from "../components/context.js";
import { mappedWeight } from "../weights/store.js";
import { checkSelection, isPartial, maskShape, type PointShape } from "./mask.js";
import { Traced } from "./traced.js";
import type { Change, Edit, EditCallback, EditModule, ModuleSite, ModuleWeight, Selection } from "./types.js";
import { type ValueLayout, valueAt, valueLayout } from "./values.js";

/** A graph input that an edit needs, to be filled for each run. */
export type EditInput =
  /** Which elements of a stored tensor are kept, by the edit of that number. */
  | {
      readonly kind: "kept";
      readonly name: string;
      readonly index: number;
      readonly stored: string;
      readonly shape: readonly number[];
    }
  | {
      readonly kind: "mask";
      readonly name: string;
      readonly shape: readonly Dim[];
      readonly select: Selection;
      readonly point: PointShape;
    }
  | {
      readonly kind: "value";
      readonly name: string;
      readonly layout: ValueLayout;
      readonly tensor: Tensor;
      readonly select: Selection;
      readonly point: PointShape;
    }
  | { readonly kind: "weight"; readonly name: string; readonly tensor: Tensor };

/** A place where the graph is cut for a JavaScript function. */
export interface EditCall {
  readonly id: string;
  readonly point: PointShape;
  readonly fn: EditCallback;
}

/** What applying one edit at one hook point added to the graph. */
export interface AppliedEdit {
  /** The value after the edit. */
  readonly value: Value;
  readonly inputs: readonly EditInput[];
  readonly call?: EditCall;
}

/** One edit at one hook point while a graph is built. */
export interface EditSite {
  readonly edit: Edit;
  /** Unique among the edits of a graph. */
  readonly id: string;
  readonly point: PointShape;
  readonly isPadded: boolean;
  /** Whether the edit acts on a gradient, where 0 is as good as any number. */
  readonly isGradient?: boolean;
  /** What modules need of the graph around them; absent where there can be none. */
  readonly around?: ModuleSurroundings;
}

/** What a module needs of the graph around it. */
export type ModuleSurroundings = Pick<ModuleSite, "point" | "precision" | "read">;

type Changed = { value: Value; inputs: readonly EditInput[]; call?: EditCall };

function valueInput(ops: Ops, site: EditSite, x: Value, change: Extract<Change, { kind: "add" | "replace" }>): Changed {
  const tensor = valueAt(change.value, site.point);
  const layout = valueLayout(tensor, site.point, site.edit.select, site.isPadded);
  const name = `${site.id}.value`;
  const value = ops.builder.input(name, x.dtype, layout.shape);
  return { value, inputs: [{ kind: "value", name, layout, tensor, select: site.edit.select, point: site.point }] };
}

function writesZero(change: Change): boolean {
  if (change.kind === "replace") return change.value === 0;
  return change.kind === "zero" || (change.kind === "scale" && change.factor === 0);
}

function refuseZeroScale(site: EditSite): void {
  if (site.isGradient === true || !site.point.name.endsWith("hook_scale") || !writesZero(site.edit.change)) return;
  throw new UnsupportedError({
    where: `edit.${site.edit.name} at ${site.point.name}`,
    got: "a norm scale to be set to 0, which divides by zero",
    expected: "a positive scale",
    fix: "Zero the sublayer's output (hook_attn_out, hook_mlp_out) or replace the scale by a number.",
  });
}

function checkFactor(factor: number, site: EditSite): void {
  if (Number.isFinite(factor)) return;
  throw new NumericError({
    where: `edit.scale at ${site.point.name}`,
    got: `the factor ${factor}`,
    expected: "a finite number",
    fix: "Find where it came from.",
  });
}

function mapped(ops: Ops, site: EditSite, x: Value, fn: (x: Traced) => Traced): Value {
  const { value } = fn(new Traced(ops, x, site.point.axes));
  checkShape(`edit.map at ${site.point.name}`, value, x);
  return value;
}

/** Declares tensors of a module: mapped from their file, or an input that is fed. */
function moduleWeights(ops: Ops, id: string, precision: Precision): ModuleWeights {
  const inputs = new Map<string, EditInput>();
  const declare = (key: string, tensor: ModuleWeight): Value => {
    const name = `${id}.weight.${key}`;
    if (!(tensor instanceof Tensor)) return ops.cast(mappedWeight(ops.builder, { ...tensor, name }), precision);
    inputs.set(name, { kind: "weight", name, tensor });
    return ops.builder.input(name, precision, tensor.shape);
  };
  return { inputs, declare };
}

interface ModuleWeights {
  readonly inputs: ReadonlyMap<string, EditInput>;
  readonly declare: ModuleSite["weight"];
}

function moduleAt(ops: Ops, { id, point, around }: EditSite, x: Value, module: EditModule): Changed {
  if (around === undefined) {
    throw new UnsupportedError({
      where: `edit.module at ${point.name}`,
      got: "a module on a gradient",
      expected: "a module on an activation",
      fix: "Splice it with model.with.",
    });
  }
  const { inputs, declare } = moduleWeights(ops, id, around.precision);
  const value = module.build({ ops, hook: point.name, value: x, weight: declare, ...around });
  checkShape(`edit.module at ${point.name}`, value, x);
  return { value, inputs: [...inputs.values()] };
}

function checkShape(where: string, value: Value, x: Value): void {
  if (value.shape.length === x.shape.length && value.shape.every((size, i) => size === x.shape[i])) return;
  throw new ShapeError({
    where,
    got: `a result of shape [${value.shape.join(", ")}]`,
    expected: `[${x.shape.join(", ")}]`,
    fix: "Keep reduced axes or broadcast back to the hook point's shape.",
  });
}

function changed(ops: Ops, site: EditSite, x: Value): Changed {
  const { change } = site.edit;
  refuseZeroScale(site);
  if (change.kind === "zero") return { value: ops.builder.constant(0, x.dtype, []), inputs: [] };
  if (change.kind === "scale") {
    checkFactor(change.factor, site);
    return { value: ops.mul(x, ops.builder.constant(change.factor, x.dtype, [])), inputs: [] };
  }
  if (change.kind === "map") return { value: mapped(ops, site, x, change.fn), inputs: [] };
  if (change.kind === "module") return moduleAt(ops, site, x, change.module);
  if (change.kind === "callback") {
    const [value = x] = ops.callback(site.id, [x]);
    return { value, inputs: [], call: { id: site.id, point: site.point, fn: change.fn } };
  }
  // Masks of weights act where weights are read, and have no hook points.
  if (change.kind === "keepWeights") return { value: x, inputs: [] };
  const { value, inputs } = valueInput(ops, site, x, change);
  return { value: change.kind === "add" ? ops.add(x, value) : value, inputs };
}

/** A value of `x`'s own shape, whatever broadcasts to it. */
function fullShape(ops: Ops, value: Value, x: Value): Value {
  const isFull = value.shape.length === x.shape.length && value.shape.every((size, i) => size === x.shape[i]);
  return isFull ? value : ops.expand(value, x.shape, x);
}

/** Inserts one edit at one hook point; the value of unselected elements stays, bit for bit. */
export function applyEdit(ops: Ops, site: EditSite, x: Value): AppliedEdit {
  const { edit, point, isPadded, id } = site;
  checkSelection(edit.select, point, `edit.${edit.name}`);
  const result = changed(ops, site, x);
  if (!isPartial(edit.select)) return { ...result, value: fullShape(ops, result.value, x) };
  const shape = maskShape(edit.select, point, isPadded);
  const name = `${id}.mask`;
  const mask = ops.builder.input(name, "bool", shape);
  const input: EditInput = { kind: "mask", name, shape, select: edit.select, point };
  return { ...result, value: ops.where(mask, result.value, x), inputs: [...result.inputs, input] };
}
