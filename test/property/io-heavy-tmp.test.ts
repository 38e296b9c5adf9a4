import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { isLimpidError } from "../../src/core/index.js";
import {
  loadNpy,
  loadNpz,
  loadSafetensors,
  loadTorch,
  openSafetensors,
  parseNpy,
  unpickle,
  writeNpy,
  writeNpz,
  writeSafetensors,
} from "../../src/io/index.js";
import { scanJson } from "../../src/io/json-scan.js";
import { type DType, dtypes, isDTypeName, Tensor, type TensorData } from "../../src/tensor/index.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-io-property-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const fixtures = join(import.meta.dirname, "../../fixtures/io");

const allDTypes = Object.keys(dtypes).filter(isDTypeName);

/** Views of raw bytes, so that every bit pattern occurs: NaN payloads, infinities, negative zero. */
const dataOf: { readonly [D in DType]: (bytes: Uint8Array) => TensorData } = {
  float32: (bytes) => new Float32Array(bytes.buffer),
  float64: (bytes) => new Float64Array(bytes.buffer),
  int32: (bytes) => new Int32Array(bytes.buffer),
  int64: (bytes) => new BigInt64Array(bytes.buffer),
  uint8: (bytes) => bytes,
  bool: (bytes) => bytes.map((byte) => byte & 1),
  float16: (bytes) => new Uint16Array(bytes.buffer),
  bfloat16: (bytes) => new Uint16Array(bytes.buffer),
};

function anyTensor(allowed: readonly DType[] = allDTypes): fc.Arbitrary<Tensor> {
  const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
  return fc.tuple(fc.constantFrom(...allowed), shape, fc.boolean()).chain(([dtype, sizes, isNamed]) => {
    const length = sizes.reduce((product, size) => product * size, 1) * dtypes[dtype].bytes;
    const axes = isNamed ? sizes.map((_, i) => `axis ${i}`) : undefined;
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((bytes) => Tensor.of(dataOf[dtype](bytes.slice()), sizes, axes, dtype));
  });
}

const anyName = fc.oneof(fc.string(), fc.constantFrom("__proto__", "toString", "0", "a.b", "ünï", "\u0000", '"'));
const anyTensors = fc.uniqueArray(fc.tuple(anyName, anyTensor()), { maxLength: 5, selector: ([name]) => name });

function bytesOf(tensor: Tensor): readonly number[] {
  return [...new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength)];
}

function expectSame(read: Tensor | undefined, written: Tensor): void {
  expect(read?.dtype).toBe(written.dtype);
  expect([...(read?.shape ?? [])]).toEqual([...written.shape]);
  expect(read === undefined ? [] : bytesOf(read)).toEqual(bytesOf(written));
}

/** Runs a reader on damaged bytes: it may succeed or throw an error of limpid's, nothing else. */
async function survives(read: () => Promise<unknown>): Promise<"read" | "refused"> {
  try {
    await read();
    return "read";
  } catch (error) {
    if (isLimpidError(error) && error.code !== "INTERNAL") return "refused";
    throw error;
  }
}

let files = 0;
function write(bytes: Uint8Array): string {
  const path = join(folder, `${files++}`);
  writeFileSync(path, bytes);
  return path;
}

describe("parse after write is the identity", () => {
  it("for safetensors, bit for bit, with names, metadata and axis names", async () => {
    const metadata = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 });
    await fc.assert(
      fc.asyncProperty(anyTensors, metadata, async (tensors, extra) => {
        const path = join(folder, `${files++}.safetensors`);
        await writeSafetensors(path, tensors, { metadata: extra });
        const loaded = new Map(Object.entries(await loadSafetensors(path)));
        expect([...loaded.keys()].sort()).toEqual(tensors.map(([name]) => name).sort());
        for (const [name, tensor] of tensors) {
          expectSame(loaded.get(name), tensor);
          expect(loaded.get(name)?.axes).toEqual(tensor.axes);
        }
        expect((await openSafetensors(path)).metadata).toMatchObject(extra);
      }),
      { numRuns: 500 },
    );
  });

  it("for npy and npz, bit for bit", async () => {
    const tensor = anyTensor(allDTypes.filter((dtype) => dtype !== "bfloat16"));
    await fc.assert(
      fc.asyncProperty(tensor, tensor, fc.boolean(), async (first, second, compress) => {
        const path = join(folder, `${files++}`);
        await writeNpy(`${path}.npy`, first);
        expectSame(await loadNpy(`${path}.npy`), first);
        await writeNpz(`${path}.npz`, { first, second }, { compress });
        const loaded = await loadNpz(`${path}.npz`);
        expectSame(loaded["first"], first);
        expectSame(loaded["second"], second);
      }),
      { numRuns: 40 },
    );
  });
});

