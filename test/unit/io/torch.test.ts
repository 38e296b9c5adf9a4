import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  isMappable,
  isPickleDict,
  isPickleObject,
  loadSafetensors,
  loadTorch,
  openTorch,
  readStored,
  readStoredRows,
  stateDictOf,
} from "../../../src/io/index.js";
import type { Tensor } from "../../../src/tensor/index.js";
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
    if (!isPickleDict(value)) throw new Error("not a dict");
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
      const config = isPickleDict(value) ? value.get("cfg") : undefined;
      expect(config).toMatchObject({ kind: "inert", name: "training.config.Config" });
      expect(isPickleObject(config, "inert") ? config.state : undefined).toEqual(
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
      /storage \d+: got \d+ elements of \w+ at offset \d+; expected no more than the file's/,
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
  it("holds the same weights as its safetensors form, transposed where PyTorch stores them so", async () => {
    const theirs = await loadTorch(join(toy, "model.pt"));
    const ours = await loadSafetensors(join(toy, "model.safetensors"));
    const same = (ourName: string, theirName: string, place: (i: number) => number = (i) => i): void => {
      const a = valuesOf(tensorAt(ours, ourName));
      const b = valuesOf(tensorAt(theirs, theirName));
      expect(a.length, ourName).toBeGreaterThan(0);
      expect(a, ourName).toEqual(a.map((_, i) => b[place(i)]));
    };
    const transposed = (rows: number, columns: number) => (i: number) => (i % columns) * rows + Math.floor(i / columns);
    // Ours [head, dModel, dHead], theirs [head * dHead, dModel].
    const perHead = (i: number) => (Math.floor(i / 256) * 8 + (i % 8)) * 32 + (Math.floor(i / 8) % 32);
    same("embed.W_E", "embed.weight");
    same("pos_embed.W_pos", "pos");
    same("unembed.W_U", "unembed.weight", transposed(32, 12));
    same("ln_final.w", "ln_f.weight");
    for (const block of ["blocks.0", "blocks.1"]) {
      for (const name of ["W_Q", "W_K", "W_V"]) same(`${block}.attn.${name}`, `${block}.attn.${name}.weight`, perHead);
      same(`${block}.attn.W_O`, `${block}.attn.W_O.weight`, transposed(32, 32));
      same(`${block}.mlp.W_in`, `${block}.mlp.fc_in.weight`, transposed(32, 128));
      same(`${block}.mlp.W_out`, `${block}.mlp.fc_out.weight`, transposed(128, 32));
      same(`${block}.mlp.b_in`, `${block}.mlp.fc_in.bias`);
      same(`${block}.ln2.b`, `${block}.ln2.bias`);
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

function tensorAt(tensors: Readonly<Record<string, Tensor>>, name: string): Tensor {
  const tensor = tensors[name];
  if (tensor === undefined) throw new Error(`no tensor ${name}`);
  return tensor;
}

function byOrder(tensors: ReadonlyMap<string, unknown>): (a: string, b: string) => number {
  const order = [...tensors.keys()];
  return (a, b) => order.indexOf(a) - order.indexOf(b);
}
