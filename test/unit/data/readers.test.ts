import { describe, expect, it } from "vitest";
import { data } from "../../../src/data/index.js";
import { writeNpy, writeSafetensors } from "../../../src/io/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { collect, fileWriter, refusal } from "./support.js";

const write = fileWriter();

describe("plain text", () => {
  const text = "first line\r\nsecond\n\n  \nthird é\nfourth";

  it("is one document unless told otherwise, byte for byte", async () => {
    expect(await data.text(write("whole.txt", text)).toArray()).toEqual([{ text }]);
    expect(await data.file(write("whole2.txt", `${text}\n`)).toArray()).toEqual([{ text: `${text}\n` }]);
  });

  it("is cut at lines, paragraphs or a separator", async () => {
    const path = write("cut.txt", text);
    expect(await data.text(path, { by: "line" }).toArray()).toEqual(
      ["first line", "second", "third é", "fourth"].map((line) => ({ text: line })),
    );
    expect(await data.text(path, { by: "paragraph" }).toArray()).toEqual([
      { text: "first line\r\nsecond" },
      { text: "third é\nfourth" },
    ]);
    const separated = write("separated.txt", "one\ntwo<|end|>three<|end|>\n<|end|>four");
    expect(await data.text(separated, { by: { separator: "<|end|>" } }).toArray()).toEqual([
      { text: "one\ntwo" },
      { text: "three" },
      { text: "four" },
    ]);
  });

  it("loses a byte-order mark at the start of the file and nowhere else", async () => {
    const path = write("bom.txt", "\uFEFFa\n\uFEFFb");
    expect(await data.text(path, { by: "line" }).toArray()).toEqual([{ text: "a" }, { text: "\uFEFFb" }]);
  });

  it("finds delimiters across the borders of what is read at a time", async () => {
    const documents = Array.from({ length: 60 }, (_, i) => `${"é".repeat(9001 + i)}${i}`);
    const path = write("long.txt", documents.join("<|end|>"));
    const dataset = data.text(path, { by: { separator: "<|end|>" } });
    expect((await dataset.toArray()).map((document) => document.text)).toEqual(documents);
    const shuffled = (await dataset.shuffle(1).toArray()).map((document) => document.text);
    expect(shuffled).not.toEqual(documents);
    expect(shuffled.toSorted()).toEqual(documents.toSorted());
  });

  it.each([1, 4, 6])("finds a separator that is cut after its byte %i by the end of a read", async (cut) => {
    const first = "a".repeat(128 * 1024 - cut);
    const dataset = data.text(write(`cut-${cut}.txt`, `${first}<|end|>second`), { by: { separator: "<|end|>" } });
    expect((await dataset.toArray()).map(({ text: found }) => found.length)).toEqual([first.length, 6]);
    expect(await dataset.count()).toBe(2);
  });

  it("knows the line of each document", async () => {
    const entries = await collect(data.text(write("lines.txt", text), { by: "paragraph" }).entries());
    expect(entries.map(({ index, place }) => [index, place.split(": ").at(-1)])).toEqual([
      [0, "line 1"],
      [1, "line 5"],
    ]);
  });
});

describe("JSON", () => {
  it("is read line by line with the field that is named, and the rest as a row", async () => {
    const path = write("rows.jsonl", '{"text":"a","n":1}\n\n{"text":"b","ids":[3,4]}\r\n');
    expect(await data.file(path).toArray()).toEqual([
      { text: "a", row: { text: "a", n: 1 } },
      { text: "b", row: { text: "b", ids: [3, 4] } },
    ]);
    const second = await data
      .file(path, "ids")
      .skip(1)
      .toArray()
      .catch(() => undefined);
    expect(second).toBeUndefined();
  });

  it("holds texts, objects or token ids in a list", async () => {
    expect(await data.file(write("texts.json", '["a","b"]')).toArray()).toEqual([{ text: "a" }, { text: "b" }]);
    expect(await data.file(write("objects.json", '[{"q":"a"}]'), "q").toArray()).toEqual([
      { text: "a", row: { q: "a" } },
    ]);
    expect(await data.file(write("ids.json", "[[1,2],[3]]")).toArray()).toEqual([
      { tokens: Int32Array.of(1, 2) },
      { tokens: Int32Array.of(3) },
    ]);
    expect(await data.file(write("field.json", '[{"x":[5]}]'), "x").toArray()).toMatchObject([
      { tokens: Int32Array.of(5) },
    ]);
  });
});

