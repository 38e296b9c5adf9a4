/** Laws of datasets and batches over arbitrary documents. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { data } from "../../src/data/index.js";
import { collect, expectWellFormed, realRows } from "../unit/data/support.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-data-property-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function file(ending: string, content: string | Uint8Array): string {
  const path = join(folder, `${files++}${ending}`);
  writeFileSync(path, content);
  return path;
}

/** Documents of ids from 10; 1 and 2 stay free for BOS and EOS. */
const documents = fc.array(fc.array(fc.integer({ min: 10, max: 99 }), { maxLength: 30 }), {
  minLength: 1,
  maxLength: 12,
});
const tokenizer = { bosId: 1, eosId: 2, encode: () => ({ ids: [] }) };
const hasTokens = (list: readonly (readonly number[])[]): boolean => list.some((document) => document.length > 0);

describe("packing", () => {
  it("loses and adds nothing: rows joined are the documents joined", async () => {
    const options = fc.record({
      contextLength: fc.integer({ min: 2, max: 20 }),
      rows: fc.integer({ min: 1, max: 4 }),
      eos: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(documents.filter(hasTokens), options, async (list, { contextLength, rows, eos }) => {
        const batches = data.tokens(list).pack(tokenizer, { contextLength, batchTokens: rows * contextLength, eos });
        const made = await collect(batches);
        made.forEach(expectWellFormed);
        const expected = list.flatMap((document) => (document.length === 0 ? [] : [...document, ...(eos ? [2] : [])]));
        expect(realRows(made).flat()).toEqual(expected);
        const full = realRows(made).slice(0, -1);
        expect(full.every((row) => row.length === contextLength)).toBe(true);
        for (const { tokens } of made) expect(tokens.length).toBeLessThanOrEqual(rows);
        const report = await batches.report();
        expect(report.tokens).toBe(expected.length);
        expect(report.emptyDocuments).toBe(list.filter((document) => document.length === 0).length);
      }),
    );
  });

  it("can be undone by the segments it records", async () => {
    await fc.assert(
      fc.asyncProperty(
        documents.filter(hasTokens),
        fc.integer({ min: 2, max: 9 }),
        fc.boolean(),
        async (list, contextLength, rowBos) => {
          const batches = data.tokens(list).pack(tokenizer, { contextLength, bos: rowBos ? "row" : "none" });
          const found = list.map((): number[] => []);
          for await (const { tokens, segments } of batches) {
            segments.forEach((row, r) => {
              for (const { document, start, end, offset } of row) {
                expect(found[document]?.length).toBe(offset);
                found[document]?.push(...(tokens[r]?.subarray(start, end) ?? []));
              }
              if (rowBos) expect(tokens[r]?.[0]).toBe(1);
            });
          }
          expect(found).toEqual(list);
        },
      ),
    );
  });

  it("starts at any batch with what the whole pass gives there", async () => {
    await fc.assert(
      fc.asyncProperty(documents.filter(hasTokens), fc.nat(30), async (list, first) => {
        const batches = data.tokens(list).pack(tokenizer, { contextLength: 3, batchTokens: 6 });
        const all = await collect(batches);
        fc.pre(first < all.length);
        expect(await collect(batches.startAt(first))).toEqual(all.slice(first));
      }),
    );
  });
});

describe("padding", () => {
  it("keeps every document in one row, within the size of a batch, in any order of lengths", async () => {
    const options = fc.record({
      side: fc.constantFrom("left" as const, "right" as const),
      sortByLength: fc.boolean(),
      batchTokens: fc.integer({ min: 30, max: 90 }),
    });
    await fc.assert(
      fc.asyncProperty(documents.filter(hasTokens), options, async (list, { side, sortByLength, batchTokens }) => {
        const made = await collect(
          data.tokens(list).pad(tokenizer, { side, sortByLength, batchTokens, maxLength: 30 }),
        );
        made.forEach(expectWellFormed);
        const rows = realRows(made);
        const order = made.flatMap(({ segments }) => segments.map((row) => row[0]?.document ?? -1));
        expect(order.map((document) => list[document])).toEqual(rows);
        expect(order.toSorted((a, b) => a - b)).toEqual(
          list.flatMap((document, i) => (document.length === 0 ? [] : [i])),
        );
        for (const { tokens } of made)
          expect(tokens.length * (tokens[0]?.length ?? 0)).toBeLessThanOrEqual(batchTokens);
      }),
    );
  });

  it("splits long documents into rows that joined are the document", async () => {
    await fc.assert(
      fc.asyncProperty(documents.filter(hasTokens), fc.integer({ min: 1, max: 12 }), async (list, maxLength) => {
        const batches = data.tokens(list).pad(tokenizer, { maxLength, batchTokens: 12, long: "split" });
        expect(realRows(await collect(batches)).flat()).toEqual(list.flat());
        const cut = await data.tokens(list).pad(tokenizer, { maxLength, batchTokens: 12 }).report();
        expect(cut.tokens + cut.truncatedTokens).toBe(list.flat().length);
      }),
    );
  });
});

describe("datasets", () => {
  const counts = fc.integer({ min: 1, max: 200 });
  const seeds = fc.integer();

  it("are shuffled to permutations", async () => {
    await fc.assert(
      fc.asyncProperty(counts, seeds, async (count, seed) => {
        const rows = Array.from({ length: count }, (_, n) => ({ n }));
        const order = (await data.table(rows).shuffle(seed).toArray()).map(({ n }) => n);
        expect(order.toSorted((a, b) => a - b)).toEqual(rows.map(({ n }) => n));
      }),
    );
  });

  it("are split into disjoint parts that are everything, and that appending leaves alone", async () => {
    await fc.assert(
      fc.asyncProperty(counts, counts, seeds, fc.integer({ min: 1, max: 99 }), async (count, more, seed, percent) => {
        const parts = { a: percent / 100, b: 1 - percent / 100 };
        const read = async (length: number): Promise<readonly (readonly number[])[]> => {
          const { a, b } = data.table(Array.from({ length }, (_, n) => ({ n }))).split(parts, { seed });
          // A part may be empty; reading it is an error then.
          const lists = await Promise.all([a, b].map((part) => part.toArray().catch(() => [])));
          return lists.map((list) => list.map(({ n }) => n));
        };
        const [before, after] = [await read(count), await read(count + more)];
        expect(before.flat().toSorted((x, y) => x - y)).toEqual(Array.from({ length: count }, (_, n) => n));
        expect(after.map((list) => list.filter((n) => n < count))).toEqual(before);
      }),
    );
  });
});

describe("files", () => {
  const field = fc.string({ unit: fc.constantFrom("a", "é", '"', ",", "\n", "\r\n", " ", ";", "🙂") });

  it("of comma-separated values give back what a writer quoted", async () => {
    const table = fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 8 });
    const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    await fc.assert(
      fc.asyncProperty(table, fc.constantFrom("\n", "\r\n"), fc.boolean(), async (rows, end, hasLast) => {
        fc.pre(!rows.some(([a, b]) => a === "" && b.trim() === "" && !b.includes("\n")));
        const lines = [["x", "y"], ...rows].map((row) => row.map(quoted).join(",")).join(end);
        const dataset = data.table(file(".csv", `${lines}${hasLast ? end : ""}`));
        const expected = rows.map(([x, y]) => ({ x, y }));
        expect(await dataset.toArray()).toEqual(expected);
        expect((await dataset.shuffle(1).toArray()).length).toBe(expected.length);
      }),
      { numRuns: 60 },
    );
  });

  it("cut at a separator give what String.split gives, in order and by place", async () => {
    const text = fc
      .array(fc.constantFrom("a", "b", "<", "<|", "|>", "é", "\n", "<|e|>"))
      .map((parts) => parts.join(""));
    await fc.assert(
      fc.asyncProperty(text, async (content) => {
        const expected = content.split("<|e|>").filter((part) => part.trim() !== "");
        fc.pre(expected.length > 0);
        const dataset = data.text(file(".txt", content), { by: { separator: "<|e|>" } });
        const withoutReturn = (part: string): string => (part.endsWith("\r") ? part.slice(0, -1) : part);
        expect((await dataset.toArray()).map((document) => document.text)).toEqual(expected.map(withoutReturn));
        const byPlace = await dataset.shuffle(0).toArray();
        expect(byPlace.map((document) => document.text).toSorted()).toEqual(expected.toSorted());
      }),
      { numRuns: 60 },
    );
  });
});
