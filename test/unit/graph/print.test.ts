import { expect, it } from "vitest";
import { GraphBuilder, Ops, printGraph } from "../../../src/graph/index.js";

it("prints one line a node, small constants in place, weights by file and offset", () => {
  const builder = new GraphBuilder();
  const ops = new Ops(builder);
  const x = builder.input("x", "float32", ["batch", "pos", 8], ["batch", "pos", "dModel"]);
  const source = { kind: "file", path: "/models/gpt2/model.safetensors", offset: 4096, length: 256 } as const;
  const w = builder.weight("blocks.0.W_Q", "float32", [8, 8], source);
  const q = builder.named(ops.reshape(ops.fusedMatmul(x, w, { transB: true }), ["batch", "pos", 2, 4]), [
    "batch",
    "pos",
    "head",
    "dHead",
  ]);
  const heads = ops.transpose(q, [0, 2, 1, 3]);
  const z = ops.attention({ q: heads, k: heads, v: heads, isCausal: true, scale: 0.1, qkMatmulOutputMode: 3 });
  const y = ops.clip(ops.mul(z.output, 0.1), undefined, 1e-5);
  const flags = ops.where(ops.less(y, -Infinity), -0, y);
  if (z.qk === undefined) throw new Error("pattern");
  const graph = builder.build({ y: flags, pattern: z.qk, big: builder.constant(new Float32Array(9), "float32") });
  expect(printGraph(graph)).toMatchInlineSnapshot();
});
