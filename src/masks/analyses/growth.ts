/** A circuit built up from a subnetwork: whole heads and MLPs are added, the one that helps most first. */

import { InputError, type LongCallOptions, printsItself, progressOf, throwIfAborted } from "../../core/index.js";
import type { Metric, Model, ModelInput } from "../../model/index.js";
import { edit } from "../../model/index.js";
import { lines, type View } from "../../viz/index.js";
import type { WeightMask } from "../mask/weight-mask.js";

/** A head, or an MLP as a whole. */
export type Unit = { readonly layer: number; readonly head: number } | { readonly layer: number; readonly mlp: true };

/** Options of {@link growSubnetwork}. */
export interface GrowthOptions extends LongCallOptions {
  /** What may be added. Default every head and every MLP. */
  readonly units?: readonly Unit[];
  /** Units that are added at most. Default 8. */
  readonly steps?: number;
  /** Ends when the metric comes to this share of the way from the start to the whole model. Default 1. */
  readonly enough?: number;
}

/** One step of growth. */
export interface GrowthStep {
  readonly added: string;
  /** The metric of the subnetwork with everything added so far: sufficiency. */
  readonly kept: number;
  /** The metric of the whole model without everything added so far: necessity. */
  readonly without: number;
  /** Weights that are kept. */
  readonly count: number;
}

/** How a task comes back as a subnetwork grows. Immutable. */
export class SubnetworkGrowth {
  static {
    printsItself(this.prototype);
  }

  readonly metric: string;
  /** The metric of the subnetwork that growth began with, and of the whole model. */
  readonly start: number;
  readonly whole: number;
  readonly steps: readonly GrowthStep[];
  /** The subnetwork in the end. */
  readonly mask: WeightMask;

  /** @internal Use `growSubnetwork`. */
  constructor(parts: Readonly<Pick<SubnetworkGrowth, "mask" | "metric" | "start" | "steps" | "whole">>) {
    this.metric = parts.metric;
    this.start = parts.start;
    this.whole = parts.whole;
    this.steps = parts.steps;
    this.mask = parts.mask;
  }

  /** Draws the metric as units are added, and as the same units are taken from the whole model. */
  toView(): View {
    return lines(
      [
        { name: "subnetwork with them", y: [this.start, ...this.steps.map(({ kept }) => kept)] },
        { name: "whole model without them", y: [this.whole, ...this.steps.map(({ without }) => without)] },
      ],
      {
        title: "A task comes back as units are added",
        x: { name: "units added, one after another", labels: ["none", ...this.steps.map(({ added }) => added)] },
        y: { name: this.metric },
      },
    );
  }

  /** Returns each step in a line. */
  toString(): string {
    const rows = this.steps.map(({ added, kept, without, count }) => {
      return `  + ${added}: ${kept.toFixed(3)} with ${count} weights; whole model without ${without.toFixed(3)}`;
    });
    return [
      `SubnetworkGrowth of ${this.metric}: ${this.start.toFixed(3)} at the start, ${this.whole.toFixed(3)} whole`,
      ...(rows.length > 0 ? rows : ["  nothing was added: the start is already where growth was to end"]),
    ].join("\n");
  }
}

function nameOf(unit: Unit): string {
  return "head" in unit ? `L${unit.layer}H${unit.head}` : `MLP ${unit.layer}`;
}

function setUnit(mask: WeightMask, unit: Unit, isKept: boolean): WeightMask {
  return "head" in unit ? mask.setHead(unit.layer, unit.head, isKept) : mask.setLayer(unit.layer, isKept, "mlp");
}

function everyUnit({ config }: Model): readonly Unit[] {
  const { nLayers, nHeads, attnOnly } = config;
  return Array.from({ length: nLayers }, (_, layer): readonly Unit[] => [
    ...Array.from({ length: nHeads }, (_unused, head) => ({ layer, head })),
    ...(attnOnly ? [] : [{ layer, mlp: true } as const]),
  ]).flat();
}

/** What growth is measured by. */
export interface GrowthTask {
  readonly prompts: ModelInput;
  /** Higher is better, such as `metric.logitDiff(task)`. */
  readonly metric: Metric;
}

/**
 * Adds whole heads and MLPs to a subnetwork, at each step the one that raises a metric most, until the task works.
 *
 * Greedy: units that only help together are found late, or not. What is added is also taken from the whole model, so that what
 * suffices and what is needed stand side by side.
 *
 * No step is taken where the subnetwork is where growth was to end from the start; the result says so.
 *
 * @throws InputError for no unit, no step; what `mask.setHead` and `model.run` throw.
 */
export async function growSubnetwork(
  model: Model,
  start: WeightMask,
  { prompts, metric }: GrowthTask,
  options: GrowthOptions = {},
): Promise<SubnetworkGrowth> {
  const { units = everyUnit(model), steps: most = 8, enough = 1, signal } = options;
  checkCounts(units.length, most);
  const measure = async (one: Model): Promise<number> => {
    throwIfAborted(signal, "growSubnetwork");
    const run = await one.run(prompts, { metric, logits: "none" });
    return run.metric.mean().item();
  };
  const masked = (mask: WeightMask): Promise<number> => measure(model.with(edit.keepWeights(mask)));
  const [whole, first] = [await measure(model), await masked(start)];
  const growing = new Growing(start, units);
  const goal = first + enough * (whole - first);
  const report = progressOf(options);
  for (let last = first; growing.steps.length < most && growing.left.length > 0 && last < goal; ) {
    report?.({ done: growing.steps.length, total: most, label: "units added" });
    last = await growing.step(masked);
  }
  const done = growing.steps.length;
  report?.({ done, total: done, label: "units added" });
  return new SubnetworkGrowth({ metric: metric.name, start: first, whole, steps: growing.steps, mask: growing.mask });
}

/** A subnetwork with what was added so far, and the whole model without it. */
class Growing {
  mask: WeightMask;
  left: readonly Unit[];
  readonly steps: GrowthStep[] = [];
  #rest: WeightMask;

  constructor(start: WeightMask, units: readonly Unit[]) {
    this.mask = start;
    this.left = units;
    this.#rest = start.union(start.complement());
  }

  /** Adds the unit that helps most; returns the metric with it. */
  async step(masked: (mask: WeightMask) => Promise<number>): Promise<number> {
    const values: number[] = [];
    for (const unit of this.left) values.push(await masked(setUnit(this.mask, unit, true)));
    const kept = Math.max(...values);
    const [unit] = this.left.filter((_, i) => values[i] === kept);
    if (unit === undefined) return kept;
    this.mask = setUnit(this.mask, unit, true);
    this.#rest = setUnit(this.#rest, unit, false);
    this.left = this.left.filter((one) => one !== unit);
    const without = await masked(this.#rest);
    this.steps.push({ added: nameOf(unit), kept, without, count: this.mask.count });
    return kept;
  }
}

function checkCounts(units: number, steps: number): void {
  if (units > 0 && Number.isInteger(steps) && steps > 0) return;
  throw new InputError({
    where: "growSubnetwork",
    got: `${units} units, ${steps} steps`,
    expected: "at least one unit and one step",
    fix: "Leave both out for every head and MLP, and 8 steps.",
  });
}
