/** Products of two matrices that are kept apart: low rank, so that nothing of full size is formed unless asked for. */
import { formatShape, printsItself, ShapeError } from "../../core/index.js";
import { type Complex, eigenvalues, qr, type Svd, svd } from "../../linalg/index.js";
import { type AxisIndex, einsum, type Tensor } from "../../tensor/index.js";
import { type LeadingAxes, leadingAxes, mapMatrices, matrixAt, transposed } from "./matrices.js";

/** What one index of {@link FactoredMatrix.at} may be. */
export type FactoredIndex = AxisIndex;

function named(tensor: Tensor, where: string, names: readonly [string, string]): Tensor {
  if (tensor.axes.length < 2)
    throw new ShapeError({
      where,
      got: formatShape(tensor.shape, tensor.axes),
      expected: "at least two axes: a matrix, or a stack of matrices",
      fix: "Give a vector a second axis with insertAxis().",
    });
  const [row = "", column = ""] = tensor.axes.slice(-2);
  // Through neutral names first: a matrix may have axes that are called as the new ones, in the other order.
  return tensor.rename({ [row]: "first~", [column]: "second~" }).rename({ "first~": names[0], "second~": names[1] });
}

/** `Q R` of a tall matrix; a wide one is its own `R`. */
function orthogonal(matrix: Tensor): { readonly Q?: Tensor; readonly R: Tensor } {
  const [row = "", column = ""] = matrix.axes;
  if (matrix.sizeOf(row) < matrix.sizeOf(column)) return { R: matrix.rename({ [row]: "rank" }) };
  return qr(matrix);
}

/** `A B = Qa (Ra Rbᵀ) Qbᵀ`: only the small product in the middle is decomposed. */
function factoredSvd(a: Tensor, b: Tensor): Svd {
  const left = orthogonal(a);
  const right = orthogonal(b.transpose(["right", "inner"]));
  const middle = einsum([left.R.rename({ rank: "left" }), right.R.rename({ rank: "right" })], ["left", "right"]);
  const { U, S, V } = svd(middle);
  const back = (Q: Tensor | undefined, vectors: Tensor<"float64">, axis: string): Tensor<"float64"> => {
    if (Q === undefined) return vectors;
    return einsum([Q, vectors.rename({ [axis]: "rank" })], [axis, "singular"]).cast("float64");
  };
  return withFixedSigns({ U: back(left.Q, U, "left"), S, V: back(right.Q, V, "right") });
}

/** Turns pairs of vectors so that the largest entry of each left one is positive, as `svd` does. */
function withFixedSigns({ U, S, V }: Svd): Svd {
  const largest = U.gather("left", U.abs().argmax("left").insertAxis("left")).squeeze("left");
  const signs = largest.ge(0).cast("float64").mul(2).sub(1);
  return { U: U.mul(signs), S, V: V.mul(signs) };
}

/**
 * A matrix `A B` of low rank, or a stack of them, as its two factors: TransformerLens's `FactoredMatrix`.
 *
 * Axes are `[…, left, inner]` and `[…, inner, right]`, whatever the factors called them; axes in front, such as `layer` and
 * `head`, keep their names. Rows act from the left: `x M = (x A) B`. Decompositions are float64.
 *
 * @see Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"
 */
export class FactoredMatrix {
  static {
    printsItself(this.prototype);
  }

  /** `[…, left, inner]`. */
  readonly A: Tensor;
  /** `[…, inner, right]`. */
  readonly B: Tensor;
  readonly #leading: LeadingAxes;
  #svd: Svd | undefined;

  /**
   * Makes the product of two matrices, or of two stacks; the last two axes are the matrix.
   *
   * @throws ShapeError when the inner or the leading axes differ in size.
   */
  constructor(A: Tensor, B: Tensor) {
    const where = "FactoredMatrix";
    this.A = named(A, `${where}: A`, ["left", "inner"]);
    this.B = named(B, `${where}: B`, ["inner", "right"]);
    if (this.A.sizeOf("inner") !== this.B.sizeOf("inner"))
      throw new ShapeError({
        where,
        got: `A of ${this.A.sizeOf("inner")} columns and B of ${this.B.sizeOf("inner")} rows`,
        expected: "as many columns of A as rows of B",
        fix: "Transpose one of them.",
      });
    this.#leading = leadingAxes(where, this.A, this.B);
  }

