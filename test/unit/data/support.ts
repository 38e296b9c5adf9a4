/** Temporary folders, errors and a transparent tokenizer for the tests of datasets. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { type ErrorCode, isLimpidError, type LimpidError } from "../../../src/core/index.js";
import type { Batch, TokenizerLike } from "../../../src/data/index.js";

/** Returns a function that writes a file into a folder which is removed after the tests. */
export function fileWriter(): (name: string, content: string | Uint8Array) => string {
  const folder = mkdtempSync(join(tmpdir(), "limpid-data-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (name, content) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
}

/** Returns the error of a promise or function, which must be limpid's with this code. */
export async function refusal(work: (() => unknown) | Promise<unknown>, code: ErrorCode): Promise<LimpidError> {
  const error: unknown = await Promise.resolve()
    .then(typeof work === "function" ? work : () => work)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  if (isLimpidError(error, code)) return error;
  throw new Error(`expected a ${code} error, got ${String(error)}`);
}

/** Collects an async iterable. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** One token per character: BOS 1, EOS 2, "a" is 10. */
export function letters(habit: { readonly bos?: boolean } = {}): TokenizerLike {
  const own = habit.bos ?? false;
  return {
    bosId: 1,
    eosId: 2,
    prependsBos: own,
    encode: (text, { prependBos = own } = {}) => ({
      ids: [...(prependBos ? [1] : []), ...Array.from(text, (letter) => (letter.codePointAt(0) ?? 0) - 87)],
    }),
  };
}

/** Ids of text under {@link letters}, without BOS. */
export function ids(text: string): number[] {
  return Array.from(text, (letter) => (letter.codePointAt(0) ?? 0) - 87);
}

/** Rows of batches without their padding. */
export function realRows(batches: readonly Batch<unknown>[]): number[][] {
  return batches.flatMap(({ tokens, attentionMask }) =>
    tokens.map((row, r) => Array.from(row).filter((_id, p) => (attentionMask?.[r]?.[p] ?? 1) === 1)),
  );
}

/** Asserts that a batch is well formed: equal rows, masks and segments that agree. */
export function expectWellFormed(batch: Batch<unknown>): void {
  const length = batch.tokens[0]?.length ?? 0;
  let real = 0;
  batch.tokens.forEach((row, r) => {
    expect(row.length).toBe(length);
    const mask = batch.attentionMask?.[r] ?? Array.from({ length }, () => 1);
    expect(mask).toHaveLength(length);
    real += mask.filter((x) => x === 1).length;
    const segmentIds = batch.segmentIds[r] ?? [];
    mask.forEach((isReal, p) => expect((segmentIds[p] ?? -1) >= 0).toBe(isReal === 1));
    for (const [i, { start, end }] of (batch.segments[r] ?? []).entries())
      for (let p = start; p < end; p++) expect(segmentIds[p]).toBe(i);
  });
  expect(batch.tokenCount).toBe(real);
}
