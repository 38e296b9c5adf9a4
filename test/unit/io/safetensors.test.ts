import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  axesKey,
  isMappable,
  loadSafetensors,
  openSafetensors,
  readAsFloat32,
  readStored,
  readStoredRows,
  rowsOf,
  type StoredTensor,
  streamAsFloat32,
  transposeStored,
  writeSafetensors,
  writeSafetensorsStream,
} from "../../../src/io/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { tryMount } from "../../helpers/small-disk.js";
import { collected, expectedOf, expectTensor, fixture, refusal, temporaryFolder, valuesOf } from "./support.js";

const folder = temporaryFolder();
let count = 0;

/** Writes a safetensors file with this header and so many bytes of data. */
function handMade(header: string | object, dataBytes = 0): string {
  const text = typeof header === "string" ? header : JSON.stringify(header);
  const bytes = new TextEncoder().encode(text);
  const field = new Uint8Array(8);
  new DataView(field.buffer).setBigUint64(0, BigInt(bytes.length), true);
  return rawFile([...field, ...bytes, ...new Uint8Array(dataBytes)]);
}

function rawFile(bytes: Iterable<number>): string {
  const path = join(folder, `${count++}.safetensors`);
  writeFileSync(path, Uint8Array.from(bytes));
  return path;
}

function entry(
  start: number,
  end: number,
  shape: readonly unknown[] = [(end - start) / 4],
  dtype: unknown = "F32",
): object {
  return { dtype, shape, data_offsets: [start, end] };
}

async function stored(path: string, name: string): Promise<StoredTensor> {
  const tensor = (await openSafetensors(path)).tensors.get(name);
  if (tensor === undefined) throw new Error(`no tensor ${name}`);
  return tensor;
}

