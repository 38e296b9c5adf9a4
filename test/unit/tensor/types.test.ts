import { describe, expectTypeOf, it } from "vitest";
import { arange, type DType, isDType, ones, Tensor, tensor, zeros } from "../../../src/tensor/index.js";

const pattern = zeros([2, 3, 5, 5], ["batch", "head", "queryPos", "keyPos"]);
const plain: Tensor = pattern;

describe("types", () => {
  it("know dtype and axes where they are literal", () => {
    expectTypeOf(pattern).toEqualTypeOf<Tensor<"float32", ["batch", "head", "queryPos", "keyPos"]>>();
    expectTypeOf(pattern.data).toEqualTypeOf<Float32Array>();
    expectTypeOf(pattern.shape).toEqualTypeOf<readonly [number, number, number, number]>();
    expectTypeOf(arange(3, "pos")).toEqualTypeOf<Tensor<"int32", readonly ["pos"]>>();
    expectTypeOf(tensor([[true]])).toEqualTypeOf<Tensor<"bool">>();
    expectTypeOf(tensor([[1], [2]])).toEqualTypeOf<Tensor<"float32">>();
    expectTypeOf(tensor([]).dtype).toEqualTypeOf<"float32">();
    expectTypeOf(tensor(2).dtype).toEqualTypeOf<"float32">();
    expectTypeOf(tensor([true], ["a"]).dtype).toEqualTypeOf<"bool">();
    expectTypeOf(Tensor.of(new BigInt64Array(1), [1]).data).toEqualTypeOf<BigInt64Array>();
  });

  it("drop reduced axes, keep kept ones, and give results their dtype", () => {
    expectTypeOf(pattern.sum("keyPos").axes).toEqualTypeOf<readonly ["batch", "head", "queryPos"]>();
    expectTypeOf(pattern.mean(["batch", "keyPos"]).axes).toEqualTypeOf<readonly ["head", "queryPos"]>();
    expectTypeOf(pattern.max().axes).toEqualTypeOf<readonly []>();
    expectTypeOf(pattern.sum("head", { keepAxis: true }).axes).toEqualTypeOf<typeof pattern.axes>();
    expectTypeOf(pattern.argmax("keyPos").data).toEqualTypeOf<Int32Array>();
    expectTypeOf(pattern.gt(0).dtype).toEqualTypeOf<"bool">();
    expectTypeOf(pattern.gt(0).mean().dtype).toEqualTypeOf<"float64">();
    expectTypeOf(pattern.add(pattern.cast("float64")).dtype).toEqualTypeOf<"float64">();
    expectTypeOf(pattern.mul(2).dtype).toEqualTypeOf<"float32">();
  });

  it("follow selection, renaming, transposing, broadcasting and contraction", () => {
    expectTypeOf(pattern.at({ head: 1, batch: { from: 1 } }).axes).toEqualTypeOf<
      readonly ["batch", "queryPos", "keyPos"]
    >();
    expectTypeOf(pattern.at({ head: [0, 2] }).axes).toEqualTypeOf<readonly ["batch", "head", "queryPos", "keyPos"]>();
    expectTypeOf(pattern.rename({ head: "layer" }).axes).toEqualTypeOf<
      readonly ["batch", "layer", "queryPos", "keyPos"]
    >();
    expectTypeOf(pattern.transpose(["head", "batch", "keyPos", "queryPos"]).axes).toEqualTypeOf<
      ["head", "batch", "keyPos", "queryPos"]
    >();
    const perHead = ones([3], ["head"]);
    expectTypeOf(pattern.add(perHead).axes).toEqualTypeOf<typeof pattern.axes>();
    const values = ones([2, 5, 3, 7], ["batch", "keyPos", "head", "dHead"]);
    expectTypeOf(pattern.matmul(values, "keyPos").axes).toEqualTypeOf<
      readonly ["batch", "head", "queryPos", "dHead"]
    >();
  });

  it("refuse unknown axes at compile time", () => {
    // @ts-expect-error: no such axis
    const sum = (): unknown => pattern.sum("key");
    // @ts-expect-error: no such axis
    const at = (): unknown => pattern.at({ key: 1 });
    // @ts-expect-error: no such axis
    const renamed = (): unknown => pattern.rename({ key: "k" });
    expectTypeOf([sum, at, renamed]).toBeArray();
  });

  it("stay comfortable for plain tensors and narrow by a guard", () => {
    let running: Tensor = plain.sum("head");
    running = running
      .add(plain.at({ head: 0 }))
      .softmax("keyPos")
      .at({ queryPos: -1, keyPos: [0] });
    const keys: readonly string[] = plain.axes;
    running = plain.mean(keys[0] ?? "batch").rename({ [keys[1] ?? "head"]: "x" });
    expectTypeOf(running.axes).toEqualTypeOf<readonly string[]>();
    if (isDType(plain, "float32")) expectTypeOf(plain.data).toEqualTypeOf<Float32Array>();
    expectTypeOf(plain.dtype).toEqualTypeOf<DType>();
  });
});
