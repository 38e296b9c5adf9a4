/**
 * Algebra of symbolic sizes.
 *
 * A size is a polynomial with integer coefficients over named symbols. It is stored as a plain number, or as one
 * canonical string (`"2*batch*pos"`, `"past+pos"`, `"pos-1"`), so that equal sizes are equal strings.
 */
import { GraphError } from "../core/index.js";
import type { Dim } from "./ir.js";

/** Terms of a polynomial: `"a*b"` -> coefficient; the constant term has the key `""`. */
type Polynomial = ReadonlyMap<string, number>;

const symbolPattern = /^[A-Za-z_][A-Za-z0-9_.]*$/;
const termPattern = /[+-]?[^+-]+/g;

function invalid(dim: string): GraphError {
  return new GraphError({
    where: "graph size",
    got: JSON.stringify(dim),
    expected: 'a sum of products of names and integers, such as "batch", "past+pos" or "2*pos"',
    fix: "Name sizes with letters, digits, dots and underscores only.",
  });
}

function parseTerm(term: string, dim: string): { key: string; coefficient: number } {
  const sign = term.startsWith("-") ? -1 : 1;
  let coefficient = sign;
  const symbols: string[] = [];
  for (const factor of term.replace(/^[+-]/, "").split("*")) {
    const text = factor.trim();
    if (/^\d+$/.test(text)) coefficient *= Number(text);
    else if (symbolPattern.test(text)) symbols.push(text);
    else throw invalid(dim);
  }
  return { key: symbols.sort().join("*"), coefficient };
}

function addTerm(terms: Map<string, number>, key: string, coefficient: number): void {
  const sum = (terms.get(key) ?? 0) + coefficient;
  if (sum === 0) terms.delete(key);
  else terms.set(key, sum);
}

function parse(dim: Dim): Polynomial {
  if (typeof dim === "number") return new Map(dim === 0 ? [] : [["", dim]]);
  if (symbolPattern.test(dim)) return new Map([[dim, 1]]);
  const terms = new Map<string, number>();
  const parts = dim.match(termPattern);
  if (parts === null || parts.join("") !== dim) throw invalid(dim);
  for (const part of parts) {
    const { key, coefficient } = parseTerm(part.trim(), dim);
    addTerm(terms, key, coefficient);
  }
  return terms;
}

function formatTerm(key: string, coefficient: number): string {
  const size = Math.abs(coefficient);
  const text = key === "" ? `${size}` : size === 1 ? key : `${size}*${key}`;
  return coefficient < 0 ? `-${text}` : `+${text}`;
}

/** Orders terms by name, the constant last; a leading negative term moves behind the positive ones. */
function format(terms: Polynomial): Dim {
  if (terms.size === 0) return 0;
  if (terms.size === 1 && terms.has("")) return terms.get("") ?? 0;
  const keys = [...terms.keys()].filter((key) => key !== "").sort();
  const positive = keys.filter((key) => (terms.get(key) ?? 0) > 0);
  const negative = keys.filter((key) => (terms.get(key) ?? 0) < 0);
  const ordered = [...positive, ...negative, ...(terms.has("") ? [""] : [])];
  const text = ordered.map((key) => formatTerm(key, terms.get(key) ?? 0)).join("");
  return text.startsWith("+") ? text.slice(1) : text;
}

/**
 * Returns the canonical form of a size.
 *
 * @throws GraphError when a string is not a sum of products of names and integers.
 */
export function normalizeDim(dim: Dim): Dim {
  return typeof dim === "number" || symbolPattern.test(dim) ? dim : format(parse(dim));
}

/** Returns `a + b` in canonical form. */
export function dimAdd(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return a + b;
  const terms = new Map(parse(a));
  for (const [key, coefficient] of parse(b)) addTerm(terms, key, coefficient);
  return format(terms);
}

/** Returns `a * b` in canonical form; 0 is never negative. */
export function dimMul(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return a * b + 0;
  if (a === 1) return normalizeDim(b);
  if (b === 1) return normalizeDim(a);
  const terms = new Map<string, number>();
  for (const [keyA, coefficientA] of parse(a)) {
    for (const [keyB, coefficientB] of parse(b)) {
      const key = [...symbolsOf(keyA), ...symbolsOf(keyB)].sort();
      addTerm(terms, key.join("*"), coefficientA * coefficientB);
    }
  }
  return format(terms);
}

/** Returns `a - b` in canonical form. */
export function dimSub(a: Dim, b: Dim): Dim {
  return dimAdd(a, dimMul(-1, b));
}

/** Divides one term by another; undefined when that leaves a remainder. */
function divideTerm(key: string, coefficient: number, by: string, byCoefficient: number): [string, number] | undefined {
  const left = [...symbolsOf(key)];
  for (const name of symbolsOf(by)) {
    const index = left.indexOf(name);
    if (index < 0) return undefined;
    left.splice(index, 1);
  }
  return coefficient % byCoefficient === 0 ? [left.join("*"), coefficient / byCoefficient] : undefined;
}

/** Returns `a / b` where `b` is one term that divides every term of `a`, or `b` equals `a`; undefined otherwise. */
export function dimDivide(a: Dim, b: Dim): Dim | undefined {
  if (b === 1) return normalizeDim(a);
  if (dimEquals(a, b)) return b === 0 ? undefined : 1;
  const divisor = [...parse(b)];
  const [only] = divisor;
  if (divisor.length !== 1 || only === undefined) return undefined;
  const terms = new Map<string, number>();
  for (const [key, coefficient] of parse(a)) {
    const quotient = divideTerm(key, coefficient, only[0], only[1]);
    if (quotient === undefined) return undefined;
    addTerm(terms, quotient[0], quotient[1]);
  }
  return format(terms);
}

