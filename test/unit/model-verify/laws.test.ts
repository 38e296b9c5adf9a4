/** Each law holds for a sound model and is broken by a model that is broken in that way. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openSafetensors } from "../../../src/io/index.js";
import { at, type Edit, edit, loadModel, type Model, verify } from "../../../src/model/index.js";
import { attentionLaw } from "../../../src/model/verify/law-attention.js";
import { editsLaw } from "../../../src/model/verify/law-edits.js";
import { generationLaw } from "../../../src/model/verify/law-generation.js";
import { hooksLaw } from "../../../src/model/verify/law-hooks.js";
import { knownLaw } from "../../../src/model/verify/law-known.js";
import { precisionLaw } from "../../../src/model/verify/law-precision.js";
import { batchLaw, causalityLaw, lossLaw, paddingLaw } from "../../../src/model/verify/law-rows.js";
import { lensLaw, partsLaw } from "../../../src/model/verify/law-stream.js";
import { weightsLaw } from "../../../src/model/verify/law-weights.js";
import { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";
import { failuresOf, measure } from "./helpers.js";

const gpt2 = fixture("architectures", "gpt2");
const opened = loadModel(gpt2);
const scratch = mkdtempSync(join(tmpdir(), "limpid-verify-"));
afterAll(async () => {
  await (await opened).close();
  rmSync(scratch, { recursive: true, force: true });
});

const edited = async (...edits: readonly Edit[]): Promise<Model> => (await opened).with(...edits);

/** Adds to every slot something of another: `from` gives the flat index that element `i` also takes. */
function mixing(hook: string, from: (i: number, shape: readonly number[]) => number): Edit {
  return edit.callback(hook, (x) => {
    const data = x.data as Float32Array;
    return Tensor.of(
      Float32Array.from(data, (value, i) => value + 0.5 * (data[from(i, x.shape)] ?? 0)),
      x.shape,
      [...x.axes],
    );
  });
}

const lastSlot = (i: number, [, pos = 0, size = 0]: readonly number[]): number =>
  Math.floor(i / (pos * size)) * pos * size + (pos - 1) * size + (i % size);
const nextRow = (i: number, [batch = 0, pos = 0, size = 0]: readonly number[]): number =>
  (i + pos * size) % (batch * pos * size);

/** A copy of the fixture with the first element of one weight replaced. */
async function withWeight(name: string, value: number): Promise<Model> {
  const folder = mkdtempSync(join(scratch, "copy-"));
  copyFileSync(join(gpt2, "config.json"), join(folder, "config.json"));
  const file = join(gpt2, "model.safetensors");
  const { tensors } = await openSafetensors(file);
  const stored = [...tensors.values()].find((one) => one.name.endsWith(name));
  const bytes = readFileSync(file);
  bytes.writeFloatLE(value, stored?.offset ?? 0);
  writeFileSync(join(folder, "model.safetensors"), bytes);
  return loadModel(folder);
}

describe("a sound model", () => {
  it("keeps every law", async () => {
    const verification = await verify(await opened);
    expect(verification.failures).toEqual([]);
    expect(verification.count("not run")).toBe(1);
    expect(verification.checks.every(({ status, value }) => status === "not run" || value !== undefined)).toBe(true);
  });
});

describe("the law of weights", () => {
  it("fails for NaN and infinity and names the weight", async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const model = await withWeight("h.0.attn.c_proj.weight", bad);
      const checks = await measure(weightsLaw, model);
      expect(checks[1]).toMatchObject({
        status: "failed",
        value: 1,
        detail: expect.stringMatching(/1 in .*h\.0\.attn\.c_proj\.weight/) as string,
      });
      expect(await failuresOf(hooksLaw, model)).toEqual(["hook points with NaN or infinity"]);
      await model.close();
    }
  });

  it("is not run in full when quick", async () => {
    expect((await measure(weightsLaw, await opened, { quick: true }))[1]).toMatchObject({ status: "not run" });
  });

  it("counts every weight that the checkpoint must have", async () => {
    // Two layers of twelve weights, token and position embeddings, final norm.
    expect((await measure(weightsLaw, await opened))[0]).toMatchObject({ value: 2 * 12 + 2 + 2, status: "ok" });
  });
});

describe("the law of attention", () => {
  it("fails where rows do not sum to 1", async () => {
    const failed = await measure(attentionLaw, await edited(edit.scale(at.pattern(1), 1.01)));
    expect(failed[0]).toMatchObject({ status: "failed", value: expect.closeTo(0.01, 5) as number, detail: "layer 1" });
    expect(failed[1]).toMatchObject({ status: "ok" });
  });

  it("fails where a query sees the future or padding", async () => {
    const model = await edited(edit.replace(at.pattern(0), 1 / 12, { pos: 3 }));
    expect(await failuresOf(attentionLaw, model)).toContain("largest weight that the mask forbids");
  });

  it("fails where attention leaves a sliding window", async () => {
    const model = await loadModel(fixture("architectures", "mistral"));
    expect(await failuresOf(attentionLaw, model)).toEqual([]);
    const wide = model.with(edit.callback(at.pattern(0), (x) => x.mul(0).add(1 / 12)));
    expect(await failuresOf(attentionLaw, wide)).toContain("largest weight that the mask forbids");
    await model.close();
  });
});