describe("openSafetensors", () => {
  it("reads what Python wrote, whatever the order of the header", async () => {
    const { tensors, metadata } = await openSafetensors(fixture("hand.safetensors"));
    const expected = expectedOf("hand.safetensors");
    expect(metadata).toEqual({ format: "pt" });
    expect([...tensors.keys()].slice(0, 3)).toEqual(["b", "scalar", "empty"]);
    expect([...tensors.keys()].filter((name) => name !== "fp8").sort()).toEqual(Object.keys(expected).sort());
    for (const [name, tensor] of tensors) if (name !== "fp8") expectTensor(await readStored(tensor), expected[name]);
  });

  it("opens a file with an element type that it cannot read, and refuses to read that tensor only", async () => {
    const tensor = await stored(fixture("hand.safetensors"), "fp8");
    expect(tensor.dtype).toBe("float8_e4m3");
    const error = await refusal(readStored(tensor), "UNSUPPORTED");
    expect(error.message).toBe(
      `${fixture("hand.safetensors")}: tensor "fp8": got element type float8_e4m3; expected one of float64, float32, ` +
        "float16, bfloat16, int64, int32, int16, int8, uint8, bool, uint16, uint32. " +
        "Convert the tensor to one of these where the file was made.",
    );
  });

  it("accepts a file without tensors", async () => {
    expect((await openSafetensors(handMade("{}"))).tensors.size).toBe(0);
  });

  const fromHeader = "The header is damaged or was written wrongly; get the file again.";
  const notSafetensors = "This is not a safetensors file, or it is truncated; get it again.";
  const refusals: readonly (readonly [string, () => string, string])[] = [
    ["an empty file", () => rawFile([]), `: got 0 bytes; expected at least 8 bytes. ${notSafetensors}`],
    [
      "a header length beyond the file",
      () => rawFile([100, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d]),
      `: header length: got 100 bytes; expected at most the 2 bytes that follow in the file. ${notSafetensors}`,
    ],
    [
      "a header length that would be negative as a signed number",
      () => rawFile([0, 0, 0, 0, 0, 0, 0, 0x80, 0x7b, 0x7d]),
      `: header length: got 9223372036854775808 bytes; expected at most 100000000. ${notSafetensors}`,
    ],
    [
      "a header of no bytes",
      () => rawFile([0, 0, 0, 0, 0, 0, 0, 0]),
      ": header: got a first byte that is not {; expected a JSON object. This is not a safetensors file, or it is damaged.",
    ],
    [
      "a header that is not JSON",
      () => handMade('{"a": }'),
      ': header: got "}" at line 1, column 7; expected valid JSON. Correct the text at that place.',
    ],
    [
      "a repeated name",
      () => handMade('{"a":1,"a":1}'),
      `: header: got the key "a" twice; expected every key once. ${fromHeader}`,
    ],
    [
      "metadata that is not text",
      () => handMade({ __metadata__: { step: 3 } }),
      ": __metadata__.step: got 3; expected a string. Write every metadata value as a string.",
    ],
    [
      "metadata that is a list",
      () => handMade({ __metadata__: [] }),
      ": __metadata__: got []; expected an object of strings. Write every metadata value as a string.",
    ],
    [
      "an entry that is not an object",
      () => handMade({ a: 3 }),
      `: tensor "a": got 3; expected an object with dtype, shape and data_offsets. ${fromHeader}`,
    ],
    [
      "a negative size",
      () => handMade({ a: entry(0, 4, [-1]) }, 4),
      `: tensor "a": shape: got [-1]; expected a list of sizes that are 0 or more. ${fromHeader}`,
    ],
    [
      "offsets that run backwards",
      () => handMade({ a: { dtype: "F32", shape: [1], data_offsets: [4, 0] } }, 4),
      `: tensor "a": data_offsets: got [4,0]; expected [start, end] with 0 <= start <= end. ${fromHeader}`,
    ],
    [
      "a missing dtype",
      () => handMade({ a: { shape: [1], data_offsets: [0, 4] } }, 4),
      `: tensor "a": dtype: got nothing; expected one of F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL, U16, U32, U64, ` +
        `C64, F8_E4M3, F8_E5M2, F8_E8M0, F6_E2M3, F6_E3M2, F4. ${fromHeader}`,
    ],
    [
      "bytes that do not fit the shape",
      () => handMade({ a: entry(0, 8, [3]) }, 8),
      `: tensor "a": got data_offsets [0, 8], which is 8 bytes; expected 12 bytes for float32 [3]. ${fromHeader}`,
    ],
    [
      "a gap",
      () => handMade({ a: entry(0, 4), b: entry(8, 12) }, 12),
      `: tensor "b": got data that starts at byte 8, leaving a gap after tensor "a"; expected it to start at byte 4. ${fromHeader}`,
    ],
    [
      "a gap at the start",
      () => handMade({ a: entry(4, 8) }, 8),
      `: tensor "a": got data that starts at byte 4, leaving a gap after the header; expected it to start at byte 0. ${fromHeader}`,
    ],
    [
      "an overlap",
      () => handMade({ a: entry(0, 8), b: entry(4, 12) }, 12),
      `: tensor "b": got data that starts at byte 4, overlapping tensor "a"; expected it to start at byte 8. ${fromHeader}`,
    ],
    [
      "a shape whose product overflows",
      () => handMade({ a: entry(0, 0, [2 ** 52, 2 ** 52, 2 ** 52]) }),
      `: tensor "a": got data_offsets [0, 0], which is 0 bytes; expected 3.6537540933272573e+47 bytes for float32 ` +
        `[4503599627370496, 4503599627370496, 4503599627370496]. ${fromHeader}`,
    ],
  ];

  it.each(refusals)("refuses %s", async (_, make, message) => {
    const path = make();
    expect((await refusal(openSafetensors(path), "FORMAT")).message).toBe(path + message);
  });

  it("names the last tensor of a truncated file, and a tail that does not belong", async () => {
    const path = handMade({ a: entry(0, 4), b: entry(4, 12) }, 12);
    const size = readFileSync(path).length;
    appendFileSync(path, "x");
    expect((await refusal(openSafetensors(path), "FORMAT")).message).toBe(
      `${path}: got a file of ${size + 1} bytes; expected ${size} bytes (header and tensors). ` +
        "Something was appended; get the file again.",
    );
    truncateSync(path, size - 1);
    expect((await refusal(openSafetensors(path), "FORMAT")).message).toBe(
      `${path}: tensor "b": got a file of ${size - 1} bytes; expected ${size} bytes (header and tensors). ` +
        "The file is truncated; download or copy it again.",
    );
  });

  it("refuses axis names that do not fit the tensor", async () => {
    const path = handMade({ __metadata__: { [axesKey]: '{"a":["pos","pos"]}' }, a: entry(0, 4, [1, 1]) }, 4);
    expect((await refusal(openSafetensors(path), "FORMAT")).message).toBe(
      `${path}: tensor "a": __metadata__["limpid.axes"]: got ["pos","pos"]; expected 2 different axis names. ` +
        "Remove the key or write the file again.",
    );
    const list = handMade({ __metadata__: { [axesKey]: "[]" } });
    expect((await refusal(openSafetensors(list), "FORMAT")).message).toBe(
      `${list}: __metadata__["limpid.axes"]: got []; expected an object of lists of axis names. ` +
        "Remove the key or write the file again.",
    );
  });

  it("refuses a bool that is neither 0 nor 1", async () => {
    const path = handMade({ m: entry(0, 2, [2], "BOOL") }, 2);
    const bytes = readFileSync(path);
    bytes[bytes.length - 1] = 7;
    writeFileSync(path, bytes);
    expect((await refusal(loadSafetensors(path), "FORMAT")).message).toBe(
      `${path}: tensor "m": got the byte 7 at element 1 of a bool tensor; expected 0 or 1. ` +
        "The file is damaged, or its numbers were labelled bool; get it again.",
    );
  });

  it("says that a file shrank between opening and reading", async () => {
    const path = handMade({ a: entry(0, 8) }, 8);
    const tensor = await stored(path, "a");
    truncateSync(path, tensor.offset + 5);
    expect((await refusal(readStored(tensor), "FORMAT")).message).toBe(
      `${path}: got 5 of 8 bytes at offset ${tensor.offset}; expected the file to be that long. ` +
        "The file is truncated or still being written; download or copy it again.",
    );
  });

  it("treats a tensor named __proto__ as any other", async () => {
    const path = handMade('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4);
    expect(Object.keys(await loadSafetensors(path))).toEqual(["__proto__"]);
  });
});

describe("reading parts", () => {
  const cube = Tensor.of(
    Float32Array.from({ length: 30 }, (_, i) => i),
    [5, 3, 2],
    ["head", "pos", "dModel"],
  );

  async function cubeFile(): Promise<StoredTensor> {
    const path = join(folder, `cube-${count++}.safetensors`);
    await writeSafetensors(path, { cube });
    return stored(path, "cube");
  }

  it("reads rows of the first axis with their axis names", async () => {
    const rows = await readStoredRows(await cubeFile(), 1, 3);
    expect(rows.shape).toEqual([2, 3, 2]);
    expect(rows.axes).toEqual(["head", "pos", "dModel"]);
    expect(valuesOf(rows)).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]);
  });

  it("reads no rows as an empty tensor, and describes rows without reading", async () => {
    const tensor = await cubeFile();
    expect((await readStoredRows(tensor, 5, 5)).shape).toEqual([0, 3, 2]);
    expect(rowsOf(tensor, 2, 4)).toMatchObject({ shape: [2, 3, 2], offset: tensor.offset + 48, length: 48 });
    expect(isMappable(rowsOf(tensor, 2, 4))).toBe(true);
  });

  it("refuses rows outside the tensor and rows of a scalar", async () => {
    const tensor = await cubeFile();
    expect((await refusal(readStoredRows(tensor, 3, 6), "INPUT")).message).toBe(
      `${tensor.path}: tensor "cube": rows: got 3 to 6; expected a range within 0 to 5. ` +
        "Give start and end of the first axis, end excluded.",
    );
    await refusal(readStoredRows(tensor, 1.5, 2), "INPUT");
    const scalar = await refusal(() => rowsOf({ ...tensor, shape: [] }, 0, 1), "INPUT");
    expect(scalar.expected).toBe("a tensor with at least one axis");
  });

  it("streams as float32 in pieces and reports progress", async () => {
    const seen: number[] = [];
    const pieces = await collected(
      streamAsFloat32(await cubeFile(), { pieceElements: 7, onProgress: ({ done }) => seen.push(done) }),
    );
    expect(pieces.map((piece) => piece.length)).toEqual([7, 7, 7, 7, 2]);
    expect(pieces.flatMap((piece) => [...piece])).toEqual([...cube.data]);
    expect(seen).toEqual([7, 14, 21, 28, 30]);
  });

  it("swaps the axes of a matrix without reading it, and back", async () => {
    const path = join(folder, `matrix-${count++}.safetensors`);
    const elements = Float32Array.from({ length: 35 * 70 }, (_, i) => i);
    await writeSafetensors(path, { m: Tensor.of(elements, [35, 70], ["in", "out"]) });
    const matrix = await stored(path, "m");
    const swapped = transposeStored(matrix);
    const read = await readStored(swapped);
    expect([read.shape, read.axes]).toEqual([
      [70, 35],
      ["out", "in"],
    ]);
    expect(valuesOf(read)).toEqual(Array.from({ length: 70 * 35 }, (_, i) => (i % 35) * 70 + Math.floor(i / 35)));
    expect(transposeStored(swapped)).toEqual(matrix);
    const [whole] = await collected(streamAsFloat32(swapped, { pieceElements: 10 }));
    expect([...(whole ?? [])]).toEqual(valuesOf(read));
    expect(isMappable(transposeStored(rowsOf(matrix, 3, 4)))).toBe(true);
    const error = await refusal(() => transposeStored({ ...matrix, shape: [1, 2, 3] }), "INPUT");
    expect(error.message).toBe(
      `${path}: tensor "m": transposeStored: got shape [1, 2, 3]; expected a matrix. ` +
        "Take rows of it first, or transpose the tensor once it is read.",
    );
  });

  it("stops streaming when aborted", async () => {
    await refusal(collected(streamAsFloat32(await cubeFile(), { signal: AbortSignal.abort() })), "ABORTED");
  });

  it("turns every element type into float32", async () => {
    const path = join(folder, `types-${count++}.safetensors`);
    await writeSafetensors(path, {
      f16: Tensor.of(Uint16Array.of(0x3c00, 0xc000), [2], undefined, "float16"),
      bf16: Tensor.of(Uint16Array.of(0x3f80, 0xc000), [2], undefined, "bfloat16"),
      f64: Tensor.of(Float64Array.of(0.1, -2), [2]),
      i64: Tensor.of(BigInt64Array.of(3n, -4n), [2]),
      mask: Tensor.of(Uint8Array.of(1, 0), [2], undefined, "bool"),
    });
    const { tensors } = await openSafetensors(path);
    const values: Record<string, readonly number[]> = {};
    for (const [name, tensor] of tensors) {
      const read = await readAsFloat32(tensor);
      expect(read.dtype).toBe("float32");
      values[name] = valuesOf(read);
    }
    expect(values).toEqual({ f16: [1, -2], bf16: [1, -2], f64: [Math.fround(0.1), -2], i64: [3, -4], mask: [1, 0] });
  });
});

