/** Rows of an attribution graph: what every source gives to a target, and how exactly the parts sum to it. */
import { InternalError } from "../../core/index.js";
import type { RawTensor } from "../../runtime/index.js";
import type { FrozenPrompt } from "./frozen.js";
import { walkOutput } from "./walk.js";
import { type RowsContext, Walker, type WalkTarget } from "./walker.js";

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

/** Computes rows place by place. */
export class RowWalker {
  readonly #context: RowsContext;
  readonly #walker: Walker;

  constructor(context: RowsContext, name: string) {
    this.#context = context;
    this.#walker = new Walker(context, name);
  }

  /** Returns a row for each target; all targets must begin at the same place. */
  async rows(targets: readonly WalkTarget[]): Promise<readonly WalkRow[]> {
    const results = await this.#walker.run(targets);
    return targets.map((target, index) => this.#row(target, index, results));
  }

  /** Takes what is frozen out of the engine again. */
  async close(): Promise<void> {
    await this.#walker.close();
  }

  #row(target: WalkTarget, index: number, results: Readonly<Record<string, RawTensor>>): WalkRow {
    const { linear, frozen } = this.#context;
    const part = (name: string, size: number): Numbers => partOf(results[name], index, size);
    const byPosition = (name: string): Float64Array => {
      const whole = new Float64Array(frozen.positions);
      whole.set(part(name, 0));
      return whole;
    };
    const byLayer = (name: (layer: number) => string, size: number): readonly Numbers[] =>
      linear.blocks.map((_, layer) => part(name(layer), size));
    const features = featureRow(frozen, byLayer(walkOutput.features, 0));
    const errors = concatenated(linear.blocks.map((_, layer) => byPosition(walkOutput.error(layer))));
    const attentionBias = concatenated(byLayer(walkOutput.attentionBias, 1));
    const decoderBias = concatenated(byLayer(walkOutput.decoderBias, 1));
    const tokens = byPosition(walkOutput.embed);
    const positions = byPosition(walkOutput.position);
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
