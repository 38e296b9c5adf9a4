/** What a model's last steps do, written with plain loops in float64: an oracle for lenses. */
import type { Model } from "../../src/model/index.js";
import type { Tensor } from "../../src/tensor/index.js";

function list(tensor: Tensor): number[] {
  return Array.from(tensor.contiguous().data, Number);
}

/** Reads a stream `[dModel]` with the model's own weights: logits `[dVocabOut]`. */
export type Readout = (stream: readonly number[]) => number[];

function normalized(x: readonly number[], kind: string | null, eps: number): number[] {
  if (kind === null) return [...x];
  const mean = kind.startsWith("LN") ? x.reduce((sum, v) => sum + v, 0) / x.length : 0;
  const centred = x.map((v) => v - mean);
  const scale = Math.sqrt(centred.reduce((sum, v) => sum + v * v, 0) / x.length + eps);
  return centred.map((v) => v / scale);
}

/** Returns the readout of a view. */
export async function readoutOracle(model: Model): Promise<Readout> {
  const { dModel, dVocabOut, eps, finalNormalization, outputLogitsSoftCap: cap } = model.config;
  const names = model.hookNames();
  const kind = names.includes("ln_final.hook_scale") ? finalNormalization : null;
  const [wU, bU] = [list(await model.weights.W_U()), list(await model.weights.b_U())];
  const gain = await model.weights.normGain("ln_final");
  const bias = await model.weights.normBias("ln_final");
  const [w, b] = [gain === undefined ? undefined : list(gain), bias === undefined ? undefined : list(bias)];
  return (stream) => {
    const input = normalized(stream, kind, eps).map((v, i) => v * (w?.[i] ?? 1) + (b?.[i] ?? 0));
    return Array.from({ length: dVocabOut }, (_, token) => {
      let sum = bU[token] ?? 0;
      for (let i = 0; i < dModel; i++) sum += (input[i] ?? 0) * (wU[i * dVocabOut + token] ?? 0);
      return cap === undefined ? sum : cap * Math.tanh(sum / cap);
    });
  };
}

/** Log-softmax of a list. */
export function logProbs(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const total = Math.log(logits.reduce((sum, x) => sum + Math.exp(x - most), 0)) + most;
  return logits.map((x) => x - total);
}

/** `Σ p (log p − log q)`. */
export function divergence(logP: readonly number[], logQ: readonly number[]): number {
  return logP.reduce((sum, p, i) => sum + Math.exp(p) * (p - (logQ[i] ?? Number.NaN)), 0);
}
