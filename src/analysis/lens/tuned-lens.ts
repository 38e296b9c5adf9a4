/** A tuned lens: one affine translator for each layer, from its stream to one that the last steps can read. */
import { InputError, printsItself } from "../../core/index.js";
import type { Model, Processing } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import { lines, type View } from "../../viz/index.js";
import type { Prompts } from "../prompts.js";
import { readLens } from "./read.js";
import type { LogitLensResult } from "./result.js";
import { lensRows } from "./rows.js";
import { saveTunedLens } from "./tuned-file.js";
import type { ReadLensOptions } from "./types.js";

/** How a tuned lens was trained. */
export interface TunedLensTraining {
  readonly steps: number;
  /** Positions that a step learns from. */
  readonly positions: number;
  readonly contextLength: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly seed: number;
  /** The data in words. */
  readonly data: string;
  /** `KL(final ‖ lens)` in nats by row: mean over the first tenth of the steps' batches, and over the last. */
  readonly firstKl: readonly number[];
  readonly lastKl: readonly number[];
}

/** Everything that a tuned lens is, as it is saved. */
export interface TunedLensParts {
  /** The model as it was named when loaded. */
  readonly model: string;
  /** Identity of the weights that it belongs to. */
  readonly identity: string;
  readonly processing: Processing;
  /** Hook points whose streams are translated, in the model's order. */
  readonly hooks: readonly string[];
  /** `W` of `x ↦ x + x W + b`, `[row, dModel, dModelOut]`. */
  readonly weight: Tensor;
  /** `b`, `[row, dModelOut]`. */
  readonly bias: Tensor;
  readonly training: TunedLensTraining;
}

function refuseOther(where: string, got: string, expected: string): InputError {
  return new InputError({ where, got, expected, fix: "Use the model that the lens was trained on, or train another." });
}

/** Checks that a model's streams are those that the translators were trained on. */
function checkModel({ identity, model: name, processing, hooks }: TunedLensParts, model: Model): void {
  const where = "tunedLens.apply";
  const own = model.view.core.checkpoint.identity;
  if (own !== identity)
    throw refuseOther(where, `the model "${model.id}" with weights ${own}`, `the weights of "${name}": ${identity}`);
  if (model.view.processing.centerWritingWeights !== processing.centerWritingWeights)
    throw refuseOther(
      where,
      `a view with centerWritingWeights: ${!processing.centerWritingWeights}`,
      `centerWritingWeights: ${processing.centerWritingWeights}, as in training`,
    );
  const names = new Set(model.hookNames());
  const missing = hooks.find((hook) => !names.has(hook));
  if (missing !== undefined) throw refuseOther(where, `a view without ${missing}`, "the layers of the training");
}

/**
 * Translators that let the model's last steps read every layer.
 *
 * @see Belrose et al. 2023, "Eliciting Latent Predictions from Transformers with the Tuned Lens"
 */
export class TunedLens {
  static {
    printsItself(this.prototype);
  }

  readonly #parts: TunedLensParts;

  /** @internal Made by `lens.tunedLens.train` and `lens.tunedLens.open`. */
  constructor(parts: TunedLensParts) {
    this.#parts = parts;
  }

  /** The model as it was named when loaded. */
  get model(): string {
    return this.#parts.model;
  }

  /** Identity of the weights that it belongs to. */
  get identity(): string {
    return this.#parts.identity;
  }

  /** Hook points whose streams are translated. */
  get hooks(): readonly string[] {
    return this.#parts.hooks;
  }

  /** `W` of `x ↦ x + x W + b`, `[row, dModel, dModelOut]`; 0 is the logit lens. */
  get weight(): Tensor {
    return this.#parts.weight;
  }

  /** `b`, `[row, dModelOut]`. */
  get bias(): Tensor {
    return this.#parts.bias;
  }

  /** How it was trained. */
  get training(): TunedLensTraining {
    return this.#parts.training;
  }

  /**
   * Reads prompts as `lens.logitLens` does, each layer's stream through its translator; the last row is the model's own.
   *
   * @throws InputError for a model with other weights, or a view whose streams are others; what `lens.logitLens` throws.
   */
  async apply(model: Model, prompts: Prompts, options: ReadLensOptions = {}): Promise<LogitLensResult> {
    checkModel(this.#parts, model);
    const where = "tunedLens.apply";
    const { rows, final } = lensRows(model, "resid_post", where);
    const { hooks, weight, bias } = this.#parts;
    const square = weight.size / hooks.length;
    const width = bias.size / hooks.length;
    const floats = (tensor: Tensor, size: number): ((i: number) => Float32Array) => {
      const data = Float32Array.from(tensor.contiguous().data, Number);
      // A row without a translator, the last one, stays as it is.
      return (i) => (i < 0 ? new Float32Array(size) : data.subarray(i * size, (i + 1) * size));
    };
    const places = rows.map(({ hook }) => hooks.indexOf(hook));
    const translators = {
      weights: places.map(floats(weight, square)),
      biases: places.map(floats(bias, width)),
    };
    return readLens(model, prompts, options, { rows, final, where, name: "tuned lens", translators });
  }

  /**
   * Writes the lens to a folder, whole or not at all: `lens.json` and `lens.safetensors`.
   *
   * @throws InputError when the folder exists.
   */
  save(folder: string): Promise<void> {
    return saveTunedLens(folder, this.#parts);
  }

  /** Returns how far each layer's prediction was from the final one at the beginning and at the end of the training. */
  toView(): View {
    const { firstKl, lastKl, steps } = this.training;
    return lines(
      { "first steps": firstKl, "last steps": lastKl },
      {
        title: `Tuned lens of ${this.model}`,
        note: `training batches; ${steps} steps`,
        x: { name: "stream", labels: this.hooks.map((hook) => hook.replace(/^blocks\.(.*)\.hook_resid_/, "$1_")) },
        y: { name: "KL(final ‖ layer) (nats)" },
      },
    );
  }

  /** Returns what it was trained on, and how far it came. */
  toString(): string {
    const { steps, positions, data, firstKl, lastKl } = this.training;
    const rows = this.hooks.map(
      (hook, i) => `  ${hook}  KL to final ${(firstKl[i] ?? 0).toFixed(3)} → ${(lastKl[i] ?? 0).toFixed(3)}`,
    );
    return [`tuned lens of "${this.model}": ${steps} steps of ${positions} positions of ${data}`, ...rows].join("\n");
  }
}
