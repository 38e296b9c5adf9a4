/** Stored matrices as tensors `[in, out]`, whatever their layout. */
import { Tensor } from "../../tensor/index.js";
import type { Linear, Part } from "./weight-map.js";

/** Reads a stored tensor whole, by name. */
export type ReadStored = (name: string) => Promise<Tensor>;

function inOut(whole: Tensor, { layout, shape }: Linear): Tensor {
  const matrix = (tensor: Tensor, rows: number, columns: number): Tensor =>
    tensor.reshape([rows, columns], ["in", "out"]);
  const [first = 0, second = 0, third = 0] = shape;
  if (layout === "out-in")
    return matrix(whole, first, second).rename({ in: "out", out: "in" }).transpose(["in", "out"]);
  if (layout === "head-in-out") return matrix(whole.transpose(["d1", "d0", "d2"]), second, first * third);
  return shape.length === 3 ? matrix(whole, first * second, third) : matrix(whole, first, second);
}

/** The own outputs of a linear map within a fused last axis named `out`. */
function takePart(fused: Tensor, part: Part | undefined): Tensor {
  if (part === undefined) return fused;
  if (part.kind === "blocks") return fused.at({ out: { from: part.from, to: part.from + part.size } });
  const dHead = fused.sizeOf("out") / (part.heads * part.of);
  const split = fused.unflatten("out", { head: part.heads, which: part.of, dHead });
  return split.at({ which: part.index }).flatten(["head", "dHead"], "out");
}

/** The matrix `[in, out]` of a linear map in what is stored under its weight's name, or in anything of that shape. */
export function matrixOf(whole: Tensor, linear: Linear): Tensor {
  return takePart(inOut(whole, linear), linear.part);
}

/** The bias `[out]` of a linear map in what is stored under its bias's name, or in anything of that shape. */
export function biasOf(whole: Tensor, linear: Linear): Tensor {
  return takePart(whole.reshape([whole.size], ["out"]), linear.part);
}

/** The matrix of a linear map, `[in, out]`. */
export async function readMatrix(read: ReadStored, linear: Linear): Promise<Tensor> {
  return matrixOf(await read(linear.weight), linear);
}

/** The bias of a linear map, `[out]`; zeros where none is stored. */
export async function readBias(read: ReadStored, linear: Linear, size: number): Promise<Tensor> {
  if (linear.bias === undefined) return Tensor.of(new Float32Array(size), [size], ["out"]);
  return biasOf(await read(linear.bias), linear);
}
