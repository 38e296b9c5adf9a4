/**
 * What is known, while a graph is built, of the contents of small integer values.
 *
 * Shapes are computed in the graph (`Shape`, `Gather`, `Concat`); following their contents symbolically is what lets
 * `Reshape` and `Expand` have symbolic shapes.
 */
import { dimAdd, dimDivide, dimMul, dimProduct, dimSub } from "./dims.js";
import type { Attribute, Dim, Value } from "./ir.js";

/** What {@link inferContents} looks at. */
export interface ContentsContext {
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  known(value: Value): readonly Dim[] | undefined;
}

type Contents = readonly Dim[] | undefined;
type Rule = (context: ContentsContext) => Contents;

/** Contents longer than this are not followed. */
const maxLength = 64;

function knownInput(context: ContentsContext, index: number): Contents {
  const value = context.inputs[index];
  return value === undefined ? undefined : context.known(value);
}

function numberAt(context: ContentsContext, name: string, fallback: number): number {
  const value = context.attributes[name];
  return typeof value === "number" ? value : fallback;
}

function elementwise(combine: (a: Dim, b: Dim) => Dim | undefined): Rule {
  return (context) => {
    const [a, b] = [knownInput(context, 0), knownInput(context, 1)];
    if (a === undefined || b === undefined) return undefined;
    const length = Math.max(a.length, b.length);
    const result: Dim[] = [];
    for (let index = 0; index < length; index++) {
      const dim = combine(a[a.length === 1 ? 0 : index] ?? 0, b[b.length === 1 ? 0 : index] ?? 0);
      if (dim === undefined) return undefined;
      result.push(dim);
    }
    return result;
  };
}

const same: Rule = (context) => knownInput(context, 0);

const shapeRule: Rule = (context) => {
  const shape = context.inputs[0]?.shape ?? [];
  return shape.slice(numberAt(context, "start", 0), numberAt(context, "end", shape.length));
};

const gatherRule: Rule = (context) => {
  const [data, indices] = [knownInput(context, 0), knownInput(context, 1)];
  const picked = indices?.map((index) => (typeof index === "number" ? data?.at(index) : undefined));
  const found = picked?.filter((dim) => dim !== undefined);
  return found !== undefined && found.length === picked?.length ? found : undefined;
};

const concatRule: Rule = (context) => {
  const parts = context.inputs.map((_, index) => knownInput(context, index));
  const found = parts.filter((part) => part !== undefined);
  return found.length === parts.length ? found.flat() : undefined;
};

const sliceRule: Rule = (context) => {
  const data = knownInput(context, 0);
  const [start, end, step] = [1, 2, 4].map((index) => knownInput(context, index)?.[0]);
  if (data === undefined || typeof start !== "number" || typeof end !== "number") return undefined;
  return (step ?? 1) === 1 ? data.slice(start, end) : undefined;
};

const rules: Readonly<Record<string, Rule>> = {
  Identity: same,
  Reshape: same,
  Squeeze: same,
  Unsqueeze: same,
  Cast: same,
  Shape: shapeRule,
  Size: (context) => [dimProduct(context.inputs[0]?.shape ?? [])],
  Gather: gatherRule,
  Concat: concatRule,
  Slice: sliceRule,
  Add: elementwise(dimAdd),
  Sub: elementwise(dimSub),
  Mul: elementwise(dimMul),
  Div: elementwise((a, b) => (b === 0 ? undefined : dimDivide(a, b))),
};

/** Returns the contents of the single output of an op, or undefined when they are not known. */
export function inferContents(op: string, output: Value, context: ContentsContext): readonly Dim[] | undefined {
  const integer = output.dtype === "int64" || output.dtype === "int32";
  if (!integer || output.shape.length > 1) return undefined;
  const contents = Object.hasOwn(rules, op) ? rules[op]?.(context) : undefined;
  return contents !== undefined && contents.length <= maxLength ? contents : undefined;
}