describe("damaged files", () => {
  it("are refused when a safetensors file is cut at any byte or grows by one", async () => {
    const path = join(folder, "whole.safetensors");
    await writeSafetensors(path, {
      w: Tensor.of(Float32Array.of(1, 2, 3), [3], ["pos"]),
      e: Tensor.of(new Uint8Array(), [0]),
    });
    const bytes = new Uint8Array(readFileSync(path));
    for (let length = 0; length < bytes.length; length++) {
      expect(await survives(() => loadSafetensors(write(bytes.subarray(0, length))))).toBe("refused");
    }
    expect(await survives(() => loadSafetensors(write(Uint8Array.from([...bytes, 0]))))).toBe("refused");
  });

  it("are refused when a npy file is cut at any byte", async () => {
    const path = join(folder, "whole.npy");
    await writeNpy(path, Tensor.of(Float32Array.of(1, 2, 3), [3]));
    const bytes = new Uint8Array(readFileSync(path));
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length);
      expect(await survives(() => Promise.resolve().then(() => parseNpy(cut, "cut")))).toBe("refused");
    }
  });

  it.each(["linear.pt", "deflated.npz"])("are refused when %s is cut at any of its byte regions", async (file) => {
    const bytes = new Uint8Array(readFileSync(join(fixtures, file)));
    for (let length = 0; length < bytes.length; length += 13) {
      const path = write(bytes.subarray(0, length));
      expect(await survives(() => (file.endsWith(".pt") ? loadTorch(path) : loadNpz(path)))).toBe("refused");
    }
  });

  const readers: readonly (readonly [string, number, (path: string) => Promise<unknown>])[] = [
    ["hand.safetensors", 900, loadSafetensors],
    ["fortran.npy", 128, loadNpy],
    ["stored.npz", Number.MAX_SAFE_INTEGER, loadNpz],
    ["deflated.npz", Number.MAX_SAFE_INTEGER, loadNpz],
    ["checkpoint.pt", Number.MAX_SAFE_INTEGER, loadTorch],
    ["checkpoint-legacy.pt", 3000, loadTorch],
  ];

  it.each(readers)("give only limpid's errors when bytes of %s flip", async (file, region, read) => {
    const bytes = new Uint8Array(readFileSync(join(fixtures, file)));
    const flip = fc.tuple(fc.nat(Math.min(region, bytes.length) - 1), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(flip, { minLength: 1, maxLength: 3 }), async (flips) => {
        const damaged = bytes.slice();
        for (const [at, mask] of flips) damaged[at] = (damaged[at] ?? 0) ^ mask;
        await survives(() => read(write(damaged)));
      }),
      { numRuns: 3000 },
    );
  });

  it("give only limpid's errors when a pickle is any bytes, or a real one with bytes flipped", async () => {
    const real = new Uint8Array(readFileSync(join(fixtures, "p4.pkl")));
    const flipped = fc
      .array(fc.tuple(fc.nat(real.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => changes.reduce((bytes, [at, value]) => bytes.with(at, value), real));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 60 }), flipped), async (bytes) => {
        await survives(() => Promise.resolve().then(() => unpickle(bytes, { where: "fuzz" })));
      }),
      { numRuns: 20000 },
    );
  });
});

describe("scanJson", () => {
  it("accepts what JSON.parse accepts and nothing else", () => {
    const text = fc.oneof(
      fc.json(),
      fc.string({ unit: fc.constantFrom(...'{}[]:,"\\ \n0123456789.-+eEtrufalsn'.split("")), maxLength: 12 }),
    );
    fc.assert(
      fc.property(text, (json) => {
        const isValid = (() => {
          try {
            JSON.parse(json);
            return true;
          } catch {
            return false;
          }
        })();
        expect(scanJson(json).errorAt === undefined).toBe(isValid);
      }),
      { numRuns: 2000 },
    );
  });
});
