/** An abort during a run of many segments: a random model of GPT-2's shape, made here. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeSafetensorsStream } from "../../src/io/index.js";
import { edit, loadModel, type Model } from "../../src/model/index.js";

const [dModel, nLayers, nCtx, dVocab] = [512, 12, 128, 997];

/** Names and shapes of GPT-2's weights. */
function shapes(): Record<string, number[]> {
  const block = (layer: number): Record<string, number[]> =>
    Object.fromEntries(
      Object.entries({
        "ln_1.weight": [dModel],
        "ln_1.bias": [dModel],
        "attn.c_attn.weight": [dModel, 3 * dModel],
        "attn.c_attn.bias": [3 * dModel],
        "attn.c_proj.weight": [dModel, dModel],
        "attn.c_proj.bias": [dModel],
        "ln_2.weight": [dModel],
        "ln_2.bias": [dModel],
        "mlp.c_fc.weight": [dModel, 4 * dModel],
        "mlp.c_fc.bias": [4 * dModel],
        "mlp.c_proj.weight": [4 * dModel, dModel],
        "mlp.c_proj.bias": [dModel],
      }).map(([name, shape]) => [`transformer.h.${layer}.${name}`, shape]),
    );
  return Object.assign(
    { "transformer.wte.weight": [dVocab, dModel], "transformer.wpe.weight": [nCtx, dModel] },
    ...Array.from({ length: nLayers }, (_, layer) => block(layer)),
    { "transformer.ln_f.weight": [dModel], "transformer.ln_f.bias": [dModel] },
  ) as Record<string, number[]>;
}

/** Cheap, bounded, different numbers; the loops of a generator would take longer than the runs. */
function numbers(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => (((i * 2654435761) % 1000) / 1000 - 0.5) * 0.1);
}

let folder = "";
let model: Model;
const rows = Array.from({ length: 8 }, (_, row) => Array.from({ length: nCtx }, (_, i) => (i * 31 + row) % dVocab));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "limpid-abort-"));
  const config = {
    model_type: "gpt2",
    n_layer: nLayers,
    n_head: 8,
    n_embd: dModel,
    n_positions: nCtx,
    n_ctx: nCtx,
    vocab_size: dVocab,
    activation_function: "gelu_new",
    layer_norm_epsilon: 1e-5,
    tie_word_embeddings: true,
  };
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  const plan = Object.entries(shapes()).map(([name, shape]) => ({ name, dtype: "float32" as const, shape }));
  await writeSafetensorsStream(join(folder, "model.safetensors"), plan, ({ shape }) => [
    numbers(shape.reduce((a, b) => a * b, 1)),
  ]);
  model = await loadModel(folder);
});

afterAll(async () => {
  await model.close();
  await rm(folder, { recursive: true, force: true });
});

describe("an abort of a long run", () => {
  it("rejects between two segments, and the model goes on", async () => {
    const segments = model.explain(rows).segments;
    expect(segments).toBeGreaterThan(2);
    const whole = await model.run(rows, { logits: "last" });
    const controller = new AbortController();
    let done = 0;
    let abortedAt = 0;
    const run = model.run(rows, {
      signal: controller.signal,
      onProgress: (event) => {
        done = event.done;
        if (done !== 1) return;
        abortedAt = performance.now();
        controller.abort("enough");
      },
    });
    await expect(run).rejects.toMatchObject({ code: "ABORTED", cause: "enough" });
    console.info(
      `rejected ${Math.round(performance.now() - abortedAt)} ms after the abort, ${done} of ${segments} segments done`,
    );
    expect(done).toBeLessThan(segments);
    const again = await model.run(rows, { logits: "last" });
    expect(again.logits.equals(whole.logits)).toBe(true);
  });

  it("rejects before anything starts when the signal is aborted already", async () => {
    let calls = 0;
    const options = {
      signal: AbortSignal.abort("no"),
      onProgress: () => {
        calls++;
      },
    };
    await expect(model.run(rows, options)).rejects.toMatchObject({ code: "ABORTED", cause: "no" });
    await expect(
      model.generate(
        rows.slice(0, 1).map((row) => row.slice(0, 8)),
        options,
      ),
    ).rejects.toMatchObject({ code: "ABORTED" });
    expect(calls).toBe(0);
  });

  it("also lands in a run that calls JavaScript, and in a generation", async () => {
    const controller = new AbortController();
    let isReached = false;
    const hooked = model.with(
      edit.callback("blocks.0.hook_resid_post", () => {
        controller.abort();
        return undefined;
      }),
      edit.callback("blocks.11.hook_resid_post", () => {
        isReached = true;
        return undefined;
      }),
    );
    expect(hooked.explain(rows).segments).toBeGreaterThan(5);
    await expect(hooked.run(rows, { signal: controller.signal })).rejects.toMatchObject({ code: "ABORTED" });
    expect(isReached).toBe(false);
    const stopper = new AbortController();
    const prompt = [rows[0]?.slice(0, 8) ?? []];
    const made: number[] = [];
    const generation = async (): Promise<void> => {
      for await (const { step } of model.generateStream(prompt, { maxNewTokens: 50, signal: stopper.signal })) {
        made.push(step);
        if (step === 3) stopper.abort();
      }
    };
    await expect(generation()).rejects.toMatchObject({ code: "ABORTED" });
    expect(made).toEqual([0, 1, 2, 3]);
  });
});
