/** From the places that dictionaries read and write to the two spaces that tokens live in: embeddings and logits. */
import { UnsupportedError } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { Dictionary } from "../dictionary.js";

/** A matrix, row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: ArrayLike<number>;
}

/** Values that are added to the stream, or are the stream. */
const streamHooks = /(^hook_embed|^hook_pos_embed|\.hook_(resid_pre|resid_mid|resid_post|attn_out|mlp_out))$/;

function matrixOf(tensor: Tensor, rows: number, columns: number): Matrix {
  return { rows, columns, data: tensor.contiguous().data as ArrayLike<number> };
}

/** The layer of a hook point inside blocks; −1 elsewhere. */
function layerOf(hook: string): number {
  return Number(/^blocks\.(\d+)\./.exec(hook)?.[1] ?? -1);
}

/** The weight that carries a hook point's values into the stream; `"stream"` where they are the stream's own. */
function carrier(model: Model, hook: string): "W_O" | "W_out" | "stream" | undefined {
  const block = model.view.core.map.blocks[layerOf(hook)];
  if (streamHooks.test(hook)) return "stream";
  if (hook.endsWith(".attn.hook_z") && block?.ln1Post === undefined) return "W_O";
  if (hook.endsWith(".mlp.hook_post") && block?.ln2Post === undefined) return "W_out";
  return undefined;
}

/** Tells whether what a dictionary writes is added to the stream, by itself or through one matrix. */
export function writesToStream(model: Model, { writeHook }: Dictionary): boolean {
  return carrier(model, writeHook) !== undefined;
}

/** Returns the matrix that carries a hook point's values into the stream; `undefined` where they are the stream's own. */
async function intoStream(model: Model, { name, config, writeHook }: Dictionary): Promise<Matrix | undefined> {
  const weight = carrier(model, writeHook);
  if (weight === "stream") return undefined;
  if (weight !== undefined)
    return matrixOf(await model.weights.layer(weight, layerOf(writeHook)), config.dOut, model.config.dModel);
  throw new UnsupportedError({
    where: `dictionary ${name}: decoder logits`,
    got: `a dictionary that writes to ${writeHook}`,
    expected:
      "values that are added to the stream: resid_pre, resid_mid, resid_post, attn_out, mlp_out, z or mlp.hook_post",
    fix: "Look at its examples instead.",
  });
}

/** `a b`, in float64. */
function product(a: Matrix, b: Matrix): Matrix {
  const data = new Float64Array(a.rows * b.columns);
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < a.columns; k++) {
      const factor = a.data[i * a.columns + k] as number;
      if (factor === 0) continue;
      for (let j = 0; j < b.columns; j++) {
        const at = i * b.columns + j;
        data[at] = (data[at] as number) + factor * (b.data[k * b.columns + j] as number);
      }
    }
  }
  return { rows: a.rows, columns: b.columns, data };
}

/**
 * Returns the matrix from what a dictionary writes to logits, `[dOut, dVocabOut]`; `undefined` where it does not write to the
 * stream.
 */
export async function intoLogits(model: Model, dictionary: Dictionary): Promise<Matrix | undefined> {
  if (!writesToStream(model, dictionary)) return undefined;
  const carry = await intoStream(model, dictionary);
  const unembed = await unembedding(model);
  return carry === undefined ? unembed : product(carry, unembed);
}

/** The unembedding with the final norm's gain in it, and centred where that norm centres. */
async function unembedding(model: Model): Promise<Matrix> {
  const folded = model.config.normalization === null ? model : model.processed({ foldLn: true });
  return matrixOf(await folded.weights.W_U(), model.config.dModel, model.config.dVocabOut);
}

/**
 * Returns what directions written by a dictionary do to the logits, `[n, dVocabOut]`, one unit of activation each.
 *
 * The final norm's gain counts (and its centring), its scale does not: it depends on the text. Each row has its mean over
 * the vocabulary subtracted, which changes no probability.
 *
 * @throws UnsupportedError for a hook point whose values are not added to the stream.
 */
export async function logitsOf(model: Model, dictionary: Dictionary, directions: Matrix): Promise<Matrix> {
  const carry = await intoStream(model, dictionary);
  const streamed = carry === undefined ? directions : product(directions, carry);
  const { dVocabOut } = model.config;
  const logits = product(streamed, await unembedding(model));
  const data = logits.data as Float64Array;
  for (let row = 0; row < logits.rows; row++) {
    const own = data.subarray(row * dVocabOut, (row + 1) * dVocabOut);
    const mean = own.reduce((sum, one) => sum + one, 0) / dVocabOut;
    own.forEach((one, i) => void (own[i] = one - mean));
  }
  return logits;
}

/** What a hook point's norm does to a stream that is one embedding. */
interface ReadNorm {
  readonly hasCentring: boolean;
  readonly gain: Tensor | undefined;
  readonly bias: Tensor | undefined;
}

async function readNorm(model: Model, hook: string): Promise<ReadNorm | "none" | undefined> {
  if (/^hook_embed$|\.hook_resid_(pre|mid|post)$/.test(hook)) return "none";
  const { normalization } = model.config;
  const hasCentring = normalization === "LN" || normalization === "LNPre";
  const bare = { hasCentring, gain: undefined, bias: undefined };
  if (/\.ln[12]\.hook_normalized$/.test(hook)) return bare;
  if (!hook.endsWith(".mlp.hook_in")) return undefined;
  if (normalization === null) return "none";
  const name = `blocks.${layerOf(hook)}.ln2`;
  const [gain, bias] = [await model.weights.normGain(name), await model.weights.normBias(name)];
  return { hasCentring, gain, bias };
}

function normalizeRows({ rows, columns, data }: Matrix, norm: ReadNorm, eps: number): Matrix {
  const out = new Float64Array(rows * columns);
  const at = (tensor: Tensor | undefined, i: number, absent: number): number => Number(tensor?.data[i] ?? absent);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    let [mean, square] = [0, 0];
    if (norm.hasCentring) for (let i = 0; i < columns; i++) mean += (data[start + i] as number) / columns;
    for (let i = 0; i < columns; i++) square += ((data[start + i] as number) - mean) ** 2 / columns;
    const scale = Math.sqrt(square + eps);
    for (let i = 0; i < columns; i++) {
      const value = ((data[start + i] as number) - mean) / scale;
      out[start + i] = value * at(norm.gain, i, 1) + at(norm.bias, i, 0);
    }
  }
  return { rows, columns, data: out };
}

/**
 * Returns what each token's embedding alone, as the stream, adds to features' pre-activations, `[n, dVocab]`.
 *
 * Where the dictionary reads behind a norm, each embedding is normalised as that norm would. `undefined` where it does not
 * read the stream.
 *
 * @param encoders - Encoder columns as rows, `[n, dIn]`.
 */
export async function readsOf(model: Model, { readHook }: Dictionary, encoders: Matrix): Promise<Matrix | undefined> {
  const norm = await readNorm(model, readHook);
  if (norm === undefined) return undefined;
  const { dVocab, dModel, eps } = model.config;
  const raw = matrixOf(await model.weights.W_E(), dVocab, dModel);
  const embeddings = norm === "none" ? raw : normalizeRows(raw, norm, eps);
  return product(encoders, transposed(embeddings));
}

function transposed({ rows, columns, data }: Matrix): Matrix {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j] as number;
  return { rows: columns, columns: rows, data: out };
}
