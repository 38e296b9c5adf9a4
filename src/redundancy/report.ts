/** Which parts of a model could go. Declared; not built yet. */
import { type LongCallOptions, notBuilt } from "../core/index.js";
import type { ModelLike } from "../data/index.js";
import type { View } from "../viz/index.js";

/** Options of {@link Redundancy.report}. */
export interface ReportOptions extends LongCallOptions {
  /** How many tokens of text to read; default 32,000. */
  readonly tokens?: number;
  readonly seed?: number;
}

/** How much one part matters. */
export interface PartScore {
  /** What the part is called, such as `blocks.3.attn` or `blocks.3.attn head 2`. */
  readonly name: string;
  readonly kind: "block" | "head" | "neuron" | "sublayer";
  /** Rise of the loss without the part, in nats a token. */
  readonly lossWithout: number;
}

/** The files that a report wrote. */
export interface SavedReport {
  readonly folder: string;
  readonly files: readonly string[];
}

/** Every part of a model, ranked by what is lost without it. */
export interface RedundancyReport {
  /** Loss of the whole model, in nats a token. */
  readonly loss: number;
  /** Least important first. */
  readonly parts: readonly PartScore[];
  /** Returns the ranked table with its bars. */
  toView(): View;
  /** Writes the report as a page, tables and data into `folder`. */
  save(folder: string): SavedReport;
}

/** Redundancy. */
export interface Redundancy {
  /**
   * Returns the loss of every block, sublayer, head and neuron on the texts given.
   *
   * @throws NotBuiltError in this version.
   * @see Men et al. 2024, "ShortGPT"; Gromov et al. 2024, "The Unreasonable Ineffectiveness of the Deeper Layers"
   */
  report(
    model: ModelLike,
    texts: AsyncIterable<unknown> | Iterable<unknown>,
    options?: ReportOptions,
  ): Promise<RedundancyReport>;
}

/** Which parts of a model could go. */
export const redundancy: Redundancy = {
  report: () => Promise.reject(notBuilt("redundancy.report", "the redundancy report")),
};
