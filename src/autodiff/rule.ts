/** What a derivative rule is: a function from the gradients of a node's outputs to those of its inputs. */
import type { Node, Ops, Value } from "../graph/index.js";

/** A gradient of some elements along one axis of a value, 0 elsewhere; several of them become one `Concat`. */
export interface SlicePart {
  readonly kind: "slice";
  readonly axis: number;
  /** Index of the first of these elements. */
  readonly start: number;
  readonly value: Value;
}

/** A gradient that adds `updates` at `indices` along one axis of a value; elements may be hit more than once. */
export interface ScatterPart {
  readonly kind: "scatter";
  readonly axis: number;
  /** int64 or int32, of the shape of `updates`. */
  readonly indices: Value;
  readonly updates: Value;
}

/**
 * A gradient with respect to one input.
 *
 * A value may have a larger shape than the input (it is summed back over broadcast axes) or one that broadcasts to it.
 */
export type Contribution = Value | SlicePart | ScatterPart;

/** What a rule may look at and build with. */
export interface RuleContext {
  readonly ops: Ops;
  readonly node: Node;
  /** Returns input `index` for use in the backward part. */
  input(index: number): Value;
  /** Returns output `index`, 0 when left out, for use in the backward part. */
  output(index?: number): Value;
  /** Returns the gradient with respect to output `index`, 0 when left out, in the output's own shape. */
  gradient(index?: number): Value;
  /** Returns the gradient with respect to an output, or undefined when nothing depends on it. */
  optionalGradient(index: number): Value | undefined;
  /** Returns the gradient with respect to output 0, perhaps in a smaller shape that broadcasts to the output's. */
  looseGradient(): Value;
  /** Tells whether input `index` needs a gradient. */
  wants(index: number): boolean;
  /** Returns a numeric attribute. */
  number(name: string, fallback: number): number;
  /** Tells whether some node of this op reads output 0. */
  isReadBy(op: string): boolean;
}

/** Returns the contribution to each input; undefined where there is none. */
export type Rule = (context: RuleContext) => readonly (Contribution | undefined)[];

/** An op through which no gradient passes, because its derivative is 0 wherever it exists, or it makes no floats. */
export interface ZeroRule {
  readonly kind: "zero";
  readonly reason: string;
}

/** An op that cannot be differentiated although its outputs may depend smoothly on its inputs: on a path, an error. */
export interface RefusedRule {
  readonly kind: "refused";
  readonly reason: string;
  readonly fix: string;
}

/** One entry of the rule table. */
export type RuleEntry = Rule | ZeroRule | RefusedRule;

/** Declares an op whose derivative is 0. */
export function zero(reason: string): ZeroRule {
  return { kind: "zero", reason };
}

/** Declares an op that cannot be differentiated. */
export function refused(reason: string, fix: string): RefusedRule {
  return { kind: "refused", reason, fix };
}

/** Calls the maker of each wanted input's contribution. */
export function each(
  context: RuleContext,
  ...makers: readonly (() => Contribution | undefined)[]
): readonly (Contribution | undefined)[] {
  return makers.map((make, index) => (context.wants(index) ? make() : undefined));
}
