/** From what was recorded to the tensors of an index: which examples stay, and in which group. */
import { Tensor } from "../../tensor/index.js";
import { binCount } from "./activation-bins.js";
import type { Kept } from "./kept.js";
import type { ExampleRecorder } from "./recorder.js";

/** How a sample is cut into groups. */
export interface GroupPlan {
  readonly quantiles: number;
  readonly perQuantile: number;
}

/** An example that stays: a slot of a store, and its group (0 the greatest, then quantiles from the highest). */
interface Chosen {
  readonly store: Kept;
  readonly slot: number;
  readonly group: number;
}

interface FeatureChoice {
  readonly chosen: readonly Chosen[];
  /** Least and greatest value of each group. */
  readonly bounds: readonly (readonly [number, number])[];
}

/** Which of `count` are shown: `shown` of them, evenly spread. */
function spread(count: number, shown: number): readonly number[] {
  if (count <= shown) return Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: shown }, (_, i) => Math.floor(((i + 0.5) * count) / shown));
}

function choose({ top, sample }: ExampleRecorder, feature: number, plan: GroupPlan): FeatureChoice {
  const valueAt = (store: Kept, slot: number | undefined): number =>
    slot === undefined ? Number.NaN : (store.columns.values[slot] ?? Number.NaN);
  const [best, sampled] = [top.sorted(feature), sample.sorted(feature)];
  const chosen: Chosen[] = best.map((slot) => ({ store: top, slot, group: 0 }));
  const bounds: (readonly [number, number])[] = [[valueAt(top, best.at(-1)), valueAt(top, best[0])]];
  for (let q = 0; q < plan.quantiles; q++) {
    const edge = (i: number): number => Math.floor((i * sampled.length) / plan.quantiles);
    const own = sampled.slice(edge(q), edge(q + 1));
    bounds.push([valueAt(sample, own.at(-1)), valueAt(sample, own[0])]);
    const shown = spread(own.length, plan.perQuantile).flatMap((i) => own[i] ?? []);
    chosen.push(...shown.map((slot) => ({ store: sample, slot, group: q + 1 })));
  }
  return { chosen, bounds };
}

/** Names of the tensors of an index. */
export type IndexTensorName =
  | "acts"
  | "bins"
  | "bounds"
  | "exponents"
  | "fired"
  | "group"
  | "max"
  | "offsets"
  | "position"
  | "row"
  | "sums"
  | "tokens"
  | "value";

/** Returns the tensors of an index; examples lie one after another, those of feature i from `offsets[i]`. */
export function indexTensors(recorder: ExampleRecorder, plan: GroupPlan): Readonly<Record<IndexTensorName, Tensor>> {
  const { nFeatures, context } = recorder.plan;
  const width = 2 * context + 1;
  const choices = Array.from({ length: nFeatures }, (_, feature) => choose(recorder, feature, plan));
  const all = choices.flatMap(({ chosen }) => chosen);
  const offsets = new Int32Array(nFeatures + 1);
  choices.forEach(({ chosen }, i) => void (offsets[i + 1] = (offsets[i] ?? 0) + chosen.length));
  const tokens = new Int32Array(all.length * width);
  const acts = new Float32Array(all.length * width);
  all.forEach(({ store, slot }, i) => {
    tokens.set(store.columns.tokens.subarray(slot * width, (slot + 1) * width), i * width);
    acts.set(store.columns.acts.subarray(slot * width, (slot + 1) * width), i * width);
  });
  const groups = plan.quantiles + 1;
  const column = (of: (one: Chosen) => number | undefined): Int32Array => Int32Array.from(all, (one) => of(one) ?? -1);
  const tensor = (
    data: Float32Array | Float64Array | Int32Array,
    shape: readonly number[],
    ...axes: string[]
  ): Tensor => Tensor.of(data, shape, axes);
  return {
    fired: tensor(recorder.fired, [nFeatures], "feature"),
    sums: tensor(recorder.sums, [nFeatures], "feature"),
    max: tensor(recorder.max, [nFeatures], "feature"),
    exponents: tensor(recorder.bins.exponents, [nFeatures], "feature"),
    bins: tensor(Int32Array.from(recorder.bins.counts), [nFeatures, binCount], "feature", "bin"),
    bounds: tensor(
      Float32Array.from(choices.flatMap(({ bounds }) => bounds.flat())),
      [nFeatures, groups, 2],
      "feature",
      "group",
      "end",
    ),
    offsets: tensor(offsets, [nFeatures + 1], "feature"),
    group: tensor(
      column(({ group }) => group),
      [all.length],
      "example",
    ),
    row: tensor(
      column(({ store, slot }) => store.columns.rows[slot]),
      [all.length],
      "example",
    ),
    position: tensor(
      column(({ store, slot }) => store.columns.positions[slot]),
      [all.length],
      "example",
    ),
    value: tensor(
      Float32Array.from(all, ({ store, slot }) => store.columns.values[slot] ?? 0),
      [all.length],
      "example",
    ),
    tokens: tensor(tokens, [all.length, width], "example", "context"),
    acts: tensor(acts, [all.length, width], "example", "context"),
  };
}
