import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseJson, readJson, readJsonLines, readJsonObject } from "../../../src/io/index.js";
import { scanJson } from "../../../src/io/json-scan.js";
import { collected, refusal, temporaryFolder } from "./support.js";

const folder = temporaryFolder();

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("readJson", () => {
  it("reads a file with or without a byte-order mark", async () => {
    expect(await readJson(file("plain.json", '{"a": [1, "ü"]}'))).toEqual({ a: [1, "ü"] });
    expect(await readJson(file("bom.json", '\ufeff{"a": 1}'))).toEqual({ a: 1 });
  });

  it("names line and column of an error", async () => {
    const path = file("broken.json", '{\n  "a": 1,\n  "b": oops\n}');
    const error = await refusal(readJson(path), "FORMAT");
    expect(error.message).toBe(
      `${path}: got "oops\\n}" at line 3, column 8; expected valid JSON. Correct the text at that place.`,
    );
  });

  it("says that a file is cut short", async () => {
    const path = file("short.json", '{"a": [1, 2');
    const error = await refusal(readJson(path), "FORMAT");
    expect(error.message).toBe(
      `${path}: got the end of the text at line 1, column 12; expected valid JSON. ` +
        "The text is cut short; get the file again.",
    );
  });

  it("refuses bytes that are not UTF-8", async () => {
    const path = file("latin1.json", Uint8Array.of(0x22, 0xe9, 0x22));
    const error = await refusal(readJson(path), "FORMAT");
    expect(error.message).toBe(
      `${path}: got bytes that are not UTF-8; expected UTF-8 text. Check that this is a text file.`,
    );
  });

  it("names a missing file and a folder", async () => {
    const missing = await refusal(readJson(join(folder, "none.json")), "INPUT");
    expect(missing.message).toBe(
      `read ${folder}/none.json: got ENOENT from the file system; expected an existing path. Check the path and its permissions.`,
    );
    const directory = await refusal(readJson(folder), "INPUT");
    expect(directory.message).toBe(`read ${folder}: got a folder; expected a file. Give the path of a file inside it.`);
  });

  it("refuses other JSON where an object is needed", async () => {
    const path = file("list.json", "[1]");
    const error = await refusal(readJsonObject(path), "FORMAT");
    expect(error.message).toBe(`${path}: got a JSON list; expected a JSON object. Check that this is the right file.`);
    expect((await refusal(readJsonObject(file("null.json", "null")), "FORMAT")).got).toBe("JSON null");
  });

  it("does not overflow on nesting that JSON.parse may refuse", async () => {
    const error = await refusal(() => parseJson("[".repeat(200_000), "deep"), "FORMAT");
    expect(error.where).toBe("deep");
  });
});

describe("readJsonLines", () => {
  it("yields records with their line numbers and skips blank lines", async () => {
    const path = file("a.jsonl", '{"a":1}\r\n\n  \n[2]\n"ünï"');
    const records = await collected(readJsonLines(path));
    expect(records).toEqual([
      { line: 1, value: { a: 1 } },
      { line: 4, value: [2] },
      { line: 5, value: "ünï" },
    ]);
  });

  it("puts characters together that lie across two pieces of the file", async () => {
    const text = "é".repeat(100_000);
    const [record] = await collected(readJsonLines(file("long.jsonl", `x${JSON.stringify(text)}`.slice(1))));
    expect(record?.value).toBe(text);
    const shifted = await collected(readJsonLines(file("shifted.jsonl", ` ${JSON.stringify(text)}`)));
    expect(shifted[0]?.value).toBe(text);
  });

  it("names the line of an error", async () => {
    const path = file("bad.jsonl", '{"a":1}\n{"a":}\n');
    const error = await refusal(collected(readJsonLines(path)), "FORMAT");
    expect(error.message).toBe(
      `${path}: line 2: got "}" at line 1, column 6; expected valid JSON. Correct the text at that place.`,
    );
  });

  it("stops when aborted and when the file is missing", async () => {
    const path = file("many.jsonl", "1\n2\n3\n");
    await refusal(collected(readJsonLines(path, { signal: AbortSignal.abort() })), "ABORTED");
    await refusal(collected(readJsonLines(join(folder, "none.jsonl"))), "INPUT");
  });
});

describe("scanJson", () => {
  it("accepts valid JSON", () => {
    for (const text of ["{}", " [ ] ", "-0.5e+3", '"\\u00e9\\n"', '{"a":{"a":1},"b":[{"a":2},true,null]}']) {
      expect(scanJson(text)).toEqual({});
    }
  });

  it("finds the place of an error", () => {
    expect(scanJson("[1,]")).toEqual({ errorAt: 3 });
    expect(scanJson('{"a" 1}')).toEqual({ errorAt: 5 });
    expect(scanJson("[1] x")).toEqual({ errorAt: 4 });
    expect(scanJson("01")).toEqual({ errorAt: 1 });
    expect(scanJson('"a\nb"')).toEqual({ errorAt: 0 });
    expect(scanJson("")).toEqual({ errorAt: 0 });
  });

  it("finds a key that is used twice, escapes resolved", () => {
    expect(scanJson('{"a":1,"\\u0061":2}')).toEqual({ duplicate: { key: "a", at: 7 } });
    expect(scanJson('{"x":{"b":1,"b":2}}')).toEqual({ duplicate: { key: "b", at: 12 } });
  });
});
