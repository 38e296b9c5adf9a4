/** The entry point. */
import type { Model } from "../../model/index.js";
import { makeReport } from "./make.js";
import { openReport } from "./open.js";
import type { ReportOptions } from "./options.js";
import type { RedundancyReport } from "./report.js";
import type { ReportTexts } from "./windows.js";

/** Redundancy. */
export interface Redundancy {
  /**
   * Returns what a model could lose on texts of your own: loss without every sublayer, block and head, scores that should
   * predict it, removals in many orders, and what can go at 1, 2, 5 and 10 % more loss.
   *
   * @throws InputError for text shorter than one window, a model with one layer, options out of range, or a budget that
   *   nothing fits into (it says what does); AbortedError.
   * @see He et al. 2024, "What Matters in Transformers?"; Men et al. 2024, "ShortGPT"; Zhang et al. 2024, "FinerCut"
   */
  report(model: Model, texts: ReportTexts, options?: ReportOptions): Promise<RedundancyReport>;

  /**
   * Opens the `report.json` of a report that was saved: it draws, prints and saves like the one that was made.
   *
   * @throws InputError for a file that cannot be read; FormatError for one of another kind.
   */
  open(path: string): RedundancyReport;
}

/** Which parts of a model could go. */
export const redundancy: Redundancy = { report: makeReport, open: openReport };
