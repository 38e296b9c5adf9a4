/** What path patching found. */
import { printsItself } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import { bars, heatmap, type View } from "../../viz/index.js";
import type { PatchProvenance } from "../patching/result.js";
import type { Between } from "./path-rows.js";

/** The metric after patching the paths from each sender to the receivers. */
export class PathResult {
  static {
    printsItself(this.prototype);
  }

  readonly senders: readonly string[];
  readonly receivers: readonly string[];
  readonly between: Required<Between>;
  /** `[sender, prompt]`; the unpatched metric where a sender reaches no receiver. */
  readonly perPrompt: Tensor;
  /** The unpatched metric of the prompts that writes were taken from, `[prompt]`; NaN where there were none. */
  readonly fromMetric: Float64Array;
  /** The unpatched metric, `[prompt]`. */
  readonly intoMetric: Float64Array;
  readonly provenance: PatchProvenance;

  /** @internal */
  constructor(fields: Readonly<Omit<PathResult, "change" | "toView" | "toString">>) {
    this.senders = fields.senders;
    this.receivers = fields.receivers;
    this.between = fields.between;
    this.perPrompt = fields.perPrompt;
    this.fromMetric = fields.fromMetric;
    this.intoMetric = fields.intoMetric;
    this.provenance = fields.provenance;
  }

  /** Patched minus unpatched metric, mean over prompts, one number for each sender. */
  get change(): Float64Array {
    const count = this.intoMetric.length;
    return Float64Array.from(this.senders, (_, sender) => {
      const sum = this.intoMetric.reduce(
        (total, base, p) => total + Number(this.perPrompt.data[sender * count + p]) - base,
        0,
      );
      return sum / count;
    });
  }

  /** Returns a heatmap of senders by layer and head, or bars where senders are few. */
  toView(): View {
    const { metric, unit } = this.provenance;
    const title = `Paths to ${this.receivers.slice(0, 4).join(", ")}: change of ${metric}`;
    const { change } = this;
    const grid = senderGrid(this.senders, change);
    if (grid.rows.length < 2) return bars(change, { axis: { name: "sender", labels: this.senders }, title, unit });
    return heatmap(grid.rows, {
      title,
      unit,
      scale: "diverging",
      x: { name: "part", labels: grid.columns },
      y: { name: "layer", labels: grid.rows.map((_, layer) => String(layer)) },
    });
  }

  /** A few lines: what was patched, and the strongest senders. */
  toString(): string {
    const { change } = this;
    const order = Array.from(change, (_, i) => i).sort((a, b) => Math.abs(change[b] ?? 0) - Math.abs(change[a] ?? 0));
    const { metric, unit, prompts } = this.provenance;
    return [
      `Path patching to ${this.receivers.join(", ")} over ${prompts} prompts (attention ${this.between.attention}, MLPs ${this.between.mlps})`,
      ...order
        .slice(0, 8)
        .map((i) => `  ${this.senders[i] ?? ""}: ${(change[i] ?? 0).toPrecision(3)} ${unit} of ${metric}`),
    ].join("\n");
  }
}

/** Senders of layers as a grid `[layer][head, …, MLP]`, NaN where one was not patched. */
function senderGrid(
  names: readonly string[],
  values: Float64Array,
): { rows: readonly number[][]; columns: readonly string[] } {
  const placed = names.flatMap((name, i) => {
    const [, kind, layer, head] = /^([am])(\d+)(?:\.h(\d+))?$/.exec(name) ?? [];
    return kind === undefined
      ? []
      : [{ layer: Number(layer), column: kind === "m" ? "MLP" : `H${head ?? ""}`, value: values[i] ?? Number.NaN }];
  });
  const heads = [...new Set(placed.map(({ column }) => column))].sort((a, b) => columnOrder(a) - columnOrder(b));
  const depth = Math.max(-1, ...placed.map(({ layer }) => layer)) + 1;
  const rows = Array.from({ length: depth }, (_, layer) =>
    heads.map((column) => placed.find((one) => one.layer === layer && one.column === column)?.value ?? Number.NaN),
  );
  return { rows, columns: heads };
}

function columnOrder(column: string): number {
  return column === "MLP" ? Number.POSITIVE_INFINITY : Number(column.slice(1));
}
