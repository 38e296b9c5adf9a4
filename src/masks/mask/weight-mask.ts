/** Which weights of a model are kept: one bit for each, and the algebra of such masks. */
import { InputError, printsItself } from "../../core/index.js";
import type { KeptWeights, MatrixKind, WeightMatrix } from "../../model/index.js";
import { heatmap, type View } from "../../viz/index.js";
import { bitsWhere, countBits, fullBits, hasBit, putBit } from "./bits.js";

/** How much of a matrix, or of several, is kept. */
export interface KeptCount {
  readonly kept: number;
  readonly total: number;
}

/** How much of one matrix is kept. */
export interface MatrixCount extends KeptCount {
  readonly matrix: WeightMatrix;
}

/** The fields of a {@link WeightMask}. */
export interface WeightMaskParts {
  /** Source and identity of the checkpoint. */
  readonly model: string;
  readonly identity?: string;
  readonly shapes: readonly WeightMatrix[];
  readonly matrices: ReadonlyMap<string, Uint8Array>;
}

function sizeOf({ shape }: WeightMatrix): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * A mask over the weights of attention and MLPs: one bit for each, by TransformerLens's names and shapes.
 *
 * Biases, norms and embeddings are not maskable. Give it to `edit.keepWeights`. Immutable.
 */
export class WeightMask implements KeptWeights {
  static {
    printsItself(this.prototype);
  }

  readonly model: string;
  readonly identity?: string;
  /** Every matrix of the model, layer by layer. */
  readonly shapes: readonly WeightMatrix[];
  readonly matrices: ReadonlyMap<string, Uint8Array>;

  /** @internal Use `weightMask`. */
  constructor(parts: WeightMaskParts) {
    this.model = parts.model;
    if (parts.identity !== undefined) this.identity = parts.identity;
    this.shapes = parts.shapes;
    this.matrices = parts.matrices;
  }

  /** How many weights are kept. */
  get count(): number {
    return this.counts().reduce((sum, { kept }) => sum + kept, 0);
  }

  /** How many weights could be kept. */
  get total(): number {
    return this.shapes.reduce((sum, matrix) => sum + sizeOf(matrix), 0);
  }

  /** Returns how many weights of each matrix are kept. */
  counts(): readonly MatrixCount[] {
    return this.shapes.map((matrix) => {
      return { matrix, kept: countBits(this.#bits(matrix)), total: sizeOf(matrix) };
    });
  }

  /** Returns how many weights of each kind of matrix are kept, over all layers. */
  byKind(): ReadonlyMap<MatrixKind, KeptCount> {
    const sums = new Map<MatrixKind, KeptCount>();
    for (const { matrix, kept, total } of this.counts()) {
      const before = sums.get(matrix.kind) ?? { kept: 0, total: 0 };
      sums.set(matrix.kind, { kept: before.kept + kept, total: before.total + total });
    }
    return sums;
  }

  /**
   * Tells whether a weight is kept; `index` has a number for each axis of the matrix.
   *
   * @throws InputError for a matrix or an index that is not there.
   */
  has(name: string, ...index: readonly number[]): boolean {
    const matrix = this.#find(name, "mask.has");
    const isInside =
      index.length === matrix.shape.length && index.every((i, axis) => i >= 0 && i < (matrix.shape[axis] ?? 0));
    if (!isInside)
      throw wrong("mask.has", `[${index.join(", ")}]`, `an index into ${name} [${matrix.shape.join(", ")}]`);
    const place = index.reduce((at, i, axis) => at * (matrix.shape[axis] ?? 1) + i, 0);
    return hasBit(this.#bits(matrix), place);
  }

  /** Returns whether two masks keep the same weights. */
  equals(other: WeightMask): boolean {
    this.#check(other, "mask.equals");
    return this.shapes.every((matrix) =>
      this.#bits(matrix).every((byte, i) => byte === other.matrices.get(matrix.name)?.[i]),
    );
  }

  /** Returns the weights that either keeps. */
  union(other: WeightMask): WeightMask {
    return this.#combine(other, "mask.union", (a, b) => a | b);
  }

  /** Returns the weights that both keep. */
  intersection(other: WeightMask): WeightMask {
    return this.#combine(other, "mask.intersection", (a, b) => a & b);
  }

  /** Returns the weights that this keeps and the other does not. */
  difference(other: WeightMask): WeightMask {
    return this.#combine(other, "mask.difference", (a, b) => a & ~b);
  }

  /** Returns the weights that this does not keep. */
  complement(): WeightMask {
    return this.#with((matrix) => {
      const [own, all] = [this.#bits(matrix), fullBits(sizeOf(matrix))];
      return all.map((byte, i) => byte & ~(own[i] ?? 0));
    });
  }

  /**
   * Returns the mask with all weights of a head kept, or none: its columns of `W_Q`, `W_K`, `W_V` and rows of `W_O`.
   *
   * Grouped keys and values belong to several heads; they are kept with any of them, and dropped only by `setLayer`.
   *
   * @throws InputError for a layer or head that is not there.
   */
  setHead(layer: number, head: number, isKept = true): WeightMask {
    const heads = this.#layer(layer, "mask.setHead").find(({ kind }) => kind === "W_Q")?.shape[0] ?? 0;
    if (!Number.isInteger(head) || head < 0 || head >= heads)
      throw wrong("mask.setHead", `head ${head}`, `a head from 0 to ${heads - 1}`);
    return this.#set(layer, (matrix, place) => {
      const [own = 1, ...rest] = matrix.shape;
      if (!/^W_[QKVO]$/.test(matrix.kind) || (!isKept && own < heads)) return undefined;
      const at = Math.floor(place / rest.reduce((a, b) => a * b, 1));
      return at === Math.floor((head * own) / heads) ? isKept : undefined;
    });
  }

