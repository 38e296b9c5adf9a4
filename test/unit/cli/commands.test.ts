import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadSafetensors, openSafetensors } from "../../../src/io/index.js";
import { expectClose } from "../../helpers/close.js";
import { fixture } from "../../helpers/fixtures.js";
import { json, limpid, scratchFolder } from "./helpers.js";

const folder = scratchFolder();
const gpt2 = fixture("architectures", "gpt2");
const golden = loadSafetensors(join(gpt2, "golden.safetensors"));

async function rows(name: string): Promise<readonly (readonly number[])[]> {
  const tensor = (await golden)[name];
  if (tensor === undefined) throw new Error(`the golden file has no ${name}`);
  const [batch = 0, pos = 0] = tensor.shape;
  const ids = Array.from(tensor.data as BigInt64Array, Number);
  return Array.from({ length: batch }, (_, row) => ids.slice(row * pos, (row + 1) * pos));
}

function write(name: string, value: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(value));
  return path;
}

async function expectGolden(path: string, section: string, tolerance: number): Promise<void> {
  const [written, expected] = [await loadSafetensors(path), await golden];
  const names = Object.keys(expected).filter(
    (name) => name.startsWith(`${section}/`) && !name.endsWith("attention_mask"),
  );
  expect(names.length).toBeGreaterThan(5);
  for (const name of names) {
    const [tensor, want] = [written[name.slice(section.length + 1)], expected[name]];
    if (tensor === undefined || want === undefined) throw new Error(`the file has no ${name}`);
    expectClose(tensor, want, tolerance, name);
  }
}

describe("capture", () => {
  it.each([
    ["float32", 1e-5],
    ["float64", 1e-9],
  ] as const)(
    "writes every hook point, tokens and logits as the reference has them in %s",
    async (precision, tolerance) => {
      const out = join(folder, `none-${precision}.safetensors`);
      const tokens = write("tokens.json", await rows("none/tokens"));
      const end = await limpid([
        "capture",
        gpt2,
        "--tokens-file",
        tokens,
        "--hooks",
        "*",
        "--precision",
        precision,
        "--out",
        out,
      ]);
      expect(end).toMatchObject({ code: 0, err: expect.not.stringContaining("limpid:") as string });
      await expectGolden(out, "none", tolerance);
      const info = json(await limpid(["info", gpt2, "--json", "--hooks"]));
      const names = (info["hookPoints"] as readonly { readonly name: string }[]).map(({ name }) => name);
      const { tensors, metadata } = await openSafetensors(out);
      expect([...tensors.keys()].sort()).toEqual([...names, "tokens", "logits"].sort());
      expect(JSON.parse(metadata["limpid.receipt"] ?? "{}")).toMatchObject({ batch: 2, pos: 6, precision });
      expect((await loadSafetensors(out))["blocks.0.attn.hook_pattern"]?.axes).toEqual([
        "batch",
        "head",
        "queryPos",
        "keyPos",
      ]);
    },
  );

  it.each(["left", "right"] as const)("takes an attention mask of %s padding from a file", async (side) => {
    const out = join(folder, `${side}.safetensors`);
    const tokens = write(`${side}.json`, await rows(`${side}/tokens`));
    const mask = write(`${side}-mask.json`, await rows(`${side}/attention_mask`));
    const end = await limpid([
      "capture",
      gpt2,
      "--tokens-file",
      tokens,
      "--attention-mask-file",
      mask,
      "--hooks",
      "*",
      "--out",
      out,
    ]);
    expect(end).toMatchObject({ code: 0 });
    expect(end.out).toMatch(/slots of padding left out/);
    await expectGolden(out, side, 1e-5);
  });

  it("keeps only the hook points named, logits of the last token, and takes a flat list and ids on the line", async () => {
    const list = write("flat.json", [1, 2, 3]);
    const files = ["a", "b", "c"].map((name) => join(folder, `${name}.safetensors`));
    const [a = "", b = "", c = ""] = files;
    const hooks = ["--hooks", "pattern, blocks.*.hook_mlp_out"];
    const end = await limpid([
      "capture",
      gpt2,
      "--tokens-file",
      list,
      ...hooks,
      "--logits",
      "last",
      "--out",
      a,
      "--json",
    ]);
    expect(json(end)).toMatchObject({
      file: a,
      receipt: { batch: 1, pos: 3 },
      tensors: { tokens: { dtype: "int32", shape: [1, 3] } },
    });
    await limpid(["capture", gpt2, "--tokens", "1,2,3", ...hooks, "--logits", "last", "--out", b]);
    await limpid(["capture", gpt2, "--tokens", "1,2,3", ...hooks, "--logits", "none", "--out", c]);
    const [first = {}, second = {}, third = {}] = await Promise.all(files.map((file) => loadSafetensors(file)));
    const names = [0, 1].flatMap((layer) => [`blocks.${layer}.attn.hook_pattern`, `blocks.${layer}.hook_mlp_out`]);
    expect(Object.keys(first).sort()).toEqual([...names, "logits", "tokens"].sort());
    expect(Object.keys(third).sort()).toEqual([...names, "tokens"].sort());
    expect(first["logits"]?.shape).toEqual([1, 1, 29]);
    const values = (file: typeof first): unknown => names.map((name) => file[name]?.toArray());
    expect(values(second)).toEqual(values(first));
  });

  it("pads rows of unequal length when told where, and says so otherwise", async () => {
    const tokens = write("ragged.json", [[1, 2, 3], [4]]);
    const args = [
      "capture",
      gpt2,
      "--tokens-file",
      tokens,
      "--hooks",
      "hook_embed",
      "--out",
      join(folder, "ragged.safetensors"),
    ];
    expect((await limpid(args)).err).toContain("rows of 3, 1 tokens; expected rows of equal length");
    expect(await limpid([...args, "--padding", "left"])).toMatchObject({ code: 0 });
  });

  it.each([
    ["an object", { tokens: [1] }],
    ["an empty list", []],
    ["fractions", [1.5]],
    ["text in a row", [[1, "2"]]],
    ["rows and numbers mixed", [[1], 2]],
  ])("refuses a tokens file that holds %s and writes nothing", async (_, value) => {
    const before = readdirSync(folder).length;
    const out = join(folder, "refused.safetensors");
    const end = await limpid([
      "capture",
      gpt2,
      "--tokens-file",
      write("tokens.json", value),
      "--hooks",
      "*",
      "--out",
      out,
    ]);
    expect(end.code).toBe(1);
    expect(end.err).toContain("tokens.json: got ");
    expect(end.err).toContain("; expected a list of integers, or a list of such lists.");
    expect(readdirSync(folder).length).toBe(before);
  });

  it("leaves an existing file as it was when the run fails", async () => {
    const out = join(folder, "kept.safetensors");
    writeFileSync(out, "before");
    await limpid(["capture", gpt2, "--tokens", "1,77", "--hooks", "*", "--out", out]);
    expect((await import("node:fs")).readFileSync(out, "utf8")).toBe("before");
  });
});

