/** Anything that can be shown, as a view. */
import { InputError } from "../core/index.js";
import { bars, heatmap, panels, type View } from "../viz/index.js";

/** A result that knows how it is drawn. */
export interface HasView {
  toView(): View;
}

/** The part of a tensor that drawing needs. */
export interface ShowableTensor {
  readonly dtype: string;
  readonly axes: readonly string[];
  readonly shape: readonly number[];
  /** Returns nested lists, outermost axis first. */
  toArray(): unknown;
}

/** What {@link toView} and `show` take: a view, a result with `toView()`, or a tensor. */
export type Showable = HasView | ShowableTensor;

/** At most this many slices of a tensor are drawn side by side. */
const maxPanels = 16;

/**
 * Returns `value` as a view: a result's own, or a tensor's bars (one axis) or heatmap (two axes; three as panels).
 *
 * @throws InputError when `value` is neither, or a tensor has more axes than can be drawn.
 */
export function toView(value: Showable): View {
  if (hasView(value)) return value.toView();
  if (isTensor(value)) return tensorView(value);
  throw new InputError({
    where: "show: value",
    got: describe(value),
    expected: "a view, a tensor, a result with toView(), or a promise of one",
    fix: "Print other values with console.log.",
  });
}

function tensorView(tensor: ShowableTensor): View {
  const { axes, shape, dtype } = tensor;
  const size = shape.map((length, i) => `${axes[i] ?? i}=${length}`).join(", ");
  const title = `${dtype} [${size}]`;
  if (shape.length <= 1) return bars(numberList(tensor.toArray()), { title, axis: { name: axes[0] ?? "" } });
  if (shape.length === 2) return plane(tensor.toArray(), axes, title);
  if (shape.length === 3 && (shape[0] ?? 0) <= maxPanels) {
    const slices = list(tensor.toArray()).map((slice, i) => plane(slice, axes.slice(1), `${axes[0] ?? ""} ${i}`));
    return panels(slices, { title });
  }
  throw new InputError({
    where: "show: tensor",
    got: title,
    expected: `one or two axes, or three with at most ${maxPanels} slices`,
    fix: `Pick a slice, such as t.at({ ${axes[0] ?? "axis"}: 0 }).`,
  });
}

function plane(rows: unknown, axes: readonly string[], title: string): View {
  const values = list(rows).map(numberList);
  return heatmap(values, { title, y: { name: axes[0] ?? "" }, x: { name: axes[1] ?? "" } });
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function numberList(value: unknown): readonly number[] {
  return list(value).map(Number);
}

function hasView(value: unknown): value is HasView {
  return isObject(value) && "toView" in value && typeof value.toView === "function";
}

function isTensor(value: unknown): value is ShowableTensor {
  if (!isObject(value) || !("shape" in value && "axes" in value && "toArray" in value)) return false;
  return Array.isArray(value.shape) && Array.isArray(value.axes) && typeof value.toArray === "function";
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function describe(value: unknown): string {
  if (!isObject(value)) return value === undefined || value === null ? String(value) : `a ${typeof value}`;
  return `an object of class ${value.constructor?.name ?? "Object"}`;
}
