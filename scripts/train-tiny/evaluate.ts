/** What the card says, measured on the shipped folder. */
import { createRandom } from "../../src/core/index.js";
import type { Model } from "../../src/model/index.js";
import { type BigramStreams, bigramBitsPerByte } from "./bigram.js";
import { heldOutTasks } from "./splits.js";
import { contextLength, openStream, openVocabulary, type TokenStream, vocabularySize } from "./vocabulary.js";

/** Losses per token of rows of equal length, `[row][slot]`. */
async function lossesOf(model: Model, rows: readonly (readonly number[])[]): Promise<readonly number[][]> {
  const run = await model.run(rows, { loss: true, logits: "none" });
  const [count, slots] = run.lossPerToken.shape;
  const data = Array.from(run.lossPerToken.data);
  run.release();
  return Array.from({ length: count }, (_, row) => data.slice(row * slots, (row + 1) * slots));
}

/**
 * Bits per byte of held-out text: windows of the context's length advance by half of it and score their second half (the
 * first window all of it), so every token but the first is scored once, with at least half a context before it.
 */
async function bitsPerByte(model: Model, { ids, bytes }: TokenStream): Promise<number> {
  const [half, batch] = [contextLength / 2, 8];
  const starts: number[] = [];
  for (let start = 0; start + half < ids.length; start += half) starts.push(start);
  let nats = 0;
  for (let i = 0; i < starts.length; i++) {
    const start = starts[i] ?? 0;
    const group = [start];
    // Windows of full length run together; what is left at the end runs alone.
    while (group.length < batch && (starts[i + 1] ?? ids.length) + contextLength <= ids.length)
      group.push(starts[++i] ?? 0);
    const rows = await lossesOf(
      model,
      group.map((from) => Array.from(ids.subarray(from, from + contextLength))),
    );
    rows.forEach((row, r) => {
      for (const loss of row.slice(group[r] === 0 ? 0 : half - 1)) nats += loss;
    });
  }
  return nats / Math.LN2 / bytes;
}

/** `<|endoftext|>`, 64 random ids, the same again: mean loss of each copy over 200 seeds, in nats. */
async function repeatLosses(model: Model, endId: number): Promise<readonly [first: number, second: number]> {
  const [size, seeds, batch] = [64, 200, 20];
  const sums = [0, 0];
  for (let seed = 0; seed < seeds; seed += batch) {
    const rows = Array.from({ length: batch }, (_, r) => {
      const random = createRandom(seed + r);
      const block = Array.from({ length: size }, () => random.int(0, endId));
      return [endId, ...block, ...block];
    });
    for (const row of await lossesOf(model, rows))
      row.forEach((loss, slot) => {
        const copy = slot < size ? 0 : 1;
        sums[copy] = (sums[copy] ?? 0) + loss / (size * seeds);
      });
  }
  return [sums[0] ?? Number.NaN, sums[1] ?? Number.NaN];
}

/** Accuracy on one kind of held-out prompt. */
export interface TaskFigures {
  readonly task: string;
  readonly heldOut: string;
  readonly chance: string;
  readonly prompts: number;
  /** Share of prompts whose most likely next token is right. */
  readonly accuracy: number;
  /** Share of prompts whose answer beats its wrong answer; 0.5 by chance. */
  readonly preference: number;
}

async function taskFigures(model: Model): Promise<readonly TaskFigures[]> {
  const figures: TaskFigures[] = [];
  for (const { task, heldOut, chance, make } of heldOutTasks) {
    const pairs = make(model, { n: 200, seed: 2 });
    const { accuracy, preference } = pairs.score((await model.run(pairs.clean, { logits: "last" })).logits);
    figures.push({ task, heldOut, chance, prompts: pairs.length, accuracy, preference });
  }
  return figures;
}

/** Every figure of a card. */
export interface Figures {
  readonly testBytes: number;
  readonly testTokens: number;
  readonly bitsPerByte: number;
  readonly bigramBitsPerByte: number;
  readonly repeats: readonly [first: number, second: number];
  readonly tasks: readonly TaskFigures[];
}

/** Opens the parts of the corpus. */
async function openStreams(): Promise<BigramStreams> {
  const tokenizer = await openVocabulary();
  const [train, tune, test] = [
    await openStream("train", tokenizer),
    await openStream("tune", tokenizer),
    await openStream("test", tokenizer),
  ];
  return { train, tune, test };
}

/** Measures a model. */
export async function measure(model: Model): Promise<Figures> {
  const streams = await openStreams();
  return {
    testBytes: streams.test.bytes,
    testTokens: streams.test.ids.length - 1,
    bitsPerByte: await bitsPerByte(model, streams.test),
    bigramBitsPerByte: bigramBitsPerByte(streams, vocabularySize),
    repeats: await repeatLosses(model, vocabularySize - 1),
    tasks: await taskFigures(model),
  };
}
