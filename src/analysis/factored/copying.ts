/** How much heads copy: the eigenvalues of their full output-value circuits. */

import type { Complex } from "../../linalg/index.js";
import type { Model } from "../../model/index.js";
import { einsum, type Tensor } from "../../tensor/index.js";
import { circuits } from "./circuits.js";
import { FactoredMatrix } from "./factored-matrix.js";

/**
 * Returns `Σ λ / Σ |λ|` for each eigenvalue list: 1 when all are positive reals, -1 when all are negative, 0 without any.
 *
 * @param values - `[…, eigen]`.
 */
export function eigenvalueScore({ re, im }: Complex): Tensor<"float64"> {
  const size = re.square().add(im.square()).sqrt().sum("eigen");
  return re.sum("eigen").div(size.add(size.eq(0).cast("float64")));
}

/**
 * Returns each head's copying score, `[layer, head]`: `Σ λ / Σ |λ|` over the eigenvalues of `W_E W_V W_O W_U`.
 *
 * Near 1, looking at a token raises that same token's logit. Left and right must be the same vocabulary.
 *
 * @throws ShapeError when the output vocabulary is another one.
 * @see Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"
 */
export async function copyingScores(model: Model): Promise<Tensor<"float64", readonly ["layer", "head"]>> {
  const { A, B } = await circuits.OV(model);
  const [wE, wU] = [await model.weights.W_E(), await model.weights.W_U()];
  // The eigenvalues of (W_E W_V)(W_O W_U) that are not 0 are those of (W_O (W_U W_E) W_V): the vocabulary is summed once.
  const joint = einsum(
    [wU.rename({ dModel: "right", dVocabOut: "token" }), wE.rename({ dModel: "left", dVocab: "token" })],
    ["right", "left"],
  );
  const written = einsum([B, joint], ["layer", "head", "inner", "left"]);
  const scores = eigenvalueScore(new FactoredMatrix(A, written.rename({ left: "right" })).eigenvalues());
  return scores.transpose(["layer", "head"]);
}
