import { expect, it } from "vitest";
import { isLimpidError } from "../../../src/core/index.js";
import { type Dim, evalShape, GraphBuilder, type GraphDType, type Value } from "../../../src/graph/index.js";
import { type Make, type OpCase, opCases } from "./op-cases.js";

const bindings: Readonly<Record<string, number>> = Object.fromEntries(
  [2, 3, 5, 7, 11].map((size) => [`n${size}`, size]),
);

/** Builds a case with every prime size from 2 up named after itself. */
function shapesOf(opCase: OpCase, isSymbolic: boolean): readonly (readonly Dim[])[] {
  const builder = new GraphBuilder();
  let count = 0;
  const name = (size: number): Dim => (isSymbolic && Object.hasOwn(bindings, `n${size}`) ? `n${size}` : size);
  const make: Make = {
    builder,
    x: (shape, dtype: GraphDType = "float32"): Value => builder.input(`x${count++}`, dtype, shape.map(name)),
    ints: (...values) => builder.constant(values, "int64"),
    scalar: (value, dtype = "float32") => builder.constant(value, dtype),
  };
  const { op, attributes = {}, outputCount = 1 } = opCase;
  return builder.ops(op, opCase.inputs(make), attributes, outputCount).map(({ shape }) => shape);
}

function trySymbolic(opCase: OpCase): readonly (readonly Dim[])[] | undefined {
  try {
    return shapesOf(opCase, true);
  } catch (error) {
    if (isLimpidError(error, "GRAPH")) return undefined;
    throw error;
  }
}

/** Ops that may need a number where a case has a name: index tuples, reshapes of numbers, head counts, constants. */
const mayRefuse = new Set([
  "Attention",
  "Concat",
  "Expand",
  "GatherND",
  "Reshape",
  "ScatterElements",
  "ScatterND",
  "Where",
]);

it.each([...new Set(opCases.map(({ op }) => op))])(
  "infers of symbolic sizes what it infers of numbers for %s",
  (op) => {
    let agreed = 0;
    const cases = opCases.filter((own) => own.op === op);
    for (const opCase of cases) {
      const symbolic = trySymbolic(opCase);
      if (symbolic === undefined) {
        expect(mayRefuse.has(op), `${op} ${JSON.stringify(opCase.attributes)}`).toBe(true);
        continue;
      }
      const numeric = shapesOf(opCase, false);
      symbolic.forEach((shape, index) => {
        const decided = shape.every((dim) => typeof dim === "number" || !dim.includes("."));
        if (decided) expect(evalShape(shape, bindings)).toEqual(numeric[index]);
        else expect(shape).toHaveLength(numeric[index]?.length ?? -1);
        if (decided) agreed++;
      });
    }
    expect(agreed > 0 || mayRefuse.has(op)).toBe(true);
  },
);
