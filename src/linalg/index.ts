/** Matrices: singular values, eigenvalues, QR, linear equations, ridge regression. */
export { type Complex, eigenvalues, type SymmetricEigen, symmetricEigen } from "./eigen.js";
export { type Qr, qr } from "./qr.js";
export { leastSquares, type Ridge, type RidgeOptions, ridge, solve } from "./solve.js";
export { type Svd, svd } from "./svd.js";
