/** An index of examples on disk: `index.json` and `examples.safetensors`. */
import { join } from "node:path";
import { FormatError } from "../../core/index.js";
import {
  isJsonObject,
  openSafetensors,
  readJsonObject,
  type StoredTensor,
  withAtomicFolder,
  writeFileAtomic,
  writeSafetensors,
} from "../../io/index.js";
import type { Tensor } from "../../tensor/index.js";
import { type ExamplesParts, type FeatureExamples, makeExamples } from "./feature-examples.js";
import type { IndexTensorName } from "./select.js";
import type { ExamplesHeader } from "./types.js";

/** Version of the format. */
const schema = 1;

const tensorNames: readonly IndexTensorName[] = [
  "acts",
  "bins",
  "bounds",
  "exponents",
  "fired",
  "group",
  "max",
  "offsets",
  "position",
  "row",
  "sums",
  "tokens",
  "value",
];

/** Writes an index; the folder appears whole or not at all. */
export async function writeExamples(
  folder: string,
  { header, tensors, pieces }: ExamplesParts & { readonly tensors: Readonly<Record<IndexTensorName, Tensor>> },
  overwrite: boolean,
): Promise<void> {
  const json = { limpidExamples: schema, ...header, pieces: [...pieces] };
  await withAtomicFolder(
    folder,
    async (at) => {
      await writeSafetensors(join(at, "examples.safetensors"), tensors);
      await writeFileAtomic(join(at, "index.json"), `${JSON.stringify(json)}\n`);
    },
    { ifExists: overwrite ? "replace" : "error" },
  );
}

function notAnIndex(path: string, got: string): FormatError {
  return new FormatError({
    where: path,
    got,
    expected: `an index of examples that collectExamples wrote (version ${schema})`,
    fix: "Check the folder, or collect the examples anew.",
  });
}

function isHeader(value: Readonly<Record<string, unknown>>): boolean {
  const { dictionary, provenance, pieces } = value;
  const isCount = (one: unknown): boolean => typeof one === "number" && Number.isSafeInteger(one) && one >= 0;
  const counts = [value["top"], value["quantiles"], value["perQuantile"], value["context"]];
  return (
    isJsonObject(dictionary) &&
    isCount(dictionary["nFeatures"]) &&
    typeof dictionary["name"] === "string" &&
    isJsonObject(provenance) &&
    isCount(provenance["tokens"]) &&
    counts.every(isCount) &&
    Array.isArray(pieces) &&
    pieces.every((one) => Array.isArray(one) && isCount(one[0]) && typeof one[1] === "string")
  );
}

function checkTensors(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  header: ExamplesHeader,
): Readonly<Record<IndexTensorName, StoredTensor>> {
  const { nFeatures } = header.dictionary;
  const examples = tensors.get("value")?.shape[0] ?? 0;
  const width = 2 * header.context + 1;
  const shapes: Partial<Record<IndexTensorName, readonly number[]>> = {
    offsets: [nFeatures + 1],
    bounds: [nFeatures, header.quantiles + 1, 2],
    tokens: [examples, width],
    acts: [examples, width],
  };
  for (const name of tensorNames) {
    const found = tensors.get(name);
    if (found === undefined) throw notAnIndex(path, `no tensor "${name}"`);
    const perExample = ["group", "position", "row", "value", "tokens", "acts"].includes(name);
    const wanted = shapes[name] ?? [perExample ? examples : nFeatures];
    if (wanted.some((size, i) => found.shape[i] !== size))
      throw notAnIndex(path, `"${name}" of shape [${found.shape.join(", ")}]`);
  }
  return Object.fromEntries(tensorNames.map((name) => [name, tensors.get(name)])) as Record<
    IndexTensorName,
    StoredTensor
  >;
}

/**
 * Opens an index of examples; only small columns are read.
 *
 * @throws FormatError for a folder that holds none, or a damaged one.
 */
export async function openExamples(folder: string): Promise<FeatureExamples> {
  const path = join(folder, "index.json");
  const json = await readJsonObject(path);
  if (json["limpidExamples"] !== schema)
    throw notAnIndex(path, `version ${JSON.stringify(json["limpidExamples"] ?? null)}`);
  if (!isHeader(json)) throw notAnIndex(path, "missing or misshapen fields");
  const {
    pieces,
    limpidExamples: _,
    ...header
  } = json as unknown as ExamplesHeader & {
    readonly pieces: readonly (readonly [number, string])[];
    readonly limpidExamples: number;
  };
  const file = join(folder, "examples.safetensors");
  const { tensors } = await openSafetensors(file);
  return makeExamples({ header, pieces: new Map(pieces), tensors: checkTensors(file, tensors, header) });
}