describe("writeSafetensors", () => {
  it("keeps values, axis names and metadata, and gives equal bytes for equal tensors in any order", async () => {
    const first = join(folder, "first.safetensors");
    const second = join(folder, "second.safetensors");
    const a = Tensor.of(Float32Array.of(1, 2), [1, 2], ["batch", "pos"]);
    const b = Tensor.of(BigInt64Array.of(-(2n ** 63n), 5n), [2]);
    const mask = Tensor.of(Uint8Array.of(1), [1], undefined, "bool");
    await writeSafetensors(first, { a, b, mask }, { metadata: { y: "1", x: "2" } });
    await writeSafetensors(
      second,
      new Map<string, Tensor>([
        ["mask", mask],
        ["b", b],
        ["a", a],
      ]),
      { metadata: { x: "2", y: "1" } },
    );
    expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
    const { tensors, metadata } = await openSafetensors(first);
    expect([...tensors.keys()]).toEqual(["b", "a", "mask"]);
    expect(metadata).toEqual({ x: "2", y: "1", [axesKey]: '{"a":["batch","pos"]}' });
    const loaded = await loadSafetensors(first);
    expect(loaded["a"]?.axes).toEqual(["batch", "pos"]);
    expect(loaded["b"]?.data).toEqual(BigInt64Array.of(-(2n ** 63n), 5n));
    expect(loaded["mask"]?.dtype).toBe("bool");
  });

  it("aligns every tensor to its element size", async () => {
    const path = join(folder, "aligned.safetensors");
    const placed = await writeSafetensors(path, {
      a: Tensor.of(Uint8Array.of(1, 2, 3), [3]),
      b: Tensor.of(Float64Array.of(1), [1]),
      c: Tensor.of(Uint16Array.of(1), [1], undefined, "float16"),
      d: Tensor.of(Float32Array.of(1), [1]),
    });
    expect([...placed.values()].every(isMappable)).toBe(true);
    expect([...placed.values()][0]?.offset).toSatisfy((offset: number) => offset % 8 === 0);
    expect([...(await openSafetensors(path)).tensors.values()]).toEqual([...placed.values()]);
  });

  it("writes a transposed view in the order that it shows", async () => {
    const path = join(folder, "view.safetensors");
    const matrix = Tensor.of(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3], ["row", "column"]);
    await writeSafetensors(path, { t: matrix.transpose(["column", "row"]) });
    const loaded = (await loadSafetensors(path))["t"];
    expect(loaded?.axes).toEqual(["column", "row"]);
    expect([...(loaded?.data ?? [])]).toEqual([1, 4, 2, 5, 3, 6]);
  });

  it("refuses reserved and repeated names", async () => {
    const path = join(folder, "names.safetensors");
    const a = Tensor.of(Float32Array.of(1), [1]);
    expect((await refusal(writeSafetensors(path, { __metadata__: a }), "INPUT")).message).toBe(
      `write ${path}: got a tensor named __metadata__; expected different names, none of them __metadata__. Rename the tensor.`,
    );
    const plan = { name: "a", dtype: "float32" as const, shape: [1] };
    const repeated = writeSafetensorsStream(path, [plan, plan], () => [a.data]);
    expect((await refusal(repeated, "INPUT")).got).toBe('the names "a" twice');
  });
});

