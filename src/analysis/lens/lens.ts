/** The lenses under one name. */
import type { Model } from "../../model/index.js";
import type { Prompts } from "../prompts.js";
import { readLens } from "./read.js";
import type { LogitLensResult } from "./result.js";
import { lensRows } from "./rows.js";
import { readTunedLens } from "./tuned-file.js";
import { TunedLens } from "./tuned-lens.js";
import { type TrainTunedLensOptions, type TunedLensData, trainTunedLens } from "./tuned-train.js";
import type { LogitLensOptions } from "./types.js";

/** Makers of tuned lenses. */
export interface TunedLenses {
  /**
   * Trains a tuned lens: an affine translator for each layer's stream, so that the model's own last steps read it best.
   *
   * Begins as the logit lens and minimises `KL(final ‖ lens)` on the data. The model does not change.
   *
   * @param data - Texts, or a dataset of texts or token ids.
   * @throws InputError for options out of range and for too little text; AbortedError.
   * @see Belrose et al. 2023, "Eliciting Latent Predictions from Transformers with the Tuned Lens"
   */
  train(model: Model, data: TunedLensData, options?: TrainTunedLensOptions): Promise<TunedLens>;
  /**
   * Opens a folder that `tunedLens.save` wrote.
   *
   * @throws FormatError when it holds something else.
   */
  open(folder: string): Promise<TunedLens>;
}

/** Lenses. */
export interface Lens {
  /**
   * Returns what the model would predict if each layer's residual stream were unembedded as it is.
   *
   * Every row goes through the final norm with statistics of its own, the unembedding, its bias and any soft cap; the
   * last row is the model's prediction. Works on edited, processed and float64 views. Logits of all layers stay inside
   * the graph; what comes out are the top tokens and a few numbers.
   *
   * @param prompts - One or several, of any lengths; nothing is padded.
   * @throws UnsupportedError for a site that the architecture lacks, and for edits at the final norm or the unembedding;
   *   MemoryError when the logits of one position exceed `memoryLimit`; AbortedError.
   * @see nostalgebraist 2020, "interpreting GPT: the logit lens"
   */
  logitLens(model: Model, prompts: Prompts, options?: LogitLensOptions): Promise<LogitLensResult>;
  /** Lenses that are trained, read with `tuned.apply(model, prompts)`. */
  readonly tunedLens: TunedLenses;
}

async function logitLens(model: Model, prompts: Prompts, options: LogitLensOptions = {}): Promise<LogitLensResult> {
  const where = "lens.logitLens";
  const rows = lensRows(model, options.sites ?? "resid_post", where);
  return readLens(model, prompts, options, { ...rows, where, name: "logit lens" });
}

/** Reading predictions out of the residual stream. */
export const lens: Lens = {
  logitLens,
  tunedLens: { train: trainTunedLens, open: async (folder) => new TunedLens(await readTunedLens(folder)) },
};
