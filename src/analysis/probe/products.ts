/** Products with a design matrix: plain loops where it is small, float64 graphs in the engine where it is large. */
import { randomUUID } from "node:crypto";
import { GraphBuilder, Ops } from "../../graph/index.js";
import type { Engine, Program, RawTensor } from "../../runtime/index.js";
import type { Design } from "./design.js";

/** The products that all solvers are made of; matrices are row-major float64, and those given may be taken away. */
export interface Products {
  /** `W Xᵀ`: `[columns, features]` to `[columns, rows]`. */
  times(w: Float64Array, columns: number): Promise<Float64Array>;
  /** `R X`: `[columns, rows]` to `[columns, features]`. */
  crossed(r: Float64Array, columns: number): Promise<Float64Array>;
  /** `Xᵀ X`, `[features, features]`; the lower triangle at least. */
  gram(): Promise<Float64Array>;
  close(): Promise<void>;
}

/** Below this many numbers a trip to the engine takes longer than the products. */
const engineSize = 8000;

/** Returns the products of a design, in the engine where it is given and the design is large; that empties `design.x`. */
export async function productsOf(design: Design, engine: Engine | undefined): Promise<Products> {
  if (engine === undefined || design.x.length < engineSize) return plainProducts(design);
  return engineProducts(design, engine);
}

/** One row of the design. */
interface RowPlace {
  readonly x: Float64Array;
  readonly from: number;
  readonly length: number;
}

function dotAt(w: Float64Array, at: number, { x, from, length }: RowPlace): number {
  let [even, odd, k] = [0, 0, 0];
  for (; k + 1 < length; k += 2) {
    even += (w[at + k] as number) * (x[from + k] as number);
    odd += (w[at + k + 1] as number) * (x[from + k + 1] as number);
  }
  return k < length ? even + odd + (w[at + k] as number) * (x[from + k] as number) : even + odd;
}

function addScaled(out: Float64Array, at: number, scale: number, { x, from, length }: RowPlace): void {
  for (let k = 0; k < length; k++) out[at + k] = (out[at + k] as number) + scale * (x[from + k] as number);
}

/** Products by loops. */
export function plainProducts({ x, rows, features }: Design): Products {
  const times = (w: Float64Array, columns: number): Float64Array => {
    const out = new Float64Array(columns * rows);
    for (let i = 0; i < rows; i++) {
      const row = { x, from: i * features, length: features };
      for (let c = 0; c < columns; c++) out[c * rows + i] = dotAt(w, c * features, row);
    }
    return out;
  };
  const crossed = (r: Float64Array, columns: number): Float64Array => {
    const out = new Float64Array(columns * features);
    for (let i = 0; i < rows; i++) {
      const row = { x, from: i * features, length: features };
      for (let c = 0; c < columns; c++) {
        const scale = r[c * rows + i] as number;
        if (scale !== 0) addScaled(out, c * features, scale, row);
      }
    }
    return out;
  };
  const gram = (): Float64Array => {
    const out = new Float64Array(features * features);
    for (let i = 0; i < rows; i++)
      for (let a = 0; a < features; a++)
        addScaled(out, a * features, x[i * features + a] as number, { x, from: i * features, length: a + 1 });
    return out;
  };
  return {
    times: (w, columns) => Promise.resolve(times(w, columns)),
    crossed: (r, columns) => Promise.resolve(crossed(r, columns)),
    gram: () => Promise.resolve(gram()),
    close: () => Promise.resolve(),
  };
}

type ProductName = "crossed" | "gram" | "times";

function program(name: ProductName, resident: string): Program {
  const builder = new GraphBuilder();
  const ops = new Ops(builder);
  const x = builder.input("x", "float64", ["rows", "features"]);
  const other = (): ReturnType<GraphBuilder["input"]> =>
    builder.input("other", "float64", ["columns", name === "times" ? "features" : "rows"]);
  const make = {
    // The narrow matrix is transposed, never the design.
    times: () => ops.transpose(ops.matmul(x, ops.transpose(other(), [1, 0])), [1, 0]),
    crossed: () => ops.matmul(other(), x),
    gram: () => ops.matmul(ops.transpose(x, [1, 0]), x),
  };
  const segments = [builder.build({ out: make[name]() })];
  return { segments, outputs: ["out"], key: `probe products: ${name}`, resident: { inputs: { x: resident } } };
}

function floats(tensor: RawTensor | undefined): Float64Array {
  return tensor?.data instanceof Float64Array ? tensor.data : Float64Array.from([]);
}

async function engineProducts({ x, rows, features }: Design, engine: Engine): Promise<Products> {
  // Fits that run at the same time keep designs of their own.
  const resident = `probe.design.${randomUUID()}`;
  await engine.put(resident, { dtype: "float64", shape: [rows, features], data: x }, { transfer: true });
  const ask = async (name: ProductName, columns: number, data?: Float64Array): Promise<Float64Array> => {
    const shape = [columns, name === "times" ? features : rows];
    const feeds = data === undefined ? {} : { other: { dtype: "float64", shape, data } as const };
    const { out } = await engine.run(program(name, resident), feeds, { transfer: true });
    return floats(out);
  };
  return {
    times: (w, columns) => ask("times", columns, w),
    crossed: (r, columns) => ask("crossed", columns, r),
    gram: () => ask("gram", 0),
    close: () => engine.drop(resident),
  };
}
