/**
 * Tokens as directions of the residual stream: columns of the unembedding, and the part of the logits that is no
 * activation's.
 *
 * Only the columns asked for are read. In views, columns are those of `model.weights.W_U()`: multiplied by the final
 * norm's gain (and centred for layer norm) under `foldLn`, less the vocabulary's mean under `centerUnembed`.
 */
import { InputError, TokenError } from "../../core/index.js";
import { GraphBuilder, Ops, type Value } from "../../graph/index.js";
import { type DType, Tensor } from "../../tensor/index.js";
import type { Model } from "../model.js";
import type { ModelView } from "../view.js";
import { mappedWeight } from "../weights/store.js";
import { floatsOf } from "./products.js";
import { centre } from "./tail.js";
import type { LogitBias, TokenSelection } from "./types.js";
import { normBias, normGain, storedVector, storedWeight } from "./vectors.js";

function singleToken(view: ModelView, token: string | number, where: string): number {
  if (typeof token === "number") return token;
  if (view.core.tokenizer !== undefined) return view.core.tokenizer.toSingleToken(token);
  throw new InputError({
    where,
    got: `the text ${JSON.stringify(token)}, for a model without a tokenizer`,
    expected: "token ids",
    fix: "Pass ids.",
  });
}

function checkIds(view: ModelView, ids: readonly number[], where: string): void {
  const { dVocabOut } = view.core.config;
  const bad = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= dVocabOut);
  if (bad === undefined) return;
  throw new TokenError({
    where,
    got: `the token id ${bad}`,
    expected: `whole numbers from 0 to ${dVocabOut - 1}`,
    fix: "Check the ids against the model's output vocabulary.",
  });
}

const integerTypes: readonly DType[] = ["int32", "int64", "uint8"];

function tensorIds(tokens: Tensor, where: string): Tensor {
  if (!integerTypes.includes(tokens.dtype)) {
    throw new InputError({
      where,
      got: `a tensor of ${tokens.dtype}`,
      expected: "token ids",
      fix: 'Cast with cast("int32").',
    });
  }
  const unnamed: Readonly<Record<string, string>> = { d0: "batch", d1: "pos" };
  return tokens.cast("int32").rename(Object.fromEntries(tokens.axes.map((axis) => [axis, unnamed[axis] ?? axis])));
}

/** Token ids with axis names: none for one token, `batch` for a list, a tensor's own (`batch`, `pos` if unnamed). */
export function tokenIds(view: ModelView, tokens: TokenSelection, where: string): Tensor {
  const list =
    typeof tokens === "string" || typeof tokens === "number"
      ? [tokens]
      : tokens instanceof Tensor
        ? undefined
        : Array.from(tokens);
  const ids = tokens instanceof Tensor ? tensorIds(tokens, where) : undefined;
  const numbers =
    ids === undefined
      ? (list ?? []).map((token) => singleToken(view, token, where))
      : Array.from(ids.data as Int32Array);
  checkIds(view, numbers, where);
  if (ids !== undefined) return ids;
  const isOne = typeof tokens === "string" || typeof tokens === "number";
  const axes: readonly string[] = isOne ? [] : ["batch"];
  return Tensor.of(Int32Array.from(numbers), isOne ? [] : [numbers.length], axes);
}

/** The stored columns of tokens `[token, dModel]`, and the mean over the vocabulary `[dModel]` where it is wanted. */
interface Columns {
  readonly columns: Tensor;
  readonly mean?: Tensor;
}

function unembedding(ops: Ops, view: ModelView): { readonly matrix: Value; readonly vocabAxis: number } {
  const { weight, layout } = view.core.map.unembed;
  return { matrix: mappedWeight(ops.builder, storedWeight(view, weight)), vocabAxis: layout === "out-in" ? 0 : 1 };
}

async function readColumns(view: ModelView, ids: readonly number[]): Promise<Columns> {
  const ops = new Ops(new GraphBuilder());
  const { matrix, vocabAxis } = unembedding(ops, view);
  const picked = ops.gather(matrix, ops.builder.input("ids", "int64", ["token"]), vocabAxis);
  const columns = vocabAxis === 0 ? picked : ops.transpose(picked, [1, 0]);
  const isCentred = view.processing.centerUnembed;
  const wide = view.precision === "float64" ? ops.cast(matrix, "float64") : matrix;
  const graph = ops.builder.build({
    columns,
    ...(isCentred ? { mean: ops.reduceMean(wide, [vocabAxis], false) } : {}),
  });
  const feeds = { ids: { dtype: "int64", shape: [ids.length], data: BigInt64Array.from(ids, BigInt) } } as const;
  const results = await view.core.engine.run(
    { segments: [graph], outputs: graph.outputs.map(({ name }) => name) },
    feeds,
  );
  const { dModel } = view.core.config;
  const float = (name: string, shape: readonly number[], axes: readonly string[]): Tensor =>
    (Tensor.of(floatsOf(results[name]), shape, axes) as Tensor).cast(view.precision);
  return {
    columns: float("columns", [ids.length, dModel], ["token", "dModel"]),
    ...(isCentred ? { mean: float("mean", [dModel], ["dModel"]) } : {}),
  };
}

