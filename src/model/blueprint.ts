/**
 * A transformer that is not a checkpoint yet: its weights are values of a graph, so that they can be trained.
 *
 * Per-head matrices `[head, in, dHead]` are kept as one matrix `[in, head·dHead]` while they are trained: one large product
 * in place of many small ones, forwards and backwards. {@link Blueprint.toCheckpoint} turns them into what a checkpoint of
 * the architecture holds.
 */
import { InternalError } from "../core/index.js";
import type { Ops, Value } from "../graph/index.js";
import { Tensor } from "../tensor/index.js";
import { findArchitecture } from "./architectures/registry.js";
import type { BuildContext, SharedInputs, WeightView } from "./components/context.js";
import { decoder, programSteps } from "./components/decoder.js";
import type { ModelConfig } from "./config.js";
import { configReader } from "./config-reader.js";
import { noProcessing } from "./processing.js";
import { expectedWeights } from "./weights/expected.js";
import type { BlockWeights, Linear, NormWeights, WeightMap } from "./weights/weight-map.js";

/** What a weight does, which decides how it begins. */
export type WeightRole = "embedding" | "matrix" | "bias" | "gain";

/** One weight as it is trained. */
export interface BlueprintWeight {
  readonly shape: readonly number[];
  readonly role: WeightRole;
  /** Whether it writes to the residual stream: the output matrices of attention and MLP. */
  readonly isWrite: boolean;
}

/** What a decoder's graph is built from. */
export interface BlueprintInputs {
  /** Token ids `[batch, pos]`, int32 or int64. */
  readonly tokens: Value;
  /** int64 positions, `[batch, pos]` or `[1, pos]`. */
  readonly positions: Value;
  /** Returns a weight by name, in the shape of {@link Blueprint.weights}. */
  readonly weight: (name: string) => Value;
  /** Is told the value of every hook point on the path. */
  readonly onHook?: (name: string, value: Value) => void;
}

