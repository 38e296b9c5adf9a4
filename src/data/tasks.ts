/** Generated task sets with known answers. Declared; the generators are not built yet. */
import { notBuilt } from "../core/index.js";
import type { ModelLike } from "./model-like.js";

/** Aligned prompts that differ in one fact, and the answers that tell them apart. */
export interface PromptPairs {
  /** Prompts whose answer is `answers[i]`. */
  readonly clean: readonly string[];
  /** The same prompts with the fact changed; token by token aligned with `clean`. */
  readonly corrupted: readonly string[];
  /** The single-token answer of each clean prompt. */
  readonly answers: readonly string[];
  /** The single-token answer that the corrupted prompt calls for. */
  readonly wrongAnswers: readonly string[];
}

/** Options of every task generator. */
export interface TaskOptions {
  /** How many pairs to make; default 64. */
  readonly n?: number;
  /** Equal seeds make equal pairs; default 0. */
  readonly seed?: number;
}

/** The task generators. */
export interface Tasks {
  /**
   * Returns indirect-object-identification prompts whose names are single tokens of `model`.
   *
   * @throws NotBuiltError in this version.
   * @see Wang et al. 2022, "Interpretability in the Wild"
   */
  ioi(model: ModelLike, options?: TaskOptions): PromptPairs;
}

/** Generated task sets with known answers. */
export const tasks: Tasks = {
  ioi: () => {
    throw notBuilt("tasks.ioi", "the generator of indirect-object prompts");
  },
};
