/** From features and labels to a result, wherever the features come from. */
import { type LongCallOptions, progressOf } from "../../core/index.js";
import type { Engine } from "../../runtime/index.js";
import type { Targets, Units } from "./examples.js";
import { type FeatureBlock, type FitTask, type FittedBlock, fitBlocks } from "./fit.js";
import { dealFolds } from "./folds.js";
import { ProbeResult } from "./result.js";
import { deviationOf, foldScores, plainScore, scoreIntervals } from "./scores.js";
import { type Settings, settingsOf } from "./settings.js";
import type { ProbeFitOptions, ProbeProvenance, ProbeScore } from "./types.js";

/** Features of one place, with what names it. */
export interface PlacedBlock extends FeatureBlock {
  readonly layer: number;
  readonly pos: string;
  readonly hook: string;
  readonly axes: readonly string[];
  readonly shape: readonly number[];
}

/** Where features come from: everything of the provenance that the fit does not know itself. */
export type Origin = Pick<ProbeProvenance, "dataHash" | "edits" | "identity" | "model" | "reading">;

/** A fit that is decided: what is wrong with the examples is known before any activation is computed. */
export interface FitPlan {
  readonly settings: Settings;
  readonly fold: Int32Array;
}

/**
 * Checks options and deals the folds.
 *
 * @throws InputError for options out of range, and for too few examples, groups or examples of a class.
 */
export function planFit({ labels, values }: Targets, units: Units, options: ProbeFitOptions, where: string): FitPlan {
  const settings = settingsOf(options, labels.length, where);
  const fold = dealFolds({
    classes: values instanceof Int32Array ? values : undefined,
    classNames: labels,
    units: units.names,
    isGrouped: units.isGrouped,
    folds: settings.folds,
    seed: settings.seed,
    where,
  });
  return { settings, fold };
}

/** All that a fit needs. */
export interface FitInput {
  readonly plan: FitPlan;
  readonly blocks: readonly PlacedBlock[];
  readonly targets: Targets;
  readonly units: Units;
  readonly origin: Origin;
  readonly seen: { readonly groups: readonly string[]; readonly texts: readonly string[] };
  readonly engine?: Engine;
  readonly where: string;
}

function baselineOf({ labels, values }: Targets): number {
  if (labels.length === 0) return 0;
  const counts = labels.map((_, c) => Array.from(values).filter((own) => own === c).length);
  return Math.max(...counts) / values.length;
}

function scoresOf(fitted: readonly FittedBlock[], input: FitInput): readonly ProbeScore[] {
  const { settings, fold } = input.plan;
  const { values, labels } = input.targets;
  const classes = labels.length;
  const judged = fitted.map(({ heldOut }) => ({ values, classes, heldOut }));
  const { resamples, seed } = settings;
  const intervals = scoreIntervals(judged, { units: input.units.names, resamples, seed: seed + 2 });
  const none = { low: Number.NaN, high: Number.NaN };
  return judged.map((own, i) => {
    const { layer = 0, pos = "", hook = "" } = input.blocks[i] ?? {};
    const plain = plainScore(own);
    const drawn = fitted[i]?.control;
    const control = drawn === undefined ? Number.NaN : plainScore({ ...drawn, classes }).score;
    const folds = foldScores(own, fold, settings.folds);
    return {
      layer,
      pos,
      hook,
      ...plain,
      ...(intervals[i] ?? { interval: none, aurocInterval: none }),
      deviation: deviationOf(folds),
      folds,
      control,
      selectivity: plain.score - control,
    };
  });
}

/** Fits probes to features and judges them. */
export async function runFit(input: FitInput, options: LongCallOptions): Promise<ProbeResult> {
  const { targets, units, where, engine, blocks, plan } = input;
  const { labels, values } = targets;
  const { settings, fold } = plan;
  const { folds, seed, penalty, shrinkage, whitened } = settings;
  const report = progressOf(options);
  const task: FitTask = {
    values,
    classes: labels.length,
    fold,
    settings,
    where,
    ...(engine === undefined ? {} : { engine }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(report === undefined ? {} : { onProgress: report }),
  };
  const fitted = await fitBlocks(blocks, task);
  const scores = scoresOf(fitted, input);
  return new ProbeResult({
    labels,
    method: settings.method,
    baseline: baselineOf(targets),
    probes: scores.map((score, i) => ({
      score,
      axes: blocks[i]?.axes ?? [],
      shape: blocks[i]?.shape ?? [],
      readout: fitted[i]?.readout ?? { weights: new Float64Array(), bias: new Float64Array(), temperature: 1, gap: 0 },
    })),
    provenance: {
      ...input.origin,
      examples: values.length,
      seed,
      folds,
      split: units.isGrouped ? "group" : "random",
      penalty,
      shrinkage,
      whitened,
    },
    seen: input.seen,
  });
}
