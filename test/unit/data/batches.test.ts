import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { InputError } from "../../../src/core/index.js";
import { data } from "../../../src/data/index.js";
import type { ModelInput } from "../../../src/model/index.js";
import { collect, expectWellFormed, ids, letters, realRows, refusal } from "./support.js";

const texts = data.text(["abc", "defgh", "i"]);
const bosFirst = letters({ bos: true });

describe("packing", () => {
  it("puts documents one after another with the tokenizer's own BOS between them", async () => {
    const batches = await collect(texts.pack(bosFirst, { contextLength: 4, batchTokens: 8 }));
    expect(batches.map(({ tokens }) => tokens.map((row) => Array.from(row)))).toEqual([
      [
        [1, ...ids("abc")],
        [1, ...ids("def")],
      ],
      [[...ids("gh"), 1, ...ids("i")]],
    ]);
    batches.forEach(expectWellFormed);
  });

  it("records which document stands where, and from which of its tokens on", async () => {
    const [first, second] = await collect(texts.pack(bosFirst, { contextLength: 4, batchTokens: 8 }));
    expect(first?.segments[1]).toEqual([
      { document: 1, place: "data.text: document 1", value: { text: "defgh" }, start: 0, end: 4, offset: 0 },
    ]);
    expect(second?.segments[0]?.map(({ document, start, end, offset }) => [document, start, end, offset])).toEqual([
      [1, 0, 2, 4],
      [2, 2, 4, 0],
    ]);
    expect(Array.from(second?.segmentIds[0] ?? [])).toEqual([0, 0, 1, 1]);
  });

  it("pads the last short row on the right and masks it, or drops it on request, and counts either", async () => {
    const padded = data.text(["abc", "d"]).pack(letters(), { contextLength: 4, batchTokens: 4 });
    const batches = await collect(padded);
    expect(batches.map(({ attentionMask }) => attentionMask)).toEqual([undefined, [[1, 1, 0, 0]]]);
    expect(realRows(batches)).toEqual([
      [...ids("abc"), 2],
      [...ids("d"), 2],
    ]);
    expect(await padded.report()).toMatchObject({ documents: 2, rows: 2, tokens: 6, paddingSlots: 2, droppedRows: 0 });
    const dropped = data.text(["abc", "d"]).pack(letters(), { contextLength: 4, batchTokens: 4, lastRow: "drop" });
    expect(realRows(await collect(dropped))).toEqual([[...ids("abc"), 2]]);
    expect(await dropped.report()).toMatchObject({ rows: 1, tokens: 4, droppedRows: 1, droppedTokens: 2 });
  });

  it("ends texts with EOS when nothing else marks where one begins", async () => {
    expect(realRows(await collect(data.text(["a", "b"]).pack(letters(), { contextLength: 8 })))).toEqual([
      [...ids("a"), 2, ...ids("b"), 2],
    ]);
    const options = { contextLength: 8, eos: false };
    expect(realRows(await collect(data.text(["a", "b"]).pack(letters(), options)))).toEqual([ids("ab")]);
    const both = { contextLength: 8, eos: true };
    expect(realRows(await collect(data.text(["a", "b"]).pack(bosFirst, both)))).toEqual([
      [1, ...ids("a"), 2, 1, ...ids("b"), 2],
    ]);
    const separator = { contextLength: 8, separator: [7, 8] };
    expect(realRows(await collect(data.text(["a", "b"]).pack(letters(), separator)))).toEqual([
      [...ids("a"), 7, 8, ...ids("b"), 7, 8],
    ]);
  });

  it("puts BOS in front of rows, never twice", async () => {
    const rows = await collect(data.text(["abc", "de"]).pack(letters(), { contextLength: 4, bos: "row", eos: false }));
    expect(realRows(rows)).toEqual([
      [1, ...ids("abc")],
      [1, ...ids("de")],
    ]);
    rows.forEach(expectWellFormed);
    const own = await collect(
      data
        .tokens([
          [1, 5, 6],
          [1, 7],
        ])
        .pack(letters(), { contextLength: 3, bos: "row" }),
    );
    expect(realRows(own)).toEqual([
      [1, 5, 6],
      [1, 7],
    ]);
  });

  it("leaves token ids as they are unless asked", async () => {
    const stream = data.tokens([
      [5, 6, 7],
      [8, 9],
    ]);
    expect(realRows(await collect(stream.pack(undefined, { contextLength: 5 })))).toEqual([[5, 6, 7, 8, 9]]);
    expect(realRows(await collect(stream.pack(bosFirst, { contextLength: 5 })))).toEqual([[5, 6, 7, 8, 9]]);
    expect(realRows(await collect(stream.pack(bosFirst, { contextLength: 7, bos: "document" })))).toEqual([
      [1, 5, 6, 7, 1, 8, 9],
    ]);
    expect(realRows(await collect(stream.pack(letters(), { contextLength: 7, eos: true })))).toEqual([
      [5, 6, 7, 2, 8, 9, 2],
    ]);
  });

  it("takes the row length from a model's context, at most 1,024", async () => {
    const model = (nCtx: number) => ({ tokenizer: letters(), config: { nCtx } });
    const lengths = await Promise.all(
      [3, 5000].map(async (nCtx) => (await collect(texts.pack(model(nCtx))))[0]?.tokens[0]?.length),
    );
    expect(lengths).toEqual([3, 1024]);
  });

  it("leaves empty documents out and counts them", async () => {
    const batches = data.text(["", "a", ""]).pack(bosFirst, { contextLength: 4 });
    expect(realRows(await collect(batches))).toEqual([[1, ...ids("a")]]);
    expect(await batches.report()).toMatchObject({ documents: 3, emptyDocuments: 2 });
  });
});

