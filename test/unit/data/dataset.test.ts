import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { type Dataset, data } from "../../../src/data/index.js";
import { stratifiedFraction } from "../../../src/data/split.js";
import { fileWriter, refusal } from "./support.js";

const write = fileWriter();
const numbers = (count: number): Dataset<{ readonly n: number }> =>
  data.table(Array.from({ length: count }, (_, n) => ({ n })));
const values = async (dataset: Dataset<{ readonly n: number }>): Promise<number[]> =>
  (await dataset.toArray()).map(({ n }) => n);

describe("a dataset", () => {
  it("gives the same documents every time it is read", async () => {
    const dataset = numbers(5)
      .shuffle(7)
      .map(({ n }) => ({ n: 2 * n }));
    expect(await values(dataset)).toEqual(await values(dataset));
    const seen: number[] = [];
    for await (const { n } of dataset) seen.push(n);
    expect(seen).toEqual(await values(dataset));
  });

  it("filters, maps, takes and skips in the order that is written", async () => {
    const even = numbers(10).filter(({ n }) => n % 2 === 0);
    expect(await values(even)).toEqual([0, 2, 4, 6, 8]);
    expect(await values(even.skip(1).take(2))).toEqual([2, 4]);
    expect(
      await values(
        numbers(10)
          .take(4)
          .filter(({ n }) => n % 2 === 0),
      ),
    ).toEqual([0, 2]);
    expect(await values(even.map(async ({ n }, { index }) => Promise.resolve({ n: n + 100 * index })))).toEqual([
      0, 202, 404, 606, 808,
    ]);
    expect(await even.count()).toBe(5);
    expect(await even.skip(2).take(9).count()).toBe(3);
    expect(await values(numbers(3).take(0))).toEqual([]);
  });

  it("reaches the same documents in order and by place, through any chain", async () => {
    const chain = numbers(50)
      .filter(({ n }) => n % 3 !== 0)
      .map(({ n }) => ({ n: n + 1 }))
      .skip(2)
      .take(20);
    const inOrder = await values(chain);
    expect((await values(chain.shuffle(5))).toSorted((a, b) => a - b)).toEqual(inOrder);
    expect(await chain.shuffle(5).count()).toBe(inOrder.length);
  });

  it("keeps the place of a document through shuffles and filters", async () => {
    const path = write("kept.txt", "a\nb\nc\nd\n");
    const lines = data.text(path, { by: "line" });
    for await (const { index, place, value } of lines
      .shuffle(3)
      .filter(({ text }) => text !== "a")
      .entries()) {
      expect("abcd"[index]).toBe(value.text);
      expect(place).toBe(`${path}: line ${index + 1}`);
    }
  });

  it("is shuffled differently by different seeds and never twice the same by chance", async () => {
    const orders = await Promise.all(
      [0, 1, 2, 3].map(async (seed) => (await values(numbers(30).shuffle(seed))).join()),
    );
    expect(new Set(orders).size).toBe(4);
  });

  it("says in words what it is", () => {
    const dataset = numbers(3).shuffle(1).take(2);
    expect(inspect(dataset)).toBe("Dataset: 3 documents of data.table, shuffled by seed 1, documents 0 to 1");
  });

  it("stops at an aborted signal and reports progress", async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const reading = numbers(5).toArray({
      signal: controller.signal,
      onProgress: ({ done }) => {
        seen.push(done);
        if (done === 2) controller.abort();
      },
    });
    expect((await refusal(reading, "ABORTED")).message).toContain("got an aborted signal");
    expect(seen).toEqual([1, 2]);
  });
});

