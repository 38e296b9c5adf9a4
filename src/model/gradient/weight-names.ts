/** Weights by TransformerLens's names where they are views of one stored tensor. */
import { InputError, UnsupportedError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { ModelConfig } from "../config.js";
import type { ModelView } from "../view.js";
import { biasOf, matrixOf } from "../weights/read-linear.js";
import type { BlockWeights, Linear, NormWeights, WeightMap } from "../weights/weight-map.js";

/** A weight that gradients may be asked for. */
export interface WeightTarget {
  /** The name that the caller finds it under: stored, or TransformerLens's. */
  readonly name: string;
  /** Name of the stored tensor that holds it. */
  readonly stored: string;
  /** Its part of the stored tensor's gradient, in its own shape. */
  readonly take: (whole: Tensor) => Tensor;
}

type Add = (name: string, stored: string | undefined, take: (whole: Tensor) => Tensor) => void;

function addHeads(add: Add, [prefix, letter]: readonly [string, string], linear: Linear, heads: number): void {
  add(`${prefix}.W_${letter}`, linear.weight, (whole) => {
    const matrix = matrixOf(whole, linear);
    const dHead = matrix.sizeOf("out") / heads;
    return matrix
      .rename({ in: "dModel" })
      .unflatten("out", { head: heads, dHead })
      .transpose(["head", "dModel", "dHead"]);
  });
  add(`${prefix}.b_${letter}`, linear.bias, (whole) => {
    const bias = biasOf(whole, linear);
    return bias.unflatten("out", { head: heads, dHead: bias.size / heads });
  });
}

function addAttention(add: Add, prefix: string, { attn }: BlockWeights, config: ModelConfig): void {
  const { nHeads, nKeyValueHeads, dHead } = config;
  addHeads(add, [prefix, "Q"], attn.q, nHeads);
  addHeads(add, [prefix, "K"], attn.k, nKeyValueHeads);
  addHeads(add, [prefix, "V"], attn.v, nKeyValueHeads);
  add(`${prefix}.W_O`, attn.o.weight, (whole) =>
    matrixOf(whole, attn.o).unflatten("in", { head: nHeads, dHead }).rename({ out: "dModel" }),
  );
  add(`${prefix}.b_O`, attn.o.bias, (whole) => biasOf(whole, attn.o).rename({ out: "dModel" }));
  addNorm(add, `${prefix}.q_norm`, attn.qNorm);
  addNorm(add, `${prefix}.k_norm`, attn.kNorm);
}

function addMap(
  add: Add,
  [matrix, bias]: readonly [string, string],
  linear: Linear,
  axes: readonly [string, string],
): void {
  const [input, output] = axes;
  add(matrix, linear.weight, (whole) => matrixOf(whole, linear).rename({ in: input, out: output }));
  add(bias, linear.bias, (whole) => biasOf(whole, linear).rename({ out: output }));
}

function addMlp(add: Add, prefix: string, { mlp }: BlockWeights): void {
  if (mlp === undefined) return;
  const { gate, postBias } = mlp;
  addMap(add, [`${prefix}.W_in`, `${prefix}.b_in`], mlp.in, ["dModel", "dMlp"]);
  if (gate !== undefined) addMap(add, [`${prefix}.W_gate`, `${prefix}.b_gate`], gate, ["dModel", "dMlp"]);
  if (postBias !== undefined) add(`${prefix}.b_in`, postBias, (whole) => whole.reshape([whole.size], ["dMlp"]));
  addMap(add, [`${prefix}.W_out`, `${prefix}.b_out`], mlp.out, ["dMlp", "dModel"]);
}

function addNorm(add: Add, prefix: string, norm: NormWeights | undefined): void {
  const vector = (whole: Tensor): Tensor =>
    whole.reshape([whole.size], [prefix.endsWith("_norm") ? "dHead" : "dModel"]);
  add(`${prefix}.w`, norm?.weight, vector);
  add(`${prefix}.b`, norm?.bias, vector);
}

function addBlock(add: Add, layer: number, block: BlockWeights, config: ModelConfig): void {
  const prefix = `blocks.${layer}`;
  addNorm(add, `${prefix}.ln1`, block.ln1);
  addAttention(add, `${prefix}.attn`, block, config);
  addNorm(add, `${prefix}.ln1_post`, block.ln1Post);
  addNorm(add, `${prefix}.ln2`, block.ln2);
  addMlp(add, `${prefix}.mlp`, block);
  addNorm(add, `${prefix}.ln2_post`, block.ln2Post);
}

function addOuter(add: Add, map: WeightMap): void {
  add("embed.W_E", map.embed, (whole) => whole.reshape([...whole.shape], ["dVocab", "dModel"]));
  add("pos_embed.W_pos", map.posEmbed, (whole) => whole.reshape([...whole.shape], ["pos", "dModel"]));
  addNorm(add, "ln_final", map.lnFinal);
  addMap(add, ["unembed.W_U", "unembed.b_U"], map.unembed, ["dModel", "dVocabOut"]);
}

/** Every weight that has a TransformerLens name and lies in one stored tensor, by that name. */
function namedTargets({ core }: ModelView): ReadonlyMap<string, WeightTarget> {
  const targets = new Map<string, WeightTarget>();
  const add: Add = (name, stored, take) => {
    if (stored !== undefined) targets.set(name, { name, stored, take });
  };
  addOuter(add, core.map);
  core.map.blocks.forEach((block, layer) => {
    addBlock(add, layer, block, core.config);
  });
  return targets;
}

/** Why a TransformerLens name is not a view of one stored tensor here, or `undefined`. */
function obstacle({ core, processing }: ModelView, name: string): string | undefined {
  if (Object.values(processing).includes(true))
    return "a weight of a processed view, which is made of several stored tensors";
  const isTied = core.map.embed === core.map.unembed.weight;
  if (isTied && (name === "embed.W_E" || name === "unembed.W_U"))
    return `one of two matrices that are the same stored tensor "${core.map.embed}", whose gradient is the sum of both`;
  if (name === "embed.W_E" && core.config.embedScale !== 1)
    return "an embedding that the model scales after reading it";
  return undefined;
}

function storedTarget({ core }: ModelView, name: string): WeightTarget | undefined {
  const stored = core.tensors.get(name);
  if (stored === undefined) return undefined;
  return { name, stored: name, take: (whole) => whole };
}

function globToRegExp(glob: string): RegExp {
  const escaped = glob.replace(/[.+?^${}()|[\]\\~]/g, "\\$&");
  return new RegExp(
    `^${escaped
      .split("**")
      .map((part) => part.replaceAll("*", "[^.]*"))
      .join(".*")}$`,
  );
}

function isShort(name: string, short: string): boolean {
  return name.endsWith(`.${short}`) && /^[Wb]_[A-Za-z]+$/.test(short);
}

/**
 * Returns the weights that a name means: a stored or TransformerLens name, a short one (`"W_Q"`), or a glob of either;
 * none when it names no weight.
 *
 * @throws UnsupportedError when TransformerLens's weight is not a view of one stored tensor.
 */
export function weightTargets(view: ModelView, spec: string): readonly WeightTarget[] {
  const named = namedTargets(view);
  const own = named.has(spec) ? undefined : storedTarget(view, spec);
  if (own !== undefined) return [own];
  const pattern = spec.includes("*") ? globToRegExp(spec) : undefined;
  const isMeant = (name: string): boolean => pattern?.test(name) ?? (name === spec || isShort(name, spec));
  const targets = [...named.values()].filter(({ name }) => isMeant(name));
  for (const { name } of targets) {
    const reason = obstacle(view, name);
    if (reason !== undefined) throw notOneTensor(name, reason);
  }
  if (targets.length > 0 || pattern === undefined) return targets;
  return [...view.core.tensors.keys()].filter(isMeant).flatMap((name) => storedTarget(view, name) ?? []);
}

/** Names of all weights that can be asked for, TransformerLens's first. */
export function weightNames(view: ModelView): readonly string[] {
  return [...namedTargets(view).keys(), ...view.core.tensors.keys()];
}

function notOneTensor(name: string, reason: string): UnsupportedError {
  return new UnsupportedError({
    where: `gradients: wrt "${name}"`,
    got: reason,
    expected: "a weight that is a view of one stored tensor",
    fix: "Ask for the stored tensors by their own names, on the model without processing.",
  });
}

/** The error for a weight that a run does not read. */
export function unreadWeight(stored: string): InputError {
  return new InputError({
    where: `gradients: wrt "${stored}"`,
    got: "a stored tensor that this run does not read",
    expected: "a weight of a layer that runs",
    fix: "Check layers, startAtLayer and the kind of input.",
  });
}
