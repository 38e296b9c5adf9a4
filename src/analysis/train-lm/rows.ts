/** The rows of token ids that a language model is trained and measured on, in memory: 4 bytes a token. */
import { createHash } from "node:crypto";
import { InputError, type LongCallOptions } from "../../core/index.js";
import { data, type TokenizerLike } from "../../data/index.js";
import type { DataRecipe } from "./recipe.js";

/** Rows to train on and rows to measure on. */
export interface TokenRows {
  readonly train: readonly Int32Array[];
  readonly validation: readonly Int32Array[];
  /** Hash of all rows: equal hashes mean equal data. */
  readonly hash: string;
}

/** What rows are made from. */
export interface RowOptions extends LongCallOptions {
  readonly tokenizer: TokenizerLike | undefined;
  /** Tokens of one row, the last one only to be predicted. */
  readonly length: number;
  readonly seed: number;
}

async function rowsOf(path: string, recipe: DataRecipe, options: RowOptions): Promise<readonly Int32Array[]> {
  const { tokenizer, length, seed, signal, onProgress } = options;
  const { field, by } = recipe;
  const isText = /\.(txt|md)$/.test(path) || !/\.[^/.]+$/.test(path);
  const documents = data.file(path, field, isText && by !== undefined ? { by } : {});
  const batches = documents.shuffle(seed).pack(tokenizer, { contextLength: length, lastRow: "drop" });
  const rows: Int32Array[] = [];
  for await (const batch of batches.iterate({ ...(signal === undefined ? {} : { signal }) })) {
    rows.push(...batch.tokens);
    onProgress?.({ done: rows.length, label: `read ${path}` });
  }
  return rows;
}

/**
 * Reads files into rows; documents are shuffled by the seed and follow each other without a gap.
 *
 * @throws InputError when a file gives no row, or no row is left to train on.
 */
export async function readRows(recipe: DataRecipe, files: readonly string[], options: RowOptions): Promise<TokenRows> {
  const train: Int32Array[] = [];
  const validation: Int32Array[] = [];
  const hash = createHash("sha256");
  for (const path of files) {
    const rows = await rowsOf(path, recipe, options);
    const kept = rows.length - Math.round(rows.length * (recipe.validation ?? 0));
    train.push(...rows.slice(0, kept));
    validation.push(...rows.slice(kept));
    for (const row of rows) hash.update(new Uint8Array(row.buffer, row.byteOffset, row.byteLength));
  }
  if (train.length > 0) return { train, validation, hash: hash.digest("hex").slice(0, 16) };
  throw new InputError({
    where: "train-lm: data",
    got: `no row of ${options.length} tokens in ${files.length} files`,
    expected: "at least one",
    fix: "Give more text, or a smaller context.",
  });
}
