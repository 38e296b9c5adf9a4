import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  isMappable,
  loadSafetensors,
  loadTorch,
  openTorch,
  readStored,
  readStoredRows,
  stateDictOf,
} from "../../../src/io/index.js";
import { expectedOf, expectTensor, fixture, refusal, temporaryFolder, valuesOf } from "./support.js";

const folder = temporaryFolder();
const formats = ["checkpoint.pt", "checkpoint-legacy.pt"];
const data = process.env["LIMPID_DATA"] ?? fileURLToPath(new URL("../../../../shared/data", import.meta.url));
const toy = join(data, "routing-toy");

describe.each(formats)("a checkpoint of torch.save (%s)", (file) => {
  const path = fixture(file);

  it("gives what PyTorch holds, by dotted path", async () => {
    const { tensors } = await openTorch(path);
    const expected = expectedOf(file);
    expect([...tensors.keys()].filter((name) => name !== "model.complex")).toEqual(
      Object.keys(expected).sort(byOrder(tensors)),
    );
    for (const [name, stored] of tensors)
      if (name !== "model.complex") expectTensor(await readStored(stored), expected[name]);
  });

  it("points into the file for contiguous tensors, shared storages included", async () => {
    const { tensors } = await openTorch(path);
    const base = tensors.get("model.base");
    const rows = tensors.get("model.rows");
    if (base === undefined || rows === undefined) throw new Error("missing");
    expect(rows.offset).toBe(base.offset + 16);
    const bytes = readFileSync(path);
    expect(Array.from({ length: 12 }, (_, i) => bytes.readFloatLE(base.offset + 4 * i))).toEqual([...Array(12).keys()]);
    const strided = [...tensors].filter(([, stored]) => stored.strides !== undefined).map(([name]) => name);
    expect(strided).toEqual(["model.transposed", "model.column", "model.expanded", "model.cube.transposed"]);
    expect(
      strided.map((name) => tensors.get(name)).every((stored) => stored !== undefined && !isMappable(stored)),
    ).toBe(true);
  });

  it("reads rows of a transposed tensor", async () => {
    const stored = (await openTorch(path)).tensors.get("model.transposed");
    if (stored === undefined) throw new Error("missing");
    expect(valuesOf(await readStoredRows(stored, 1, 3))).toEqual([1, 5, 9, 2, 6, 10]);
  });

  it("keeps everything else in value, and numpy arrays apart", async () => {
    const { value, arrays } = await openTorch(path);
    if (!(value instanceof Map)) throw new Error("not a dict");
    const plain = ["step", "huge", "negative", "lr", "name", "nothing", "flags", "raw", "size", "device", "best"];
    expect(plain.map((key) => value.get(key))).toEqual([
      7,
      2n ** 70n,
      -(2 ** 40),
      0.1,
      "ünï",
      null,
      [true, false],
      Uint8Array.of(0, 255),
      [3, 4],
      "cpu",
      0.5,
    ]);
    expect(value.get("dtype")).toMatchObject({ kind: "global", name: "torch.float32" });
    expectTensor(arrays.get("mask"), { dtype: "bool", shape: [2, 2], values: [1, 0, 0, 1] });
  });

  it("unwraps the state dict", async () => {
    const names = [...stateDictOf(await openTorch(path)).keys()];
    expect(names).toContain("cube.transposed");
    expect(names).not.toContain("layers.0");
  });

  it("refuses to read a complex tensor", async () => {
    const stored = (await openTorch(path)).tensors.get("model.complex");
    if (stored === undefined) throw new Error("missing");
    expect((await refusal(readStored(stored), "UNSUPPORTED")).got).toBe("element type complex64");
  });
});

