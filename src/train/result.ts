/** What a training run came to. */
import { printsItself } from "../core/index.js";
import type { View } from "../viz/index.js";
import type { MetricSeries } from "./metrics.js";
import type { MetricViewOptions } from "./metrics-view.js";

/** The numbers that {@link TrainingResult} holds. */
export interface TrainingResultParts {
  readonly steps: number;
  readonly resumedAt: number;
  readonly metrics: MetricSeries;
  readonly checkpoint: string | undefined;
}

/** What `Trainer.train` returns; shown, it is the curve of the loss. */
export class TrainingResult {
  static {
    printsItself(this.prototype);
  }

  /** Updates done in all. */
  readonly steps: number;
  /** The step that the run was continued from; 0 for a new one. */
  readonly resumedAt: number;
  /** What every step reported. */
  readonly metrics: MetricSeries;
  /** The last checkpoint, where a folder was given. */
  readonly checkpoint: string | undefined;

  constructor({ steps, resumedAt, metrics, checkpoint }: TrainingResultParts) {
    this.steps = steps;
    this.resumedAt = resumedAt;
    this.metrics = metrics;
    this.checkpoint = checkpoint;
  }

  /**
   * Draws the losses over the steps.
   *
   * @throws InputError when no step was made.
   */
  toView(options: MetricViewOptions = {}): View {
    return this.metrics.toView(options);
  }

  /** Shows the steps, the last loss and the checkpoint in one line. */
  toString(): string {
    const loss = this.metrics.last?.["loss"];
    const parts = [
      `${this.steps} steps${this.resumedAt > 0 ? `, continued from ${this.resumedAt}` : ""}`,
      ...(loss === undefined ? [] : [`loss ${loss.toPrecision(4)}`]),
      ...(this.checkpoint === undefined ? [] : [this.checkpoint]),
    ];
    return `TrainingResult: ${parts.join(", ")}`;
  }
}