function isLayerNorm({ core }: ModelView): boolean {
  return (
    core.map.lnFinal !== undefined &&
    (core.config.finalNormalization === "LN" || core.config.finalNormalization === "LNPre")
  );
}

/** The final norm's stored gain and bias, whatever the view folds. */
async function finalNorm(view: ModelView): Promise<{ readonly gain?: Tensor; readonly bias?: Tensor }> {
  const unfolded = { ...view, processing: { ...view.processing, foldLn: false } };
  const [gain, bias] = [await normGain(unfolded, "ln_final"), await normBias(unfolded, "ln_final")];
  return { ...(gain === undefined ? {} : { gain }), ...(bias === undefined ? {} : { bias }) };
}

/** Gives `[token, dModel]` the axes of the ids: `[…ids, dModel]`. */
function shaped(tensor: Tensor, ids: Tensor): Tensor {
  const rest = tensor.axes.filter((axis) => axis !== "token");
  return tensor.reshape([...ids.shape, ...rest.map((axis) => tensor.sizeOf(axis))], [...ids.axes, ...rest]);
}

/** Directions of tokens and the constant part of their logits, both with the axes of the ids. */
export interface TokenReadout {
  /** `[…ids, dModel]`. */
  readonly directions: Tensor;
  readonly bias: LogitBias;
}

async function unembedBias(view: ModelView, ids: readonly number[]): Promise<Tensor> {
  const name = view.core.map.unembed.bias;
  if (name === undefined)
    return (Tensor.of(new Float32Array(ids.length), [ids.length], ["token"]) as Tensor).cast(view.precision);
  const whole = await storedVector(view, name, "token");
  const picked = whole.at({ token: ids });
  return view.processing.centerUnembed ? picked.sub(whole.mean("token")) : picked;
}

/** Reads what the model's last steps do for some tokens, as the view's processing makes them. */
export async function tokenReadout(view: ModelView, ids: Tensor): Promise<TokenReadout> {
  const numbers = Array.from(ids.data as Int32Array);
  const { columns, mean } = await readColumns(view, numbers);
  const { gain, bias } = await finalNorm(view);
  const stored: Tensor = mean === undefined ? columns : columns.sub(mean);
  const fromNorm = bias === undefined ? stored.sum("dModel").mul(0) : stored.mul(bias).sum("dModel");
  const own = await unembedBias(view, numbers);
  const { foldLn } = view.processing;
  const scaled = foldLn && gain !== undefined ? stored.mul(gain) : stored;
  const directions = foldLn && isLayerNorm(view) ? centre(scaled) : scaled;
  const [lnFinal, unembed] = foldLn ? [fromNorm.mul(0), own.add(fromNorm)] : [fromNorm, own];
  return {
    directions: shaped(directions, ids),
    bias: { lnFinal: shaped(lnFinal, ids), unembed: shaped(unembed, ids), total: shaped(lnFinal.add(unembed), ids) },
  };
}

/**
 * Returns the directions of the residual stream, after the final norm, that write to the logits of tokens.
 *
 * @param tokens - A token by text or id gives `[dModel]`, a list `[batch, dModel]`, a tensor of ids its own axes and
 *   `dModel`.
 * @throws TokenError for an id outside the output vocabulary.
 * @see TransformerLens `tokens_to_residual_directions`
 */
export async function tokensToResidualDirections(model: Model, tokens: TokenSelection): Promise<Tensor> {
  const ids = tokenIds(model.view, tokens, "tokensToResidualDirections");
  return (await tokenReadout(model.view, ids)).directions;
}

/**
 * Returns the part of tokens' logits that no activation makes: biases of the final norm and of the unembedding.
 *
 * @throws TokenError for an id outside the output vocabulary.
 */
export async function logitBias(model: Model, tokens: TokenSelection): Promise<LogitBias> {
  const ids = tokenIds(model.view, tokens, "logitBias");
  return (await tokenReadout(model.view, ids)).bias;
}
