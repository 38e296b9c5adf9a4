/** Rows of an attribution graph: what every source gives to a target, and how exactly the parts sum to it. */
import { InternalError } from "../../core/index.js";
import type { Graph } from "../../graph/index.js";
import type { Engine, RawTensor } from "../../runtime/index.js";
import type { FrozenPrompt, Precision } from "./frozen.js";
import type { LinearModel } from "./linear-model.js";
import { type WalkSpec, type WalkStart, walkGraph, walkInput, walkOutput } from "./walk.js";

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

/** What each source gives to one target. */
export interface WalkRow {
  /** By index of `FrozenPrompt.features`, as far as features are below the target. */
  readonly features: Float32Array | Float64Array;
  /** `[layer * positions + pos]` */
  readonly errors: Float64Array;
  /** `[pos]` */
  readonly tokens: Float64Array;
  /** `[pos]`, learned positions; zeros where the model has none. */
  readonly positions: Float64Array;
  /** Biases: of attention and of decoders by layer, and the target's own. */
  readonly attentionBias: Float64Array;
  readonly decoderBias: Float64Array;
  readonly constant: number;
  /** Sum of all of these minus the target's value. */
  readonly residual: number;
}

/** Everything that rows are computed with. */
export interface RowsContext {
  readonly linear: LinearModel;
  readonly frozen: FrozenPrompt;
  readonly precision: Precision;
  readonly engine: Engine;
}

function specOf({ linear, frozen, precision }: RowsContext): WalkSpec {
  return { model: linear, layers: frozen.layers, positions: frozen.positions, precision };
}

/** Keys two starts alike when they are the same place. */
export function startKey(start: WalkStart): string {
  if (start.kind === "unembed") return "unembed";
  const place = start.kind === "stream" && start.isMid ? "middle" : start.kind;
  return `${place} ${start.layer}`;
}

/** Computes rows place by place; what is frozen stays in the engine, so that only targets are fed. */
export class RowWalker {
  readonly #context: RowsContext;
  readonly #graphs = new Map<string, Graph>();
  readonly #prefix: string;
  readonly #resident = new Set<string>();

  constructor(context: RowsContext, name: string) {
    this.#context = context;
    this.#prefix = `${name}.`;
  }

  /** Returns a row for each target; all targets must begin at the same place. */
  async rows(targets: readonly WalkTarget[]): Promise<readonly WalkRow[]> {
    const [first] = targets;
    if (first === undefined) return [];
    const graph = this.#graph(first.start);
    await this.#put(graph);
    const names = graph.outputs.map(({ name }) => name);
    const inputs = Object.fromEntries(
      graph.inputs.flatMap(({ name }) => (this.#isTarget(name) ? [] : [[name, `${this.#prefix}${name}`] as const])),
    );
    const program = { segments: [graph], outputs: names, resident: { inputs } };
    const results = await this.#context.engine.run(program, this.#targetFeeds(targets));
    return targets.map((target, index) => this.#row(target, index, results));
  }

  /** Takes what is frozen out of the engine again. */
  async close(): Promise<void> {
    for (const name of this.#resident) await this.#context.engine.drop(`${this.#prefix}${name}`);
    this.#resident.clear();
  }

  #isTarget(name: string): boolean {
    return name === walkInput.target || name === walkInput.at;
  }

  #graph(start: WalkStart): Graph {
    const key = startKey(start);
    const known = this.#graphs.get(key) ?? walkGraph(specOf(this.#context), start);
    this.#graphs.set(key, known);
    return known;
  }

  async #put(graph: Graph): Promise<void> {
    const { engine, frozen } = this.#context;
    for (const { name } of graph.inputs) {
      const tensor = frozen.feeds.get(name);
      if (tensor === undefined || this.#resident.has(name)) continue;
      await engine.put(`${this.#prefix}${name}`, tensor);
      this.#resident.add(name);
    }
  }

  #targetFeeds(targets: readonly WalkTarget[]): Record<string, RawTensor> {
    const { linear, frozen, precision } = this.#context;
    const floats = (length: number): Float32Array | Float64Array =>
      precision === "float64" ? new Float64Array(length) : new Float32Array(length);
    const directions = floats(targets.length * linear.dModel);
    const at = floats(targets.length * frozen.positions);
    targets.forEach(({ direction, pos }, i) => {
      for (let k = 0; k < linear.dModel; k++) directions[i * linear.dModel + k] = direction[k] ?? 0;
      at[i * frozen.positions + pos] = 1;
    });
    return {
      [walkInput.target]: { dtype: precision, shape: [targets.length, linear.dModel], data: directions },
      [walkInput.at]: { dtype: precision, shape: [targets.length, frozen.positions], data: at },
    };
  }

  #row(target: WalkTarget, index: number, results: Readonly<Record<string, RawTensor>>): WalkRow {
    const { linear, frozen } = this.#context;
    const part = (name: string, size: number): Numbers => partOf(results[name], index, size);
    const byLayer = (name: (layer: number) => string, size: number): readonly Numbers[] =>
      linear.blocks.map((_, layer) => part(name(layer), size));
    const features = featureRow(frozen, byLayer(walkOutput.features, 0));
    const errors = concatenated(byLayer(walkOutput.error, frozen.positions));
    const attentionBias = concatenated(byLayer(walkOutput.attentionBias, 1));
    const decoderBias = concatenated(byLayer(walkOutput.decoderBias, 1));
    const tokens = Float64Array.from(part(walkOutput.embed, frozen.positions));
    const positions = Float64Array.from(part(walkOutput.position, frozen.positions));
    const parts = [features, errors, tokens, positions, attentionBias, decoderBias];
    const { constant, value } = target;
    const total = parts.reduce((all, one) => all + sum(one), constant);
    return { features, errors, tokens, positions, attentionBias, decoderBias, constant, residual: total - value };
  }
}

type Numbers = Float32Array | Float64Array;

function sum(numbers: Numbers): number {
  let all = 0;
  for (const value of numbers) all += value;
  return all;
}

/** One target's part of an output `[target, …]`; `size` zeros where the walk does not pass it. */
function partOf(output: RawTensor | undefined, index: number, size: number): Numbers {
  if (output === undefined) return new Float64Array(size);
  const length = output.shape.slice(1).reduce((a, b) => a * b, 1);
  const { data } = output;
  if (!(data instanceof Float32Array || data instanceof Float64Array)) throw notFloats(output.dtype);
  return data.subarray(index * length, (index + 1) * length);
}

function notFloats(got: string): InternalError {
  return new InternalError({
    where: "attributionGraph: walk",
    got: `an output of ${got}`,
    expected: "float32 or float64",
    fix: "Report this as a bug of limpid.",
  });
}

/**
 * From slots `[pos, slot]` of each layer to the list of active features, as far as layers below the target reach; numbers
 * stay in the walk's precision, because rows of features are most of the memory of a graph.
 */
function featureRow({ features, layers }: FrozenPrompt, byLayer: readonly Numbers[]): Numbers {
  const reached = features.findLastIndex(({ layer }) => (byLayer[layer]?.length ?? 0) > 0) + 1;
  const isDouble = byLayer.some((part) => part instanceof Float64Array && part.length > 0);
  const row = isDouble ? new Float64Array(reached) : new Float32Array(reached);
  for (let i = 0; i < reached; i++) {
    const active = features[i];
    if (active === undefined) continue;
    const { layer, pos, slot } = active;
    row[i] = byLayer[layer]?.[pos * (layers[layer]?.slots ?? 0) + slot] ?? 0;
  }
  return row;
}

function concatenated(parts: readonly Numbers[]): Float64Array {
  const all = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
