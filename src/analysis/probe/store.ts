/** Probes on the disk: `probe.json` says what they are, `probe.safetensors` holds their weights. */
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
import { Tensor } from "../../tensor/index.js";
import type { FittedProbe, ProbeResultParts } from "./result.js";

const format = "limpid-probe/1";

/** JSON has no NaN. */
function packed(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? { number: String(value) } : value;
}

function unpacked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unpacked);
  if (!isJsonObject(value)) return value;
  if (typeof value["number"] === "string" && Object.keys(value).length === 1) return Number(value["number"]);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, unpacked(one)]));
}

/** Writes probes to a new folder. */
export async function saveProbe(folder: string, parts: ProbeResultParts): Promise<void> {
  const tensors = parts.probes.flatMap(({ readout: { weights, bias } }, i): readonly (readonly [string, Tensor])[] => [
    [`probes.${i}.weights`, Tensor.of(weights, [bias.length, weights.length / bias.length], ["output", "feature"])],
    [`probes.${i}.bias`, Tensor.of(bias, [bias.length], ["output"])],
  ]);
  const probes = parts.probes.map(({ score, axes, shape, readout: { temperature, gap } }) => ({
    score,
    axes,
    shape,
    temperature,
    gap,
  }));
  await withAtomicFolder(folder, async (inside) => {
    await writeSafetensors(join(inside, "probe.safetensors"), tensors);
    await writeFileAtomic(join(inside, "probe.json"), `${JSON.stringify({ format, ...parts, probes }, packed, 2)}\n`);
  });
}

function wrong(folder: string, got: string, expected: string): FormatError {
  return new FormatError({
    where: `probe.load: ${folder}`,
    got,
    expected,
    fix: "Open the folder that result.save wrote, unchanged.",
  });
}

type StoredProbe = Omit<FittedProbe, "readout"> & { readonly temperature: number; readonly gap: number };
type StoredParts = Omit<ProbeResultParts, "probes"> & { readonly probes: readonly StoredProbe[] };

/** What every file of this format has; the format's name vouches for the rest. */
function isStored(value: unknown): value is StoredParts {
  if (!isJsonObject(value) || !Array.isArray(value["labels"]) || !Array.isArray(value["probes"])) return false;
  const hasScores = value["probes"].every((one) => isJsonObject(one) && isJsonObject(one["score"]));
  return hasScores && isJsonObject(value["provenance"]) && isJsonObject(value["seen"]);
}

function floats(tensor: Tensor | undefined, folder: string, name: string): Float64Array {
  if (tensor?.data instanceof Float64Array) return tensor.data;
  throw wrong(folder, tensor === undefined ? `no tensor "${name}"` : `"${name}" of type ${tensor.dtype}`, "float64");
}

/**
 * Reads what {@link saveProbe} wrote.
 *
 * @throws FormatError when the folder holds something else.
 */
export async function loadProbe(folder: string): Promise<ProbeResultParts> {
  const about = unpacked(await readJsonObject(join(folder, "probe.json")));
  if (!isJsonObject(about) || about["format"] !== format || !isStored(about))
    throw wrong(
      folder,
      `format ${JSON.stringify(isJsonObject(about) ? about["format"] : about) ?? "none"}`,
      `a whole "${format}"`,
    );
  const tensors = await loadSafetensors(join(folder, "probe.safetensors"));
  const { labels, method, baseline, provenance, seen } = about;
  const probes = about.probes.map(({ score, axes, shape, temperature, gap }, i): FittedProbe => {
    const [weights, bias] = [`probes.${i}.weights`, `probes.${i}.bias`];
    const readout = { weights: floats(tensors[weights], folder, weights), bias: floats(tensors[bias], folder, bias) };
    return { score, axes, shape, readout: { ...readout, temperature, gap } };
  });
  return { labels, method, baseline, provenance, seen, probes };
}
