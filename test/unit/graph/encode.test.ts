import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  decode,
  encode,
  fingerprint,
  type Graph,
  GraphBuilder,
  Ops,
  printGraph,
  type Value,
} from "../../../src/graph/index.js";
import { runGraph } from "../../helpers/run-graph.js";

let folder = "";
const matrix = Float32Array.from({ length: 12 }, (_, index) => index - 5);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "limpid-encode-"));
  writeFileSync(join(folder, "model.bin"), new Uint8Array([...new Uint8Array(8), ...new Uint8Array(matrix.buffer)]));
});

afterAll(() => rmSync(folder, { recursive: true }));

function fileGraph(): Graph {
  const builder = new GraphBuilder();
  return builder.build(fileGraphOutputs(builder));
}

function fileGraphOutputs(builder: GraphBuilder): { y: Value } {
  const ops = new Ops(builder);
  const x = builder.input("x", "float32", ["rows", 4]);
  const path = join(folder, "model.bin");
  const w = builder.weight("w", "float32", [3, 4], { kind: "file", path, offset: 8, length: 48 });
  const row = builder.weight("w.row", "float32", [1, 4], { kind: "file", path, offset: 8 + 16, length: 16 });
  return { y: ops.fusedMatmul(ops.add(x, row), w, { transB: true }) };
}

function attributeOf(bytes: Uint8Array, name: string): unknown {
  const nodes = fromBinary(ModelProtoSchema, bytes).graph?.node ?? [];
  return nodes.flatMap(({ attribute }) => attribute).find((attribute) => attribute.name === name);
}

describe("encode", () => {
  it("points weights into files, several of them at the same bytes", async () => {
    const graph = fileGraph();
    const { y } = await runGraph(graph, { x: { data: new Float32Array([1, 0, 0, 0]), shape: [1, 4] } }, { folder });
    const input = [1 + -1, 0, 1, 2];
    const rows = [0, 1, 2].map((r) => input.reduce((sum, value, c) => sum + value * (matrix[r * 4 + c] ?? 0), 0));
    expect(Array.from(y?.data ?? [], Number)).toEqual(rows);
  });

  it("writes files relative to the folder and reads them back below it", () => {
    const graph = fileGraph();
    expect(fingerprint(decode(encode(graph, { folder }), { folder }))).toBe(fingerprint(graph));
    const source = decode(encode(graph, { folder })).initializers[0]?.source;
    expect(source).toEqual({ kind: "file", path: "model.bin", offset: 8, length: 48 });
  });

  it("writes what the protobuf library writes: every kind of attribute, numbers of any size, text beyond ASCII", () => {
    const builder = new GraphBuilder();
    const ops = new Ops(builder);
    const x = builder.input("größe", "float32", ["batch", 3, 2 ** 40]);
    const filled = ops.constantOfShape(ops.ints([2, 3]), 0.5, "float64");
    const data = builder.weight("data", "float32", [2, 0], { kind: "data", data: new Float32Array(0) });
    const y = ops.softmax(ops.transpose(ops.gelu(x, { approximate: "tanh" }), [0, 2, 1]), -1);
    const z = ops.fusedMatmul(x, x, { transA: true, alpha: 0.1 });
    const graph = builder.build({ file: fileGraphOutputs(builder).y, y, z, filled, data, again: y });
    const bytes = encode(graph, { folder });
    const message = fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
    expect(toBinary(ModelProtoSchema, message)).toEqual(bytes);
    expect(attributeOf(bytes, "axis")).toMatchObject({ type: 2, i: -1n });
    expect(attributeOf(bytes, "alpha")).toMatchObject({ type: 1, f: Math.fround(0.1) });
    expect(attributeOf(bytes, "perm")).toMatchObject({ type: 7, ints: [0n, 2n, 1n] });
    expect(attributeOf(bytes, "approximate")).toMatchObject({ type: 3, s: new TextEncoder().encode("tanh") });
    expect(attributeOf(bytes, "value")).toMatchObject({ type: 4, t: { dims: [1n], dataType: 11 } });
    expect(message.graph?.input[0]?.name).toBe("größe");
    expect(message.graph?.input[0]?.type?.value).toMatchObject({
      case: "tensorType",
      value: { elemType: 1, shape: { dim: [{}, {}, { value: { case: "dimValue", value: 2n ** 40n } }] } },
    });
  });

  it("refuses weight files without a folder or outside it", () => {
    const graph = fileGraph();
    const path = join(folder, "model.bin");
    expect(() => encode(graph)).toThrow(
      `encode: weight "w": got the file ${path} with no folder; expected a folder that the file lies in or below. ` +
        "Pass a common ancestor of all weight files as `folder`.",
    );
    expect(() => encode(graph, { folder: join(folder, "inner") })).toThrow("with the folder");
  });

  it("refuses an output that has the name of another input", () => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", [2]);
    const graph = builder.build({ x: new Ops(builder).exp(x) });
    expect(() => encode(graph)).toThrow(
      'graph output "x": got the name of an input; expected a name of its own. Rename the output.',
    );
  });

  it("refuses callbacks", () => {
    const builder = new GraphBuilder();
    const [y] = new Ops(builder).callback("f", [builder.input("x", "float32", [2])]);
    if (y === undefined) throw new Error("one output");
    expect(() => encode(builder.build({ y }))).toThrow(
      "encode: got the op limpid.Callback; expected ops that the runtime has. Cut the graph with cutAtCallbacks and encode the segments.",
    );
  });

  it("hands on inputs, weights and values under several names", async () => {
    const builder = new GraphBuilder();
    const ops = new Ops(builder);
    const x = builder.input("x", "float32", [2]);
    const c = builder.constant([7, 8], "float32");
    const y = ops.exp(x);
    const graph = builder.build({ y, again: y, input: x, x, c });
    const results = await runGraph(graph, { x: { data: new Float32Array([0, 1]) } });
    expect(Object.keys(results).sort()).toEqual(["again", "c", "input", "x", "y"]);
    expect(results["again"]).toEqual(results["y"]);
    expect(results["input"]?.data).toEqual(new Float32Array([0, 1]));
    expect(results["c"]?.data).toEqual(new Float32Array([7, 8]));
  });

  it("keeps inner values out of the way of outputs with their names", async () => {
    const builder = new GraphBuilder();
    const ops = new Ops(builder);
    const x = builder.input("x", "float32", [1]);
    const [first, second] = [ops.neg(x), ops.exp(ops.neg(x))];
    expect([first.name, second.name]).toEqual(["Neg_0", "Exp_0"]);
    const graph = builder.build({ Neg_0: second, const_0: ops.mul(first, 3) });
    const results = await runGraph(graph, { x: { data: new Float32Array([0]) } });
    expect(Number(results["Neg_0"]?.data[0])).toBe(1);
  });
});

