/** What a report may be told. */
import { InputError, type LongCallOptions } from "../../core/index.js";
import type { Model } from "../../model/index.js";

/** Options of `redundancy.report`. */
export interface ReportOptions extends LongCallOptions {
  /** How many tokens of text to read; default 32,000. */
  readonly tokens?: number;
  /** Minutes that the report may take; fewer tokens and sections then. No limit by default. */
  readonly budget?: number;
  /** Tokens in a window; default the model's context, at most 256. */
  readonly window?: number;
  /** Of the random control; default 0. */
  readonly seed?: number;
  /** A folder where evaluations are kept, so that a report that was stopped goes on where it was. Not of models with edits. */
  readonly resume?: string;
  /** What the text is called in the report. */
  readonly textName?: string;
  /** The command that remakes the report; a line of TypeScript by default. */
  readonly command?: string;
}

/** The numbers of {@link ReportOptions} with their defaults. */
export interface ReportSettings {
  readonly tokens: number;
  readonly window: number;
  readonly seed: number;
  readonly budget: number | undefined;
}

const where = "redundancy.report";

function refused(option: string, got: unknown, expected: string): InputError {
  return new InputError({ where: `${where}: ${option}`, got: String(got), expected, fix: "Correct the option." });
}

function checkWhole(
  option: string,
  value: number,
  { least, most }: { readonly least: number; readonly most?: number },
): void {
  if (Number.isSafeInteger(value) && value >= least && value <= (most ?? value)) return;
  throw refused(option, value, `a whole number from ${least}${most === undefined ? "" : ` to ${most}`}`);
}

/** @throws InputError for options out of range, and for a model of one layer. */
export function settingsOf({ config }: Model, options: ReportOptions): ReportSettings {
  const { tokens = 32_000, window = Math.min(config.nCtx, 256), seed = 0, budget } = options;
  checkWhole("tokens", tokens, { least: 2 });
  checkWhole("window", window, { least: 2, most: config.nCtx });
  checkWhole("seed", seed, { least: 0 });
  if (budget !== undefined && !(budget > 0)) throw refused("budget", budget, "minutes above 0");
  if (config.nLayers < 2)
    throw new InputError({
      where,
      got: "a model with one layer",
      expected: "two layers or more, so that one of them could go",
      fix: "Ablate its heads and neurons with ablation.sweep instead.",
    });
  if (tokens < window)
    throw new InputError({
      where: `${where}: tokens`,
      got: `${tokens} tokens, less than one window of ${window}`,
      expected: "one window or more",
      fix: `Ask for more tokens, or pass { window: ${Math.max(2, tokens)} }.`,
    });
  return { tokens, window, seed, budget };
}
