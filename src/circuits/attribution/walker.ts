/** Runs walks: what is frozen stays in the engine, so that only targets are fed. */
import type { Graph, Value } from "../../graph/index.js";
import type { Engine, RawTensor } from "../../runtime/index.js";
import type { FrozenPrompt, Precision } from "./frozen.js";
import type { LinearModel } from "./linear-model.js";
import { type WalkStart, walkGraph, walkInput } from "./walk.js";

/** A number that is linear in the frozen model: a feature's pre-activation, a logit, a direction at either place. */
export interface WalkTarget {
  readonly start: WalkStart;
  readonly pos: number;
  /** The direction at the place where it begins, `[dModel]`. */
  readonly direction: ArrayLike<number>;
  /** What is added whatever the prompt: biases of the encoder, of the norm, of the unembedding. */
  readonly constant: number;
  /** The value as the model computed it. */
  readonly value: number;
}

/** Everything that rows are computed with. */
export interface RowsContext {
  readonly linear: LinearModel;
  readonly frozen: FrozenPrompt;
  readonly precision: Precision;
  readonly engine: Engine;
}

/** Keys two starts alike when they are the same place. */
export function startKey(start: WalkStart): string {
  if (start.kind === "unembed") return "unembed";
  const place = start.kind === "stream" && start.isMid ? "middle" : start.kind;
  return `${place} ${start.layer}`;
}

/** Runs batches of targets that begin at the same place, over the positions up to their last. */
export class Walker {
  readonly #context: RowsContext;
  readonly #ofHeads: boolean;
  readonly #graphs = new Map<string, Graph>();
  readonly #prefix: string;
  readonly #resident = new Set<string>();

  constructor(context: RowsContext, name: string, ofHeads = false) {
    this.#context = context;
    this.#prefix = `${name}.`;
    this.#ofHeads = ofHeads;
  }

  /** Returns the outputs of the walk from targets; none where nothing is below them. */
  async run(targets: readonly WalkTarget[]): Promise<Readonly<Record<string, RawTensor>>> {
    const [first] = targets;
    if (first === undefined) return {};
    const graph = this.#graph(first.start);
    if (graph.outputs.length === 0) return {};
    const reach = 1 + targets.reduce((last, { pos }) => Math.max(last, pos), 0);
    const inputs = await this.#put(graph, reach);
    const outputs = graph.outputs.map(({ name }) => name);
    const program = { segments: [graph], outputs, resident: { inputs } };
    return this.#context.engine.run(program, this.#targetFeeds(targets, reach));
  }

  /** Takes what is frozen out of the engine again. */
  async close(): Promise<void> {
    for (const name of this.#resident) await this.#context.engine.drop(name);
    this.#resident.clear();
  }

  #graph(start: WalkStart): Graph {
    const { linear, frozen, precision } = this.#context;
    const key = startKey(start);
    const spec = { model: linear, layers: frozen.layers, precision, ofHeads: this.#ofHeads };
    const known = this.#graphs.get(key) ?? walkGraph(spec, start);
    this.#graphs.set(key, known);
    return known;
  }

  /** Sees to it that the engine holds what a graph reads; returns under which names. */
  async #put(graph: Graph, reach: number): Promise<Readonly<Record<string, string>>> {
    const { engine, frozen } = this.#context;
    const names: Record<string, string> = {};
    for (const input of graph.inputs) {
      const tensor = frozen.feeds.get(input.name);
      if (tensor === undefined) continue;
      const isCut = input.shape.includes("pos") && reach < frozen.positions;
      const name = `${this.#prefix}${input.name}${isCut ? ` to ${reach}` : ""}`;
      names[input.name] = name;
      if (this.#resident.has(name)) continue;
      await engine.put(name, isCut ? firstPositions(tensor, input, reach) : tensor);
      this.#resident.add(name);
    }
    return names;
  }

  #targetFeeds(targets: readonly WalkTarget[], reach: number): Record<string, RawTensor> {
    const { linear, precision } = this.#context;
    const floats = (length: number): Float32Array | Float64Array =>
      precision === "float64" ? new Float64Array(length) : new Float32Array(length);
    const directions = floats(targets.length * linear.dModel);
    const at = floats(targets.length * reach);
    targets.forEach(({ direction, pos }, i) => {
      for (let k = 0; k < linear.dModel; k++) directions[i * linear.dModel + k] = direction[k] ?? 0;
      at[i * reach + pos] = 1;
    });
    return {
      [walkInput.target]: { dtype: precision, shape: [targets.length, linear.dModel], data: directions },
      [walkInput.at]: { dtype: precision, shape: [targets.length, reach], data: at },
    };
  }
}

/** The part of a frozen value that positions up to `reach` have. */
function firstPositions(tensor: RawTensor, { shape: declared }: Pick<Value, "shape">, reach: number): RawTensor {
  const shape = tensor.shape.map((size, axis) => (declared[axis] === "pos" ? reach : size));
  const last = shape.length - 1;
  const source = tensor.data as Float32Array;
  const data = source.slice(
    0,
    shape.reduce((a, b) => a * b, 1),
  );
  const width = shape[last] ?? 1;
  const index = new Array<number>(last).fill(0);
  for (let to = 0; to < data.length; to += width) {
    const from = index.reduce((at, i, axis) => (at + i) * (tensor.shape[axis + 1] ?? 1), 0);
    data.set(source.subarray(from, from + width), to);
    for (let axis = last - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (shape[axis] ?? 1)) break;
      index[axis] = 0;
    }
  }
  return { dtype: tensor.dtype, shape, data };
}