describe("info", () => {
  it("prints sizes, files and hook points without converting a model that needs it", async () => {
    const end = await limpid(["info", "tiny"]);
    expect(end).toMatchObject({ code: 0, err: "" });
    for (const text of ["gpt2", "float16", "converted once to float32", "256 tokens", "tied head", "tokenizer"])
      expect(end.out).toContain(text);
    expect(readdirSync(folder)).not.toContain("cache");
  });

  it("lists every hook point with axes and symbolic sizes", async () => {
    const { out } = await limpid(["info", gpt2, "--hooks"]);
    expect(out).toMatch(
      /^blocks\.0\.attn\.hook_pattern +\[batch, head=3, queryPos=pos, keyPos=past\+pos\]|^blocks\.0\.attn\.hook_pattern +\[batch, head=3, queryPos=pos, keyPos=pos\]/m,
    );
    expect(out).toMatch(/^hook_tokens .*read only$/m);
  });

  it("prints one JSON value", async () => {
    const info = json(await limpid(["info", fixture("architectures", "llama-gqa-bias"), "--json"]));
    expect(info).toMatchObject({
      format: "huggingface",
      isMappable: true,
      preparedBytes: 0,
      hasTokenizer: false,
      parametersByDType: { float32: info["nParameters"] },
      config: { architecture: "llama", nLayers: 2, gatedMlp: true },
    });
    expect(info["nHookPoints"]).toBeGreaterThan(40);
    expect(info).not.toHaveProperty("hookPoints");
  });
});