describe("a split", () => {
  it("has disjoint parts that together are everything, with the fractions wanted exactly, in whole hundreds", async () => {
    const { train, test, dev } = numbers(1000).split({ train: 0.8, test: 0.1, dev: 0.1 }, { seed: 4 });
    const parts = await Promise.all([train, test, dev].map(values));
    expect(parts.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, n) => n));
    parts.forEach((part, i) => {
      expect(part.length).toBe([800, 100, 100][i]);
    });
  });

  it("leaves every earlier document where it was when documents are appended", async () => {
    const parts = { train: 0.7, test: 0.3 };
    const before = await values(numbers(37).split(parts, { seed: 9 }).test);
    const after = await values(numbers(5000).split(parts, { seed: 9 }).test);
    expect(after.filter((n) => n < 37)).toEqual(before);
  });

  it("differs from seed to seed", async () => {
    const parts = { train: 0.5, test: 0.5 };
    const tests = await Promise.all(
      [0, 1, 2].map(async (seed) => (await values(numbers(64).split(parts, { seed }).test)).join()),
    );
    expect(new Set(tests).size).toBe(3);
  });

  it("keeps documents with equal keys together", async () => {
    const { train, test } = numbers(300).split({ train: 0.5, test: 0.5 }, { by: ({ n }) => String(n % 30) });
    const keys = async (part: Dataset<{ readonly n: number }>): Promise<Set<number>> =>
      new Set((await values(part)).map((n) => n % 30));
    const [left, right] = [await keys(train), await keys(test)];
    expect([...left].some((key) => right.has(key))).toBe(false);
    expect(left.size + right.size).toBe(30);
  });

  it("can be shuffled, and packed, like any dataset", async () => {
    const { test } = numbers(200).split({ train: 0.75, test: 0.25 });
    expect((await values(test.shuffle(1))).toSorted((a, b) => a - b)).toEqual(await values(test));
  });

  it("puts every ten documents into the ten tenths and every hundred into the hundredths", () => {
    for (const seed of [0, 1, 123_456_789_012]) {
      for (let start = 0; start < 300; start += 100) {
        const numbered = Array.from({ length: 100 }, (_, i) => stratifiedFraction(start + i, seed));
        const cells = numbered.map((u) => Math.floor(100 * u)).toSorted((a, b) => a - b);
        expect(cells).toEqual(Array.from({ length: 100 }, (_, i) => i));
        for (let ten = 0; ten < 100; ten += 10)
          expect(new Set(numbered.slice(ten, ten + 10).map((u) => Math.floor(10 * u))).size).toBe(10);
      }
    }
  });

  it("does not line up with pairs: even documents fall into either half as often as odd ones", () => {
    const even = Array.from({ length: 2000 }, (_, i) => stratifiedFraction(2 * i, 3) < 0.5).filter(Boolean).length;
    // Standard deviation of independent draws is 22, of stratified ones less.
    expect(Math.abs(even - 1000)).toBeLessThan(70);
  });

  it("gives every document a uniform number over the seeds", () => {
    const seeds = 4000;
    const buckets = new Array<number>(10).fill(0);
    for (let seed = 0; seed < seeds; seed++) {
      const cell = Math.floor(10 * stratifiedFraction(5, seed));
      buckets[cell] = (buckets[cell] ?? 0) + 1;
    }
    const chiSquared = buckets.reduce((sum, n) => sum + (n - seeds / 10) ** 2 / (seeds / 10), 0);
    // 27.88 is the 99.9 % point of chi-squared with 9 degrees of freedom; the seeds are fixed.
    expect(chiSquared).toBeLessThan(27.88);
  });
});

describe("a dataset refuses", () => {
  it.each<[string, () => unknown, string]>([
    [
      "a filter that nothing passed",
      () =>
        numbers(3)
          .filter(() => false)
          .toArray(),
      "dataset.filter of 3 documents of data.table: got a test that none of 3 documents passed; expected at least one document. Look at a document with await dataset.take(1).toArray() and correct the test.",
    ],
    [
      "such a filter before a shuffle",
      () =>
        numbers(3)
          .filter(() => false)
          .shuffle(0)
          .toArray(),
      "none of 3 documents passed",
    ],
    [
      "a part without a document",
      () => numbers(2).split({ train: 0.999, test: 0.001 }).test.toArray(),
      'dataset.split: part "test": got none of 2 documents; expected at least one document. Use more documents',
    ],
    [
      "fractions that do not sum to 1",
      () => numbers(2).split({ train: 0.9 }),
      'dataset.split: parts: got {"train":0.9}; expected at least one part, each with a fraction above 0, that sum to 1. Name every part, such as { train: 0.9, test: 0.1 }.',
    ],
    [
      "a seed that is no whole number",
      () => numbers(2).shuffle(0.5),
      "dataset.shuffle: seed: got 0.5; expected a safe integer. Pass a number such as 0.",
    ],
    [
      "a split seed that is none",
      () => numbers(2).split({ a: 1 }, { seed: Number.NaN }),
      "dataset.split: seed: got NaN",
    ],
    [
      "a negative count",
      () => numbers(2).take(-1),
      "dataset.take: got -1; expected a whole number of documents, zero or more. Pass a number such as 100.",
    ],
    ["a fraction to skip", () => numbers(2).skip(0.5), "dataset.skip: got 0.5"],
  ])("%s", async (_what, work, message) => {
    expect((await refusal(work, "INPUT")).message).toContain(message);
  });
});
