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
  expect(printGraph(graph)).toMatchInlineSnapshot(`
    "input %x: float32[batch, pos, dModel=8]
    weight %blocks.0.W_Q: float32[8, 8] = model.safetensors+4096
    weight %const_6: float32[9] = data
    %FusedMatMul_0: float32[batch, pos, 8] = com.microsoft.FusedMatMul(%x, %blocks.0.W_Q, transB=1)
    %Reshape_0: float32[batch, pos, head=2, dHead=4] = Reshape(%FusedMatMul_0, [0, 0, 2, 4])
    %Transpose_0: float32[batch, 2, pos, 4] = Transpose(%Reshape_0, perm=[0, 2, 1, 3])
    %Attention_0.0: float32[batch, 2, pos, 4], %Attention_0.1: float32[batch, 2, pos, 4], %Attention_0.2: float32[batch, 2, pos, 4], %Attention_0.3: float32[batch, 2, pos, pos] = Attention(%Transpose_0, %Transpose_0, %Transpose_0, is_causal=1, qk_matmul_output_mode=3, scale=0.1)
    %Reshape_1: float32[batch, 2, pos, pos] = Reshape(%Attention_0.3, [0, 0, 0, 0])
    %Mul_0: float32[batch, 2, pos, 4] = Mul(%Attention_0.0, 0.1:f32)
    %Clip_0: float32[batch, 2, pos, 4] = Clip(%Mul_0, _, 0.00001:f32)
    %Less_0: bool[batch, 2, pos, 4] = Less(%Clip_0, -Infinity:f32)
    %Where_0: float32[batch, 2, pos, 4] = Where(%Less_0, -0:f32, %Clip_0)
    output y = %Where_0
    output pattern = %Reshape_1
    output big = %const_6"
  `);
});
