/** Rows of an attribution graph: what every source gives to a target, and how exactly the parts sum to it. */
import type { Graph } from "../../graph/index.js";
import type { Engine, RawTensor } from "../../runtime/index.js";
import type { ActiveFeature, FrozenPrompt, Precision } from "./frozen.js";
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
  /** By index of `FrozenPrompt.features`; 0 where the feature is not below the target. */
  readonly features: Float64Array;
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
  return start.kind === "unembed" ? "unembed" : `dictionary ${start.layer}`;
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
    const part = (name: string, size: number): Float64Array => partOf(results[name], index, size);
    const byLayer = (name: (layer: number) => string, size: number): Float64Array[] =>
      linear.blocks.map((_, layer) => part(name(layer), size));
    const features = featureRow(frozen, byLayer(walkOutput.features, -1));
    const errors = concatenated(byLayer(walkOutput.error, frozen.positions));
    const attentionBias = concatenated(byLayer(walkOutput.attentionBias, 1));
    const decoderBias = concatenated(byLayer(walkOutput.decoderBias, 1));
    const tokens = part(walkOutput.embed, frozen.positions);
    const positions = part(walkOutput.position, frozen.positions);
    const parts = [features, errors, tokens, positions, attentionBias, decoderBias];
    const total = parts.reduce((sum, one) => sum + one.reduce((a, b) => a + b, 0), target.constant);
    const { constant, value } = target;
    return { features, errors, tokens, positions, attentionBias, decoderBias, constant, residual: total - value };
  }
}

/** One target's part of an output `[target, …]`; zeros where the walk does not pass it. A size of -1 takes all. */
function partOf(output: RawTensor | undefined, index: number, size: number): Float64Array {
  if (output === undefined) return new Float64Array(Math.max(0, size));
  const length = output.shape.slice(1).reduce((a, b) => a * b, 1);
  const data = output.data as ArrayLike<number>;
  return Float64Array.from({ length }, (_, i) => data[index * length + i] ?? 0);
}

/** From slots `[pos, slot]` of each layer to the list of active features. */
function featureRow({ features, layers }: FrozenPrompt, byLayer: readonly Float64Array[]): Float64Array {
  return Float64Array.from(features, ({ layer, pos, slot }: ActiveFeature) => {
    const slots = layers[layer]?.slots ?? 0;
    return byLayer[layer]?.[pos * slots + slot] ?? 0;
  });
}

function concatenated(parts: readonly Float64Array[]): Float64Array {
  return Float64Array.from(parts.flatMap((part) => [...part]));
}
