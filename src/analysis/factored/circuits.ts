/** The query-key and output-value circuits of attention heads, as factored matrices. */
import { InputError } from "../../core/index.js";
import type { BlockWeightName, Model } from "../../model/index.js";
import { einsum, type Tensor } from "../../tensor/index.js";
import { FactoredMatrix } from "./factored-matrix.js";
import { transposed } from "./matrices.js";

/** The circuits of attention heads. */
export interface Circuits {
  /**
   * Returns `W_Q W_Kᵀ`: `[dModel, dModel]` for a head, with axes `layer` and `head` in front where they are not named.
   *
   * Query on the left, key on the right. Without the scale of scores (`config.attnScale`), biases and rotation; grouped keys
   * are repeated. Fold norms into the weights with `model.processed({ foldLn: true })`.
   *
   * @throws InputError for a layer or head that the model lacks.
   * @see Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"
   */
  QK(model: Model, layer?: number, head?: number): Promise<FactoredMatrix>;
  /** Returns `W_V W_O`: what a head writes for what it reads, source on the left. Grouped values are repeated. */
  OV(model: Model, layer?: number, head?: number): Promise<FactoredMatrix>;
  /** Returns `W_E W_Q W_Kᵀ W_Eᵀ`, `[dVocab, dVocab]`: which tokens a token looks for, positions left aside. */
  fullQK(model: Model, layer?: number, head?: number): Promise<FactoredMatrix>;
  /** Returns `W_E W_V W_O W_U`, `[dVocab, dVocabOut]`: what logits change when a head looks at a token. */
  fullOV(model: Model, layer?: number, head?: number): Promise<FactoredMatrix>;
}

function checkIndex(name: string, index: number | undefined, size: number): void {
  if (index === undefined || (Number.isInteger(index) && index >= 0 && index < size)) return;
  throw new InputError({
    where: `circuits: ${name}`,
    got: String(index),
    expected: `a whole number from 0 to ${size - 1}`,
    fix: `Leave it out for every ${name}.`,
  });
}

/** Reads a weight of one layer or all, of one head or all: `[(layer,) (head,) …]`. */
async function headWeight(
  model: Model,
  name: BlockWeightName,
  layer: number | undefined,
  head: number | undefined,
): Promise<Tensor> {
  checkIndex("layer", layer, model.config.nLayers);
  checkIndex("head", head, model.config.nHeads);
  const whole = layer === undefined ? await model.weights.stack(name) : await model.weights.layer(name, layer);
  return head === undefined ? whole : whole.at({ head });
}

async function QK(model: Model, layer?: number, head?: number): Promise<FactoredMatrix> {
  const [wQ, wK] = [await headWeight(model, "W_Q", layer, head), await headWeight(model, "W_K", layer, head)];
  return new FactoredMatrix(wQ, transposed(wK));
}

async function OV(model: Model, layer?: number, head?: number): Promise<FactoredMatrix> {
  const [wV, wO] = [await headWeight(model, "W_V", layer, head), await headWeight(model, "W_O", layer, head)];
  return new FactoredMatrix(wV, wO);
}

/** `W_E X` for `X […, left, inner]`. */
function embedded(wE: Tensor, factor: Tensor): Tensor {
  const product: Tensor = einsum(
    [wE.rename({ dModel: "left" }), factor],
    ["dVocab", ...factor.axes.filter((axis) => axis !== "left")],
  );
  return product.transpose([...factor.axes.slice(0, -2), "dVocab", "inner"]);
}

async function fullQK(model: Model, layer?: number, head?: number): Promise<FactoredMatrix> {
  const circuit = await QK(model, layer, head);
  const wE = await model.weights.W_E();
  return new FactoredMatrix(embedded(wE, circuit.A), transposed(embedded(wE, circuit.T.A)));
}

async function fullOV(model: Model, layer?: number, head?: number): Promise<FactoredMatrix> {
  const circuit = await OV(model, layer, head);
  const [wE, wU] = [await model.weights.W_E(), await model.weights.W_U()];
  const written = einsum([circuit.B, wU.rename({ dModel: "right" })], [...circuit.B.axes.slice(0, -1), "dVocabOut"]);
  return new FactoredMatrix(embedded(wE, circuit.A), written);
}

/** The query-key and output-value circuits of attention heads. */
export const circuits: Circuits = { QK, OV, fullQK, fullOV };
