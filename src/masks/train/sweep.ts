/** One mask for each of several sparsities, and which of them to take. */
import { InputError, type LongCallOptions, printsItself } from "../../core/index.js";
import { edit, type Model } from "../../model/index.js";
import { scatter, type View } from "../../viz/index.js";
import { type SurprisalCorrelation, surprisalCorrelation } from "../analyses/surprisal.js";
import type { BigramTable } from "../bigram/table.js";
import { type MaskTraining, type TrainMaskOptions, trainMask } from "./train.js";

/** Options of {@link sweepSparsity}; defaults are the paper's. */
export interface SparsitySweepOptions extends Omit<TrainMaskOptions, "sparsity" | "target"> {
  /** λ of each mask. Default 0, 1, 5, 10, 50, 100, 500 and 1,000. */
  readonly sparsities?: readonly number[];
  /** What the masks are trained towards. Default the table that they are judged by. */
  readonly target?: TrainMaskOptions["target"];
  /** By how much the correlation may be below that of the smallest λ. Default 0.04. */
  readonly within?: number;
}

/** What masks are judged by. */
export interface MaskJudge {
  readonly table: BigramTable;
  /** Rows of token ids that masks are not trained on. */
  readonly rows: readonly ArrayLike<number>[];
}

/** A mask and how it does on the text for judging. */
export interface SweptMask {
  readonly training: MaskTraining;
  readonly judged: SurprisalCorrelation;
}

/** Masks of several sparsities. Immutable. */
export class SparsitySweep {
  static {
    printsItself(this.prototype);
  }

  /** By rising λ. */
  readonly runs: readonly SweptMask[];
  /** The mask to take: the smallest whose correlation is within reach of that of the smallest λ. */
  readonly best: SweptMask;
  /** The whole model on the same text. */
  readonly whole: SurprisalCorrelation;

  /** @internal Use `sweepSparsity`. */
  constructor(parts: Readonly<Pick<SparsitySweep, "best" | "runs" | "whole">>) {
    this.runs = parts.runs;
    this.best = parts.best;
    this.whole = parts.whole;
  }

  /** Draws size against correlation, the Pareto front, with the whole model beside it. */
  toView(): View {
    const alive = this.runs.filter(({ training }) => !training.isDead);
    const total = alive[0]?.training.mask.total ?? 1;
    return scatter(
      [...alive.map(({ training }) => training.mask.count), total],
      [...alive.map(({ judged }) => judged.r), this.whole.r],
      {
        title: "Size of a mask against its correlation with the bigram",
        x: { name: "weights kept", log: true },
        y: { name: "r with the bigram" },
        labels: [...alive.map(({ training }) => `λ ${training.sparsity}`), "whole model"],
        groups: [...alive.map((run) => (run === this.best ? "taken" : "other masks")), "whole model"],
      },
    );
  }

  /** Returns a line for each mask. */
  toString(): string {
    const line = (run: SweptMask): string => {
      const { sparsity, mask, isDead } = run.training;
      const end = isDead ? "died" : `${mask.count} weights (${((100 * mask.count) / mask.total).toFixed(2)} %)`;
      return `  λ ${sparsity}: ${end}, r ${run.judged.r.toFixed(3)}${run === this.best ? "  ← taken" : ""}`;
    };
    return [`SparsitySweep: whole model r ${this.whole.r.toFixed(3)}`, ...this.runs.map(line)].join("\n");
  }
}

function checkSparsities(sparsities: readonly number[]): void {
  const isUsable = sparsities.length > 0 && sparsities.every((value) => Number.isFinite(value) && value >= 0);
  if (isUsable && new Set(sparsities).size === sparsities.length) return;
  throw new InputError({
    where: "sweepSparsity: sparsities",
    got: JSON.stringify(sparsities),
    expected: "different numbers of 0 or more",
    fix: "Leave them out for the paper's: 0 to 1,000.",
  });
}

/** The smallest living mask whose correlation is within reach of the first one's. */
export function takeMask(runs: readonly SweptMask[], within: number): SweptMask | undefined {
  const alive = runs.filter(({ training }) => !training.isDead);
  const least = (alive[0]?.judged.r ?? Number.NaN) - within;
  return alive
    .filter(({ judged }) => judged.r >= least)
    .toSorted((a, b) => a.training.mask.count - b.training.mask.count)[0];
}

/**
 * Trains a mask for each of several sparsities and takes the smallest whose correlation with a bigram, on other text, is within
 * 0.04 of that of the smallest λ: the paper's rule.
 *
 * With `folder`, each mask has a folder of its own there, and a sweep that was stopped goes on.
 *
 * @throws InputError for λ that are no different numbers of 0 or more, and when every mask dies; what `trainMask` throws.
 * @see Chang and Bergen 2025, "Bigram Subnetworks: Mapping to Next Tokens in Transformer Language Models"
 */
export async function sweepSparsity(
  model: Model,
  rows: readonly ArrayLike<number>[],
  judge: MaskJudge,
  options: SparsitySweepOptions = {},
): Promise<SparsitySweep> {
  const { sparsities = [0, 1, 5, 10, 50, 100, 500, 1000], within = 0.04, folder, target = judge.table } = options;
  checkSparsities(sparsities);
  const calls: LongCallOptions = options.signal === undefined ? {} : { signal: options.signal };
  const whole = await surprisalCorrelation(model, judge.table, judge.rows, calls);
  const runs: SweptMask[] = [];
  for (const sparsity of sparsities.toSorted((a, b) => a - b)) {
    const place = folder === undefined ? {} : { folder: `${folder}/sparsity-${sparsity}` };
    const training = await trainMask(model, rows, { ...options, target, sparsity, ...place });
    const alone = model.with(edit.keepWeights(training.mask));
    runs.push({ training, judged: await surprisalCorrelation(alone, judge.table, judge.rows, calls) });
  }
  const best = takeMask(runs, within);
  if (best !== undefined) return new SparsitySweep({ runs, best, whole });
  throw new InputError({
    where: "sweepSparsity",
    got: `masks that all died, of λ ${sparsities.join(", ")}`,
    expected: "one that keeps something",
    fix: "Begin with a smaller λ, such as 0.",
  });
}