describe("comma-separated values", () => {
  it("follow RFC 4180: quotes, doubled quotes, delimiters and line ends inside quotes", async () => {
    const path = write("table.csv", 'text,"a ""b"""\r\n"one, two",1\r\n"three\r\nfour","""5"""\r\nsix"7,\n');
    expect(await data.table(path).toArray()).toEqual([
      { text: "one, two", 'a "b"': "1" },
      { text: "three\r\nfour", 'a "b"': '"5"' },
      { text: 'six"7', 'a "b"': "" },
    ]);
    expect((await data.file(path).shuffle(3).toArray()).map((row) => row.text).toSorted()).toEqual([
      "one, two",
      'six"7',
      "three\r\nfour",
    ]);
  });

  it("may hold line ends after a doubled quote", async () => {
    expect(await data.table(write("doubled.csv", 'a,b\n"x ""y\nz""",1\n')).toArray()).toEqual([
      { a: 'x "y\nz"', b: "1" },
    ]);
  });

  it("have tabs in .tsv files, any delimiter that is named, and columns that are named", async () => {
    expect(await data.table(write("t.tsv", "a\tb\n1,2\t3\n")).toArray()).toEqual([{ a: "1,2", b: "3" }]);
    const path = write("semicolon.csv", "1;2\n3;4\n");
    expect(await data.table(path, { delimiter: ";", columns: ["x", "y"] }).toArray()).toEqual([
      { x: "1", y: "2" },
      { x: "3", y: "4" },
    ]);
    const quotes = write("quotes.tsv", 'text\n"open\nplain\n');
    expect(await data.table(quotes, { quotes: false }).toArray()).toEqual([{ text: '"open' }, { text: "plain" }]);
  });
});

describe("token files", () => {
  const grid = Tensor.of(Int32Array.of(1, 2, 3, 4, 5, 6), [2, 3], ["row", "token"]);

  it("give rows of two-axis arrays and pieces of streams", async () => {
    const npy = write("grid.npy", "");
    await writeNpy(npy, grid);
    expect(await data.tokens(npy).toArray()).toEqual([
      { tokens: Int32Array.of(1, 2, 3) },
      { tokens: Int32Array.of(4, 5, 6) },
    ]);
    const stream = write("stream.npy", "");
    await writeNpy(stream, Tensor.of(BigInt64Array.from([1n, 2n, 3n, 4n, 5n]), [5]));
    expect(await data.tokens(stream, { pieceLength: 2 }).toArray()).toEqual(
      [[1, 2], [3, 4], [5]].map((tokens) => ({ tokens: Int32Array.from(tokens) })),
    );
    expect(await data.tokens(stream, { pieceLength: 2 }).count()).toBe(3);
    expect((await data.tokens(stream, { pieceLength: 2 }).shuffle(0).toArray()).length).toBe(3);
  });

  it("give a tensor of a safetensors file by name, or the only one, or the one named tokens", async () => {
    const path = write("two.safetensors", "");
    await writeSafetensors(path, { tokens: grid, other: Tensor.of(Int32Array.of(9), [1]) });
    expect(await data.tokens(path).count()).toBe(2);
    expect(await data.tokens(path, { field: "other" }).toArray()).toEqual([{ tokens: Int32Array.of(9) }]);
    expect(await data.file(path, "other").toArray()).toEqual([{ tokens: Int32Array.of(9) }]);
  });

  it("give streams of 16-bit ids, as training programs write them, and of wider ones", async () => {
    const words = Uint16Array.of(1, 40_000, 3);
    const path = write("ids.bin", new Uint8Array(words.buffer));
    expect(await data.tokens(path).toArray()).toEqual([{ tokens: Int32Array.of(1, 40_000, 3) }]);
    const wide = write("wide.bin", new Uint8Array(Uint32Array.of(70_000, 2).buffer));
    expect(await data.tokens(wide, { dtype: "uint32" }).toArray()).toEqual([{ tokens: Int32Array.of(70_000, 2) }]);
  });

  it("read long streams in parts", async () => {
    const count = 150_000;
    const words = Uint16Array.from({ length: count }, (_, i) => i % 50_000);
    const path = write("long.bin", new Uint8Array(words.buffer));
    const pieces = await data.tokens(path, { pieceLength: 1000 }).toArray();
    expect(pieces.length).toBe(150);
    const joined = Uint16Array.from(pieces.flatMap(({ tokens }) => Array.from(tokens)));
    expect(joined.every((id, i) => id === words[i])).toBe(true);
  });

  it("may be JSON lists or lists in memory", async () => {
    expect(await data.tokens(write("rows.json", "[[1],[2,3]]")).count()).toBe(2);
    expect(await data.tokens(write("rows.jsonl", '[1]\n{"tokens":[2]}\n')).count()).toBe(2);
    expect(await data.tokens([[1, 2], Int32Array.of(3)]).toArray()).toEqual([
      { tokens: Int32Array.of(1, 2) },
      { tokens: Int32Array.of(3) },
    ]);
  });
});

