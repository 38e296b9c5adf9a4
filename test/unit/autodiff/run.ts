/** Small graphs in float64, run by the real engine. */
import { dataOf, type Graph, GraphBuilder, type GraphDType, Ops, type Value } from "../../../src/graph/index.js";
import type { Engine, Feeds } from "../../../src/runtime/index.js";

/** A feed: numbers and their shape. */
export interface Fed {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** A builder with inputs of fixed shape and what to feed them. */
export class Bench {
  readonly builder: GraphBuilder = new GraphBuilder();
  readonly ops: Ops = new Ops(this.builder);
  readonly #feeds: Record<string, { dtype: GraphDType } & Fed> = {};

  /** Declares an input and what it is fed. */
  input(name: string, shape: readonly number[], data: readonly number[], dtype: GraphDType = "float64"): Value {
    this.#feeds[name] = { dtype, shape, data };
    return this.builder.input(name, dtype, shape);
  }

  /** Computes values. */
  async run(engine: Engine, values: readonly Value[]): Promise<readonly number[][]> {
    const graph = this.builder.build(Object.fromEntries(values.map((value, index) => [`y${index}`, value])));
    const results = await runGraph(engine, graph, this.#feeds);
    return values.map((_, index) => results[`y${index}`] ?? []);
  }
}

/** Runs a graph and returns its outputs as numbers. */
export async function runGraph(
  engine: Engine,
  graph: Graph,
  fed: Readonly<Record<string, { readonly dtype?: GraphDType } & Fed>>,
): Promise<Readonly<Record<string, number[]>>> {
  const feeds: Feeds = Object.fromEntries(
    graph.inputs.map(({ name }) => {
      const { dtype = "float64", shape, data } = fed[name] ?? { shape: [], data: [] };
      return [name, { dtype, shape, data: dataOf(dtype, data) }];
    }),
  );
  const outputs = graph.outputs.map(({ name }) => name);
  const results = await engine.run({ segments: [graph], outputs }, feeds);
  return Object.fromEntries(outputs.map((name) => [name, Array.from(results[name]?.data ?? [], Number)]));
}
