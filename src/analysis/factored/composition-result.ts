/** Composition scores of all pairs of heads. */
import { printsItself } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import { heatmap, type View } from "../../viz/index.js";

/** What the later head reads through. */
export type CompositionKind = "K" | "Q" | "V";

/** One pair of heads. */
export interface CompositionPair {
  /** The earlier head, `"L0H3"`, which writes. */
  readonly from: string;
  /** The later head, which reads. */
  readonly to: string;
  readonly score: number;
}

/** One score for each pair of heads. */
export type CompositionTensor = Tensor<"float64", readonly ["fromLayer", "fromHead", "toLayer", "toHead"]>;

/** What {@link CompositionScores} is made from. */
export interface CompositionParts {
  readonly kind: CompositionKind;
  /** `[fromLayer, fromHead, toLayer, toHead]`, before the baseline. */
  readonly raw: CompositionTensor;
  readonly baseline: number;
  readonly model: string;
}

/** Scores of all pairs of heads, largest where the later head reads most of what the earlier one writes. */
export class CompositionScores {
  static {
    printsItself(this.prototype);
  }

  readonly kind: CompositionKind;
  /** `[fromLayer, fromHead, toLayer, toHead]`, less the baseline; 0 unless the first layer is the earlier one. */
  readonly scores: CompositionTensor;
  /** What was subtracted: the mean score of random matrices, or 0. */
  readonly baseline: number;
  /** The model as it was named when loaded. */
  readonly model: string;

  /** @internal */
  constructor({ kind, raw, baseline, model }: CompositionParts) {
    this.kind = kind;
    this.baseline = baseline;
    this.model = model;
    this.scores = baseline === 0 ? raw : subtract(raw, baseline);
  }

  get #heads(): number {
    return this.scores.sizeOf("fromHead");
  }

  /** Labels of all heads, `"L0H0"`, …: rows and columns of {@link toView}. */
  get labels(): readonly string[] {
    const heads = this.#heads;
    return Array.from(
      { length: this.scores.sizeOf("fromLayer") * heads },
      (_, i) => `L${Math.floor(i / heads)}H${i % heads}`,
    );
  }

  /** Returns the `k` pairs with the highest scores. */
  top(k = 10): readonly CompositionPair[] {
    const { labels } = this;
    const heads = this.#heads;
    const data = Array.from(this.scores.contiguous().data, Number);
    const pairs = data.flatMap((score, i) => {
      const [from, to] = [Math.floor(i / labels.length), i % labels.length];
      const isLater = Math.floor(from / heads) < Math.floor(to / heads);
      return isLater ? [{ from: labels[from] ?? "", to: labels[to] ?? "", score }] : [];
    });
    return pairs.sort((a, b) => b.score - a.score).slice(0, k);
  }

  /** Returns earlier heads against later heads; pairs of one layer, or in the wrong order, are blank. */
  toView(): View {
    const { labels } = this;
    const heads = this.#heads;
    const data = Array.from(this.scores.contiguous().data, Number);
    const [first, last] = [labels.slice(0, -heads), labels.slice(heads)];
    const rows = first.map((_, from) =>
      last.map((_name, later) => {
        const to = later + heads;
        const isLater = Math.floor(from / heads) < Math.floor(to / heads);
        return isLater ? (data[from * labels.length + to] ?? Number.NaN) : Number.NaN;
      }),
    );
    return heatmap(rows, {
      title: `${this.kind}-composition`,
      note: this.baseline === 0 ? "" : `less ${this.baseline.toFixed(3)}, the mean of random matrices`,
      y: { name: "writes", labels: first },
      x: { name: "reads", labels: last },
      unit: "score",
    });
  }

  /** Returns the strongest pairs as text. */
  toString(): string {
    const less = this.baseline === 0 ? "" : `, less ${this.baseline.toFixed(4)} of random matrices`;
    const lines = this.top(5).map(({ from, to, score }) => `  ${from} → ${to}  ${score.toFixed(4)}`);
    return [`${this.kind}-composition of "${this.model}", ${this.labels.length} heads${less}`, ...lines].join("\n");
  }
}

function subtract(raw: CompositionTensor, baseline: number): CompositionTensor {
  const [layers, heads] = raw.shape;
  const total = layers * heads;
  const data = Float64Array.from(raw.data, (x, i) => {
    const [from, to] = [Math.floor(i / total), i % total];
    return Math.floor(from / heads) < Math.floor(to / heads) ? x - baseline : 0;
  });
  return Tensor.of(data, raw.shape, raw.axes);
}
