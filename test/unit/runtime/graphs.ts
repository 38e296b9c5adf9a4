/** Tiny graphs for the runtime's tests, written out as plain data. */
import { writeFileSync } from "node:fs";
import type { Attribute, Dim, Graph, GraphDType, Initializer, Node, Value } from "../../../src/graph/index.js";
import type { Program, RawTensor } from "../../../src/runtime/index.js";

export function value(name: string, shape: readonly Dim[], dtype: GraphDType = "float32"): Value {
  return { name, dtype, shape };
}

export function node(
  op: string,
  inputs: readonly (Value | undefined)[],
  outputs: readonly Value[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Node {
  return { op, domain: op === "FusedMatMul" ? "com.microsoft" : "", inputs, outputs, attributes };
}

export function graph(
  inputs: readonly Value[],
  nodes: readonly Node[],
  outputs: readonly Value[],
  initializers: readonly Initializer[] = [],
): Graph {
  return { inputs, nodes, initializers, outputs: outputs.map((out) => ({ name: out.name, value: out })) };
}

export function f32(values: readonly number[], shape: readonly number[] = [values.length]): RawTensor {
  return { dtype: "float32", shape, data: Float32Array.from(values) };
}

/** `to = from + from` over `[n]`. */
export function doubling(from: string, to: string): Graph {
  const [x, y] = [value(from, ["n"]), value(to, ["n"])];
  return graph([x], [node("Add", [x, x], [y])], [y]);
}

/** One segment that doubles `x` into `y`. */
export const doubleProgram: Program = { segments: [doubling("x", "y")], outputs: ["y"] };

/** `count` segments that each double; `v0` is fed, the last is `v<count>`. */
export function chain(count: number): Program {
  const segments = Array.from({ length: count }, (_, index) => doubling(`v${index}`, `v${index + 1}`));
  return { segments, outputs: [`v${count}`] };
}

/** A segment that multiplies a square matrix with itself `times` times: slow on purpose. */
export function slowSegment(from: string, to: string, times: number): Graph {
  const x = value(from, ["n", "n"]);
  const nodes: Node[] = [];
  let last = x;
  for (let index = 0; index < times; index++) {
    const next = value(index === times - 1 ? to : `${to}.${index}`, ["n", "n"]);
    nodes.push(node("MatMul", [last, x], [next]));
    last = next;
  }
  return graph([x], nodes, [last]);
}

/** `count` slow segments in a row, from `v0` to `v<count>`. */
export function slowProgram(count: number, times: number): Program {
  const segments = Array.from({ length: count }, (_, index) => slowSegment(`v${index}`, `v${index + 1}`, times));
  return { segments, outputs: [`v${count}`] };
}

/** The identity matrix as a feed; its powers stay finite. */
export function identity(size: number): RawTensor {
  const data = new Float32Array(size * size);
  for (let index = 0; index < size; index++) data[index * size + index] = 1;
  return { dtype: "float32", shape: [size, size], data };
}

/** Writes float32 matrices behind a prefix of `offset` bytes and returns the initializer that points to them. */
export function fileWeight(
  path: string,
  name: string,
  values: Float32Array,
  at: { shape: readonly number[]; offset: number },
): Initializer {
  const bytes = new Uint8Array(at.offset + values.byteLength);
  bytes.set(new Uint8Array(values.buffer), at.offset);
  writeFileSync(path, bytes);
  const source = { kind: "file", path, offset: at.offset, length: values.byteLength } as const;
  return { value: value(name, at.shape), source };
}

/** `y = x @ transpose(w)` with the weight in a file, the layout of PyTorch's Linear. */
export function linearProgram(weight: Initializer): Program {
  const [rows = 0, columns = 0] = weight.value.shape;
  const [x, y] = [value("x", ["n", columns]), value("y", ["n", rows])];
  const nodes = [node("FusedMatMul", [x, weight.value], [y], { transA: 0, transB: 1 })];
  return { segments: [graph([x], nodes, [y], [weight])], outputs: ["y"] };
}