describe("openTorch", () => {
  it("aligns the tensors of the zip format to 64 bytes, so that they can be mapped", async () => {
    const { tensors } = await openTorch(fixture("linear.pt"));
    expect([...tensors.keys()]).toEqual(["weight", "bias"]);
    expect([...tensors.values()].every((stored) => stored.offset % 64 === 0 && isMappable(stored))).toBe(true);
    expect(stateDictOf(await openTorch(fixture("linear.pt"))).size).toBe(2);
  });

  it.each(["evil.pt", "evil-legacy.pt"])("refuses to run what %s asks for", async (file) => {
    const error = await refusal(openTorch(fixture(file)), "FORMAT");
    expect(error.got).toBe("a pickle that calls posix.system");
    expect(error.where.startsWith(fixture(file))).toBe(true);
    expect(existsSync("pickle-was-run")).toBe(false);
  });

  it.each(["inert.pt", "inert-p4.pt"])(
    "keeps an object of a named class as a record and refuses it otherwise (%s)",
    async (file) => {
      const refused = await refusal(openTorch(fixture(file)), "FORMAT");
      expect(refused.got).toBe("a pickle that calls training.config.Config");
      const { value } = await openTorch(fixture(file), { inert: ["training.config.Config"] });
      const config = value instanceof Map ? value.get("cfg") : undefined;
      expect(config).toMatchObject({ kind: "inert", name: "training.config.Config" });
      expect(config.state).toEqual(
        new Map<string, unknown>([
          ["d_in", 768],
          ["hook", "blocks.0.hook_resid_pre"],
        ]),
      );
    },
  );

  it("names the storage of a file that was cut short", async () => {
    const bytes = readFileSync(fixture("checkpoint-legacy.pt"));
    const path = join(folder, "cut.pt");
    writeFileSync(path, bytes.subarray(0, -1));
    const error = await refusal(openTorch(path), "FORMAT");
    expect(error.message).toMatch(
      /storage \d+: got 2 elements of complex64 at offset \d+; expected no more than the file's/,
    );
    writeFileSync(path, readFileSync(fixture("linear.pt")).subarray(0, -30));
    expect((await refusal(openTorch(path), "FORMAT")).got).toBe("no zip directory at the end");
  });

  it("says what other files are", async () => {
    expect((await refusal(openTorch(fixture("stored.npz")), "FORMAT")).message).toBe(
      `${fixture("stored.npz")}: got a .npz archive; expected a file that torch.save wrote. Open it with openNpz.`,
    );
    const notTorch = await refusal(openTorch(fixture("expected.json")), "FORMAT");
    expect(notTorch.message).toBe(
      `${fixture("expected.json")}: got bytes that are neither a zip archive nor PyTorch's older format; ` +
        "expected a file that torch.save wrote. Check that this is the right file; open a plain pickle with openPickle.",
    );
    await refusal(openTorch(fixture("p2.pkl")), "FORMAT");
    const tar = join(folder, "old.tar");
    const bytes = new Uint8Array(512);
    bytes.set(new TextEncoder().encode("ustar"), 257);
    writeFileSync(tar, bytes);
    expect((await refusal(openTorch(tar), "UNSUPPORTED")).got).toBe("a tar archive (PyTorch before 0.1.10)");
  });
});

describe.skipIf(!existsSync(toy))("the routing toy, saved by a current PyTorch", () => {
  it("holds the same weights as its safetensors form", async () => {
    const file = await openTorch(join(toy, "model.pt"));
    const reference = await loadSafetensors(join(toy, "model.safetensors"));
    const loaded = await loadTorch(join(toy, "model.pt"));
    const shared = Object.keys(reference).filter((name) => name in loaded);
    expect(file.tensors.size).toBeGreaterThan(0);
    for (const name of shared) expect(loaded[name]?.data).toEqual(reference[name]?.data);
    const pool = Object.values(loaded).map((tensor) => fingerprint(tensor.data));
    for (const [name, tensor] of Object.entries(reference)) {
      if (!name.includes("attn")) expect(pool, name).toContain(fingerprint(tensor.data));
    }
  });

  it("has its dictionary, each tensor mappable", async () => {
    const { tensors } = await openTorch(join(toy, "sae.pt"));
    expect(Object.fromEntries([...tensors].map(([name, stored]) => [name, stored.shape]))).toEqual({
      b_dec: [32],
      W_enc: [64, 32],
      b_enc: [64],
      W_dec: [32, 64],
    });
    expect([...tensors.values()].every(isMappable)).toBe(true);
  });
});

/** Elements in any order: the two files may store a matrix transposed. */
function fingerprint(values: ArrayLike<number | bigint>): string {
  return Array.from(values, Number)
    .sort((a, b) => a - b)
    .join();
}

function byOrder(tensors: ReadonlyMap<string, unknown>): (a: string, b: string) => number {
  const order = [...tensors.keys()];
  return (a, b) => order.indexOf(a) - order.indexOf(b);
}