  /** Returns the mask with all weights of some MLP neurons kept, or none. */
  setNeurons(layer: number, neurons: readonly number[], isKept = true): WeightMask {
    const width = this.#layer(layer, "mask.setNeurons").find(({ kind }) => kind === "W_in")?.shape[1] ?? 0;
    const chosen = new Set(neurons);
    const stray = neurons.find((neuron) => !Number.isInteger(neuron) || neuron < 0 || neuron >= width);
    if (stray !== undefined) throw wrong("mask.setNeurons", `neuron ${stray}`, `neurons from 0 to ${width - 1}`);
    return this.#set(layer, ({ kind, shape: [, columns = 1] }, place) => {
      if (kind === "W_out") return chosen.has(Math.floor(place / columns)) ? isKept : undefined;
      return (kind === "W_in" || kind === "W_gate") && chosen.has(place % columns) ? isKept : undefined;
    });
  }

  /** Returns the mask with a whole layer kept, or none of it; or only its attention or MLP. */
  setLayer(layer: number, isKept = true, part: "attn" | "both" | "mlp" = "both"): WeightMask {
    this.#layer(layer, "mask.setLayer");
    return this.#set(layer, ({ name }) => (part === "both" || name.includes(`.${part}.`) ? isKept : undefined));
  }

  /** Draws the share of each matrix that is kept. */
  toView(): View {
    const kinds = [...this.byKind().keys()];
    const layers = 1 + this.shapes.reduce((most, { layer }) => Math.max(most, layer), 0);
    const shares = Array.from({ length: layers }, () => kinds.map(() => Number.NaN));
    for (const { matrix, kept, total } of this.counts()) {
      const row = shares[matrix.layer];
      if (row !== undefined) row[kinds.indexOf(matrix.kind)] = (100 * kept) / total;
    }
    return heatmap(shares, {
      title: `Weights kept of ${this.model}`,
      note: `${this.count} of ${this.total}: ${((100 * this.count) / this.total).toFixed(2)} %`,
      unit: "% kept",
      x: { name: "matrix", labels: kinds },
      y: { name: "layer" },
    });
  }

  /** Returns the count, and where most of it is. */
  toString(): string {
    const { count, total } = this;
    const best = this.counts()
      .toSorted((a, b) => b.kept - a.kept)
      .slice(0, 3);
    const named = best.map(({ matrix, kept }) => `${matrix.name} ${kept}`).join(", ");
    return `WeightMask of ${this.model}: ${count} of ${total} weights (${((100 * count) / total).toFixed(2)} %); most in ${named}`;
  }

  #bits({ name }: WeightMatrix): Uint8Array {
    return this.matrices.get(name) ?? new Uint8Array(0);
  }

  #find(name: string, where: string): WeightMatrix {
    const found = this.shapes.find((matrix) => matrix.name === name);
    if (found !== undefined) return found;
    throw wrong(where, JSON.stringify(name), `a matrix such as ${this.shapes[0]?.name ?? "none"}`);
  }

  #layer(layer: number, where: string): readonly WeightMatrix[] {
    const found = this.shapes.filter((matrix) => matrix.layer === layer);
    if (found.length > 0) return found;
    throw wrong(where, `layer ${layer}`, `a layer of ${this.model}`);
  }

  #with(bitsOf: (matrix: WeightMatrix) => Uint8Array): WeightMask {
    return new WeightMask({
      model: this.model,
      ...(this.identity === undefined ? {} : { identity: this.identity }),
      shapes: this.shapes,
      matrices: new Map(this.shapes.map((matrix) => [matrix.name, bitsOf(matrix)])),
    });
  }

  #set(layer: number, test: (matrix: WeightMatrix, place: number) => boolean | undefined): WeightMask {
    return this.#with((matrix) => {
      const own = this.#bits(matrix);
      if (matrix.layer !== layer) return own;
      const next = Uint8Array.from(own);
      for (let i = 0; i < sizeOf(matrix); i++) {
        const isKept = test(matrix, i);
        if (isKept !== undefined) putBit(next, i, isKept);
      }
      return next;
    });
  }

  #check(other: WeightMask, where: string): void {
    const shape = (mask: WeightMask): string => JSON.stringify(mask.shapes);
    const isSame = this.identity === other.identity || this.identity === undefined || other.identity === undefined;
    if (isSame && shape(this) === shape(other)) return;
    throw wrong(where, `a mask of ${other.model}`, `one of ${this.model}`);
  }

  #combine(other: WeightMask, where: string, how: (a: number, b: number) => number): WeightMask {
    this.#check(other, where);
    return this.#with((matrix) => {
      const theirs = other.matrices.get(matrix.name);
      return this.#bits(matrix).map((byte, i) => how(byte, theirs?.[i] ?? 0));
    });
  }
}

/** Returns the mask of a test over all weights of a model's matrices. */
export function maskWhere(
  of: Omit<WeightMaskParts, "matrices">,
  test: (matrix: WeightMatrix, place: number) => boolean,
): WeightMask {
  const matrices = of.shapes.map((matrix) => [matrix.name, bitsWhere(sizeOf(matrix), (i) => test(matrix, i))] as const);
  return new WeightMask({ ...of, matrices: new Map(matrices) });
}

function wrong(where: string, got: string, expected: string): InputError {
  return new InputError({ where, got, expected, fix: "Check which model the mask is of." });
}
