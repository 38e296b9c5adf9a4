/** Linear equations, least squares and ridge regression. */
import { CholeskyDecomposition, LuDecomposition, Matrix, SingularValueDecomposition } from "ml-matrix";
import { InputError, NumericError, ShapeError } from "../core/index.js";
import { Tensor } from "../tensor/index.js";
import { closeMatrix, type OpenMatrix, openMatrix, openSquare } from "./matrix.js";

/** A right-hand side of one or several columns. */
interface RightSide {
  readonly matrix: Matrix;
  /** Absent for a vector. */
  readonly columnAxis?: string;
}

function openRight(where: string, b: Tensor, rows: number): RightSide {
  const isVector = b.axes.length === 1;
  const open = openMatrix(where, isVector ? b.insertAxis("column", { position: 1 }) : b);
  if (open.matrix.rows !== rows)
    throw new ShapeError({
      where,
      got: `a right-hand side of ${open.matrix.rows} rows for a matrix of ${rows}`,
      expected: "as many rows as the matrix",
      fix: "Check the order of axes: rows come first.",
    });
  return isVector ? { matrix: open.matrix } : { matrix: open.matrix, columnAxis: open.columnAxis };
}

function closeSolution(x: Matrix, axis: string, { columnAxis }: RightSide): Tensor {
  const whole: Tensor = closeMatrix(x, [axis, columnAxis ?? "column"]);
  return columnAxis === undefined ? whole.at({ column: 0 }) : whole;
}

function singular(where: string): NumericError {
  return new NumericError({
    where,
    got: "a singular matrix",
    expected: "one of full rank",
    fix: "Remove dependent columns, use leastSquares(), or ridge() with a penalty above 0.",
  });
}

/**
 * Returns `x` with `A x = b`, in float64.
 *
 * @param b - A vector `[row axis]` or a matrix `[row axis, …]`.
 * @returns `[column axis of A]`, or `[column axis of A, …]`.
 * @throws NumericError for a singular matrix; ShapeError when sizes do not fit.
 */
export function solve(a: Tensor, b: Tensor): Tensor {
  const { matrix, columnAxis } = openSquare("solve", a);
  const right = openRight("solve", b, matrix.rows);
  const lu = new LuDecomposition(matrix);
  if (lu.isSingular()) throw singular("solve");
  return closeSolution(lu.solve(right.matrix), columnAxis, right);
}

/**
 * Returns the `x` of least norm among those that minimise `‖A x − b‖`, in float64; also where `A` lacks rank.
 *
 * @returns `[column axis of A]`, or `[column axis of A, …]`.
 */
export function leastSquares(a: Tensor, b: Tensor): Tensor {
  const { matrix, columnAxis } = openMatrix("leastSquares", a);
  const right = openRight("leastSquares", b, matrix.rows);
  return closeSolution(pseudoSolve(matrix, right.matrix), columnAxis, right);
}

/** `V diag(1/s) Uᵀ b`, leaving out singular values that are 0 within rounding. */
function pseudoSolve(matrix: Matrix, b: Matrix): Matrix {
  const isWide = matrix.rows < matrix.columns;
  const found = new SingularValueDecomposition(isWide ? matrix.transpose() : matrix);
  const [U, V] = isWide
    ? [found.rightSingularVectors, found.leftSingularVectors]
    : [found.leftSingularVectors, found.rightSingularVectors];
  const least = Math.max(matrix.rows, matrix.columns) * Number.EPSILON * (found.diagonal[0] ?? 0);
  const coefficients = U.transpose().mmul(b);
  found.diagonal.forEach((s, i) => coefficients.mulRow(i, s > least ? 1 / s : 0));
  return V.mmul(coefficients);
}

/** Options of {@link ridge}. */
export interface RidgeOptions {
  /** `λ` in `‖X W + c − Y‖² + λ ‖W‖²`; above 0, or 0 for plain least squares of full rank. */
  readonly penalty: number;
  /** Fits a constant for each output, which is not penalised. Default true. */
  readonly intercept?: boolean;
}