describe("run", () => {
  it("prints the probabilities, logits and losses that the reference's logits mean", async () => {
    const [ids = []] = await rows("none/tokens");
    const result = json(await limpid(["run", gpt2, "--tokens", ids.join(","), "--top", "3", "--json"]));
    const logits = (await golden)["none/logits"]?.at({ d0: 0 });
    if (logits === undefined) throw new Error("the golden file has no logits");
    const logProbs = Array.from(logits.logSoftmax("d2").data as Float64Array);
    const vocab = logits.shape[1] ?? 0;
    const last = logProbs.slice(-vocab);
    const order = last.map((_, id) => id).sort((a, b) => (last[b] ?? 0) - (last[a] ?? 0));
    const top = result["top"] as readonly { readonly id: number; readonly probability: number }[];
    expect(top.map(({ id }) => id)).toEqual(order.slice(0, 3));
    top.forEach(({ id, probability }) => {
      expect(probability).toBeCloseTo(Math.exp(last[id] ?? 0), 5);
    });
    const prompt = result["prompt"] as readonly { readonly id: number; readonly loss?: number }[];
    expect(prompt.map(({ id }) => id)).toEqual(ids);
    expect(prompt[0]).not.toHaveProperty("loss");
    const losses = ids.slice(1).map((id, pos) => -(logProbs[pos * vocab + id] ?? 0));
    losses.forEach((loss, i) => {
      expect(prompt[i + 1]?.loss).toBeCloseTo(loss, 4);
    });
    expect(result["loss"]).toBeCloseTo(losses.reduce((a, b) => a + b, 0) / losses.length, 4);
  });

  it("prints tables of pieces for text, and puts BOS in front when told", async () => {
    const plain = await limpid(["run", "tiny", "the war", "--no-prepend-bos", "--top", "2"]);
    expect(plain).toMatchObject({ code: 0 });
    expect(plain.out).toMatch(/^next token$/m);
    expect(plain.out).toMatch(/^prompt: mean loss [\d.]+ nats over \d+ tokens?$/m);
    const result = json(await limpid(["run", "tiny", "the war", "--prepend-bos", "--json"]));
    expect(result["bos"]).toBe("option");
    expect((result["prompt"] as readonly { readonly token: string }[])[0]?.token).toBe("<|endoftext|>");
  });

  it("runs a prompt of one token without a loss, and models whose outputs are another vocabulary", async () => {
    const end = await limpid(["run", gpt2, "--tokens", "3"]);
    expect(end.out).toMatch(/^prompt$/m);
    const other = await limpid(["run", fixture("architectures", "tl-vocab-out"), "--tokens", "3,4", "--json"]);
    expect(json(other)).not.toHaveProperty("loss");
  });
});

describe("generate", () => {
  it("prints text as it comes, the same as --json has, and the same for a seed", async () => {
    const args = ["generate", "tiny", "My fellow", "--max-new-tokens", "6", "--seed", "3"];
    const [streamed, whole] = [await limpid(args), json(await limpid([...args, "--json"]))];
    expect(streamed).toMatchObject({ code: 0, out: `${(whole["texts"] as readonly string[])[0] ?? ""}\n` });
    expect((whole["newTokens"] as readonly (readonly number[])[])[0]).toHaveLength(6);
  });

  it("prints ids for models without a tokenizer", async () => {
    const { out } = await limpid(["generate", gpt2, "--tokens", "1,2,3", "--max-new-tokens", "4"]);
    expect(out).toMatch(/^\d+,\d+,\d+,\d+\n$/);
  });

  it("refuses what sampling refuses", async () => {
    const end = await limpid(["generate", gpt2, "--tokens", "1", "--top-p", "0"]);
    expect(end).toMatchObject({
      code: 1,
      err: expect.stringContaining("generate: topP: got 0; expected a number in (0, 1].") as string,
    });
  });
});

describe("verify", () => {
  it("prints a table and exits with 0 for a sound model", async () => {
    const end = await limpid(["verify", gpt2, "--quick"]);
    expect(end.code).toBe(0);
    expect(end.out).toMatch(/^law +what was measured +value +bound +result$/m);
    expect(end.out).toMatch(/\d+ ok, 0 failed, \d+ not run\.\n$/);
  });

  it("exits with 1 for weights that are not numbers, and names them in JSON", async () => {
    const broken = join(folder, "broken");
    mkdirSync(broken);
    const fs = await import("node:fs");
    fs.copyFileSync(join(gpt2, "config.json"), join(broken, "config.json"));
    const bytes = fs.readFileSync(join(gpt2, "model.safetensors"));
    const { tensors } = await openSafetensors(join(gpt2, "model.safetensors"));
    const stored = tensors.get("transformer.h.1.mlp.c_fc.weight") ?? tensors.get("h.1.mlp.c_fc.weight");
    bytes.writeFloatLE(Number.NaN, stored?.offset ?? 0);
    fs.writeFileSync(join(broken, "model.safetensors"), bytes);
    const end = await limpid(["verify", broken, "--json"]);
    expect(end.code).toBe(1);
    const checks = json(end)["checks"] as readonly {
      readonly law: string;
      readonly status: string;
      readonly detail?: string;
    }[];
    expect(checks).toContainEqual(
      expect.objectContaining({ law: "weights", status: "failed", value: 1, detail: `1 in ${stored?.name ?? ""}` }),
    );
  });
});
