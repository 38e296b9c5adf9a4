/** Measurements on text that is not trained on. */
import type { LongCallOptions } from "../../core/index.js";
import type { Trainer, TrainingBatch } from "../../train/index.js";
import { ActivationBatches } from "./batches.js";
import type { RunNumbers } from "./recipe.js";
import { resamplingNames } from "./resampling.js";
import type { ActivationSource } from "./source.js";
import type { HookStatistics } from "./statistics.js";

/** Activations to measure on. */
export interface HeldOut {
  readonly source: ActivationSource;
  readonly tokens: number | undefined;
  readonly every: number | undefined;
  /** Whether the trainer expects noise beside activations. */
  readonly hasNoise: boolean;
}

interface Setting {
  readonly statistics: ReadonlyMap<string, HookStatistics>;
  readonly numbers: RunNumbers;
  readonly long: LongCallOptions;
}

/** What the trainer asks for now and then. */
export interface Measurement {
  readonly every: number;
  readonly measure: (trainer: Trainer) => Promise<Readonly<Record<string, number>>>;
}

const defaultTokens = 16_384;

/** Reads held-out activations once, and returns what measures on them. */
export async function heldOutMeasure(
  { source, tokens = defaultTokens, every, hasNoise }: HeldOut,
  { statistics, numbers, long }: Setting,
): Promise<Measurement> {
  const { batch, steps, seed } = numbers;
  const batches = new ActivationBatches(source, { batch, seed }, long);
  batches.scaleBy(new Map([...statistics].map(([name, { scale }]) => [name, scale] as const)));
  const count = Math.min(batches.perBlock, Math.max(1, Math.floor(tokens / batch)));
  const noise: TrainingBatch = hasNoise
    ? { [resamplingNames.noise]: { dtype: "float32", shape: [batch], data: new Float32Array(batch) } }
    : {};
  const all: TrainingBatch[] = [];
  for (let i = 0; i < count; i++) all.push({ ...(await batches.at(i)), ...noise });
  return {
    every: every ?? Math.max(1, Math.round(steps / 10)),
    measure: (trainer) => measureOn(trainer, all),
  };
}

/** Means over batches of the loss and of `fvu` and `l0` of each dictionary. */
async function measureOn(trainer: Trainer, batches: readonly TrainingBatch[]): Promise<Record<string, number>> {
  const sums = new Map<string, number>();
  const add = (name: string, value: number): void => {
    sums.set(name, (sums.get(name) ?? 0) + value / batches.length);
  };
  for (const batch of batches) {
    const { loss, metrics } = await trainer.evaluate(batch);
    add("heldOutLoss", loss);
    for (const [name, value] of Object.entries(metrics)) {
      const [, prefix = "", own = ""] = /^(.*\/)?(fvu|l0)$/.exec(name) ?? [];
      if (own !== "") add(`${prefix}heldOut${own === "fvu" ? "Fvu" : "L0"}`, value);
    }
  }
  return Object.fromEntries(sums);
}