describe("padding", () => {
  it("gives each document a row, padded to the longest of its batch", async () => {
    const batches = await collect(texts.pad(letters(), { batchTokens: 10 }));
    expect(batches.map(({ tokens }) => tokens.map((row) => row.length))).toEqual([[5, 5], [1]]);
    expect(batches[0]?.attentionMask).toEqual([
      [1, 1, 1, 0, 0],
      [1, 1, 1, 1, 1],
    ]);
    expect(realRows(batches)).toEqual(["abc", "defgh", "i"].map(ids));
    batches.forEach(expectWellFormed);
  });

  it("pads on the left on request, with an id that is not BOS", async () => {
    const gpt2 = { bosId: 2, eosId: 2, encode: (text: string) => ({ ids: ids(text) }) };
    const [batch] = await collect(texts.pad(gpt2, { batchTokens: 100, side: "left" }));
    expect(Array.from(batch?.tokens[0] ?? [])).toEqual([0, 0, ...ids("abc")]);
    expect(batch?.attentionMask?.[0]).toEqual([0, 0, 1, 1, 1]);
    expect(batch?.segments[0]).toMatchObject([{ start: 2, end: 5, offset: 0 }]);
    expectWellFormed(batch as NonNullable<typeof batch>);
  });

  it("never exceeds the slots that a batch may have", async () => {
    const many = data.text(Array.from({ length: 50 }, (_, i) => "a".repeat(1 + ((i * 7) % 13))));
    for (const sortByLength of [false, true]) {
      const batches = await collect(many.pad(letters(), { batchTokens: 40, sortByLength }));
      for (const { tokens } of batches) expect(tokens.length * (tokens[0]?.length ?? 0)).toBeLessThanOrEqual(40);
      expect(
        batches.flatMap(({ segments }) => segments.flat().map(({ document }) => document)).toSorted((a, b) => a - b),
      ).toEqual(Array.from({ length: 50 }, (_, i) => i));
    }
  });

  it("pads less when documents are brought together by length", async () => {
    const many = data.text(Array.from({ length: 60 }, (_, i) => "a".repeat(1 + ((i * 7) % 13))));
    const plain = await many.pad(letters(), { batchTokens: 40 }).report();
    const sorted = await many.pad(letters(), { batchTokens: 40, sortByLength: true }).report();
    expect(sorted.tokens).toBe(plain.tokens);
    expect(sorted.paddingSlots).toBeLessThan(plain.paddingSlots / 3);
  });

  it("cuts long documents and counts what is lost, or splits them, or refuses them", async () => {
    const long = data.text(["abcdefg", "hi"]);
    const cut = long.pad(bosFirst, { maxLength: 4, batchTokens: 100 });
    expect(realRows(await collect(cut))).toEqual([
      [1, ...ids("abc")],
      [1, ...ids("hi")],
    ]);
    expect(await cut.report()).toMatchObject({ truncatedDocuments: 1, truncatedTokens: 4, tokens: 7 });
    const split = await collect(long.pad(bosFirst, { maxLength: 4, batchTokens: 100, long: "split" }));
    expect(realRows(split)).toEqual([
      [1, ...ids("abc")],
      [1, ...ids("def")],
      [1, ...ids("g")],
      [1, ...ids("hi")],
    ]);
    expect(split[0]?.segments[1]).toMatchObject([{ document: 0, start: 1, end: 4, offset: 4 }]);
    const refused = collect(long.pad(letters(), { maxLength: 4, batchTokens: 100, long: "error" }));
    expect((await refusal(refused, "TOKEN")).message).toBe(
      'data.text: document 0: got 7 tokens; expected at most 4. Pass { long: "truncate" } or { long: "split" }, or leave the document out with filter.',
    );
  });

  it("follows the tokenizer's habit of BOS, or what is asked", async () => {
    const first = async (prependBos: boolean | undefined): Promise<number[] | undefined> =>
      realRows(await collect(data.text(["a"]).pad(bosFirst, prependBos === undefined ? {} : { prependBos })))[0];
    expect(await first(undefined)).toEqual([1, ...ids("a")]);
    expect(await first(false)).toEqual(ids("a"));
    expect(realRows(await collect(data.text(["a"]).pad(letters(), { prependBos: true })))).toEqual([[1, ...ids("a")]]);
    expect(realRows(await collect(data.tokens([[1, 5], [6]]).pad(letters(), { prependBos: true })))).toEqual([
      [1, 5],
      [1, 6],
    ]);
  });
});