/** A transformer by its configuration alone. */
export interface Blueprint {
  readonly config: ModelConfig;
  /** Every weight by its stored name. */
  readonly weights: ReadonlyMap<string, BlueprintWeight>;
  /** Adds the decoder to a graph; returns logits `[batch, pos, dVocabOut]`. */
  logits(ops: Ops, inputs: BlueprintInputs): Value;
  /** Returns trained weights in the shapes of a checkpoint. */
  toCheckpoint(trained: Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>>;
  /** Returns a checkpoint's weights in the shapes that are trained. */
  fromCheckpoint(stored: Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>>;
}

/** Optional weights of a new model: what a fresh model of its kind has. */
function hasWeight(config: ModelConfig): (name: string) => boolean {
  const isRms = (kind: ModelConfig["normalization"]): boolean => kind?.startsWith("RMS") === true;
  return (name) => {
    // TransformerLens's own names of grouped keys; ours are read under the plain ones.
    if (/\._W_[KVQ]$/.test(name)) return false;
    if (/(^|\.)ln_final\.b$/.test(name)) return !isRms(config.finalNormalization);
    if (/\.ln[12]\.b$/.test(name)) return !isRms(config.normalization);
    return config.architecture === "transformer-lens" || !isRms(config.normalization) || !name.endsWith(".bias");
  };
}

function flatLinear(linear: Linear): Linear {
  const [first = 0, second = 0, third = 0] = linear.shape;
  if (linear.layout === "head-in-out") return { ...linear, layout: "in-out", shape: [second, first * third] };
  return linear.shape.length === 3 ? { ...linear, shape: [first * second, third] } : linear;
}

function flatBlock(block: BlockWeights): BlockWeights {
  const { q, k, v, o } = block.attn;
  return {
    ...block,
    attn: { ...block.attn, q: flatLinear(q), k: flatLinear(k), v: flatLinear(v), o: flatLinear(o) },
  };
}

function flatMap(map: WeightMap): WeightMap {
  return { ...map, blocks: map.blocks.map(flatBlock) };
}

function linearsOf({ attn, mlp }: BlockWeights): {
  readonly reads: readonly Linear[];
  readonly writes: readonly Linear[];
} {
  const { q, k, v, o } = attn;
  if (mlp === undefined) return { reads: [q, k, v], writes: [o] };
  return { reads: [q, k, v, mlp.in, ...(mlp.gate === undefined ? [] : [mlp.gate])], writes: [o, mlp.out] };
}

/** Roles by stored name; what no norm, bias or embedding names is a matrix. */
function rolesOf(map: WeightMap): ReadonlyMap<string, Pick<BlueprintWeight, "role" | "isWrite">> {
  const roles = new Map<string, Pick<BlueprintWeight, "role" | "isWrite">>();
  const set = (name: string | undefined, role: WeightRole, isWrite = false): void => {
    if (name !== undefined && !roles.has(name)) roles.set(name, { role, isWrite });
  };
  const addNorm = (norm: NormWeights | undefined): void => {
    set(norm?.weight, "gain");
    set(norm?.bias, "bias");
  };
  set(map.embed, "embedding");
  set(map.posEmbed, "embedding");
  for (const block of map.blocks) {
    const { ln1, ln1Post, ln2, ln2Post, attn, mlp } = block;
    for (const norm of [ln1, ln1Post, ln2, ln2Post, attn.qNorm, attn.kNorm]) addNorm(norm);
    const { reads, writes } = linearsOf(block);
    for (const linear of [...reads, ...writes]) set(linear.bias, "bias");
    for (const linear of writes) set(linear.weight, "matrix", true);
    set(mlp?.postBias, "bias");
  }
  addNorm(map.lnFinal);
  set(map.unembed.bias, "bias");
  return roles;
}

function view(ops: Ops, value: Value, { shape, offset = 0 }: WeightView): Value {
  const size = shape.reduce((product, one) => product * one, 1);
  const whole = value.shape.reduce<number>((product, one) => product * Number(one), 1);
  if (size === whole) return ops.reshape(value, shape);
  return ops.reshape(ops.slice(ops.reshape(value, [whole]), 0, offset, offset + size), shape);
}

/** The surroundings of a decoder whose weights are given. */
function contextOf(ops: Ops, config: ModelConfig, inputs: BlueprintInputs): BuildContext {
  const shared = new Map<string, Value>();
  const sharedInputs: SharedInputs = { tokens: inputs.tokens, positions: inputs.positions, needsAllLogits: false };
  return {
    ops,
    config,
    processing: noProcessing,
    precision: "float32",
    inputs: sharedInputs,
    weight: (name, part) => (part === undefined ? inputs.weight(name) : view(ops, inputs.weight(name), part)),
    once: (key, make) => {
      const value = shared.get(key) ?? make();
      shared.set(key, value);
      return value;
    },
    hook: (name, value) => {
      inputs.onHook?.(name, value);
      return value;
    },
    offer: () => undefined,
    isEdited: () => false,
    isWanted: () => false,
    output: () => undefined,
  };
}

function reshaped(tensor: Tensor, shape: readonly number[]): Tensor {
  return Tensor.of(tensor.data, shape, undefined, tensor.dtype);
}

/** How one weight looks in a checkpoint, where it differs from how it is trained. */
interface Reshaping {
  readonly shape: readonly number[];
  readonly stored: readonly number[];
  /** Whether it is `[in, head, dHead]` here and `[head, in, dHead]` there. */
  readonly swaps: boolean;
}

function toStored(tensor: Tensor, { stored, swaps }: Reshaping): Tensor {
  const [heads = 0, inputs = 0, dHead = 0] = stored;
  if (!swaps) return reshaped(tensor, stored);
  return reshaped(reshaped(tensor, [inputs, heads, dHead]).transpose(["d1", "d0", "d2"]), stored);
}

function toTrained(tensor: Tensor, { shape, swaps }: Reshaping): Tensor {
  return reshaped(swaps ? tensor.transpose(["d1", "d0", "d2"]) : tensor, shape);
}

function convert(
  tensors: Readonly<Record<string, Tensor>>,
  reshapings: ReadonlyMap<string, Reshaping>,
  how: (tensor: Tensor, reshaping: Reshaping) => Tensor,
): Readonly<Record<string, Tensor>> {
  const one = ([name, tensor]: [string, Tensor]): [string, Tensor] => {
    const reshaping = reshapings.get(name);
    if (reshaping === undefined) throw unknownWeight(name);
    return [name, how(reshaped(tensor, tensor.shape), reshaping)];
  };
  return Object.fromEntries(Object.entries(tensors).map(one));
}

/**
 * Returns the transformer that a configuration describes, in `HookedTransformerConfig` words or as a Hugging Face
 * `config.json`.
 *
 * @param where - Names the configuration in messages.
 * @throws UnsupportedError for an unknown architecture or switch; CheckpointError for missing sizes.
 */
export function blueprint(raw: Readonly<Record<string, unknown>>, where: string): Blueprint {
  const architecture = findArchitecture(raw, where);
  const config = architecture.readConfig(configReader(raw, where));
  const storedMap = architecture.weightMap(config, hasWeight(config));
  const map = flatMap(storedMap);
  const swapping = new Set(
    storedMap.blocks.flatMap(({ attn }) =>
      [attn.q, attn.k, attn.v].flatMap(({ weight, layout }) => (layout === "head-in-out" ? [weight] : [])),
    ),
  );
  const stored = expectedWeights(storedMap, config);
  const trained = expectedWeights(map, config);
  const reshapings = new Map(
    [...trained].map(([name, shape]) => [
      name,
      { shape, stored: stored.get(name) ?? shape, swaps: swapping.has(name) },
    ]),
  );
  const roles = rolesOf(map);
  const steps = programSteps(map.blocks.map((_, layer) => layer));
  return {
    config,
    weights: new Map(
      [...trained].map(([name, shape]) => [
        name,
        { shape, ...(roles.get(name) ?? { role: "matrix", isWrite: false }) },
      ]),
    ),
    logits: (ops, inputs) => {
      const { logits } = decoder(contextOf(ops, config, inputs), map, steps);
      if (logits === undefined) throw noLogits();
      return logits;
    },
    toCheckpoint: (tensors) => convert(tensors, reshapings, toStored),
    fromCheckpoint: (tensors) => convert(tensors, reshapings, toTrained),
  };
}

function unknownWeight(name: string): InternalError {
  return new InternalError({
    where: `blueprint: weight "${name}"`,
    got: "a name that the architecture does not have",
    expected: "the weights of this blueprint",
    fix: "Pass the tensors of the model that the blueprint describes.",
  });
}

function noLogits(): InternalError {
  return new InternalError({
    where: "blueprint.logits",
    got: "a decoder without logits",
    expected: "an unembedding",
    fix: "Please report it with the configuration.",
  });
}
