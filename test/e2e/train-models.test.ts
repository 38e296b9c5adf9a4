/** What is trained is what is written: for each kind of model, the folder computes what the trainer computed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { languageModelTrainer } from "../../src/analysis/index.js";
import { loadSafetensors } from "../../src/io/index.js";
import { loadModel } from "../../src/model/index.js";
import { adamW } from "../../src/train/index.js";

const folder = mkdtempSync(join(tmpdir(), "limpid-train-models-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sizes = { n_layers: 2, d_model: 12, n_heads: 3, d_head: 4, n_ctx: 9, d_vocab: 20 };
const gpt2 = { model_type: "gpt2", n_layer: 2, n_embd: 12, n_head: 3, n_positions: 9, vocab_size: 20 };
const llama = {
  model_type: "llama",
  num_hidden_layers: 2,
  hidden_size: 12,
  intermediate_size: 16,
  num_attention_heads: 3,
  num_key_value_heads: 1,
  max_position_embeddings: 9,
  vocab_size: 20,
  hidden_act: "silu",
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  tie_word_embeddings: false,
};

const models: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "layer norm": { ...sizes, d_mlp: 24, act_fn: "gelu_new", normalization_type: "LN" },
  "attention only": { ...sizes, attn_only: true, normalization_type: "LNPre" },
  "no norm, relu": { ...sizes, d_mlp: 24, act_fn: "relu", normalization_type: null },
  "rotary, gated, root mean square": {
    ...sizes,
    d_mlp: 16,
    act_fn: "silu",
    gated_mlp: true,
    normalization_type: "RMS",
    positional_embedding_type: "rotary",
  },
  "grouped heads, parallel": { ...sizes, n_key_value_heads: 1, d_mlp: 24, act_fn: "gelu", parallel_attn_mlp: true },
  "GPT-2, tied": { ...gpt2, activation_function: "gelu_new" },
  "GPT-2, untied": { ...gpt2, activation_function: "gelu_new", tie_word_embeddings: false },
  "Llama, grouped": llama,
};

/** Rows of ids that a step of 7 leads through. */
const rows = [0, 3, 11].map((start) => Array.from({ length: 10 }, (_, i) => (start + 7 * i) % 20));

test.each(Object.entries(models))(
  "%s",
  async (name, model) => {
    const made = languageModelTrainer({ model, batch: 3, optimizer: adamW({ learningRate: 0.02 }), seed: 5 });
    const batch = made.batchOf(rows);
    const first = await made.trainer.step(batch);
    await made.trainer.train({ steps: 30, batches: () => batch });
    const { loss } = await made.trainer.evaluate(batch);
    expect(loss).toBeLessThan(0.8 * first.loss);

    const target = join(folder, name);
    await made.writeModel(target);
    const loaded = await loadModel(target);
    const run = await loaded.run({ tokens: rows.map((row) => row.slice(0, 9)) }, { loss: true });
    const logProbs = run.logits.logSoftmax("dVocabOut");
    const chosen = rows.flatMap((row, r) =>
      row.slice(1).map((id, pos) => Number(logProbs.at({ batch: r, pos, dVocabOut: id }).data[0])),
    );
    expect(-chosen.reduce((sum, value) => sum + value, 0) / chosen.length).toBeCloseTo(loss, 5);
    await loaded.close();

    const weights = await loadSafetensors(join(target, "model.safetensors"));
    const again = languageModelTrainer({ model, batch: 3, optimizer: adamW(), weights });
    expect((await again.trainer.evaluate(batch)).loss).toBe(loss);
    await Promise.all([made.trainer.close(), again.trainer.close()]);
  },
  120_000,
);
