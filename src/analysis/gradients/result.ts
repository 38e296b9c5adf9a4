/** Contributions of tokens to a change of a metric. */
import { InputError, printsItself } from "../../core/index.js";
import type { Metric, Model, Receipt, Run } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { tokens as drawTokens, type View } from "../../viz/index.js";

/** What {@link IntegratedGradients} is made from. */
export interface IntegratedParts {
  readonly model: Model;
  readonly metric: Metric;
  readonly hook: string;
  readonly steps: number;
  /** The run of `into`. */
  readonly run: Run;
  readonly attributions: Tensor;
  /** The metric of each prompt at both ends of the path. */
  readonly ends: { readonly from: Float64Array; readonly into: Float64Array };
}

type PerPrompt = Tensor<"float64", readonly ["batch"]>;

function perPrompt(values: Float64Array): PerPrompt {
  return Tensor.of(values, [values.length], ["batch"] as const);
}

/** Contributions to the change of a metric along a path; prints and draws itself. */
export class IntegratedGradients {
  static {
    printsItself(this.prototype);
  }

  /** The hook point of the path. */
  readonly hook: string;
  /** Name and unit of the metric. */
  readonly metric: { readonly name: string; readonly unit: string };
  readonly steps: number;
  /** Contribution of every element, in the shape and axes of the hook point. */
  readonly attributions: Tensor;
  /** Their sum at each position, `[batch, pos]`; where the point has no positions, at each of its first axes. */
  readonly perToken: Tensor;
  /** The metric at the beginning of the path, `[batch]`. */
  readonly from: PerPrompt;
  /** The metric at its end. */
  readonly into: PerPrompt;
  /** What the run of `into` did: model, weights, edits. */
  readonly receipt: Receipt;
  readonly #tokens: Tensor;
  readonly #pieces: (row: number) => readonly string[];

  /** @internal */
  constructor({ model, metric, hook, steps, run, attributions, ends }: IntegratedParts) {
    this.hook = hook;
    this.metric = { name: metric.name, unit: metric.unit };
    this.steps = steps;
    this.attributions = attributions;
    this.perToken = attributions.sum(attributions.axes.slice(2));
    this.from = perPrompt(ends.from);
    this.into = perPrompt(ends.into);
    this.receipt = run.receipt;
    this.#tokens = run.tokens;
    this.#pieces = (row) => piecesOf(model, run, row);
  }

  /** What the contributions should sum to, `[batch]`: the metric at the end minus that at the beginning. */
  get difference(): PerPrompt {
    return this.into.sub(this.from);
  }

  /** What they sum to, minus {@link difference}, `[batch]`; it falls with the number of steps. */
  get completenessError(): PerPrompt {
    const { axes } = this.attributions;
    return (this.attributions.sum(axes.slice(1)) as Tensor<"float64", readonly ["batch"]>).sub(this.difference);
  }

  /**
   * Returns the prompt with its tokens coloured by what they contribute.
   *
   * @param row - Which prompt; default the first.
   * @throws InputError for a row that is not there, and for a hook point without positions.
   */
  toView(row = 0): View {
    const rows = this.#tokens.shape[0] ?? 0;
    if (!Number.isInteger(row) || row < 0 || row >= rows) throw noRow(row, rows);
    if (this.attributions.axes[1] !== "pos") throw noPositions(this.hook);
    const { name, unit } = this.metric;
    const pieces = this.#pieces(row);
    const values = Array.from(this.perToken.at({ batch: row }).data as ArrayLike<number>).slice(0, pieces.length);
    const change = Number(this.difference.data[row]);
    return drawTokens(pieces, values, {
      title: `What each token contributes to ${name}`,
      note: `They sum to the change of ${name}, ${change.toPrecision(3)}, up to ${Number(this.completenessError.data[row]).toExponential(1)}.`,
      unit,
    });
  }

  /** A few lines: the metric at both ends, the completeness error, the strongest tokens of the first prompt. */
  toString(): string {
    const { name, unit } = this.metric;
    const worst = Math.max(...Array.from(this.completenessError.data, Math.abs));
    const prompts = this.from.shape[0];
    return [
      `Integrated gradients of ${name}${unit === "" ? "" : ` (${unit})`} at ${this.hook}: ${prompts} prompt${prompts === 1 ? "" : "s"}, ${this.steps} steps`,
      `  ${name} of the first from ${Number(this.from.data[0]).toPrecision(4)} to ${Number(this.into.data[0]).toPrecision(4)}`,
      `  completeness error at most ${worst.toExponential(1)}`,
      ...this.#strongest(),
    ].join("\n");
  }

  #strongest(): readonly string[] {
    if (this.attributions.axes[1] !== "pos") return [];
    const pieces = this.#pieces(0);
    const values = Array.from(this.perToken.at({ batch: 0 }).data as ArrayLike<number>);
    const best = pieces
      .map((piece, pos) => ({ piece, pos, value: values[pos] ?? 0 }))
      .sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    const words = best
      .slice(0, 3)
      .map(({ piece, pos, value }) => `${JSON.stringify(piece)} at ${pos} ${value.toPrecision(3)}`);
    return [`  strongest: ${words.join(", ")}`];
  }
}

/** One string for each token of a row: text where the model has a tokenizer, else ids. */
function piecesOf(model: Model, { tokens }: Run, row: number): readonly string[] {
  const ids = Array.from(tokens.at({ batch: row }).data);
  return model.view.core.tokenizer?.pieces(ids) ?? ids.map(String);
}

function noRow(row: number, rows: number): InputError {
  return new InputError({
    where: "integratedGradients: toView",
    got: `row ${row}`,
    expected: `a row from 0 to ${rows - 1}`,
    fix: "Count prompts from 0.",
  });
}

function noPositions(hook: string): InputError {
  return new InputError({
    where: "integratedGradients: toView",
    got: `contributions at ${hook}, which are not by token`,
    expected: "a hook point with positions",
    fix: "Draw its attributions with viz.heatmap.",
  });
}
