/** Dictionaries of random numbers, and their forward pass in plain loops. */
import { createRandom } from "../../../src/core/index.js";
import {
  type Activation,
  Dictionary,
  type DictionaryConfig,
  type DictionaryWeightName,
} from "../../../src/dictionary/index.js";
import { Tensor } from "../../../src/tensor/index.js";

export interface RandomOptions {
  readonly activation?: Activation;
  readonly readHook?: string;
  readonly writeHook?: string;
  readonly dIn?: number;
  readonly dOut?: number;
  readonly nFeatures?: number;
  readonly hasSkip?: boolean;
  readonly subtractsDecoderBias?: boolean;
  readonly normalization?: DictionaryConfig["normalization"];
  readonly seed?: number;
}

function weightsOf(config: DictionaryConfig, hasSkip: boolean, seed: number): Map<DictionaryWeightName, Tensor> {
  const { dIn, dOut, nFeatures, activation } = config;
  const random = createRandom(seed);
  const normal = (...shape: number[]): Tensor => {
    const size = shape.reduce((a, b) => a * b, 1);
    return Tensor.of(
      Float32Array.from({ length: size }, () => random.normal() / Math.sqrt(shape[0] ?? 1)),
      shape,
    );
  };
  const weights = new Map<DictionaryWeightName, Tensor>([
    ["W_enc", normal(dIn, nFeatures)],
    ["W_dec", normal(nFeatures, dOut)],
    ["b_dec", normal(dOut)],
  ]);
  const biases: readonly DictionaryWeightName[] =
    activation.kind === "gated" ? ["b_gate", "b_mag", "r_mag"] : ["b_enc"];
  for (const name of biases) weights.set(name, normal(nFeatures));
  if (activation.kind === "jumprelu")
    weights.set(
      "threshold",
      normal(nFeatures).map((x) => Math.abs(x)),
    );
  if (hasSkip) weights.set("W_skip", normal(dOut, dIn));
  return weights;
}

/** Where an SAE of random numbers stands unless a test says otherwise. */
const standing = { activation: { kind: "relu" }, dIn: 4, nFeatures: 7, normalization: "none" } as const;

export function randomDictionary(options: RandomOptions = {}): Dictionary {
  const { hasSkip = false, seed = 0, readHook = "blocks.0.hook_resid_post", ...rest } = options;
  const { writeHook = readHook, dOut = rest.dIn ?? standing.dIn } = rest;
  const subtractsDecoderBias = readHook === writeHook;
  const sizes = { ...standing, subtractsDecoderBias, ...rest, dOut };
  const config: DictionaryConfig = { architecture: "standard", ...sizes, readHook, writeHook };
  return new Dictionary({ name: "random", config, weights: weightsOf(config, hasSkip, seed) });
}

type Matrix = (row: number, column: number) => number;

function numbers(dictionary: Dictionary, name: DictionaryWeightName): Tensor {
  return dictionary.weights.get(name) as Tensor;
}

function matrix(dictionary: Dictionary, name: DictionaryWeightName): Matrix {
  const { data, shape } = numbers(dictionary, name);
  return (row, column) => Number(data[row * (shape[1] ?? 1) + column]);
}

function vector(dictionary: Dictionary, name: DictionaryWeightName): (i: number) => number {
  const { data } = numbers(dictionary, name);
  return (i) => Number(data[i]);
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Normalisation of one vector and its inverse on an output, from the text of the specification. */
function normalized(x: readonly number[], kind: string): { x: number[]; undo: (y: number) => number } {
  if (kind === "constant_norm_rescale") {
    const scale = Math.sqrt(x.length) / Math.sqrt(sum(x.map((one) => one * one)));
    return { x: x.map((one) => one * scale), undo: (y) => y / scale };
  }
  if (kind !== "layer_norm") return { x: [...x], undo: (y) => y };
  const mean = sum(x) / x.length;
  const std = Math.sqrt(sum(x.map((one) => (one - mean) ** 2)) / (x.length - 1));
  return { x: x.map((one) => (one - mean) / (std + 1e-5)), undo: (y) => y * std + mean };
}

function activations(dictionary: Dictionary, x: readonly number[]): number[] {
  const { config } = dictionary;
  const { activation, nFeatures } = config;
  const enc = matrix(dictionary, "W_enc");
  const bDec = vector(dictionary, "b_dec");
  const input = x.map((one, i) => one - (config.subtractsDecoderBias ? bDec(i) : 0));
  const product = range(nFeatures).map((f) => sum(input.map((one, i) => one * enc(i, f))));
  if (activation.kind === "gated") {
    const [gate, magnitude, r] = (["b_gate", "b_mag", "r_mag"] as const).map((name) => vector(dictionary, name));
    return product.map((p, f) =>
      p + (gate?.(f) ?? 0) > 0 ? Math.max(0, p * Math.exp(r?.(f) ?? 0) + (magnitude?.(f) ?? 0)) : 0,
    );
  }
  const bEnc = vector(dictionary, "b_enc");
  const pre = product.map((p, f) => p + bEnc(f));
  if (activation.kind === "jumprelu") {
    const threshold = vector(dictionary, "threshold");
    return pre.map((z, f) => (z > threshold(f) ? z : 0));
  }
  const acts = pre.map((z) => Math.max(0, z));
  if (activation.kind !== "topk") return acts;
  const dec = matrix(dictionary, "W_dec");
  const norm = (f: number): number => Math.sqrt(sum(range(config.dOut).map((i) => dec(f, i) ** 2)));
  const rank = acts.map((a, f) => (activation.scalesByDecoderNorm ? a * norm(f) : a));
  const kept = new Set(
    range(nFeatures)
      .sort((a, b) => (rank[b] ?? 0) - (rank[a] ?? 0))
      .slice(0, activation.k),
  );
  return acts.map((a, f) => (kept.has(f) ? a : 0));
}

/** Activations and reconstruction of one vector. */
export function forwardByLoops(dictionary: Dictionary, given: readonly number[]): { acts: number[]; y: number[] } {
  const { config } = dictionary;
  const { x, undo } = normalized(given, config.normalization);
  const acts = activations(dictionary, x);
  const dec = matrix(dictionary, "W_dec");
  const bDec = vector(dictionary, "b_dec");
  const skip = dictionary.weights.has("W_skip") ? matrix(dictionary, "W_skip") : () => 0;
  const y = range(config.dOut).map((i) =>
    undo(sum(acts.map((a, f) => a * dec(f, i))) + bDec(i) + sum(x.map((one, j) => one * skip(i, j)))),
  );
  return { acts, y };
}