describe("batches", () => {
  const packed = texts.pack(bosFirst, { contextLength: 3, batchTokens: 3 });

  it("are model inputs", async () => {
    const inputs: AsyncIterable<ModelInput> = packed;
    expect((await collect(inputs)).length).toBe(4);
  });

  it("start at any of them with the same contents and numbers", async () => {
    const all = await collect(packed);
    for (const first of [0, 1, 3]) expect(await collect(packed.startAt(first))).toEqual(all.slice(first));
  });

  it("report without a pass of the caller's own, and after one for nothing", async () => {
    const report = await texts.pack(bosFirst, { contextLength: 3, batchTokens: 3 }).report();
    await collect(packed);
    expect(await packed.report()).toEqual(report);
    expect(report).toMatchObject({ documents: 3, batches: 4, rows: 4, tokens: 12, paddingSlots: 0 });
  });

  it("carry labels to the rows", async () => {
    const labelled = data.labelled([
      { text: "a", label: "good" },
      { tokens: [4, 5], label: "bad" },
    ]);
    const [batch] = await collect(labelled.pad(letters()));
    expect(batch?.segments.map((row) => row[0]?.value.label)).toEqual(["good", "bad"]);
  });

  it("stop at an aborted signal", async () => {
    const aborted = packed.iterate({ signal: AbortSignal.abort() });
    await refusal(collect(aborted), "ABORTED");
  });

  it("say in words what they are", () => {
    expect(inspect(packed)).toBe('Batches: 3 documents of data.text, packed {"contextLength":3,"batchTokens":3}');
  });
});

