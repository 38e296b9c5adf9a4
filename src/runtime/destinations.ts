/** Memory for the results of a run, made ready before it starts: onnxruntime writes there, and nothing is copied. */
import { dimSymbols, evalDim, type Graph, graphDTypes, type Value } from "../graph/index.js";
import type { BufferPool } from "./buffer-pool.js";
import { arrayTypes, type Sizes } from "./feeds.js";
import type { ProgramPlan } from "./plan.js";
import type { RawTensor } from "./types.js";

/** Returns the numbers of a shape; undefined where it depends on a name that no input bound. */
function boundShape(shape: Value["shape"], sizes: Sizes): readonly number[] | undefined {
  const isBound = (dim: string): boolean => dim in sizes || dimSymbols(dim).every((name) => name in sizes);
  if (!shape.every((dim) => typeof dim === "number" || isBound(dim))) return undefined;
  return shape.map((dim) => (typeof dim === "number" ? dim : (sizes[dim] ?? evalDim(dim, sizes))));
}

interface Place {
  readonly name: string;
  readonly value: Value;
  readonly shape: readonly number[];
  readonly bytes: number;
}

function placesOf({ program }: ProgramPlan, sizes: Sizes): readonly Place[] {
  const wanted = new Set(program.outputs);
  for (const name of Object.keys(program.resident?.outputs ?? {})) wanted.delete(name);
  const placesIn = (graph: Graph): readonly Place[] =>
    graph.outputs.flatMap(({ name, value }) => {
      const shape = wanted.has(name) ? boundShape(value.shape, sizes) : undefined;
      if (shape === undefined || shape.includes(0)) return [];
      return [{ name, value, shape, bytes: shape.reduce((n, size) => n * size, graphDTypes[value.dtype].bytes) }];
    });
  return program.segments.flatMap(placesIn);
}

/**
 * Returns a tensor to write to for each output whose size is known; outputs of unknown size and empty ones have none.
 *
 * Where memory is short it returns none at all: the run will then say so itself.
 */
export function destinations(plan: ProgramPlan, sizes: Sizes, pool: BufferPool): ReadonlyMap<string, RawTensor> {
  const places = placesOf(plan, sizes);
  try {
    const buffers = pool.take(places.map(({ bytes }) => bytes));
    return new Map(
      places.map(({ name, value: { dtype }, shape }, i) => {
        const data = new arrayTypes[dtype](buffers[i] ?? new ArrayBuffer(0));
        return [name, { dtype, shape, data }];
      }),
    );
  } catch (error) {
    if (error instanceof RangeError) return new Map();
    throw error;
  }
}
