/** Tuned lenses on the disk: `lens.json` says what they are, `lens.safetensors` holds the translators. */
import { join } from "node:path";
import { FormatError } from "../../core/index.js";
import {
  isJsonObject,
  loadSafetensors,
  readJsonObject,
  withAtomicFolder,
  writeFileAtomic,
  writeSafetensors,
} from "../../io/index.js";
import type { Processing } from "../../model/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { TunedLensParts, TunedLensTraining } from "./tuned-lens.js";

const format = "limpid-tuned-lens/1";

/** Writes a lens to a new folder. */
export async function saveTunedLens(folder: string, parts: TunedLensParts): Promise<void> {
  const { weight, bias, ...about } = parts;
  await withAtomicFolder(folder, async (inside) => {
    await writeSafetensors(join(inside, "lens.safetensors"), { weight, bias });
    await writeFileAtomic(join(inside, "lens.json"), `${JSON.stringify({ format, ...about }, undefined, 2)}\n`);
  });
}

/** Reads one field after another; the first wrong one is the error. */
class Description {
  readonly #path: string;
  readonly #raw: Readonly<Record<string, unknown>>;

  constructor(path: string, raw: unknown) {
    this.#path = path;
    if (!isJsonObject(raw)) throw this.#wrong("the whole", raw, "an object");
    this.#raw = raw;
  }

  text(key: string): string {
    const value = this.#raw[key];
    if (typeof value === "string") return value;
    throw this.#wrong(key, value, "a text");
  }

  number(key: string): number {
    const value = this.#raw[key];
    if (typeof value === "number") return value;
    throw this.#wrong(key, value, "a number");
  }

  flag(key: string): boolean {
    const value = this.#raw[key];
    if (typeof value === "boolean") return value;
    throw this.#wrong(key, value, "true or false");
  }

  texts(key: string): readonly string[] {
    const value = this.#raw[key];
    if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
    throw this.#wrong(key, value, "a list of texts");
  }

  numbers(key: string): readonly number[] {
    const value = this.#raw[key];
    if (Array.isArray(value) && value.every((one) => typeof one === "number")) return value;
    throw this.#wrong(key, value, "a list of numbers");
  }

  inside(key: string): Description {
    return new Description(`${this.#path}: ${key}`, this.#raw[key]);
  }

  #wrong(key: string, value: unknown, expected: string): FormatError {
    return new FormatError({
      where: `${this.#path}: "${key}"`,
      got: JSON.stringify(value) ?? "nothing",
      expected,
      fix: "Open the folder that tunedLens.save wrote, unchanged.",
    });
  }
}

function readTraining(of: Description): TunedLensTraining {
  return {
    steps: of.number("steps"),
    positions: of.number("positions"),
    contextLength: of.number("contextLength"),
    learningRate: of.number("learningRate"),
    weightDecay: of.number("weightDecay"),
    seed: of.number("seed"),
    data: of.text("data"),
    firstKl: of.numbers("firstKl"),
    lastKl: of.numbers("lastKl"),
  };
}

function readProcessing(of: Description): Processing {
  return {
    foldLn: of.flag("foldLn"),
    centerWritingWeights: of.flag("centerWritingWeights"),
    centerUnembed: of.flag("centerUnembed"),
    foldValueBiases: of.flag("foldValueBiases"),
  };
}

/** A stored tensor with its axes, checked against the number of rows. */
function translator(
  tensors: Readonly<Record<string, Tensor>>,
  name: "bias" | "weight",
  rows: number,
  path: string,
): Tensor {
  const found = tensors[name];
  const axes = name === "weight" ? ["row", "dModel", "dModelOut"] : ["row", "dModelOut"];
  const isSquare = name === "bias" || found?.shape[1] === found?.shape[2];
  if (found !== undefined && found.shape.length === axes.length && found.shape[0] === rows && isSquare)
    return found.reshape(found.shape, axes);
  throw new FormatError({
    where: `${path}: "${name}"`,
    got: found === undefined ? "no such tensor" : `[${found.shape.join(", ")}]`,
    expected: `[${rows}, dModel${name === "weight" ? ", dModel" : ""}]`,
    fix: "Open the folder that tunedLens.save wrote, unchanged.",
  });
}

/**
 * Reads what {@link saveTunedLens} wrote.
 *
 * @throws FormatError for a folder that holds something else.
 */
export async function readTunedLens(folder: string): Promise<TunedLensParts> {
  const path = join(folder, "lens.json");
  const about = new Description(path, await readJsonObject(path));
  if (about.text("format") !== format)
    throw new FormatError({
      where: path,
      got: about.text("format"),
      expected: format,
      fix: "Open a folder that tunedLens.save of this version wrote.",
    });
  const file = join(folder, "lens.safetensors");
  const tensors = await loadSafetensors(file);
  const hooks = about.texts("hooks");
  return {
    model: about.text("model"),
    identity: about.text("identity"),
    processing: readProcessing(about.inside("processing")),
    hooks,
    weight: translator(tensors, "weight", hooks.length, file),
    bias: translator(tensors, "bias", hooks.length, file),
    training: readTraining(about.inside("training")),
  };
}
