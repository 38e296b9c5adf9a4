/** Checkpoints of statistics: one safetensors file that changes atomically. */
import { stat } from "node:fs/promises";
import { FormatError, formatList, InputError } from "../../core/index.js";
import { isJsonObject, loadStored, openSafetensors, parseJson, writeSafetensors } from "../../io/index.js";
import type { CheckpointOptions } from "./options.js";
import { differences, type Settings } from "./settings.js";
import type { ReduceState, Totals } from "./state.js";

const key = "limpid.over";

/** Returns options with their defaults, or `undefined` where no checkpoint is wanted. */
export function checkpointPlan(
  options: string | CheckpointOptions | undefined,
): Required<CheckpointOptions> | undefined {
  if (options === undefined) return undefined;
  const { path, everyBatches = 16 } = typeof options === "string" ? { path: options } : options;
  if (!path.endsWith(".safetensors")) throw badOption("path", path, "a file name that ends in .safetensors");
  if (Number.isSafeInteger(everyBatches) && everyBatches >= 1) return { path, everyBatches };
  throw badOption("everyBatches", String(everyBatches), "a whole number, at least 1");
}

/** Writes the state after whole batches. */
export async function saveCheckpoint(path: string, state: ReduceState, settings: Settings): Promise<void> {
  const metadata = { [key]: JSON.stringify({ version: 1, totals: state.totals, settings }) };
  await writeSafetensors(path, state.save(), { metadata });
}

/**
 * Continues `state` from a checkpoint, when there is one.
 *
 * @throws InputError when it belongs to a run with other settings; the message lists them.
 */
export async function loadCheckpoint(path: string, state: ReduceState, settings: Settings): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) return;
  const file = await openSafetensors(path);
  const saved = parseJson(file.metadata[key] ?? "null", `${path}: ${key}`);
  if (!isJsonObject(saved) || !isJsonObject(saved["settings"]) || !isTotals(saved["totals"])) throw notOurs(path);
  const different = differences(saved["settings"], settings);
  if (different.length > 0) throw otherRun(path, different);
  state.load(new Map(Object.entries(await loadStored(file.tensors))), saved["totals"], path);
}

function isTotals(value: unknown): value is Totals {
  if (!isJsonObject(value) || typeof value["hash"] !== "string") return false;
  return ["batches", "rows", "tokens", "lossSum", "lossSteps"].every((name) => typeof value[name] === "number");
}

/** Checks that the batches before a checkpoint are those that it counted. */
export function checkSameData(path: string, isSame: boolean, batches: number): void {
  if (isSame) return;
  throw new InputError({
    where: `model.over: checkpoint ${path}`,
    got: `other data in its first ${batches} batches`,
    expected: "the same batches as in the run that it belongs to",
    fix: "Give the same data in the same order and batch size, or delete the checkpoint to begin again.",
  });
}

function otherRun(path: string, different: readonly string[]): InputError {
  return new InputError({
    where: `model.over: checkpoint ${path}`,
    got: `a run with other settings (${different.join("; ")})`,
    expected: "the settings of the run that it belongs to",
    fix: "Use another path, or delete the checkpoint to begin again.",
  });
}

function notOurs(path: string): FormatError {
  return new FormatError({
    where: path,
    got: "a safetensors file without the record of a run over data",
    expected: `a checkpoint that model.over wrote (metadata ${formatList([key])})`,
    fix: "Choose another path for the checkpoint.",
  });
}

function badOption(name: string, got: string, expected: string): InputError {
  return new InputError({
    where: `model.over: checkpoint.${name}`,
    got,
    expected,
    fix: 'Write checkpoint: "means.safetensors".',
  });
}