describe("the laws of the stream", () => {
  it("fail where the stream is not the sum of its parts", async () => {
    expect(await failuresOf(partsLaw, await edited(edit.scale(at.residMid(1), 1.5)))).toHaveLength(1);
    expect(await failuresOf(partsLaw, await edited(edit.scale(at.attnOut(1), 1.5)))).toHaveLength(0);
  });

  it("fail where the logits depend on more than the last stream", async () => {
    let calls = 0;
    const drifting = await edited(edit.callback("unembed.hook_out", (x) => x.add(calls++)));
    expect(await failuresOf(lensLaw, drifting)).toHaveLength(1);
  });

  it("do not read the lens where edits of other layers have no place", async () => {
    const checks = await measure(lensLaw, await edited(edit.scale(at.z(1), 2)));
    expect(checks).toMatchObject([{ status: "not run", detail: "the view has edits at other layers" }]);
  });
});

describe("the laws of rows and positions", () => {
  it("fail where an earlier position sees a later one", async () => {
    expect(await failuresOf(causalityLaw, await edited(mixing("blocks.0.hook_resid_pre", lastSlot)))).toHaveLength(1);
  });

  it("say whether causality holds bit for bit", async () => {
    expect(await measure(causalityLaw, await opened)).toMatchObject([{ value: 0, detail: "bit for bit" }]);
  });

  it("fail where a row sees another row", async () => {
    expect(await failuresOf(batchLaw, await edited(mixing("blocks.1.hook_resid_pre", nextRow)))).toHaveLength(1);
  });

  it("fail where slots are counted with their padding", async () => {
    const bySlot = edit.callback("hook_embed", (x) => {
      const [, pos = 0, size = 0] = x.shape;
      return Tensor.of(
        Float32Array.from(x.data as Float32Array, (value, i) => value * (1 + (Math.floor(i / size) % pos))),
        x.shape,
        [...x.axes],
      );
    });
    expect(await failuresOf(paddingLaw, await edited(bySlot))).toEqual(["logits padded on the left against alone"]);
  });

  it("take the loss for what the logits say", async () => {
    expect(await measure(lossLaw, await edited(edit.scale("unembed.hook_out", 3)))).toMatchObject([
      { status: "ok" },
      { status: "ok", value: 0 },
    ]);
  });

  it("do not apply to one token or to attention in both directions", async () => {
    const model = await loadModel(fixture("architectures", "tl-bidirectional"));
    expect(await measure(causalityLaw, model)).toMatchObject([
      { status: "not run", detail: "attention looks both ways" },
    ]);
    expect(await measure(generationLaw, model)).toMatchObject([{ status: "not run" }]);
    await model.close();
  });
});

describe("the law of edits", () => {
  it("fails where a hook point changes nothing, and names it", async () => {
    const dead = await measure(editsLaw, await edited(edit.scale(at.attnOut(1), 0)));
    expect(dead[1]).toMatchObject({
      status: "failed",
      value: 0,
      detail: expect.stringContaining("blocks.1.attn.hook_z") as string,
    });
  });

  it("fails where an edit reaches another row or an earlier position", async () => {
    expect(await failuresOf(editsLaw, await edited(mixing("blocks.1.hook_resid_pre", nextRow)))).toContain(
      "largest change in another row",
    );
    expect(await failuresOf(editsLaw, await edited(mixing("blocks.1.hook_resid_pre", lastSlot)))).toEqual([
      "largest change before the edited position",
    ]);
  });
});

describe("the law of precision", () => {
  it("fails where float32 loses the numbers, and says in which layer", async () => {
    const lossy = await edited(edit.add(at.residPost(0), 1e7), edit.add(at.residPost(0), -1e7));
    const [stream, , logits] = await measure(precisionLaw, lossy);
    expect(stream).toMatchObject({
      status: "failed",
      perLayer: { "layer 0": expect.any(Number) as number, "layer 1": expect.any(Number) as number },
    });
    expect(logits).toMatchObject({ status: "failed" });
  });
});

describe("the law of generation", () => {
  it("fails where a step changes what comes after it", async () => {
    let calls = 0;
    const drifting = edit.callback("blocks.1.hook_resid_post", (x) => {
      const shift = Tensor.of(
        Float32Array.from({ length: x.shape[2] ?? 0 }, (_, i) => 30 * Math.sin(i * calls)),
        [x.shape[2] ?? 0],
        ["dModel"],
      );
      calls++;
      return x.add(shift);
    });
    expect(await failuresOf(generationLaw, await edited(drifting))).toHaveLength(1);
  });

  it("is not measured where edits belong to steps, positions or rows", async () => {
    const checks = await measure(generationLaw, await edited(edit.scale(at.v(0), 2, { steps: 0 })));
    expect(checks).toMatchObject([
      { status: "not run", detail: "the view's edit.scale selects steps, positions or rows" },
    ]);
  });
});

describe("known answers", () => {
  it("are not looked for in another model of the same name", async () => {
    expect(await measure(knownLaw, await opened)).toMatchObject([
      { status: "not run", detail: "none are recorded for this model" },
    ]);
  });
});