describe("batching refuses", () => {
  const model = { tokenizer: letters(), config: { nCtx: 8 } };
  const without = (error: Error) => ({
    config: { nCtx: 8 },
    get tokenizer(): never {
      throw error;
    },
  });
  const none = new InputError({ where: "model.tokenizer", got: "none", expected: "one", fix: "Pass ids." });

  it("texts for a model without a tokenizer, whose error it passes on, but takes token ids", async () => {
    expect(await refusal(collect(texts.pack(without(none))), "INPUT")).toBe(none);
    expect(realRows(await collect(data.tokens([[3, 4]]).pack(without(none))))).toEqual([[3, 4]]);
    await expect(collect(data.tokens([[3]]).pack(without(new TypeError("broken"))))).rejects.toThrow(TypeError);
  });

  it.each<[string, () => unknown, "INPUT" | "TOKEN", string]>([
    [
      "rows longer than the context",
      () => texts.pack(model, { contextLength: 9 }),
      "INPUT",
      "dataset.pack: contextLength: got 9; expected a whole number from 2 to 8, the model's context. Say how many tokens a row holds, such as { contextLength: 256 }.",
    ],
    [
      "rows of unknown length",
      () => texts.pack(letters()),
      "INPUT",
      "dataset.pack: contextLength: got undefined; expected a whole number of tokens, at least 2.",
    ],
    [
      "batches shorter than a row",
      () => texts.pack(letters(), { contextLength: 8, batchTokens: 7 }),
      "INPUT",
      "dataset.pack: batchTokens: got 7; expected at least 8, the tokens of one row. Raise batchTokens, or make rows shorter with contextLength.",
    ],
    [
      "padded rows longer than the context",
      () => texts.pad(model, { maxLength: 9 }),
      "INPUT",
      "dataset.pad: maxLength: got 9; expected a whole number from 1 to 8, the model's context.",
    ],
    [
      "padded rows longer than a batch",
      () => texts.pad(letters(), { maxLength: 9, batchTokens: 5 }),
      "INPUT",
      "expected a whole number from 1 to 5, batchTokens.",
    ],
    [
      "text without a tokenizer",
      () => collect(texts.pack(undefined, { contextLength: 4 })),
      "INPUT",
      "data.text: document 0: got a text and no tokenizer; expected a model or a tokenizer to encode it with. Pass the model: dataset.pack(model, options).",
    ],
    [
      "BOS of a tokenizer without one",
      () => collect(texts.pack({ encode: () => ({ ids: [3] }) }, { contextLength: 4, bos: "document" })),
      "TOKEN",
      "dataset.pack: bos: got BOS asked of a tokenizer that has none; expected a tokenizer with a BOS token.",
    ],
    [
      "row BOS without a tokenizer",
      () => collect(data.tokens([[3]]).pack(undefined, { contextLength: 4, bos: "row" })),
      "TOKEN",
      "got BOS asked for without a tokenizer",
    ],
    [
      "BOS for ids without a tokenizer",
      () => collect(data.tokens([[3]]).pad(undefined, { prependBos: true })),
      "TOKEN",
      "data.tokens: document 0: got BOS asked for without a tokenizer",
    ],
    [
      "EOS of a tokenizer without one",
      () => collect(texts.pack({ encode: () => ({ ids: [3] }) }, { contextLength: 4, eos: true })),
      "TOKEN",
      "dataset.pack: eos: got true, without a tokenizer that has an EOS token",
    ],
    [
      "BOS and EOS that are one token",
      () => collect(texts.pack({ ...letters(), eosId: 1 }, { contextLength: 4, bos: "document", eos: true })),
      "TOKEN",
      "got EOS after and BOS before every document, which are the same token 1; expected one of them.",
    ],
    [
      "documents without text or tokens",
      () => collect(data.table([{ q: "a" }]).pad(letters())),
      "INPUT",
      'data.table: document 0: got an object with "q"; expected a string, or an object with either `text` or `tokens` (whole numbers). Choose the field with dataset.map((row) => ({ text: row.question })).',
    ],
    [
      "documents with both",
      () => collect(data.table([{ text: "a", tokens: [1] }]).pad(letters())),
      "INPUT",
      'got an object with "text", "tokens"',
    ],
    ["documents that are numbers", () => collect(texts.map(() => 3).pad(letters())), "INPUT", "got number"],
    [
      "data that are empty documents only",
      () => collect(data.text([""]).pad(letters())),
      "INPUT",
      'got 1 documents without a row (1 empty, 0 tokens dropped); expected at least one row. Check the texts; a short last row is kept with lastRow: "pad".',
    ],
    [
      "data that were dropped whole",
      () => collect(data.text(["a"]).pack(letters(), { contextLength: 4, lastRow: "drop" })),
      "INPUT",
      "got 1 documents without a row (0 empty, 2 tokens dropped)",
    ],
    [
      "a start after the end",
      () => collect(texts.pad(letters()).startAt(1)),
      "INPUT",
      "batches.startAt: got batch 1 of 1; expected a number below 1. The data have fewer batches; the run is finished.",
    ],
    [
      "a start that is no number",
      () => texts.pad(letters()).startAt(-1),
      "INPUT",
      "batches.startAt: got -1; expected the number of a batch, zero or more.",
    ],
  ])("%s", async (_what, work, code, message) => {
    expect((await refusal(work, code)).message).toContain(message);
  });
});
