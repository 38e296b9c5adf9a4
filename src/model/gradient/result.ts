/** The gradients of one run. */
import {
  formatShape,
  HookNotFoundError,
  InputError,
  NumericError,
  nearestNames,
  printsItself,
} from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import { type TableColumn, table, type View } from "../../viz/index.js";
import { ActivationCache } from "../cache/activation-cache.js";
import { getActName, type HookRef } from "../hooks/index.js";
import type { Metric } from "../metric/metric.js";
import { LazyMap } from "../run/lazy-map.js";
import type { Shelf } from "../run/shelf.js";
import { gradientPrefix, hessianPrefix, weightGradientPrefix } from "./request.js";
import type { ResolvedGradients } from "./resolve.js";
import type { WeightTarget } from "./weight-names.js";

/** What {@link RunGradients} is made from. */
export interface GradientParts {
  readonly metric: Metric;
  readonly resolved: ResolvedGradients;
  readonly shelf: Shelf;
  readonly axesOf: (hook: string) => readonly string[];
  /** Whether NaN is refused. */
  readonly checks: boolean;
}

type Floats = Float32Array | Float64Array;

/** A gradient as a tensor, refused where it is not a number. */
function read({ shelf, checks }: GradientParts, output: string, name: string, axes?: readonly string[]): Tensor {
  const { data, shape } = shelf.take(output);
  const bad = checks ? (data as Floats).findIndex((x) => Number.isNaN(x)) : -1;
  if (bad < 0) return Tensor.of(data as Floats, shape, axes);
  throw new NumericError({
    where: `gradient with respect to ${name}`,
    got: `NaN at element ${bad}`,
    expected: "numbers",
    fix: "Look for a derivative that is infinite there, such as that of a logarithm or a root at 0; checks: false returns it.",
  });
}

/**
 * Gradients of one run's metric by hook name and by weight, in the shapes and axes of what they belong to.
 *
 * The gradient at a hook point is the derivative with respect to what `edit.add` would add there, after the model's own
 * edits: a point that feeds one sublayer, such as `hook_mlp_in`, counts only what goes through it. Elements of padding
 * are 0.
 */
export class RunGradients {
  static {
    printsItself(this.prototype);
  }

  /** Name of the metric. */
  readonly of: string;
  /** Gradients at hook points, with the algebra of a cache that needs no weights. */
  readonly cache: ActivationCache;
  /**
   * Returns the gradient at one hook point, by any name that a cache takes.
   *
   * @throws HookNotFoundError when it was not asked for.
   */
  readonly get: ActivationCache["get"];
  readonly #parts: GradientParts;
  readonly #hessian: ActivationCache["get"] | undefined;
  readonly #weights: ReadonlyMap<string, Tensor>;

  /** @internal */
  constructor(parts: GradientParts) {
    const { metric, resolved } = parts;
    this.#parts = parts;
    this.of = metric.name;
    this.cache = new ActivationCache(
      new LazyMap(resolved.request.wrt, (hook) => read(parts, `${gradientPrefix}${hook}`, hook, parts.axesOf(hook))),
    );
    this.get = checkedGet(this.cache);
    const { axesOf } = parts;
    const products = new LazyMap(resolved.request.wrt, (hook) =>
      read(parts, `${hessianPrefix}${hook}`, hook, axesOf(hook)),
    );
    this.#hessian = resolved.request.hessian ? checkedGet(new ActivationCache(products)) : undefined;
    const targets = new Map(resolved.weights.map((target) => [target.name, target]));
    this.#weights = new LazyMap(targets.keys(), (name) => weightGradient(parts, targets.get(name)));
  }

  /** Full names of the hook points, in the model's order. */
  keys(): readonly string[] {
    return this.cache.keys();
  }

