/** Linear probes on activations. Declared; not built yet. */
import { type LongCallOptions, notBuilt } from "../core/index.js";
import type { ModelLike } from "../data/index.js";
import type { View } from "../viz/index.js";

/** A text and what it is an example of. */
export interface LabelledText {
  readonly text: string;
  readonly label: string;
}

/** Options of {@link Probe.fit}. */
export interface ProbeOptions extends LongCallOptions {
  /** Short name of the hook point to read; default `resid_post`. */
  readonly site?: string;
  /** Layers to probe; default `"all"`. */
  readonly layers?: "all" | readonly number[];
  /** Position to read; `"last"` is the last real token (default). */
  readonly pos?: "last" | number;
  /** Folds of the cross-validation; default 5. */
  readonly folds?: number;
  readonly seed?: number;
}

/** How well one layer's probe tells the labels apart. */
export interface ProbeScore {
  readonly layer: number;
  /** Mean accuracy over held-out folds, 0 to 1. */
  readonly accuracy: number;
  /** Standard deviation over folds. */
  readonly deviation: number;
}

/** Probes at several layers. */
export interface ProbeResult {
  readonly labels: readonly string[];
  readonly scores: readonly ProbeScore[];
  /** Accuracy of always naming the commonest label. */
  readonly baseline: number;
  /** Returns accuracy by layer. */
  toView(): View;
}

/** Probes. */
export interface Probe {
  /**
   * Returns cross-validated accuracy of a linear probe at each layer.
   *
   * @throws NotBuiltError in this version.
   * @see Alain and Bengio 2016, "Understanding intermediate layers using linear classifier probes"
   */
  fit(
    model: ModelLike,
    examples: AsyncIterable<LabelledText> | Iterable<LabelledText>,
    options?: ProbeOptions,
  ): Promise<ProbeResult>;
}

/** Linear probes on activations. */
export const probe: Probe = {
  fit: () => Promise.reject(notBuilt("probe.fit", "linear probes")),
};
