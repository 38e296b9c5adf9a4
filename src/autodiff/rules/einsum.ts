/**
 * The rule of sums of products by letters.
 *
 * The gradient of one operand is the sum of products of the gradient with the other operands, over the letters that it
 * lacks; letters that occur nowhere else were summed alone, so every element along them gets the same.
 */
import { parseEinsum, type Value } from "../../graph/index.js";
import type { Rule, RuleContext } from "../rule.js";

/** Puts axes of size 1 where `letters` has one that `kept` lacks. */
function withMissing(context: RuleContext, x: Value, letters: string, kept: string): Value {
  const missing = Array.from(letters).flatMap((letter, axis) => (kept.includes(letter) ? [] : [axis]));
  return missing.length === 0 ? x : context.ops.unsqueeze(x, missing);
}

/** One product by letters; a single scalar or a plain reordering needs none. */
function contract(context: RuleContext, equation: string, values: readonly Value[]): Value {
  const [first] = values;
  const [from = "", to = ""] = equation.split("->");
  return first !== undefined && values.length === 1 && from === to ? first : context.ops.einsum(equation, ...values);
}

/** A letter twice in one operand means its diagonal: the operand's axes are read one by one. */
function hasDiagonal(letters: string): boolean {
  return new Set(letters).size < letters.length;
}

/** Spreads the diagonal's gradient back: zeros wherever the repeated letters differ. */
function offDiagonal(context: RuleContext, gradient: Value, letters: string, target: Value): Value {
  const { ops } = context;
  const unique = [...new Set(letters)].join("");
  const full = Array.from(letters).map((letter) => gradient.shape[unique.indexOf(letter)] ?? 1);
  const rank = letters.length;
  const index = (axis: number): Value =>
    ops.unsqueeze(
      ops.range(0, ops.dimOf(target, axis)),
      full.flatMap((_, other) => (other === axis ? [] : [other])),
    );
  const repeats = Array.from(letters).flatMap((letter, axis) =>
    letters.indexOf(letter) < axis ? [ops.equal(index(letters.indexOf(letter)), index(axis))] : [],
  );
  const missing = Array.from({ length: rank }, (_, axis) => axis).filter(
    (axis) => letters.indexOf(letters[axis] ?? "") < axis,
  );
  const spreadOut = ops.unsqueeze(gradient, missing);
  return repeats.reduce((value, isDiagonal) => ops.where(isDiagonal, value, 0), spreadOut);
}

function operandGradient(context: RuleContext, index: number, operands: readonly string[], result: string): Value {
  const letters = operands[index] ?? "";
  const unique = [...new Set(letters)].join("");
  const others = operands.flatMap((own, other) => (other === index ? [] : [{ own, other }]));
  const known = result + others.map(({ own }) => own).join("");
  const kept = Array.from(unique)
    .filter((letter) => known.includes(letter))
    .join("");
  const equation = `${[result, ...others.map(({ own }) => own)].join(",")}->${kept}`;
  const values = [context.gradient(), ...others.map(({ other }) => context.input(other))];
  const gradient = withMissing(context, contract(context, equation, values), unique, kept);
  const target = context.node.inputs[index];
  if (!hasDiagonal(letters) || target === undefined) return gradient;
  const dims = Array.from(unique, (letter) => target.shape[letters.indexOf(letter)] ?? 1);
  return offDiagonal(context, context.ops.expand(gradient, dims, target), letters, target);
}

/** Any einsum, diagonals included. */
export const einsum: Rule = (context) => {
  const parsed = parseEinsum(String(context.node.attributes["equation"]));
  if (parsed === undefined) return [];
  const { operands, result } = parsed;
  return operands.map((_, index) =>
    context.wants(index) ? operandGradient(context, index, operands, result) : undefined,
  );
};