describe("writeSafetensorsStream", () => {
  const plan = [
    { name: "small", dtype: "uint8" as const, shape: [3] },
    { name: "big", dtype: "float32" as const, shape: [2, 2], axes: ["in", "out"] },
  ];

  it("asks for the tensors in the order of the file and takes them in pieces", async () => {
    const path = join(folder, "stream.safetensors");
    const asked: string[] = [];
    const done: number[] = [];
    await writeSafetensorsStream(
      path,
      plan,
      async function* (entry) {
        asked.push(entry.name);
        await Promise.resolve();
        if (entry.name === "small") yield Uint8Array.of(7, 8, 9);
        else yield* [Float32Array.of(1), Float32Array.of(2, 3, 4)];
      },
      { onProgress: (event) => done.push(event.done - (event.total ?? 0)) },
    );
    expect(asked).toEqual(["big", "small"]);
    expect(done).toEqual([-15, -3, 0]);
    const loaded = await loadSafetensors(path);
    expect([...(loaded["big"]?.data ?? [])]).toEqual([1, 2, 3, 4]);
    expect(loaded["big"]?.axes).toEqual(["in", "out"]);
    expect([...(loaded["small"]?.data ?? [])]).toEqual([7, 8, 9]);
  });

  it("refuses too little, too much and another type, and leaves nothing", async () => {
    const inside = join(folder, "misfits");
    mkdirSync(inside);
    const path = join(inside, "a.safetensors");
    const one = [{ name: "w", dtype: "float32" as const, shape: [2] }];
    const where = `write ${path}: tensor "w": got`;
    const rest = "expected exactly 8 bytes of float32. Make the source give what the plan says; nothing was written.";
    const short = await refusal(
      writeSafetensorsStream(path, one, () => [Float32Array.of(1)]),
      "INPUT",
    );
    expect(short.message).toBe(`${where} the end of the source with 4 bytes to go; ${rest}`);
    const long = await refusal(
      writeSafetensorsStream(path, one, () => [new Float32Array(3)]),
      "INPUT",
    );
    expect(long.message).toBe(`${where} a Float32Array of 12 bytes with 8 bytes to go; ${rest}`);
    const other = await refusal(
      writeSafetensorsStream(path, one, () => [new Float64Array(1)]),
      "INPUT",
    );
    expect(other.message).toBe(`${where} a Float64Array of 8 bytes with 8 bytes to go; ${rest}`);
    expect(readdirSync(inside)).toEqual([]);
  });

  it("stops between pieces when aborted, keeps the old file, and leaves nothing else", async () => {
    const inside = join(folder, "aborted");
    mkdirSync(inside);
    const path = join(inside, "a.safetensors");
    writeFileSync(path, "old");
    const controller = new AbortController();
    const writing = writeSafetensorsStream(
      path,
      [{ name: "w", dtype: "float32", shape: [2] }],
      function* () {
        yield Float32Array.of(1);
        controller.abort();
        yield Float32Array.of(2);
      },
      { signal: controller.signal },
    );
    expect((await refusal(writing, "ABORTED")).where).toBe(`write ${path}`);
    expect(readdirSync(inside)).toEqual(["a.safetensors"]);
    expect(readFileSync(path, "utf8")).toBe("old");
  });
});

