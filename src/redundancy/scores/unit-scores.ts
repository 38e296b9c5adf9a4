/**
 * Scores of heads and neurons from one pass over a text: how large what they write is.
 *
 * - AMP (c2d-usp, 2025): a head by the mean over tokens of `‖z_h W_O‖₁`; a neuron by the mean of `|a_j|`, and, weighted, of
 *   `|a_j| ‖W_out,j‖₁`. Means over each sequence first, then over sequences.
 * - Minitron (Muralidharan et al. 2024): a head by `‖z_h‖₂`, a neuron by its pre-activation, a channel of the stream by the outputs of
 *   all norms; magnitudes averaged over a sequence, then `(Σ_sequences mean²)^½`.
 */
import { type LongCallOptions, progressOf, throwIfAborted } from "../../core/index.js";
import type { Model, Run, TokenRow } from "../../model/index.js";
import { bootstrapIntervals } from "../../stats/index.js";
import { groupRows } from "../evaluate/rows.js";
import type { Part, Score } from "../parts.js";

/** Scores of the units inside sublayers. */
export interface UnitScores {
  /** AMP and Minitron of every head. */
  readonly heads: readonly Score[];
  /** AMP, AMP weighted, and Minitron of every neuron; none for models without MLPs. */
  readonly neurons: readonly Score[];
  /** Minitron's magnitude of each coordinate of the stream, `[dModel]`. */
  readonly channels: Float64Array;
}

type Floats = ArrayLike<number>;

/** Means over the tokens of one sequence, `[unit]`, for each statistic. */
type Means = Float64Array;

/** What is measured at one hook point: from the numbers of one token at `from`, `[unit]` magnitudes are added to `out`. */
interface Probe {
  readonly hook: string;
  readonly units: number;
  readonly width: number;
  readonly add: (data: Floats, from: number, out: Means) => void;
}

function perUnit(hook: string, units: number): Probe {
  const add: Probe["add"] = (data, from, out) => {
    for (let unit = 0; unit < units; unit++) out[unit] = (out[unit] ?? 0) + Math.abs(data[from + unit] ?? 0);
  };
  return { hook, units, width: units, add };
}

/** Vectors of units: the sum of magnitudes, or the length. */
function perVector(hook: string, units: number, size: number, isLength: boolean): Probe {
  const add: Probe["add"] = (data, from, out) => {
    for (let unit = 0; unit < units; unit++) {
      let sum = 0;
      for (let i = from + unit * size; i < from + (unit + 1) * size; i++) {
        const value = data[i] ?? 0;
        sum += isLength ? value * value : Math.abs(value);
      }
      out[unit] = (out[unit] ?? 0) + (isLength ? Math.sqrt(sum) : sum);
    }
  };
  return { hook, units, width: units * size, add };
}

/** A probe's means by sequence. */
interface Measured {
  readonly probe: Probe;
  readonly means: readonly Means[];
}

function addRun({ probe, means }: Measured, run: Run, places: readonly number[], length: number): void {
  const data = run.cache.get(probe.hook).contiguous().data as Floats;
  for (const [row, place] of places.entries()) {
    const out = means[place];
    if (out === undefined) continue;
    for (let pos = 0; pos < length; pos++) probe.add(data, (row * length + pos) * probe.width, out);
    for (let unit = 0; unit < out.length; unit++) out[unit] = (out[unit] ?? 0) / length;
  }
}

/** Numbers that the captures of one run may take. */
const captureNumbers = 2 ** 25;

async function measure(
  model: Model,
  rows: readonly TokenRow[],
  probes: readonly Probe[],
  options: LongCallOptions,
): Promise<readonly Measured[]> {
  const { signal } = options;
  const report = progressOf(options);
  const measured = probes.map((probe) => ({ probe, means: rows.map(() => new Float64Array(probe.units)) }));
  const perToken = probes.reduce((sum, { width }) => sum + width, 0);
  // Every edit of the model reaches the last stream; one that reached nothing would be refused.
  const last = model.hookNames().findLast((name) => name.endsWith(".hook_resid_post")) ?? "";
  const capture = [...new Set([...probes.map(({ hook }) => hook), last])];
  let done = 0;
  for (const { places, rows: all, length } of groupRows(model, rows, "unitScores")) {
    const step = Math.max(1, Math.floor(captureNumbers / (perToken * length)));
    for (let from = 0; from < all.length; from += step) {
      throwIfAborted(signal, "unitScores");
      report?.({ done, total: rows.length, label: "magnitudes of heads and neurons" });
      const own = all.slice(from, from + step);
      const run = await model.run(own, { capture, logits: "none", ...(signal === undefined ? {} : { signal }) });
      for (const one of measured) addRun(one, run, places.slice(from, from + own.length), length);
      done += own.length;
    }
  }
  report?.({ done, total: rows.length, label: "magnitudes of heads and neurons" });
  return measured;
}

type Aggregate = (values: readonly number[], weights: ArrayLike<number>) => number;

const meanOver: Aggregate = (values, weights) => {
  let [sum, total] = [0, 0];
  values.forEach((value, i) => {
    sum += (weights[i] ?? 0) * value;
    total += weights[i] ?? 0;
  });
  return sum / total;
};

const rootSum: Aggregate = (values, weights) =>
  Math.sqrt(values.reduce((sum, value, i) => sum + (weights[i] ?? 0) * value * value, 0));

/** What a score is called, which probes it reads layer by layer, and how sequences come together. */
interface ScorePlan {
  readonly name: string;
  readonly title: string;
  readonly kind: "head" | "neuron";
  readonly layers: readonly { readonly layer: number; readonly measured: Measured; readonly scale?: Floats }[];
  readonly aggregate: Aggregate;
  readonly resamples: number;
}

