import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  isMappable,
  loadNpy,
  loadNpz,
  openNpy,
  openNpz,
  parseNpy,
  readStored,
  readStoredRows,
  writeNpy,
  writeNpz,
} from "../../../src/io/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { expectedOf, expectTensor, fixture, fixtureBytes, refusal, temporaryFolder, valuesOf } from "./support.js";

const folder = temporaryFolder();
const codes = ["b1", "f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4"];
const files = [...codes, "fortran", "scalar", "empty", "v2", "v3"].map((name) => `${name}.npy`);

describe("npy files of numpy", () => {
  it.each(files)("gives what numpy holds in %s, from the file and from its bytes", async (file) => {
    const expected = expectedOf(file)[""];
    expectTensor(await loadNpy(fixture(file)), expected);
    expectTensor(parseNpy(await fixtureBytes(file), file), expected);
  });

  it("opens a row-major file in place and a Fortran-ordered one with strides", async () => {
    const v2 = await openNpy(fixture("v2.npy"));
    expect(isMappable(v2)).toBe(true);
    expect(valuesOf(await readStoredRows(v2, 1, 2))).toEqual(Array.from({ length: 12 }, (_, i) => 12 + i));
    const fortran = await openNpy(fixture("fortran.npy"));
    expect(fortran.strides).toEqual([1, 2, 6]);
    expect(isMappable(fortran)).toBe(false);
    expect(valuesOf(await readStoredRows(fortran, 1, 2))).toEqual(Array.from({ length: 12 }, (_, i) => 12 + i));
  });

  it.each([
    ["refused-big-endian.npy", '">f4"'],
    ["refused-object.npy", '"|O"'],
    ["refused-text.npy", '"<U2"'],
    ["refused-structure.npy", '"a structure"'],
  ])("refuses %s", async (file, code) => {
    const error = await refusal(loadNpy(fixture(file)), "UNSUPPORTED");
    expect(error.message).toBe(
      `${fixture(file)}: got numpy element type ${code}; expected little-endian ` +
        "b1, i1, i2, i4, i8, u1, u2, u4, u8, f2, f4, f8, c8. " +
        'Convert it in Python first, for example with array.astype("<f4").',
    );
  });

  it("names what is wrong with other bytes", async () => {
    const fix = "expected a whole .npy file. The file is truncated or damaged; get it again.";
    const bytes = await fixtureBytes("f4.npy");
    const fourth = (value: number, at: number) => bytes.with(at, value);
    const messages: readonly (readonly [Uint8Array, string])[] = [
      [Uint8Array.of(), "bytes that do not start with the .npy signature"],
      [fourth(0, 1), "bytes that do not start with the .npy signature"],
      [bytes.subarray(0, 40), "a header that is cut short"],
      [new TextEncoder().encode(new TextDecoder("latin1").decode(bytes)).with(0, 0x93), "bytes that do not start"],
    ];
    for (const [content, got] of messages) {
      const error = await refusal(() => parseNpy(content, "x.npy"), "FORMAT");
      expect(error.message).toContain(`x.npy: got ${got}`);
      expect(`${error.expected}. ${error.fix}`).toBe(fix.slice("expected ".length));
    }
    expect((await refusal(() => parseNpy(bytes.subarray(0, -1), "x.npy"), "FORMAT")).message).toBe(
      "x.npy: got 23 bytes of elements; expected 24 bytes for float32 [2, 3]. The file is truncated or damaged; get it again.",
    );
    expect((await refusal(() => parseNpy(fourth(9, 6), "x.npy"), "UNSUPPORTED")).message).toBe(
      "x.npy: got .npy version 9; expected version 1, 2 or 3. Save it with a current numpy.",
    );
    expect((await refusal(() => parseNpy(fourth(0x58, 15), "x.npy"), "FORMAT")).got).toMatch(/^the header "/);
  });

  it("does not hang on a header made of digits", async () => {
    const bytes = await fixtureBytes("v2.npy");
    const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${"1".repeat(100_000)} x, }`;
    const evil = new Uint8Array(12 + text.length);
    evil.set(bytes.subarray(0, 12));
    new DataView(evil.buffer).setUint32(8, text.length, true);
    evil.set(new TextEncoder().encode(text), 12);
    await refusal(() => parseNpy(evil, "x.npy"), "FORMAT");
  });
});

describe("writeNpy", () => {
  it.each(["f4.npy", "f8.npy", "i4.npy", "i8.npy", "u1.npy", "b1.npy", "f2.npy", "scalar.npy", "empty.npy"])(
    "writes %s as numpy does",
    async (file) => {
      const path = join(folder, file);
      await writeNpy(path, await loadNpy(fixture(file)));
      const [ours, theirs] = [readFileSync(path), await fixtureBytes(file)];
      const headerOf = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes.subarray(10, 128)).trim();
      expect(headerOf(ours)).toBe(headerOf(theirs));
      expect(ours).toHaveLength(theirs.length);
      expect([...ours.subarray(-24)]).toEqual([...theirs.subarray(-24)]);
    },
  );

  it("refuses bfloat16, which numpy lacks", async () => {
    const tensor = Tensor.of(Uint16Array.of(1), [1], undefined, "bfloat16");
    expect((await refusal(writeNpy("x.npy", tensor), "UNSUPPORTED")).message).toBe(
      "x.npy: got bfloat16; expected an element type that numpy has. Cast to float32, or write a .safetensors file.",
    );
  });
});

describe("npz files", () => {
  it.each(["stored.npz", "deflated.npz"])("gives what numpy holds in %s", async (file) => {
    const expected = expectedOf(file);
    const loaded = await loadNpz(fixture(file));
    expect(Object.keys(loaded)).toEqual(["W_enc", "mask", "t"]);
    for (const [name, tensor] of Object.entries(loaded)) expectTensor(tensor, expected[name]);
  });

  it("opens uncompressed arrays in place and reads single ones", async () => {
    const npz = await openNpz(fixture("stored.npz"));
    expect([...npz.tensors.keys()]).toEqual(["W_enc", "mask", "t"]);
    for (const [name, stored] of npz.tensors) expectTensor(await readStored(stored), expectedOf("stored.npz")[name]);
    expectTensor(await npz.read("mask"), expectedOf("stored.npz")["mask"]);
    const deflated = await openNpz(fixture("deflated.npz"));
    expect(deflated.tensors.size).toBe(0);
    expect(deflated.names).toEqual(["W_enc", "mask", "t"]);
  });

  it("names the arrays that there are when one is missing", async () => {
    const npz = await openNpz(fixture("stored.npz"));
    expect((await refusal(npz.read("W_dec"), "INPUT")).message).toBe(
      `read ${fixture("stored.npz")}: got the name "W_dec"; expected one of "W_enc", "mask", "t". ` +
        "Names are those given to np.savez.",
    );
  });

  it.each([false, true])("reads what it wrote (compress: %s), the same bytes each time", async (compress) => {
    const tensors = await loadNpz(fixture("stored.npz"));
    const path = join(folder, `own-${compress}.npz`);
    await writeNpz(path, tensors, { compress });
    const first = readFileSync(path);
    for (const [name, tensor] of Object.entries(await loadNpz(path)))
      expectTensor(tensor, expectedOf("stored.npz")[name]);
    await writeNpz(path, tensors, { compress });
    expect(readFileSync(path).equals(first)).toBe(true);
  });

  it("refuses a repeated name and leaves nothing", async () => {
    const inside = join(folder, "repeats");
    mkdirSync(inside);
    const one = Tensor.of(Float32Array.of(1), [1]);
    const path = join(inside, "a.npz");
    const writing = writeNpz(path, [["a", one] as const, ["a", one] as const]);
    expect((await refusal(writing, "INPUT")).message).toBe(
      `write ${path}: got the names "a" twice; expected different names. Rename the tensor.`,
    );
    expect(readdirSync(inside)).toEqual([]);
  });

  it("finds a flipped byte in the elements by the checksum", async () => {
    const bytes = readFileSync(fixture("stored.npz"));
    const at = bytes.indexOf("W_enc.npy") + 200;
    const path = join(folder, "flipped.npz");
    writeFileSync(
      path,
      bytes.map((byte, i) => (i === at ? byte ^ 1 : byte)),
    );
    expect((await refusal(loadNpz(path), "FORMAT")).message).toBe(
      `${path}: W_enc.npy: got a checksum that does not match; expected a whole zip archive. ` +
        "The file is truncated or damaged; get it again.",
    );
  });
});
