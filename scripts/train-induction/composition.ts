/**
 * K-composition of heads in two layers: how much of what a head writes is read by a later one as keys.
 *
 * `|W_OV · W_QKᵀ| / (|W_OV| · |W_QK|)` in Frobenius norms, with `W_OV = W_V W_O` of the earlier head and `W_QK = W_Q W_Kᵀ`
 * of the later one, the gains of the norms folded in. Random matrices give about `1 / sqrt(dModel)`, here 0.125.
 *
 * @see Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"
 */
import type { Model } from "../../src/model/index.js";

/** Returns the scores `[head of layer 0][head of layer 1]`. */
export async function kComposition(model: Model): Promise<readonly (readonly number[])[]> {
  const { weights } = model.processed({ foldLn: true });
  const [v, o] = [await weights.layer("W_V", 0), await weights.layer("W_O", 0)];
  const [q, k] = [await weights.layer("W_Q", 1), await weights.layer("W_K", 1)];
  const heads = Array.from({ length: model.config.nHeads }, (_, head) => head);
  const written = heads.map((head) => v.at({ head }).rename({ dModel: "in" }).matmul(o.at({ head }), "dHead"));
  const read = heads.map((head) => k.at({ head }).matmul(q.at({ head }).rename({ dModel: "query" }), "dHead"));
  return written.map((ov) =>
    read.map((qk) => {
      const both = ov.matmul(qk, "dModel").norm(["in", "query"]).item();
      return both / (ov.norm(["in", "dModel"]).item() * qk.norm(["dModel", "query"]).item());
    }),
  );
}