function scoreOf({ name, title, kind, layers, aggregate, resamples }: ScorePlan): Score {
  const parts = layers.flatMap(({ layer, measured }) =>
    Array.from({ length: measured.probe.units }, (_, index): Part => ({ kind, layer, index })),
  );
  const count = layers[0]?.measured.means.length ?? 0;
  const bySequence = layers.flatMap(({ measured, scale }) =>
    Array.from({ length: measured.probe.units }, (_, unit) =>
      measured.means.map((own) => (own[unit] ?? 0) * (scale?.[unit] ?? 1)),
    ),
  );
  const values = (weights: ArrayLike<number>): number[] => bySequence.map((own) => aggregate(own, weights));
  const once = new Float64Array(count).fill(1);
  const intervals = bootstrapIntervals(count, (weights) => values(weights), { resamples });
  return {
    name,
    title,
    parts,
    values: Float64Array.from(values(once)),
    low: Float64Array.from(intervals, ({ low }) => low),
    high: Float64Array.from(intervals, ({ high }) => high),
  };
}

/** `‖W_out,j‖₁` of every neuron. */
async function outputSizes(model: Model, layer: number): Promise<Float64Array> {
  const { dMlp, dModel } = model.config;
  const data = (await model.weights.get(`blocks.${layer}.mlp.W_out`)).contiguous().data as Floats;
  return Float64Array.from({ length: dMlp }, (_, neuron) => {
    let sum = 0;
    for (let i = neuron * dModel; i < (neuron + 1) * dModel; i++) sum += Math.abs(data[i] ?? 0);
    return sum;
  });
}

/** The probes of a model, by what they are for. */
function probesOf(model: Model): Readonly<Record<"channels" | "post" | "pre" | "result" | "z", readonly Probe[]>> {
  const { nHeads, dHead, dModel, dMlp, attnOnly } = model.config;
  const layers = model.view.layers;
  const names = new Set(model.hookNames());
  const norms = layers.flatMap((layer) => [
    `blocks.${layer}.ln1.hook_normalized`,
    `blocks.${layer}.ln2.hook_normalized`,
  ]);
  const each = (make: (layer: number) => Probe): readonly Probe[] => layers.map(make);
  const mlp = (name: string): readonly Probe[] =>
    attnOnly ? [] : each((layer) => perUnit(`blocks.${layer}.mlp.${name}`, dMlp));
  return {
    result: each((layer) => perVector(`blocks.${layer}.attn.hook_result`, nHeads, dModel, false)),
    z: each((layer) => perVector(`blocks.${layer}.attn.hook_z`, nHeads, dHead, true)),
    post: mlp("hook_post"),
    pre: mlp("hook_pre"),
    channels: [...norms, "ln_final.hook_normalized"]
      .filter((hook) => names.has(hook))
      .map((hook) => perUnit(hook, dModel)),
  };
}

const resamples = { head: 300, neuron: 40 } as const;

/**
 * Scores every head and every neuron by the size of what it computes, in one pass.
 *
 * LOW values can go first. Intervals are 95 % bootstraps over sequences. Memory: a number for each head, neuron and sequence.
 *
 * @param rows - Token ids without padding.
 * @throws InputError for rows that do not fit; AbortedError.
 */
export async function unitScores(
  model: Model,
  rows: readonly TokenRow[],
  options: LongCallOptions = {},
): Promise<UnitScores> {
  const probes = probesOf(model);
  const all = await measure(model, rows, Object.values(probes).flat(), options);
  const found = new Map(all.map((one) => [one.probe, one]));
  const { layers } = model.view;
  const layered = (own: readonly Probe[], scales: readonly Floats[] = []): ScorePlan["layers"] =>
    own.flatMap((probe, i) => {
      const [measured, scale] = [found.get(probe), scales[i]];
      if (measured === undefined) return [];
      return [{ layer: layers[i] ?? i, measured, ...(scale === undefined ? {} : { scale }) }];
    });
  const head = { kind: "head", resamples: resamples.head } as const;
  const neuron = { kind: "neuron", resamples: resamples.neuron } as const;
  const sizes = model.config.attnOnly ? [] : await Promise.all(layers.map((layer) => outputSizes(model, layer)));
  const plans: readonly ScorePlan[] = [
    { ...head, name: "ampHeads", title: "AMP", layers: layered(probes.result), aggregate: meanOver },
    { ...head, name: "minitronHeads", title: "Minitron", layers: layered(probes.z), aggregate: rootSum },
  ];
  const neurons: readonly ScorePlan[] = [
    { ...neuron, name: "ampNeurons", title: "AMP", layers: layered(probes.post), aggregate: meanOver },
    {
      ...neuron,
      name: "ampWeighted",
      title: "AMP, weighted",
      layers: layered(probes.post, sizes),
      aggregate: meanOver,
    },
    { ...neuron, name: "minitronNeurons", title: "Minitron", layers: layered(probes.pre), aggregate: rootSum },
  ];
  const channels = new Float64Array(model.config.dModel);
  for (const probe of probes.channels)
    for (let i = 0; i < channels.length; i++) {
      const own = found.get(probe)?.means.map((means) => means[i] ?? 0) ?? [];
      channels[i] = (channels[i] ?? 0) + rootSum(own, new Float64Array(own.length).fill(1));
    }
  return {
    heads: plans.map(scoreOf),
    neurons: model.config.attnOnly ? [] : neurons.map(scoreOf),
    channels,
  };
}
