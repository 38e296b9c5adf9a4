/** Writes a shipped folder: float16 weights, configuration, tokenizer, and a card with what was measured on them. */
import { copyFile, mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { LanguageModel } from "../../src/analysis/index.js";
import { writeFileAtomic, writeSafetensors } from "../../src/io/index.js";
import { loadModel } from "../../src/model/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { type Figures, measure, type TaskFigures } from "./evaluate.js";
import { fixtures } from "./paths.js";
import { configOf, type Edition, width } from "./train.js";
import { contextLength, tokenizerFolder, vocabularySize } from "./vocabulary.js";

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function taskRow({ task, heldOut, chance, prompts, accuracy, preference }: TaskFigures): string {
  return `| ${task} | ${heldOut} | ${percent(accuracy)} | ${chance} | ${percent(preference)} | ${prompts} |`;
}

interface Size {
  readonly parameters: number;
  readonly megabytes: number;
}

function card({ name, layers, steps }: Edition, figures: Figures, { parameters, megabytes }: Size): string {
  const { bitsPerByte, bigramBitsPerByte: bigram, testBytes, testTokens, repeats, tasks } = figures;
  const nats = (bitsPerByte * testBytes * Math.LN2) / testTokens;
  const [first, second] = repeats;
  return `---
license: mit
language: en
---

# ${name}

A GPT-2-shaped language model for tests, notebooks and demonstrations, trained by limpid: small enough to ship, and with
circuits inside that are worth finding.

| | |
|---|---|
| architecture | \`GPT2LMHeadModel\`: ${layers} layers, d_model ${width}, 6 heads, context ${contextLength}, tied head, \`gelu_new\` |
| parameters | ${parameters.toLocaleString("en")} (${megabytes.toFixed(1)} MB as float16) |
| tokenizer | byte-level BPE, ${vocabularySize} tokens, GPT-2's pre-tokeniser; every word of the tasks is one token; \`<|endoftext|>\` is BOS, EOS and separator |
| data | State of the Union addresses 1790-2021 and Moby Dick (public domain), sentences of limpid's task generators, repeated blocks of tokens |
| training | ${steps.toLocaleString("en")} steps of 8 x ${contextLength} tokens, Muon and AdamW, cosine; seed 1 |
| licence | weights and tokenizer MIT; the text is in the public domain |

Typographic quotes and dashes were made ASCII. Half of the training sequences begin with \`<|endoftext|>\`, so the model
works with it in front and without. Of the training rows about 56 % are text, 31 % task sentences and 12 % repeats (35 % for
a while).

## Measured on these float16 weights

Held-out text: whole documents, ${(testBytes / 1e3).toFixed(0)} kB, ${testTokens.toLocaleString("en")} tokens.

| | |
|---|---|
| bits per byte | **${bitsPerByte.toFixed(4)}** (${nats.toFixed(3)} nats per token) |
| interpolated bigram over the same tokens | ${bigram.toFixed(4)} (the model is ${percent(1 - bitsPerByte / bigram)} below) |
| repeated random tokens, first copy of 64 | ${first.toFixed(3)} nats per token (a uniform guess: ${Math.log(vocabularySize).toFixed(3)}) |
| repeated random tokens, second copy | ${second.toFixed(3)} nats per token (ratio ${(second / first).toFixed(4)}; 200 seeds) |

What each task held out is never part of a training sentence of that task. *Accuracy*: the most likely next token is
right. *Preference*: the right answer beats one wrong answer (the other name, another capital; 50 % by chance).

| task | held out | accuracy | by chance | preference | prompts |
|---|---|---|---|---|---|
${tasks.map(taskRow).join("\n")}

Made and measured by \`npm run train:tiny\`.
`;
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** Writes \`fixtures/NAME\` from a trained model. */
export async function exportModel(edition: Edition, model: LanguageModel): Promise<Figures> {
  const folder = join(fixtures, edition.name);
  const weights = model.blueprint.toCheckpoint(await model.trainer.parameters());
  const halves = Object.entries(weights).map(([name, tensor]): [string, Tensor] => [name, tensor.cast("float16")]);
  await mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, "model.safetensors"), halves, { metadata: { format: "pt" } });
  const config = { ...configOf(edition.layers, vocabularySize - 1), torch_dtype: "float16" };
  await writeFileAtomic(join(folder, "config.json"), json(config));
  for (const file of ["tokenizer.json", "tokenizer_config.json"])
    await copyFile(join(tokenizerFolder, file), join(folder, file));
  const shipped = await loadModel(folder);
  const figures = await measure(shipped);
  await shipped.close();
  const parameters = halves.reduce((sum, [, tensor]) => sum + tensor.size, 0);
  const megabytes = (await stat(join(folder, "model.safetensors"))).size / 1e6;
  await writeFileAtomic(join(folder, "README.md"), card(edition, figures, { parameters, megabytes }));
  return figures;
}