describe("documents in memory", () => {
  it("are texts, rows and labelled examples, with their own types", async () => {
    expect(await data.text(["a", "b"]).toArray()).toEqual([{ text: "a" }, { text: "b" }]);
    const rows: { readonly q: string }[] = await data.table([{ q: "a" }]).toArray();
    expect(rows).toEqual([{ q: "a" }]);
    const labelled = data.labelled([
      { text: "The house was warm", label: "good" },
      { text: "The house was burnt", label: "bad", group: "x" },
    ]);
    expect((await labelled.toArray()).map(({ label }) => label)).toEqual(["good", "bad"]);
  });

  it("stay what they were when the caller's list changes", async () => {
    const texts = ["a"];
    const dataset = data.text(texts);
    texts[0] = "b";
    expect(await dataset.toArray()).toEqual([{ text: "a" }]);
  });
});

describe("reading that cannot be", () => {
  const missing = "/nowhere/at/all.txt";

  it.each<[string, () => unknown, "DTYPE" | "FORMAT" | "INPUT" | "SHAPE" | "TOKEN", string]>([
    [
      "a missing file",
      () => data.text(missing).toArray(),
      "INPUT",
      `read ${missing}: got ENOENT from the file system; expected an existing file. Check the path; texts themselves go in a list: data.text(["…"]).`,
    ],
    [
      "a missing file, shuffled",
      () => data.text(missing, { by: "line" }).shuffle(0).toArray(),
      "INPUT",
      `read ${missing}: got ENOENT`,
    ],
    ["a missing token file", () => data.tokens("/nowhere/x.bin").toArray(), "INPUT", "read /nowhere/x.bin: got ENOENT"],
    [
      "an empty file",
      () => data.text(write("empty.txt", "")).toArray(),
      "FORMAT",
      "empty.txt: got no documents; expected at least one.",
    ],
    [
      "a blank file",
      () => data.text(write("blank.txt", " \n\n"), { by: "line" }).count(),
      "FORMAT",
      "blank.txt: got no documents",
    ],
    [
      "bytes that are not text",
      () => data.text(write("bytes.txt", Uint8Array.of(97, 10, 0xff)), { by: "line" }).toArray(),
      "FORMAT",
      "bytes.txt: line 2: got bytes that are not UTF-8; expected UTF-8 text.",
    ],
    [
      "broken JSON",
      () => data.file(write("broken.jsonl", '{"text":"a"}\n{"text":\n')).toArray(),
      "FORMAT",
      "broken.jsonl: line 2: got the end of the text",
    ],
    [
      "a missing field",
      () => data.file(write("nofield.jsonl", '{"txet":"a"}\n')).toArray(),
      "FORMAT",
      'nofield.jsonl: line 1: got a row without the field "text"; expected one of its fields: "txet". Name the field that holds the text: data.file(path, "field"). Nearest: "txet".',
    ],
    [
      "a field of another kind",
      () => data.file(write("kind.jsonl", '{"text":7}\n')).toArray(),
      "FORMAT",
      'kind.jsonl: line 1: field "text": got the number 7; expected text, or a list of token ids.',
    ],
    ["a null", () => data.file(write("null.jsonl", '{"text":null}\n')).toArray(), "FORMAT", "got null"],
    [
      "a line that is no object",
      () => data.table(write("noobject.jsonl", "3\n")).toArray(),
      "FORMAT",
      "noobject.jsonl: line 1: got the number 3; expected an object with named fields.",
    ],
    [
      "JSON that is no list",
      () => data.file(write("object.json", "{}")).toArray(),
      "FORMAT",
      "object.json: got an object; expected a list of texts, of token lists, or of objects.",
    ],
    ["an empty JSON list", () => data.file(write("emptylist.json", "[]")).toArray(), "FORMAT", "got an empty list"],
    [
      "too few fields",
      () => data.table(write("few.csv", "a,b\n1,2\n3\n")).toArray(),
      "FORMAT",
      'few.csv: line 3: got 1 fields; expected 2, one for each of "a", "b".',
    ],
    [
      "a column twice",
      () => data.table(write("twice.csv", "a,a\n1,2\n")).toArray(),
      "FORMAT",
      'twice.csv: line 1: got the column "a" twice; expected different column names.',
    ],
    [
      "an open quote",
      () => data.table(write("open.csv", 'a\n"b\nc\n')).toArray(),
      "FORMAT",
      'open.csv: line 2: got a quoted field that never ends; expected a closing " at the end of the field. Correct the quotes, or pass { quotes: false }',
    ],
    [
      "text after a quote",
      () => data.table(write("after.csv", 'a,b\n"x"y,1\n')).toArray(),
      "FORMAT",
      'after.csv: line 2: got "y,1" after a quoted field; expected "," or the end of the record.',
    ],
    [
      "a long delimiter",
      () => data.table(write("d.csv", "a\n1\n"), { delimiter: "||" }),
      "INPUT",
      'delimiter: got "||"; expected one ASCII character',
    ],
    [
      "an empty separator",
      () => data.text(write("s.txt", "a"), { by: { separator: "" } }).toArray(),
      "INPUT",
      "separator: got an empty text; expected the text that stands between documents.",
    ],
    [
      "an unknown ending",
      () => data.file("a.parquet"),
      "INPUT",
      'data: a.parquet: got the ending ".parquet"; expected .txt, .jsonl',
    ],
    [
      "an unknown ending of tokens",
      () => data.tokens("a.csv"),
      "INPUT",
      "expected .npy, .safetensors, .bin, .json or .jsonl.",
    ],
    ["an unknown ending of a table", () => data.table("a.txt"), "INPUT", "expected .csv, .tsv, .jsonl or .json."],
    [
      "a field of plain text",
      () => data.file("a.txt", "text"),
      "INPUT",
      'data.file: a.txt: got the field "text" of a plain text file; expected no field',
    ],
    ["an empty list", () => data.text([]), "INPUT", "data.text: got an empty list; expected at least one document."],
    [
      "a text that is none",
      () => data.text([1 as unknown as string]),
      "INPUT",
      "data.text: document 0: got the number 1; expected a text.",
    ],
    [
      "tokens that are none",
      () => data.tokens([[1], [0.5]]),
      "INPUT",
      "data.tokens: document 1: got a list of 1; expected a list of token ids",
    ],
    ["negative tokens", () => data.tokens([Int32Array.of(-1)]), "INPUT", "data.tokens: document 0"],
    [
      "an example without text",
      () => data.labelled([{ label: "a" }]),
      "INPUT",
      "data.labelled: document 0: got a row with neither or both of text and tokens; expected exactly one of them.",
    ],
    [
      "a label that is no text",
      () => data.labelled([{ text: "a", label: 1 as unknown as string }]),
      "INPUT",
      "got the label 1; expected a label that is a string.",
    ],
    [
      "a piece length of zero",
      () => data.tokens("a.bin", { pieceLength: 0 }),
      "INPUT",
      "data.tokens: pieceLength: got 0; expected a whole number of tokens, at least 1.",
    ],
    [
      "an odd number of bytes",
      () => data.tokens(write("odd.bin", Uint8Array.of(1, 2, 3))).toArray(),
      "FORMAT",
      "odd.bin: got 3 bytes; expected a whole number of uint16 elements.",
    ],
    [
      "negative ids in a file",
      () => data.tokens(write("neg.bin", new Uint8Array(Int32Array.of(5, -100).buffer)), { dtype: "int32" }).toArray(),
      "TOKEN",
      "neg.bin: token 0, position 1: got token id -100; expected ids of zero or more",
    ],
    [
      "a list without ids",
      () => data.tokens(write("noids.jsonl", '{"ids":[1]}\n')).toArray(),
      "FORMAT",
      "noids.jsonl: line 1: got nothing; expected a list of token ids. Name the field",
    ],
  ])("names %s", async (_what, work, code, message) => {
    expect((await refusal(work, code)).message).toContain(message);
  });

  it("names tensors that are no token ids", async () => {
    const floats = write("floats.npy", "");
    await writeNpy(floats, Tensor.of(Float32Array.of(1), [1]));
    expect((await refusal(data.tokens(floats).toArray(), "DTYPE")).message).toContain(
      "got float32; expected whole numbers.",
    );
    const cube = write("cube.npy", "");
    await writeNpy(cube, Tensor.of(Int32Array.of(1), [1, 1, 1]));
    expect((await refusal(data.tokens(cube).toArray(), "SHAPE")).message).toContain(
      "got shape [1, 1, 1]; expected [tokens] or [rows, tokens], not empty.",
    );
    const two = write("ab.safetensors", "");
    await writeSafetensors(two, { a: Tensor.of(Int32Array.of(1), [1]), b: Tensor.of(Int32Array.of(1), [1]) });
    expect((await refusal(data.tokens(two).toArray(), "INPUT")).message).toContain(
      'got 2 tensors and no choice; expected one of "a", "b".',
    );
    expect((await refusal(data.tokens(two, { field: "c" }).toArray(), "INPUT")).message).toContain('got the name "c"');
  });

  it("notices a file that changed after it was indexed", async () => {
    const path = write("changing.txt", "a\nb\n");
    const dataset = data.text(path, { by: "line" }).shuffle(0);
    expect(await dataset.count()).toBe(2);
    write("changing.txt", "a\nb\nc\n");
    expect((await refusal(dataset.toArray(), "FORMAT")).message).toContain(
      "got a file that changed since its index was made; expected the same file for the whole run.",
    );
    expect(await dataset.count()).toBe(3);
  });
});