/** What {@link ridge} found. */
export interface Ridge {
  /** `[feature axis]`, or `[feature axis, output axis]`. */
  readonly weights: Tensor;
  /** `[output axis]`, or a scalar; zeros without an intercept. */
  readonly intercept: Tensor;
}

function columnMeans(matrix: Matrix, isWanted: boolean): readonly number[] {
  return isWanted ? matrix.mean("column") : Array.from({ length: matrix.columns }, () => 0);
}

/** `Σ a[k] b[k]ᵀ` over rows, by the tensor's own blocked product. */
function crossProduct(a: Matrix, b: Matrix): Matrix {
  const left: Tensor = closeMatrix(a, ["row", "left"]);
  const product: Tensor = left.matmul(closeMatrix(b, ["row", "right"]), "row");
  return openMatrix("ridge", product.transpose(["left", "right"])).matrix;
}

/** Whether a pivot is nothing but rounding of the diagonal entry that it is left of. */
function lacksRank({ lowerTriangularMatrix: pivots }: CholeskyDecomposition, gram: Matrix): boolean {
  const least = gram.rows * Number.EPSILON;
  return gram.diagonal().some((entry, i) => pivots.get(i, i) ** 2 <= least * entry);
}

/** Solves with `G + λ I`, where `G` is a Gram matrix. */
function solveGram(gram: Matrix, penalty: number, right: Matrix): Matrix {
  for (let i = 0; i < gram.rows; i++) gram.set(i, i, gram.get(i, i) + penalty);
  const cholesky = new CholeskyDecomposition(gram);
  if (!cholesky.isPositiveDefinite() || lacksRank(cholesky, gram)) throw singular("ridge");
  return cholesky.solve(right);
}

/** The normal equations, or their dual where there are fewer rows than features. */
function ridgeWeights(x: Matrix, y: Matrix, penalty: number): Matrix {
  if (x.columns <= x.rows || penalty === 0) return solveGram(crossProduct(x, x), penalty, crossProduct(x, y));
  const rows = x.transpose();
  return crossProduct(x, solveGram(crossProduct(rows, rows), penalty, y));
}

function checkPenalty(penalty: number): void {
  if (Number.isFinite(penalty) && penalty >= 0) return;
  throw new InputError({
    where: "ridge: penalty",
    got: String(penalty),
    expected: "a number, 0 or more",
    fix: "Correct the number.",
  });
}

/**
 * Returns the ridge regression of `y` on `x`, in float64: `W` and `c` that minimise `‖X W + c − Y‖² + λ ‖W‖²`.
 *
 * @param x - `[row, feature]`.
 * @param y - `[row]` or `[row, output]`.
 * @throws NumericError when the penalty is 0 and features depend on each other.
 * @see Hoerl and Kennard 1970, "Ridge regression"
 */
export function ridge(x: Tensor, y: Tensor, { penalty, intercept = true }: RidgeOptions): Ridge {
  checkPenalty(penalty);
  const open: OpenMatrix = openMatrix("ridge: x", x);
  const right = openRight("ridge: y", y, open.matrix.rows);
  const [xMeans, yMeans] = [columnMeans(open.matrix, intercept), columnMeans(right.matrix, intercept)];
  const centred = (matrix: Matrix, means: readonly number[]): Matrix => matrix.clone().subRowVector([...means]);
  const weights = ridgeWeights(centred(open.matrix, xMeans), centred(right.matrix, yMeans), penalty);
  const predicted = Matrix.rowVector([...xMeans])
    .mmul(weights)
    .getRow(0);
  const constant = Float64Array.from(yMeans, (mean, i) => mean - (predicted[i] ?? 0));
  const { columnAxis } = right;
  return {
    weights: closeSolution(weights, open.columnAxis, right),
    intercept:
      columnAxis === undefined ? Tensor.of(constant, [], []) : Tensor.of(constant, [constant.length], [columnAxis]),
  };
}
