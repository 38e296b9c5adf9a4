/** Fills one stack part by part, so that nothing larger than a part exists beside it. */
import { formatBytes, MemoryError } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import { floatData } from "../edits/values.js";

/** Axes and sizes of one entry of a stack. */
export interface Frame {
  readonly axes: readonly string[];
  readonly shape: readonly number[];
}

/** What a stack will be. */
export interface StackPlan {
  readonly where: string;
  readonly count: number;
  readonly frame: Frame;
  readonly dtype: "float32" | "float64";
  /** Bytes that the stack may take. */
  readonly memoryLimit: number;
}

/** A frame with the axes in which it ends: `dModel`, or a projection's. */
export function frameOf(positions: Frame, end: Frame): Frame {
  return { axes: [...positions.axes, ...end.axes], shape: [...positions.shape, ...end.shape] };
}

/** Axes and sizes of a tensor without some. */
export function frameWithout(tensor: Tensor, axes: readonly string[]): Frame {
  const kept = tensor.axes.filter((axis) => !axes.includes(axis));
  return { axes: kept, shape: kept.map((axis) => tensor.sizeOf(axis)) };
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Refuses a stack above the model's memory limit before it is computed. */
export function checkStackSize({ where, count, frame, dtype, memoryLimit }: StackPlan): void {
  const bytes = count * sizeOf(frame.shape) * (dtype === "float64" ? 8 : 4);
  if (bytes <= memoryLimit) return;
  throw new MemoryError({
    where,
    got: `a stack of ${count} entries [${frame.shape.join(", ")}], ${formatBytes(bytes)}`,
    expected: `at most ${formatBytes(memoryLimit)} (memoryLimit of loadModel)`,
    fix: "Select positions with posSlice, neurons with neuronSlice, or give projectOutputOnto.",
  });
}

/** A stack `[component, …frame]` under construction. */
export class StackBuilder {
  readonly #frame: Frame;
  readonly #count: number;
  readonly #data: Float32Array | Float64Array;
  readonly #labels: string[] = [];
  #filled = 0;

  constructor(plan: StackPlan) {
    checkStackSize(plan);
    this.#frame = plan.frame;
    this.#count = plan.count;
    const size = plan.count * sizeOf(plan.frame.shape);
    this.#data = plan.dtype === "float64" ? new Float64Array(size) : new Float32Array(size);
  }

  /** Adds entries: one without a `component` axis, or as many as there are labels; axes that it lacks repeat. */
  add(labels: readonly string[], part: Tensor): void {
    const { axes, shape } = this.#frame;
    const whole = part.axes.includes("component") ? part : part.insertAxis("component");
    const full = axes.reduce<Tensor>(
      (tensor, axis, i) => (tensor.axes.includes(axis) ? tensor : tensor.insertAxis(axis, { size: shape[i] ?? 1 })),
      whole,
    );
    const ordered: Tensor = full.transpose(["component", ...axes]);
    this.#data.set(floatData(ordered, this.#data instanceof Float64Array ? "float64" : "float32"), this.#filled);
    this.#filled += ordered.size;
    this.#labels.push(...labels);
  }

  /** Adds `whole` minus the sum of all entries so far. */
  addRemainder(whole: Tensor): void {
    const { axes, shape } = this.#frame;
    const count = this.#labels.length;
    const size = sizeOf(shape);
    const parts = Tensor.of(this.#data.subarray(0, count * size), [count, ...shape], ["component", ...axes]) as Tensor;
    this.add(["remainder"], whole.sub(parts.sum("component")));
  }

  /** The finished stack and its labels. */
  finish(): { readonly stack: Tensor; readonly labels: readonly string[] } {
    const stack = Tensor.of(this.#data, [this.#count, ...this.#frame.shape], ["component", ...this.#frame.axes]);
    return { stack, labels: this.#labels };
  }
}