  /** Names of the weights, as they can be asked for. */
  weightNames(): readonly string[] {
    return [...this.#weights.keys()];
  }

  /**
   * Returns the gradient with respect to a weight, in the weight's shape.
   *
   * Under TransformerLens's names keys and values of grouped heads are not repeated: `W_K` is `[kvHead, dModel, dHead]`.
   *
   * @param name - As it was asked for; TransformerLens's short name together with a layer.
   * @throws InputError when it was not asked for.
   */
  weight(name: string, layer?: number): Tensor {
    const full = layer === undefined ? name : this.weightNames().find((one) => isInLayer(one, name, layer));
    const found = full === undefined ? undefined : this.#weights.get(full);
    if (found !== undefined) return found;
    throw new InputError({
      where: "run.gradients.weight",
      got: `"${name}"${layer === undefined ? "" : ` of layer ${layer}`}, which was not asked for`,
      expected: `one of ${nearestNames(name, this.weightNames()).join(", ") || "none: no weight was asked for"}`,
      fix: `Add "${name}" to gradients.wrt.`,
    });
  }

  /**
   * Returns the product of the metric's Hessian with the direction `along`, at one hook point, in its shape: how fast the
   * gradient there changes when all hook points of `wrt` move along their directions.
   *
   * @throws InputError when no direction was given; HookNotFoundError when the point was not asked for.
   */
  get hessianVector(): ActivationCache["get"] {
    if (this.#hessian !== undefined) return this.#hessian;
    throw new InputError({
      where: "run.gradients.hessianVector",
      got: "gradients without a direction",
      expected: "a run that was given one",
      fix: "Pass gradients: { of, wrt, along: direction }.",
    });
  }

  /** Returns a table: how long each gradient is, and its largest entry. */
  toView(): View {
    const weights = this.weightNames().map((name) => [name, this.weight(name)] as const);
    const rows = [...this.cache.entries(), ...weights].map(([name, gradient]) => [
      name,
      formatShape(gradient.shape, gradient.axes),
      ...sizesOf(gradient),
    ]);
    const { name, unit } = this.#parts.metric;
    const title = `Gradients of ${name}${unit === "" ? "" : `, ${unit}`}`;
    return table(columns, rows, { title, note: "Length: the root of the sum of squares over all rows and positions." });
  }

  /** A few lines: of what, with respect to what. */
  toString(): string {
    const { request } = this.#parts.resolved;
    const { metric } = this.#parts;
    const list = (names: readonly string[]): string =>
      `${names.slice(0, 4).join(", ")}${names.length > 4 ? ", …" : ""}`;
    return [
      `Gradients of ${request.reduce === "sum" ? "the sum" : "the mean"} over rows of ${metric.name}${metric.unit === "" ? "" : ` (${metric.unit})`}`,
      ...(request.wrt.length === 0 ? [] : [`  at ${request.wrt.length} hook points: ${list(request.wrt)}`]),
      ...(this.#weights.size === 0 ? [] : [`  of ${this.#weights.size} weights: ${list(this.weightNames())}`]),
      ...(request.stopAt.length === 0 ? [] : [`  stopped at ${list(request.stopAt)}`]),
      ...request.edits.map(({ edit, hooks }) => `  edit.${edit.name} of the gradient at ${list(hooks)}`),
    ].join("\n");
  }
}

const columns: readonly TableColumn[] = [
  { name: "with respect to", kind: "text" },
  { name: "shape", kind: "text" },
  { name: "length", kind: "number" },
  { name: "largest", kind: "number" },
];

/** Length and largest size of a gradient. */
function sizesOf(gradient: Tensor): readonly [number, number] {
  const { data } = gradient;
  let [squares, largest] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    const x = Math.abs(Number(data[i]));
    squares += x * x;
    largest = Math.max(largest, x);
  }
  return [Math.sqrt(squares), largest];
}

function isInLayer(full: string, short: string, layer: number): boolean {
  return full.startsWith(`blocks.${layer}.`) && full.endsWith(`.${short}`);
}

function weightGradient(parts: GradientParts, target: WeightTarget | undefined): Tensor {
  const { name = "", stored = "", take = (whole: Tensor) => whole } = target ?? {};
  return take(read(parts, `${weightGradientPrefix}${stored}`, name));
}

/** `cache.get` with an error that speaks of gradients. */
function checkedGet(cache: ActivationCache): ActivationCache["get"] {
  const get = (name: string | HookRef, layer?: number, layerType?: string): Tensor => {
    if (typeof name !== "string") return checked(cache, singleName(name), () => cache.get(name));
    const full = layer === undefined && cache.has(name) ? name : getActName(name, layer, layerType);
    return checked(cache, full, () => cache.get(full));
  };
  // The overloads are those of the cache's own method; each of them ends in this function.
  return get as ActivationCache["get"];
}

/** The name that a reference to one point means; empty for several, which the cache refuses itself. */
function singleName({ point, layers }: HookRef): string {
  if (layers === undefined) return point;
  return typeof layers === "number" ? `blocks.${layers}.${point}` : "";
}

function checked(cache: ActivationCache, full: string, get: () => Tensor): Tensor {
  if (full === "" || cache.has(full)) return get();
  throw new HookNotFoundError({
    where: "run.gradients.get",
    got: `"${full}", which was not asked for`,
    expected: `a hook point of gradients.wrt; nearest: ${nearestNames(full, cache.keys()).join(", ") || "none"}`,
    fix: `Add "${full}" to gradients.wrt.`,
  });
}