  /** Sizes by axis name, leading axes first. */
  get sizes(): Readonly<Record<string, number>> {
    const { A, B } = this;
    const own = { left: A.sizeOf("left"), inner: A.sizeOf("inner"), right: B.sizeOf("right") };
    return { ...Object.fromEntries(this.#leading), ...own };
  }

  get #names(): readonly string[] {
    return this.#leading.map(([axis]) => axis);
  }

  /** The product, `[…, left, right]`. */
  get AB(): Tensor {
    return einsum([this.A, this.B], [...this.#names, "left", "right"]);
  }

  /** The product the other way round, `[…, inner, inner2]`: it has the eigenvalues of `AB` that are not 0. */
  get BA(): Tensor {
    const { A, B } = this;
    const square = [B.rename({ right: "joint" }), A.rename({ left: "joint", inner: "inner2" })];
    return einsum(square, [...this.#names, "inner", "inner2"]);
  }

  /** The transpose: left and right change places. */
  get T(): FactoredMatrix {
    return new FactoredMatrix(transposed(this.B), transposed(this.A));
  }

  /** The factors. */
  get pair(): { readonly A: Tensor; readonly B: Tensor } {
    return { A: this.A, B: this.B };
  }

  /**
   * Returns the singular value decomposition: `U […, left, singular]`, `S […, singular]`, `V […, right, singular]`.
   *
   * As many values as the smallest of the three sizes. Signs are fixed as in `svd`. The result is kept.
   */
  svd(): Svd {
    if (this.#svd !== undefined) return this.#svd;
    const parts = mapMatrices(this.#leading, (index) => {
      const { U, S, V } = factoredSvd(matrixAt(this.A, index), matrixAt(this.B, index));
      return [U, S, V];
    });
    const empty = this.A.cast("float64");
    const [U = empty, S = empty, V = empty] = parts;
    this.#svd = { U, S, V };
    return this.#svd;
  }

  /** Left singular vectors, `[…, left, singular]`. */
  get U(): Tensor<"float64"> {
    return this.svd().U;
  }

  /** Singular values, largest first, `[…, singular]`. */
  get S(): Tensor<"float64"> {
    return this.svd().S;
  }

  /** Right singular vectors, `[…, right, singular]`; TransformerLens's `Vh` holds the same. */
  get V(): Tensor<"float64"> {
    return this.svd().V;
  }

  /**
   * Returns the eigenvalues that can differ from 0, `[…, eigen]`, largest magnitude first.
   *
   * @throws ShapeError unless left and right have one size.
   */
  eigenvalues(): Complex {
    this.#checkSquare("FactoredMatrix.eigenvalues");
    const BA = this.BA.cast("float64");
    const [re = BA, im = BA] = mapMatrices(this.#leading, (index) => {
      const found = eigenvalues(matrixAt(BA, index));
      return [found.re, found.im];
    });
    return { re, im };
  }

  /** Returns the Frobenius norm, `[…]`: `√ tr(AᵀA BBᵀ)`. */
  norm(): Tensor {
    const { A, B } = this;
    const names = this.#names;
    const gramA = einsum(
      [A.cast("float64"), A.cast("float64").rename({ inner: "inner2" })],
      [...names.filter((n) => A.axes.includes(n)), "inner", "inner2"],
    );
    const gramB = einsum(
      [B.cast("float64"), B.cast("float64").rename({ inner: "inner2" })],
      [...names.filter((n) => B.axes.includes(n)), "inner", "inner2"],
    );
    return einsum([gramA, gramB], names).relu().sqrt();
  }

  /**
   * Returns the trace, `[…]`.
   *
   * @throws ShapeError unless left and right have one size.
   */
  trace(): Tensor {
    this.#checkSquare("FactoredMatrix.trace");
    return einsum([this.A, this.B.rename({ right: "left" })], this.#names);
  }

  /** Returns the same matrix with factors of equal weight: `U √S` and `√S Vᵀ`. */
  makeEven(): FactoredMatrix {
    const { U, S, V } = this.svd();
    const root = S.sqrt();
    const even = V.mul(root);
    return new FactoredMatrix(U.mul(root), even.transpose([...even.axes.slice(0, -2), "singular", "right"]));
  }

  /** Returns `S Vᵀ`, `[…, singular, right]`: the matrix without the orthogonal factor on its left. */
  collapseLeft(): Tensor {
    const { S, V } = this.svd();
    const product = V.mul(S);
    return product.transpose([...product.axes.slice(0, -2), "singular", "right"]);
  }

  /** Returns `U S`, `[…, left, singular]`: the matrix without the orthogonal factor on its right. */
  collapseRight(): Tensor {
    const { U, S } = this.svd();
    return U.mul(S);
  }

  /** Returns the matrix times a number, or times one number for each leading index. */
  mul(factor: number | Tensor): FactoredMatrix {
    const scaled: Tensor = this.A.mul(factor);
    return new FactoredMatrix(
      scaled.transpose([...scaled.axes.filter((axis) => axis !== "left" && axis !== "inner"), "left", "inner"]),
      this.B,
    );
  }

  /**
   * Returns `M x` for a vector or a matrix (last two axes), or `M N` as a factored matrix of the smaller rank.
   *
   * @throws ShapeError when sizes do not fit.
   */
  matmul(other: FactoredMatrix): FactoredMatrix;
  /** Returns `M x`: `[…, left]` for a vector `[right]`, `[…, left, column]` for a matrix `[right, column]`. */
  matmul(other: Tensor): Tensor;
  /** Multiplies from the right. */
  matmul(other: FactoredMatrix | Tensor): FactoredMatrix | Tensor {
    const where = "FactoredMatrix.matmul";
    if (other instanceof FactoredMatrix) return this.#times(other);
    const x = operand(other, where, ["right", "column"], this.B.sizeOf("right"));
    const end = x.axes.includes("column") ? ["left", "column"] : ["left"];
    return einsum([this.A, this.B, x], [...this.#names, ...end]);
  }

  /**
   * Returns `x M`: `[…, right]` for a vector `[left]`, `[…, row, right]` for a matrix `[row, left]`.
   *
   * @throws ShapeError when sizes do not fit.
   */
  rmatmul(x: Tensor): Tensor {
    const isVector = x.axes.length === 1;
    const rows = operand(x, "FactoredMatrix.rmatmul", isVector ? ["left", ""] : ["row", "left"], this.A.sizeOf("left"));
    return einsum([rows, this.A, this.B], [...this.#names, ...(isVector ? [] : ["row"]), "right"]);
  }

  #times(other: FactoredMatrix): FactoredMatrix {
    if (this.B.sizeOf("right") !== other.A.sizeOf("left"))
      throw misfit("FactoredMatrix.matmul", this.B.sizeOf("right"), other.A.sizeOf("left"));
    const names = [...new Set([...this.#names, ...other.#names])];
    const middle = einsum(
      [this.B.rename({ right: "joint" }), other.A.rename({ left: "joint", inner: "inner2" })],
      [...names, "inner", "inner2"],
    );
    if (this.A.sizeOf("inner") <= other.A.sizeOf("inner")) {
      const right = einsum([middle, other.B.rename({ inner: "inner2" })], [...names, "inner", "right"]);
      return new FactoredMatrix(this.A, right);
    }
    const left = einsum([this.A, middle], [...names, "left", "inner2"]);
    return new FactoredMatrix(left, other.B);
  }

  /**
   * Selects by axis: leading axes as in a tensor, `left` and `right` by ranges or lists; a single index there keeps its axis.
   *
   * @throws AxisError for an axis that the matrix lacks, InputError for an index outside it.
   */
  at(index: Readonly<Record<string, FactoredIndex>>): FactoredMatrix {
    const kept = Object.entries(index).map(
      ([axis, value]) => [axis, isEnd(axis) && typeof value === "number" ? [value] : value] as const,
    );
    const known = [...this.#names, "left", "right"];
    const unknown = kept.find(([axis]) => !known.includes(axis))?.[0];
    if (unknown !== undefined)
      throw new ShapeError({
        where: "FactoredMatrix.at",
        got: `the axis ${JSON.stringify(unknown)}`,
        expected: `axes among ${known.join(", ")}`,
        fix: "The inner axis belongs to both factors: use makeEven() and build a new one to drop parts of it.",
      });
    const pick = (tensor: Tensor): Tensor => {
      const own = kept.filter(([axis]) => tensor.axes.includes(axis));
      return own.length === 0 ? tensor : tensor.at(Object.fromEntries(own));
    };
    return new FactoredMatrix(pick(this.A), pick(this.B));
  }

  #checkSquare(where: string): void {
    const { left, right } = this.sizes;
    if (left === right) return;
    throw new ShapeError({
      where,
      got: `a matrix of ${left} rows and ${right} columns`,
      expected: "a square matrix",
      fix: "Use svd().",
    });
  }

  /** Returns one line: sizes. */
  toString(): string {
    const { inner, ...outer } = this.sizes;
    return `FactoredMatrix ${formatShape(Object.values(outer), Object.keys(outer))} of rank at most ${inner}`;
  }
}

function isEnd(axis: string): boolean {
  return axis === "left" || axis === "right";
}

function misfit(where: string, size: number, got: number): ShapeError {
  return new ShapeError({
    where,
    got: `an operand of size ${got}`,
    expected: `${size}, to match the matrix`,
    fix: "Check which side it multiplies: matmul is M x, rmatmul is x M.",
  });
}

/** Renames the last axes of a vector or matrix; a vector has only the first name. */
function operand(x: Tensor, where: string, names: readonly [string, string], size: number): Tensor {
  const [first = "", second = ""] = x.axes;
  const renamed =
    x.axes.length === 1
      ? x.rename({ [first]: names[0] })
      : x.rename({ [first]: "first~", [second]: "second~" }).rename({ "first~": names[0], "second~": names[1] });
  const inner = renamed.axes.includes("left") ? "left" : "right";
  if (x.axes.length > 2 || renamed.sizeOf(inner) !== size) throw misfit(where, size, renamed.sizeOf(inner));
  return renamed;
}
