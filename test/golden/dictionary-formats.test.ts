/**
 * Every public format against a forward pass computed by numpy when the file was written.
 *
 * Fixtures: `scripts/reference/dictionary-formats.py`.
 */
import { readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  Dictionary,
  foldDecoderBias,
  foldDecoderNorm,
  type OpenDictionaryOptions,
  openDictionary,
  saveAsSaeLens,
  saveDictionary,
} from "../../src/dictionary/index.js";
import { loadSafetensors } from "../../src/io/index.js";
import { Engine } from "../../src/runtime/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { fixture } from "../helpers/fixtures.js";

interface Case {
  readonly name: string;
  readonly open: string;
  readonly options: OpenDictionaryOptions;
  readonly expected: string;
  readonly expect: Readonly<Record<string, unknown>>;
}

const formats = (...parts: string[]): string => fixture("dictionaries", "formats", ...parts);
const cases = JSON.parse(readFileSync(formats("cases.json"), "utf8")) as readonly Case[];
const engine = Engine.create({});
afterAll(() => engine.close());

const numbers = (tensor: Tensor): readonly number[] => Array.from(tensor.data as ArrayLike<number>);

function worst(got: Tensor, wanted: Tensor): number {
  expect(got.shape).toEqual(wanted.shape);
  const found = numbers(got);
  return Math.max(...numbers(wanted).map((value, i) => Math.abs(value - (found[i] ?? Number.NaN))));
}

async function expectForward(dictionary: Dictionary, expected: Readonly<Record<string, Tensor>>): Promise<void> {
  const { acts, reconstruction } = await dictionary.forward(expected["input"] as Tensor, { engine });
  expect(worst(acts, expected["acts"] as Tensor)).toBeLessThan(1e-5);
  expect(worst(reconstruction, expected["reconstruction"] as Tensor)).toBeLessThan(1e-5);
}

it("has dictionaries that fire, and not everywhere", async () => {
  for (const { expected, name } of cases) {
    const { acts } = await loadSafetensors(formats(expected));
    const values = acts === undefined ? [] : numbers(acts);
    const active = values.filter((value) => value > 0).length / values.length;
    expect([name, active > 0.1 && active < 0.9]).toEqual([name, true]);
  }
});

describe.each(cases)("$name", ({ open, options, expected: file, expect: fields }) => {
  const read = (): Promise<Dictionary> => openDictionary(formats(open), options);

  it("opens with the activations and reconstructions of its own library", async () => {
    const expected = await loadSafetensors(formats(file));
    const dictionary = await read();
    expect(dictionary.config).toMatchObject(fields);
    await expectForward(dictionary, expected);
  });

  it("gives the folded activations, and the same reconstruction, once decoder norms are folded", async () => {
    const expected = await loadSafetensors(formats(file));
    const wanted = expected["folded_acts"];
    if (wanted === undefined) return;
    const { acts, reconstruction } = await (await foldDecoderNorm(await read())).forward(expected["input"] as Tensor, {
      engine,
    });
    expect(worst(acts, wanted)).toBeLessThan(1e-5);
    expect(worst(reconstruction, expected["reconstruction"] as Tensor)).toBeLessThan(1e-5);
  });

  it("computes the same once the decoder bias is folded into the encoder", async () => {
    const dictionary = await read();
    const folded = await foldDecoderBias(dictionary);
    expect(folded.config.subtractsDecoderBias).toBe(false);
    await expectForward(folded, await loadSafetensors(formats(file)));
  });

  it("computes the same after being saved as limpid's own", async () => {
    const dictionary = await read();
    const folder = join(await mkdtemp(join(tmpdir(), "limpid-formats-")), "saved");
    await saveDictionary(dictionary, folder);
    const again = await openDictionary(folder);
    expect(again.config).toEqual(dictionary.config);
    await expectForward(again, await loadSafetensors(formats(file)));
  });

  it("computes the same after being saved as SAELens's, where SAELens has it", async () => {
    const dictionary = await read();
    const isTranscoder = dictionary.kind !== "sae";
    if (isTranscoder && ["topk", "gated"].includes(dictionary.config.activation.kind)) return;
    const folder = join(await mkdtemp(join(tmpdir(), "limpid-formats-")), "saved");
    await saveAsSaeLens(dictionary, folder);
    const again = await openDictionary(folder);
    expect(again.config).toMatchObject({
      readHook: dictionary.readHook,
      writeHook: dictionary.writeHook,
      activation: dictionary.config.activation,
      normalization: dictionary.config.normalization,
    });
    await expectForward(again, await loadSafetensors(formats(file)));
  });
});
