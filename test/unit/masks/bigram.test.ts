/** Bigram tables against counting by hand. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { writeSafetensors } from "../../../src/io/index.js";
import { BigramTable, countBigrams, openBigrams, saveBigrams } from "../../../src/masks/index.js";
import { Tensor } from "../../../src/tensor/index.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-bigrams-"));
afterAll(() => rmSync(folder, { recursive: true }));

const rows = [
  [0, 1, 2, 1, 2],
  [2, 2, 1],
];

const sequencesOf7 = fc.array(fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 8,
});

test("counts are those of a double loop, and probabilities of every context sum to 1", async () => {
  await fc.assert(
    fc.asyncProperty(sequencesOf7, async (sequences) => {
      const size = 7;
      const table = await countBigrams(sequences, { vocabulary: size });
      const expected = Array.from({ length: size + 1 }, () => new Array<number>(size).fill(0));
      for (const sequence of sequences)
        sequence.forEach((token, i) => {
          const own = expected[i === 0 ? size : (sequence[i - 1] ?? 0)];
          if (own !== undefined) own[token] = (own[token] ?? 0) + 1;
        });
      for (let context = 0; context <= size; context++)
        for (let next = 0; next < size; next++) expect(table.count(context, next)).toBe(expected[context]?.[next]);
      const contexts = Array.from({ length: size + 1 }, (_, c) => c);
      for (const smoothing of ["backOff", { add: 0.5 }, { interpolate: 0.25 }] as const) {
        const smoothed = table.smoothed(smoothing);
        const out = new Float32Array((size + 1) * size);
        smoothed.fill(contexts, out);
        for (const context of contexts) {
          const own = out.subarray(context * size, (context + 1) * size);
          expect(own.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
          own.forEach((p, next) => {
            expect(p).toBeCloseTo(smoothed.probability(context, next), 6);
          });
        }
      }
    }),
    { numRuns: 40 },
  );
});

describe("probabilities", () => {
  test("are maximum likelihood, the unigram after contexts that were not seen, and infinite surprise for pairs", async () => {
    const table = await countBigrams(rows, { vocabulary: 4 });
    expect(table.tokens).toBe(8);
    expect(table.probability(1, 2)).toBe(1);
    expect(table.probability(2, 1)).toBeCloseTo(2 / 3, 12);
    expect(table.surprisal(2, 1)).toBeCloseTo(Math.log2(3 / 2), 12);
    expect(table.surprisal(1, 0)).toBe(Number.POSITIVE_INFINITY);
    expect(table.probability(3, 2)).toBeCloseTo(4 / 8, 12);
    expect(table.probability(table.start, 0)).toBe(0.5);
    const unigram = new Float32Array(8);
    table.asUnigram().fill([0, 3], unigram);
    expect([...unigram]).toEqual([1 / 8, 3 / 8, 4 / 8, 0, 1 / 8, 3 / 8, 4 / 8, 0]);
    expect(table.smoothed({ add: 1 }).probability(1, 0)).toBeCloseTo(1 / 6, 12);
    expect(table.smoothed({ interpolate: 0.5 }).probability(1, 0)).toBeCloseTo(1 / 16, 12);
    expect(String(table)).toContain("8 pairs");
  });

  test("survive a file", async () => {
    const path = join(folder, "counts.safetensors");
    const table = await countBigrams(rows, { vocabulary: 4 });
    await saveBigrams(path, table);
    const again = await openBigrams(path, { add: 1 });
    expect(again.counts).toEqual(table.counts);
    expect(again.smoothing).toEqual({ add: 1 });
    await writeSafetensors(path, { x: Tensor.of(new Float32Array(1), [1]) });
    await expect(openBigrams(path)).rejects.toThrow("expected limpid.bigrams.v1");
  });

  test("more pairs than one chunk are merged", async () => {
    const long = Int32Array.from({ length: 3_000_000 }, (_, i) => (i * i) % 50);
    const table = await countBigrams([long, long], { vocabulary: 50 });
    expect(table.tokens).toBe(6_000_000);
    let seen = 0;
    for (let i = 1; i < long.length; i++) if (long[i - 1] === 1 && long[i] === 4) seen++;
    expect(table.count(1, 4)).toBe(2 * seen);
  });

  test("nothing, strange ids and strange smoothing are refused", async () => {
    await expect(countBigrams([], { vocabulary: 4 })).rejects.toThrow("countBigrams: got no token");
    await expect(countBigrams([[0, 4]], { vocabulary: 4 })).rejects.toThrow(
      "countBigrams: sequence 0, position 1: got token id 4",
    );
    const table = await countBigrams(rows, { vocabulary: 4 });
    expect(() => table.probability(5, 0)).toThrow("bigram table: got token 0 after 5");
    expect(() => new BigramTable(table.counts, { interpolate: 2 })).toThrow("bigram table: smoothing");
    expect(() => table.smoothed({ add: 0 })).toThrow('got {"add":0}; expected { add: more than 0 }');
  });

  test("counts know the text that they were made from", async () => {
    const [table, same] = [await countBigrams(rows, { vocabulary: 4 }), await countBigrams(rows, { vocabulary: 4 })];
    // The same tokens, cut elsewhere, are another text: pairs across the cut do not count.
    const other = await countBigrams([rows.flat()], { vocabulary: 4 });
    expect(table.corpus).toMatch(/^[0-9a-f]{64}$/);
    expect(same.corpus).toBe(table.corpus);
    expect(other.corpus).not.toBe(table.corpus);
    const path = join(folder, "corpus.safetensors");
    await saveBigrams(path, table);
    const again = await openBigrams(path, { add: 1 });
    expect(again.corpus).toBe(table.corpus);
    expect(String(again)).toContain(`text ${String(table.corpus).slice(0, 8)}`);
  });
});
