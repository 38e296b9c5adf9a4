/** Recipes of language models: what is read, and what each mistake is told. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { languageModelTrainer, readRecipe, trainLanguageModel } from "../../../src/analysis/index.js";
import { byteTokenizer, writeByteTokenizer } from "../../../src/analysis/train-lm/byte-tokenizer.js";
import { openTokenizer } from "../../../src/model/index.js";
import { adamW } from "../../../src/train/index.js";
import { tinyModel } from "./golden.js";
import { messageOf, rejection } from "./support.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-recipe-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const minimal = { model: { ...tinyModel }, data: { files: "a.txt" }, batch: 4, steps: 10, out: "run" };

function wrong(change: object): string {
  return messageOf(() => readRecipe({ ...minimal, ...change }, "r.json"));
}

describe("readRecipe", () => {
  test("fills in what is left out", () => {
    expect(readRecipe(minimal, "r.json")).toEqual({
      model: tinyModel,
      data: { files: ["a.txt"], by: "file" },
      batch: 4,
      steps: 10,
      optimizer: { name: "adamW" },
      out: "run",
    });
  });

  test("keeps everything that is given", () => {
    const given = {
      ...minimal,
      data: { files: ["a.jsonl", "b.txt"], field: "body", by: "line", validation: 0.1 },
      tokenizer: "bytes",
      context: 16,
      optimizer: { name: "sgd", learningRate: 0.1, momentum: 0.9, nesterov: true },
      schedule: { warmup: 2, shape: "cosine", final: 0.1, hold: 3 },
      clip: { norm: 1, value: 0.5 },
      accumulate: 2,
      groups: [{ match: ["**.b_*"], weightDecay: 0, learningRateScale: 2, isFrozen: false }],
      average: 0.99,
      seed: 7,
      initialStd: 0.02,
      checkpointEvery: 5,
      keepCheckpoints: 1,
      evaluateEvery: 3,
      evaluateBatches: 4,
    };
    expect(readRecipe(given, "r.json")).toEqual(given);
  });

  test("names what is unknown, missing or wrong", () => {
    expect(wrong({ stepz: 1 })).toContain('r.json: got the unknown key "stepz"');
    expect(wrong({ stepz: 1 })).toContain('Nearest: "steps"');
    expect(wrong({ steps: 0.5 })).toContain('r.json: "steps": got 0.5; expected a whole number of 1 or more.');
    expect(wrong({ batch: undefined })).toContain('r.json: "batch": got nothing');
    expect(wrong({ out: 3 })).toContain('r.json: "out": got 3; expected a text or a list of texts.');
    expect(wrong({ data: 1 })).toContain('r.json: "data": got 1; expected a JSON object.');
    expect(wrong({ data: { files: [] } })).toContain('"files": got []');
    expect(wrong({ data: { files: "a", validation: 2 } })).toContain("expected a number from 0 to 0.9");
    expect(wrong({ model: [] })).toContain('"model": got []; expected a JSON object.');
    expect(wrong({ optimizer: { name: "adamw" } })).toContain('expected one of "adamW", "adam", "sgd", "lion"');
    expect(wrong({ optimizer: { name: "sgd", beta1: 0.9 } })).toContain('got the unknown key "beta1"');
    expect(wrong({ optimizer: { name: "sgd", nesterov: 1 } })).toContain("expected true or false");
    expect(wrong({ schedule: { shape: "step" } })).toContain('"shape": got "step"');
    expect(wrong({ groups: {} })).toContain("expected a list of objects");
    expect(wrong({ groups: [{ match: 1 }] })).toContain('"groups"[0]: "match": got 1');
    expect(messageOf(() => readRecipe([], "r.json"))).toContain("r.json: got []; expected a JSON object.");
  });
});

describe("bytes as tokens", () => {
  test("are the same ids by hand and through the tokenizer file, control tokens as text", async () => {
    const place = join(folder, "bytes");
    await writeByteTokenizer(place);
    const opened = await openTokenizer(place);
    for (const text of ["plain words", "Ä, 猫 and 🐈\n\ttabs", " <|endoftext|> ", "\u0000\u007f\u00ad~"]) {
      expect(opened.encode(text).ids).toEqual(byteTokenizer.encode(text).ids);
      expect(opened.decode(opened.encode(text).ids)).toBe(text);
    }
    expect([opened.vocabSize, opened.eosId, opened.bosId, opened.prependsBos]).toEqual([257, 256, 256, false]);
  });
});

describe("languageModelTrainer", () => {
  const options = { model: tinyModel, batch: 2, context: 4, optimizer: adamW() };

  test("shifts rows into tokens and labels; targets that do not count are -1", () => {
    const { batchOf } = languageModelTrainer(options);
    const batch = batchOf(
      [
        [1, 2, 3, 4, 5],
        [9, 8, 7, 6, 5],
      ],
      (row, target) => row === 0 || target > 2,
    );
    expect([...(batch["tokens"]?.data as Int32Array)]).toEqual([1, 2, 3, 4, 9, 8, 7, 6]);
    expect([...(batch["labels"]?.data as Int32Array)]).toEqual([2, 3, 4, 5, -1, -1, 6, 5]);
  });

  test("begins the same for the same seed", async () => {
    const weights = async (seed: number): Promise<unknown> => {
      const { trainer } = languageModelTrainer({ ...options, seed });
      const parameters = await trainer.parameters();
      await trainer.close();
      return parameters["blocks.1.mlp.W_out"]?.data;
    };
    expect(await weights(1)).toEqual(await weights(1));
    expect(await weights(1)).not.toEqual(await weights(2));
  });

  test("refuses rows that do not fit", () => {
    const { batchOf } = languageModelTrainer(options);
    const row = [1, 2, 3, 4, 5];
    expect(messageOf(() => batchOf([row]))).toContain("train-lm: batch: got 1 rows; expected 2");
    expect(messageOf(() => batchOf([row, [1]]))).toContain("row 1 of a batch: got 1 tokens; expected 5");
    expect(messageOf(() => batchOf([row, [1, 2, 64, 4, 5]]))).toContain(
      "row 1 of a batch, position 2: got token id 64; expected ids from 0 to 63.",
    );
    expect(messageOf(() => languageModelTrainer({ ...options, context: 33 }))).toContain(
      "train-lm: batch and context: got 2 rows of 33 tokens",
    );
  });
});

describe("trainLanguageModel", () => {
  const path = join(folder, "short.txt");
  writeFileSync(path, "a short text. ".repeat(30));
  const model = { n_layers: 1, d_model: 8, n_heads: 1, d_head: 8, n_ctx: 16, attn_only: true };
  const recipe = { model, data: { files: [path] }, tokenizer: "bytes", batch: 2, steps: 2, out: join(folder, "out") };

  test("refuses a vocabulary smaller than the tokenizer's, text without a tokenizer, and too little data", async () => {
    const small = { ...recipe, model: { ...model, d_vocab: 100 } };
    expect(await rejection(trainLanguageModel(small))).toContain('model "d_vocab": got 100; expected at least 257');
    const { tokenizer: _, ...bare } = { ...recipe, model: { ...model, d_vocab: 300 } };
    expect(await rejection(trainLanguageModel(bare))).toContain("got a text and no tokenizer");
    const long = { ...recipe, model: { ...model, n_ctx: 512 } };
    expect(await rejection(trainLanguageModel(long))).toMatch(/row|rows/);
    const measured = { ...recipe, batch: 20, data: { files: [path], validation: 0.1 } };
    expect(await rejection(trainLanguageModel(measured))).toMatch(
      /train-lm: data\.validation: got \d+ rows of \d+; expected at least one batch of 20/,
    );
  });
});
