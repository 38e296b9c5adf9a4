/** What a model loses with a subnetwork, and with as many weights drawn at random. */
import { InputError, type LongCallOptions, printsItself, progressOf } from "../../core/index.js";
import { edit, type Model } from "../../model/index.js";
import { bars, type View } from "../../viz/index.js";
import type { BigramTable } from "../bigram/table.js";
import { weightMask } from "../mask/make.js";
import type { WeightMask } from "../mask/weight-mask.js";
import { type SurprisalCorrelation, surprisalCorrelation } from "./surprisal.js";

/** Options of {@link ablateMask}. */
export interface AblateMaskOptions extends LongCallOptions {
  /** Random masks with as many weights in each matrix. Default 3. */
  readonly controls?: number;
  readonly seed?: number;
}

/** The model as it is, without a subnetwork, without random weights, and the subnetwork alone. Immutable. */
export class MaskAblation {
  static {
    printsItself(this.prototype);
  }

  readonly whole: SurprisalCorrelation;
  /** Only what the mask keeps. */
  readonly alone: SurprisalCorrelation;
  /** Everything but what the mask keeps. */
  readonly without: SurprisalCorrelation;
  /** Everything but as many weights of each matrix, drawn at random. */
  readonly withoutRandom: readonly SurprisalCorrelation[];

  /** @internal Use `ablateMask`. */
  constructor(parts: Readonly<Omit<MaskAblation, "toString" | "toView">>) {
    this.whole = parts.whole;
    this.alone = parts.alone;
    this.without = parts.without;
    this.withoutRandom = parts.withoutRandom;
  }

  /** Draws the mean surprisal of each. */
  toView(): View {
    const named: readonly (readonly [string, SurprisalCorrelation])[] = [
      ["whole model", this.whole],
      ["subnetwork alone", this.alone],
      ["without it", this.without],
      ...this.withoutRandom.map((one, i) => [`without random ${i + 1}`, one] as const),
    ];
    return bars(
      named.map(([, one]) => one.meanBits),
      {
        title: "Surprisal with and without the subnetwork",
        unit: "bits a token",
        axis: { name: "model", labels: named.map(([name]) => name) },
      },
    );
  }

  /** Returns the surprisals and correlations. */
  toString(): string {
    const line = (name: string, { meanBits, r }: SurprisalCorrelation): string =>
      `  ${name}: ${meanBits.toFixed(2)} bits a token, r ${r.toFixed(3)} with the bigram`;
    return [
      "MaskAblation:",
      line("whole model", this.whole),
      line("subnetwork alone", this.alone),
      line("without it", this.without),
      ...this.withoutRandom.map((one, i) => line(`without as many at random, ${i + 1}`, one)),
    ].join("\n");
  }
}

/**
 * Measures a model on a text as it is, with only the weights of a mask, without them, and without as many random ones.
 *
 * @throws what `surprisalCorrelation` throws, and InputError for a number of controls that is not whole.
 */
export async function ablateMask(
  model: Model,
  mask: WeightMask,
  { table, rows }: { readonly table: BigramTable; readonly rows: readonly ArrayLike<number>[] },
  options: AblateMaskOptions = {},
): Promise<MaskAblation> {
  const { controls = 3, seed = 0, signal } = options;
  if (!Number.isInteger(controls) || controls < 0)
    throw new InputError({
      where: "ablateMask: controls",
      got: String(controls),
      expected: "a whole number, 0 or more",
      fix: "Leave it out for 3.",
    });
  const report = progressOf(options);
  let done = 0;
  const measure = (one: Model): Promise<SurprisalCorrelation> => {
    report?.({ done: done++, total: 3 + controls, label: "models" });
    return surprisalCorrelation(one, table, rows, signal === undefined ? {} : { signal });
  };
  const without = (dropped: WeightMask): Model => model.with(edit.keepWeights(dropped.complement()));
  const whole = await measure(model);
  const alone = await measure(model.with(edit.keepWeights(mask)));
  const own = await measure(without(mask));
  const withoutRandom: SurprisalCorrelation[] = [];
  for (let i = 0; i < controls; i++)
    withoutRandom.push(await measure(without(weightMask.random(mask, { seed: seed + i }))));
  return new MaskAblation({ whole, alone, without: own, withoutRandom });
}