describe("a full disk", () => {
  const mount = join(folder, "tiny-disk");
  mkdirSync(mount);
  const isMounted = tryMount(mount, "64k");
  afterAll(() => {
    if (isMounted) execFileSync("umount", [mount]);
  });

  it.skipIf(!isMounted)("is refused before writing when the size is known to be too large", async () => {
    const path = join(mount, "a.safetensors");
    const error = await refusal(
      writeSafetensors(path, { w: Tensor.of(new Float32Array(100_000), [100_000]) }),
      "MEMORY",
    );
    expect(error.message).toMatch(/^write .*a\.safetensors: got .* free on the disk; expected room for 400 kB\./);
    expect(error.fix).toBe("Nothing was written; free some space or choose another folder.");
    expect(readdirSync(mount)).toEqual([]);
  });

  it.skipIf(!isMounted)("is reported when it fills up while writing, and nothing stays behind", async () => {
    const path = join(mount, "a.safetensors");
    const plan = [{ name: "w", dtype: "uint8" as const, shape: [40_000] }];
    const writing = writeSafetensorsStream(path, plan, function* () {
      yield new Uint8Array(20_000);
      writeFileSync(join(mount, "other"), new Uint8Array(45_056));
      yield new Uint8Array(20_000);
    });
    expect((await refusal(writing, "MEMORY")).message).toBe(
      `write ${path}: got no space left on the disk; expected room for the whole file. ` +
        "Nothing was left behind; free some space or choose another folder.",
    );
    expect(readdirSync(mount)).toEqual(["other"]);
  });
});