/** Tells whether two sizes are the same polynomial. */
export function dimEquals(a: Dim, b: Dim): boolean {
  return a === b || (typeof a !== typeof b ? false : normalizeDim(a) === normalizeDim(b));
}

/** Returns the number of elements of a shape, `1` for a scalar. */
export function dimProduct(shape: readonly Dim[]): Dim {
  return shape.reduce<Dim>((product, dim) => dimMul(product, dim), 1);
}

/** Takes away the sizes that two shapes share, but not 0, which would hide that a product is 0. */
function withoutShared(a: readonly Dim[], b: readonly Dim[]): readonly [readonly Dim[], readonly Dim[]] {
  const left = [...a];
  const right = b.filter((dim) => {
    const index = dim === 0 ? -1 : left.indexOf(dim);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
  return [left, right];
}

/** Tells whether two shapes have the same number of elements. */
export function sameCount(a: readonly Dim[], b: readonly Dim[]): boolean {
  const [left, right] = withoutShared(a, b);
  return dimEquals(dimProduct(left), dimProduct(right));
}

/** Returns the number of elements of `a` divided by that of `b`, where {@link dimDivide} can after sizes have cancelled. */
export function countRatio(a: readonly Dim[], b: readonly Dim[]): Dim | undefined {
  const [left, right] = withoutShared(a, b);
  return dimDivide(dimProduct(left), dimProduct(right));
}

/** One product of a size: `coefficient * symbols[0] * symbols[1] * …`. */
export interface DimTerm {
  readonly symbols: readonly string[];
  readonly coefficient: number;
}

/** Returns the terms whose sum a size is, none for 0. */
export function dimTerms(dim: Dim): readonly DimTerm[] {
  return [...parse(dim)].map(([key, coefficient]) => ({ symbols: symbolsOf(key), coefficient }));
}

function symbolsOf(key: string): readonly string[] {
  return key === "" ? [] : key.split("*");
}

/** Returns the names that occur in a size, sorted and without repetition. */
export function dimSymbols(dim: Dim): readonly string[] {
  if (typeof dim === "number") return [];
  const names = [...parse(dim).keys()].flatMap(symbolsOf);
  return [...new Set(names)].sort();
}

/**
 * Returns the number that a size has under `bindings` of its names.
 *
 * @throws GraphError when a name has no binding.
 */
export function evalDim(dim: Dim, bindings: Readonly<Record<string, number>>): number {
  if (typeof dim === "number") return dim;
  let sum = 0;
  for (const [key, coefficient] of parse(dim)) {
    let product = coefficient;
    for (const name of symbolsOf(key)) product *= bound(name, dim, bindings);
    sum += product;
  }
  return sum;
}

function bound(name: string, dim: string, bindings: Readonly<Record<string, number>>): number {
  const value = Object.hasOwn(bindings, name) ? bindings[name] : undefined;
  if (value !== undefined) return value;
  throw new GraphError({
    where: `size ${JSON.stringify(dim)}`,
    got: `no number for "${name}" (known: ${Object.keys(bindings).sort().join(", ") || "none"})`,
    expected: "a number for each name in the size",
    fix: `Bind "${name}".`,
  });
}

/** Returns the number of each size of a shape under `bindings`. */
export function evalShape(shape: readonly Dim[], bindings: Readonly<Record<string, number>>): readonly number[] {
  return shape.map((dim) => evalDim(dim, bindings));
}

/** Tells whether two shapes have the same rank and equal sizes. */
export function sameShape(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dimEquals(dim, b[axis] ?? -1));
}

/** Returns the size that `a` and `b` broadcast to; undefined when they do not (a name and a number other than 1 do not). */
export function broadcastDim(a: Dim, b: Dim): Dim | undefined {
  if (a === 1) return b;
  if (b === 1 || dimEquals(a, b)) return a;
  return undefined;
}

/**
 * Returns the shape that `shapes` broadcast to, numpy style (aligned at the last axis).
 *
 * @param where - Names the operation in the error; a function is called only then.
 * @throws GraphError when two sizes differ and neither is 1; the message lists every shape.
 */
export function broadcastShapes(
  where: string | (() => string),
  ...shapes: readonly (readonly Dim[])[]
): readonly Dim[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result: Dim[] = [];
  for (let axis = 0; axis < rank; axis++) {
    let dim: Dim | undefined = 1;
    for (const shape of shapes) {
      const own: Dim = shape[axis - rank + shape.length] ?? 1;
      dim = dim === undefined ? undefined : broadcastDim(dim, own);
    }
    if (dim === undefined) throw clash(typeof where === "string" ? where : where(), axis - rank, shapes);
    result.push(dim);
  }
  return result;
}

function clash(where: string, axis: number, shapes: readonly (readonly Dim[])[]): GraphError {
  return new GraphError({
    where,
    got: `shapes ${shapes.map((shape) => `[${shape.join(", ")}]`).join(" and ")}`,
    expected: `sizes that are equal or 1 (they differ at axis ${axis})`,
    fix: "Reshape, unsqueeze or expand one of the inputs.",
  });
}
