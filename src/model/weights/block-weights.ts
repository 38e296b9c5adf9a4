/** The weights of one block in TransformerLens's shapes, processed as a view says. */
import type { Tensor } from "../../tensor/index.js";
import type { ModelConfig, Normalization } from "../config.js";
import type { Processing } from "../processing.js";
import { type ReadStored, readBias, readMatrix } from "./read-linear.js";
import type { BlockWeights, Linear, NormWeights } from "./weight-map.js";

/** What reading weights needs to know. */
export interface WeightReading {
  readonly read: ReadStored;
  readonly config: ModelConfig;
  readonly processing: Processing;
}

/** Named tensors of one group. */
export type NamedWeights = Readonly<Record<string, Tensor>>;

/** The gain of a norm, `1 + w` where the model stores `w`. */
export async function normGain(
  reading: WeightReading,
  norm: NormWeights | undefined,
  axis: string,
): Promise<Tensor | undefined> {
  if (norm?.weight === undefined) return undefined;
  const stored = await reading.read(norm.weight);
  return stored.add(reading.config.gainOffset).rename({ d0: axis });
}

/** The bias of a norm. */
export async function normBias(
  reading: WeightReading,
  norm: NormWeights | undefined,
  axis: string,
): Promise<Tensor | undefined> {
  if (norm?.bias === undefined) return undefined;
  return (await reading.read(norm.bias)).rename({ d0: axis });
}

/** A matrix `[in, out]` and bias `[out]` that read the stream through a norm, with the norm folded in where asked. */
export interface ReadingMap {
  readonly matrix: Tensor;
  readonly bias: Tensor;
}

/**
 * Reads a map that follows a norm.
 *
 * Folding: `b += Wᵀ b_ln`, `W *= w_ln`; then, for layer norm, columns are centred over the input, because the norm's
 * output has mean 0.
 */
export async function readAfterNorm(
  reading: WeightReading,
  linear: Linear,
  norm: NormWeights | undefined,
  kind: Normalization = reading.config.normalization,
): Promise<ReadingMap> {
  const { read, processing } = reading;
  const matrix = await readMatrix(read, linear);
  const bias = await readBias(read, linear, matrix.sizeOf("out"));
  if (!processing.foldLn || norm === undefined) return { matrix, bias };
  const [gain, shift] = [await normGain(reading, norm, "in"), await normBias(reading, norm, "in")];
  const folded = gain === undefined ? matrix : (matrix.mul(gain) as Tensor);
  const moved = shift === undefined ? bias : (bias.add(matrix.mul(shift).sum("in")) as Tensor);
  return {
    matrix: subtractsMean(kind) ? folded.sub(folded.mean("in", { keepAxis: true })) : folded,
    bias: moved,
  };
}

function subtractsMean(kind: Normalization): boolean {
  return kind === "LN" || kind === "LNPre";
}

/** A write's matrix or bias, centred over `dModel` where the view centres writing weights. */
export function centredWrite(write: Tensor, processing: Processing): Tensor {
  return processing.centerWritingWeights ? write.sub(write.mean("dModel", { keepAxis: true })) : write;
}

function perHead(matrix: Tensor, heads: number): Tensor {
  const dHead = matrix.sizeOf("out") / heads;
  return matrix
    .rename({ in: "dModel" })
    .unflatten("out", { head: heads, dHead })
    .transpose(["head", "dModel", "dHead"]);
}

/** `W_Q … b_O` of one block; keys and values are repeated for every query head of their group. */
export async function attentionTensors(reading: WeightReading, block: BlockWeights): Promise<NamedWeights> {
  const { config, processing } = reading;
  const { nHeads, nKeyValueHeads, dHead } = config;
  const repeat = (tensor: Tensor, heads: number): Tensor =>
    heads === nHeads ? tensor : tensor.repeatInterleave("head", nHeads / heads);
  const read = async (linear: Linear, heads: number): Promise<readonly [Tensor, Tensor]> => {
    const { matrix, bias } = await readAfterNorm(reading, linear, block.ln1);
    return [repeat(perHead(matrix, heads), heads), repeat(bias.unflatten("out", { head: heads, dHead }), heads)];
  };
  const [wQ, bQ] = await read(block.attn.q, nHeads);
  const [wK, bK] = await read(block.attn.k, nKeyValueHeads);
  const [wV, bV] = await read(block.attn.v, nKeyValueHeads);
  const output = await readMatrix(reading.read, block.attn.o);
  const wO = output.unflatten("in", { head: nHeads, dHead }).rename({ out: "dModel" });
  const bO = (await readBias(reading.read, block.attn.o, config.dModel)).rename({ out: "dModel" });
  const moved = processing.foldValueBiases ? (bO.add(wO.mul(bV).sum(["head", "dHead"])) as Tensor) : bO;
  return {
    W_Q: wQ,
    W_K: wK,
    W_V: wV,
    W_O: centredWrite(wO, processing),
    b_Q: bQ,
    b_K: bK,
    b_V: processing.foldValueBiases ? bV.mul(0) : bV,
    b_O: centredWrite(moved, processing),
  };
}

/** `W_in`, `W_gate`, `W_out` and biases of one block. */
export async function mlpTensors(reading: WeightReading, block: BlockWeights): Promise<NamedWeights> {
  const { mlp, ln2 } = block;
  if (mlp === undefined) return {};
  const named = (tensor: Tensor, input: string, output: string): Tensor => tensor.rename({ in: input, out: output });
  const into = await readAfterNorm(reading, mlp.in, ln2);
  const gate = mlp.gate === undefined ? undefined : await readAfterNorm(reading, mlp.gate, ln2);
  const out = named(await readMatrix(reading.read, mlp.out), "dMlp", "dModel");
  const bOut = (await readBias(reading.read, mlp.out, reading.config.dModel)).rename({ out: "dModel" });
  const post = mlp.postBias === undefined ? into.bias : (await reading.read(mlp.postBias)).rename({ d0: "out" });
  return {
    W_in: named(into.matrix, "dModel", "dMlp"),
    b_in: post.rename({ out: "dMlp" }),
    ...(gate === undefined
      ? {}
      : { W_gate: named(gate.matrix, "dModel", "dMlp"), b_gate: gate.bias.rename({ out: "dMlp" }) }),
    W_out: centredWrite(out, reading.processing),
    b_out: centredWrite(bOut, reading.processing),
  };
}
