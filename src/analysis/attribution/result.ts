/** A prediction taken apart. */
import { InputError, printsItself } from "../../core/index.js";
import type { Receipt } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { View } from "../../viz/index.js";
import type { AttributionEntry, AttributionUnit } from "./types.js";
import { type AttributionViewOptions, attributionView } from "./view.js";

/** What an {@link AttributionResult} is made from. */
export interface AttributionParts {
  readonly of: string;
  readonly by: AttributionUnit;
  readonly entries: readonly AttributionEntry[];
  /** `[component, batch]`. */
  readonly values: Tensor<"float64", readonly ["component", "batch"]>;
  /** `[batch]`. */
  readonly total: Tensor<"float64", readonly ["batch"]>;
  readonly prompts: readonly (readonly string[])[];
  readonly isBeforeSoftCap: boolean;
  readonly receipt: Receipt | undefined;
}

/** Where a result comes from. */
export interface AttributionProvenance {
  /** The model as it was named when loaded, and the identity of its weights. */
  readonly model: string;
  readonly identity: string;
  readonly edits: readonly string[];
  readonly precision: "float32" | "float64";
}

/** One entry with its value. */
export interface AttributedEntry extends AttributionEntry {
  readonly value: number;
}

/** What each part of a model adds to a logit, a difference of logits, or the stream along a direction. */
export class AttributionResult {
  static {
    printsItself(this.prototype);
  }

  /** What was attributed, in words. */
  readonly of: string;
  readonly by: AttributionUnit;
  /** One for each row of {@link values}; biases are entries too. */
  readonly entries: readonly AttributionEntry[];
  /** Contributions `[component, batch]`, in logits (natural-log units). */
  readonly values: Tensor<"float64", readonly ["component", "batch"]>;
  /** The sum over all entries, `[batch]`. */
  readonly sum: Tensor<"float64", readonly ["batch"]>;
  /** What the model put out, `[batch]`: what the entries should sum to. */
  readonly total: Tensor<"float64", readonly ["batch"]>;
  /** The largest difference between the two. */
  readonly error: number;
  /** Whether logits were taken before the model's soft cap, which no sum passes. */
  readonly isBeforeSoftCap: boolean;
  /** The prompts' tokens. */
  readonly prompts: readonly (readonly string[])[];
  readonly provenance: AttributionProvenance;

  /** @internal */
  constructor(parts: AttributionParts) {
    const { of, by, entries, values, total, prompts, isBeforeSoftCap, receipt } = parts;
    this.of = of;
    this.by = by;
    this.entries = entries;
    this.values = values;
    this.sum = values.sum("component");
    this.total = total;
    this.error = this.sum.maxAbsDiff(total);
    this.prompts = prompts;
    this.isBeforeSoftCap = isBeforeSoftCap;
    this.provenance = {
      model: receipt?.model ?? "",
      identity: receipt?.identity ?? "",
      edits: receipt?.edits.map(({ name }) => name) ?? [],
      precision: receipt?.precision ?? "float32",
    };
  }

  /** Labels of the entries, TransformerLens's words. */
  get labels(): readonly string[] {
    return this.entries.map(({ label }) => label);
  }

  /**
   * Returns the value of one entry for each prompt.
   *
   * @throws InputError for an unknown label.
   */
  get(label: string): readonly number[] {
    const i = this.labels.indexOf(label);
    if (i >= 0) return Array.from(this.values.at({ component: i }).contiguous().data, Number);
    throw new InputError({
      where: "attribution: result.get",
      got: JSON.stringify(label),
      expected: `a label such as ${this.labels.slice(0, 4).join(", ")}`,
      fix: "List them with result.labels.",
    });
  }

  /**
   * Returns every entry with its mean over prompts, or its value for one of them.
   *
   * @throws InputError for a prompt that is not there.
   */
  list(prompt?: number): readonly AttributedEntry[] {
    const count = this.prompts.length;
    if (prompt !== undefined && !(Number.isInteger(prompt) && prompt >= 0 && prompt < count))
      throw new InputError({
        where: "attribution: prompt",
        got: String(prompt),
        expected: `a whole number from 0 to ${count - 1}`,
        fix: "Leave it out for the mean over prompts.",
      });
    const column = prompt === undefined ? this.values.mean("batch") : this.values.at({ batch: prompt });
    const numbers = column.contiguous().data;
    return this.entries.map((entry, i) => ({ ...entry, value: Number(numbers[i]) }));
  }

  /** Returns the `k` entries of largest magnitude, mean over prompts, largest first. */
  top(k = 10, prompt?: number): readonly AttributedEntry[] {
    return [...this.list(prompt)].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, k);
  }

  /**
   * Returns a picture: heads as layers against heads with the other entries beside them, the rest as bars, or, asked for,
   * as a waterfall from 0 to the total.
   */
  toView(options: AttributionViewOptions = {}): View {
    return attributionView(this, options);
  }

  /** Returns the largest entries, and how well they sum up. */
  toString(): string {
    const count = this.prompts.length;
    const mean = (tensor: Tensor): string => tensor.mean().item().toFixed(4);
    const head = `${this.of}${this.isBeforeSoftCap ? " before the soft cap" : ""} by ${this.by} in "${this.provenance.model}"${count === 1 ? "" : `, mean of ${count} prompts`}`;
    const lines = this.top(8).map(
      ({ label, value }) => `  ${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(4)}  ${label}`,
    );
    const rest = this.entries.length > 8 ? [`  … ${this.entries.length - 8} more`] : [];
    return [
      head,
      ...lines,
      ...rest,
      `  ${mean(this.sum)} in all; the model says ${mean(this.total)} (largest difference ${this.error.toExponential(1)})`,
    ].join("\n");
  }
}
