/** A few words for each feature: the tokens it raises most. */
import { GraphBuilder, Ops } from "../../graph/index.js";
import type { Model } from "../../model/index.js";
import type { Dictionary } from "../dictionary.js";
import { weightData } from "../metrics/geometry.js";
import { intoLogits } from "./spaces.js";

/** Products above this many multiplications are not worth a few words. */
const mostWork = 4e11;
/** Logits at once, numbers. */
const chunkNumbers = 16e6;

/**
 * Returns the tokens that each feature raises most, as one text; empty texts where the dictionary does not write to the stream,
 * or is so wide that it would take minutes.
 */
export async function featureWords(model: Model, dictionary: Dictionary, count = 3): Promise<readonly string[]> {
  const { nFeatures, dOut } = dictionary.config;
  const { dVocabOut } = model.config;
  const { tokenizer, engine } = model.view.core;
  const isTooMuch = nFeatures * dVocabOut * model.config.dModel > mostWork;
  const matrix = isTooMuch || tokenizer === undefined ? undefined : await intoLogits(model, dictionary);
  if (matrix === undefined || tokenizer === undefined) return Array.from({ length: nFeatures }, () => "");
  const ops = new Ops(new GraphBuilder());
  const rows = ops.builder.input("rows", "float32", ["row", dOut]);
  const logits = ops.matmul(rows, ops.builder.input("matrix", "float32", [dOut, dVocabOut]));
  // Without the mean over the vocabulary, which moves all tokens of a row alike.
  const graph = ops.builder.build({ ids: ops.topk(logits, Math.min(count, dVocabOut), { axis: -1 }).indices });
  const data = await weightData(dictionary, "W_dec");
  const step = Math.max(1, Math.floor(chunkNumbers / dVocabOut));
  const words: string[] = [];
  for (let from = 0; from < nFeatures; from += step) {
    const to = Math.min(nFeatures, from + step);
    const feeds = {
      rows: { dtype: "float32" as const, shape: [to - from, dOut], data: data.slice(from * dOut, to * dOut) },
      matrix: { dtype: "float32" as const, shape: [dOut, dVocabOut], data: Float32Array.from(matrix.data) },
    };
    const { ids } = await engine.run({ segments: [graph], outputs: ["ids"] }, feeds);
    const list = Array.from((ids?.data ?? []) as ArrayLike<bigint | number>, Number);
    const each = list.length / (to - from);
    for (let row = 0; row < to - from; row++)
      words.push(
        list
          .slice(row * each, (row + 1) * each)
          .map((id) => tokenizer.piece(id).trim())
          .filter((text) => text !== "")
          .join(" "),
      );
  }
  return words;
}
