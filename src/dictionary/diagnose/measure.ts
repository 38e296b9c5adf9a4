/** Measures one dictionary under many conventions on activations in memory. */
import { throwIfAborted } from "../../core/index.js";
import type { Engine } from "../../runtime/index.js";
import { Tensor } from "../../tensor/index.js";
import { Dictionary } from "../dictionary.js";
import { evaluateReconstruction } from "../metrics/reconstruction.js";
import type { CapturedVectors, Vectors } from "./capture.js";
import { type Convention, type HookPair, inputForms, type Variation } from "./conventions.js";

/** What one convention gives. */
export interface Measured {
  readonly convention: Convention;
  /** Fraction of variance unexplained, on tokens other than control tokens. */
  readonly fvu: number;
  /** Mean number of features that fire. */
  readonly l0: number;
}

/** Most activations in one piece of a forward pass: 128 MB. */
const pieceNumbers = 32e6;

/** Returns the dictionary as a variation uses it. */
export function asVaried({ name, config, weights }: Dictionary, variation: Variation & Partial<HookPair>): Dictionary {
  const { normalization, subtractsDecoderBias, readHook, writeHook } = variation;
  const hooks = { readHook: readHook ?? config.readHook, writeHook: writeHook ?? config.writeHook };
  return new Dictionary({ name, config: { ...config, ...hooks, normalization, subtractsDecoderBias }, weights });
}

/** Each vector less its mean. */
export function centred(data: Float32Array, width: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let at = 0; at < data.length; at += width) {
    let sum = 0;
    for (let i = at; i < at + width; i++) sum += data[i] ?? 0;
    for (let i = at; i < at + width; i++) out[i] = (data[i] ?? 0) - sum / width;
  }
  return out;
}

/** √d over the mean norm of vectors. */
export function normScale(data: Float32Array, width: number): number {
  let total = 0;
  for (let at = 0; at < data.length; at += width) {
    let square = 0;
    for (let i = at; i < at + width; i++) square += (data[i] ?? 0) ** 2;
    total += Math.sqrt(square);
  }
  return (Math.sqrt(width) * (data.length / width)) / total;
}

/** An input as a convention has it, and what its reconstruction is compared with. */
export interface Posed {
  readonly input: Float32Array;
  readonly target: Float32Array;
  readonly scale: number;
}

/** What a dictionary reads and writes, in the form that a convention gives them. */
export function posed(
  read: Vectors,
  write: Vectors,
  { stream, scale: kind }: Pick<Convention, "stream" | "scale">,
): Posed {
  const shape = (vectors: Vectors): Float32Array =>
    stream === "centred" ? centred(vectors.data, vectors.width) : vectors.data;
  const base = shape(read);
  const scale = kind === "1" ? 1 : normScale(base, read.width);
  const input = scale === 1 ? base : base.map((value) => value * scale);
  return { input, target: read === write ? input : shape(write), scale };
}

interface Forwarded {
  readonly reconstruction: Float32Array;
  readonly l0: number;
}

/** Runs a dictionary over vectors in pieces, counting what fires. */
export async function forwarded(dictionary: Dictionary, input: Float32Array, engine: Engine): Promise<Forwarded> {
  const { dIn, dOut, nFeatures } = dictionary.config;
  const rows = input.length / dIn;
  const step = Math.max(1, Math.floor(pieceNumbers / nFeatures));
  const reconstruction = new Float32Array(rows * dOut);
  let active = 0;
  for (let from = 0; from < rows; from += step) {
    const to = Math.min(rows, from + step);
    const x = Tensor.of(input.subarray(from * dIn, to * dIn), [to - from, dIn]);
    const result = await dictionary.forward(x, { engine });
    reconstruction.set(result.reconstruction.contiguous().data as Float32Array, from * dOut);
    for (const value of result.acts.contiguous().data as Float32Array) if (value > 0) active++;
  }
  return { reconstruction, l0: active / rows };
}

/** What is measured, and with what. */
export interface MeasureQuestion {
  readonly dictionary: Dictionary;
  readonly captured: CapturedVectors;
  readonly pairs: readonly HookPair[];
  readonly variations: readonly Variation[];
  readonly engine: Engine;
  readonly prependBos: boolean | undefined;
  readonly signal: AbortSignal | undefined;
  /** Is told after each variation how many of all are done. */
  readonly report: (done: number, total: number) => void;
}

function vectorsOf({ hooks }: CapturedVectors, hook: string): Vectors {
  return hooks.get(hook) ?? { width: 0, data: new Float32Array(), bos: new Float32Array() };
}

/** Measures one variation at one pair of hook points under every form of the input. */
async function measurePair(
  { captured, engine, prependBos }: MeasureQuestion,
  dictionary: Dictionary,
  pair: HookPair,
): Promise<readonly Measured[]> {
  const { dIn, dOut, normalization, subtractsDecoderBias } = dictionary.config;
  const read = vectorsOf(captured, pair.readHook);
  const write = pair.readHook === pair.writeHook ? read : vectorsOf(captured, pair.writeHook);
  if (read.width !== dIn || write.width !== dOut) return [];
  const found: Measured[] = [];
  // A factor on the whole input is lost where each vector is normalised.
  for (const form of inputForms.filter(({ scale }) => scale === "1" || normalization === "none")) {
    const { input, target } = posed(read, write, form);
    const { reconstruction, l0 } = await forwarded(dictionary, input, engine);
    const shape = [captured.tokens, dOut];
    const { fvu } = evaluateReconstruction(Tensor.of(target, shape), Tensor.of(reconstruction, shape));
    const convention: Convention = {
      ...pair,
      ...form,
      normalization,
      subtractsDecoderBias,
      ...(prependBos === undefined ? {} : { prependBos }),
    };
    found.push({ convention, fvu, l0 });
  }
  return found;
}

/** Measures every convention; the claimed one comes first. */
export async function measureAll(question: MeasureQuestion): Promise<readonly Measured[]> {
  const { dictionary, pairs, variations, signal, report } = question;
  const found: Measured[] = [];
  const total = pairs.length * variations.length;
  let done = 0;
  for (const variation of variations) {
    const varied = asVaried(dictionary, variation);
    for (const pair of pairs) {
      throwIfAborted(signal, "diagnose");
      found.push(...(await measurePair(question, varied, pair)));
      report(++done, total);
    }
  }
  return found;
}