type ModelInit = MessageInitShape<typeof ModelProtoSchema>;

function model(init: ModelInit): Uint8Array {
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { opsetImport: [{ domain: "", version: 23n }], ...init }));
}

const tensorType = (elemType: number) => ({
  value: { case: "tensorType" as const, value: { elemType, shape: { dim: [] } } },
});

describe("decode", () => {
  it("reads models that others wrote: typed data fields, unnamed sizes, odd size names", () => {
    const dim = [{ value: { case: "dimParam" as const, value: "floor(n/2)" } }, {}];
    const bytes = model({
      graph: {
        node: [{ opType: "Add", input: ["x", "b"], output: ["y"] }],
        initializer: [{ name: "b", dims: [2n], dataType: 1, floatData: [1, 2] }],
        input: [
          {
            name: "x",
            type: {
              value: {
                case: "tensorType",
                value: { elemType: 1, shape: { dim: [dim[0] ?? {}, { value: { case: "dimValue", value: 2n } }] } },
              },
            },
          },
        ],
        output: [{ name: "y" }],
      },
    });
    expect(printGraph(decode(bytes))).toMatchInlineSnapshot(`
      "input %x: float32[_floor_n_2_, 2]
      weight %b: float32[2] = data
      %Add_0: float32[_floor_n_2_, 2] = Add(%x, %b)
      output y = %Add_0"
    `);
  });

  it("lists all ops that it does not know", () => {
    const node = ["Conv", "Add", "LSTM"].map((opType) => ({ opType, input: ["x"], output: [opType] }));
    expect(() =>
      decode(model({ graph: { node: [...node, { opType: "FusedConv", domain: "com.microsoft" }] } })),
    ).toThrow("decode: got the ops Conv, LSTM, com.microsoft.FusedConv; expected ops of the table in graph/schema.ts.");
  });

  it("refuses other operator sets and element types", () => {
    expect(() => decode(model({ opsetImport: [{ domain: "", version: 11n }], graph: {} }))).toThrow(
      'decode: got operator set "" version 11; expected ai.onnx 18 to 23 and com.microsoft.',
    );
    const graph = { input: [{ name: "x", type: tensorType(10) }], output: [{ name: "x" }] };
    expect(() => decode(model({ graph }))).toThrow(
      'decode: "x": got ONNX element type 10; expected one of 1, 11, 6, 7, 9.',
    );
  });

  it("refuses bytes that are not a model, and values that nobody makes", () => {
    expect(() => decode(new TextEncoder().encode("no model at all"))).toThrow(
      "decode: got bytes that do not parse; expected an ONNX ModelProto.",
    );
    expect(() => decode(model({}))).toThrow("decode: got a model without a graph; expected a graph. Check the file.");
    const graph = { node: [{ opType: "Exp", input: ["x"], output: ["y"] }] };
    expect(() => decode(model({ graph }))).toThrow(
      'decode: got "x" before it is made; expected nodes in topological order.',
    );
    const noType = { input: [{ name: "x" }] };
    expect(() => decode(model({ graph: noType }))).toThrow('got input "x" without a tensor type; expected a tensor');
    const external = { initializer: [{ name: "w", dataType: 1, dataLocation: 1 }] };
    expect(() => decode(model({ graph: external }))).toThrow(
      'got external data of "w" without a location; expected a location',
    );
  });

  it("refuses attributes that graphs do not have", () => {
    const attribute = [{ name: "value", type: 4, t: { dataType: 1, dims: [1n], floatData: [1] } }];
    const input = [{ name: "x", type: tensorType(1) }];
    const graph = {
      input,
      node: [{ opType: "Exp", name: "e", input: ["x"], output: ["y"], attribute }],
      output: [{ name: "y" }],
    };
    expect(() => decode(model({ graph }))).toThrow(
      'decode: node "e" (Exp): got attribute "value" of type TENSOR; expected numbers',
    );
  });
});
