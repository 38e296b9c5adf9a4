/**
 * Rules of layer norm and root-mean-square norm.
 *
 * With `n = (x - mean) r` (or `x r`), `r = 1 / sqrt(var + eps)` and `h = g w`:
 * `dx = r (h - mean(h) - n mean(h n))` (without `mean(h)` for RMS), `dw = sum(g n)`, `db = sum(g)`.
 */
import type { Value } from "../../graph/index.js";
import { each, type Rule, type RuleContext } from "../rule.js";

/** The normalised axes, counted from 0. */
function normalizedAxes(context: RuleContext): readonly number[] {
  const rank = context.node.inputs[0]?.shape.length ?? 0;
  const axis = context.number("axis", -1);
  const first = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank - first }, (_, index) => first + index);
}

/** `x r` and `r` of a value that is centred where it should be. */
function normalize(context: RuleContext, x: Value): { readonly n: Value; readonly r: Value } {
  const { ops } = context;
  const variance = ops.reduceMean(ops.mul(x, x), normalizedAxes(context));
  const r = ops.reciprocal(ops.sqrt(ops.add(variance, context.number("epsilon", 1e-5))));
  return { n: ops.mul(x, r), r };
}

/** `dx` from the normalised value; `centers` says whether the mean was taken off. */
function inputGradient(context: RuleContext, { n, r }: { n: Value; r: Value }, centers: boolean): Value {
  const { ops } = context;
  const axes = normalizedAxes(context);
  const h = ops.mul(context.gradient(), context.input(1));
  const tilted = ops.sub(h, ops.mul(n, ops.reduceMean(ops.mul(h, n), axes)));
  return ops.mul(centers ? ops.sub(tilted, ops.reduceMean(h, axes)) : tilted, r);
}

function normRule(centers: boolean): Rule {
  return (context) => {
    const { ops } = context;
    const x = context.input(0);
    const parts = normalize(context, centers ? ops.sub(x, ops.reduceMean(x, normalizedAxes(context))) : x);
    return each(
      context,
      () => inputGradient(context, parts, centers),
      () => ops.mul(context.gradient(), parts.n),
      () => context.gradient(),
    );
  };
}

/** Layer norm with gain and bias. */
export const layerNorm: Rule = normRule(true);

/** Root-mean-square norm with gain. */
export const rmsNorm: Rule = normRule(false);
