/**
 * Checkpoints: everything that a run needs to continue as if it had never stopped.
 *
 * A checkpoint is a folder `step-00000100` with `parameters.safetensors`, `state.safetensors` and `checkpoint.json`. It
 * appears under its name only when complete, so a process may be killed at any moment.
 */
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { FormatError } from "../core/index.js";
import {
  cleanStaleTemporary,
  isJsonObject,
  loadSafetensors,
  readJsonObject,
  withAtomicFolder,
  writeFileAtomic,
  writeSafetensors,
} from "../io/index.js";
import type { Tensor } from "../tensor/index.js";
import type { Configuration } from "./configuration.js";

/** What a checkpoint holds. */
export interface CheckpointContents {
  /** Updates done. */
  readonly step: number;
  readonly configuration: Configuration;
  /** Parameters by name. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  /** Optimiser state, averages and buffers under the names of the step graph. */
  readonly state: Readonly<Record<string, Tensor>>;
}

const format = "limpid-checkpoint/1";
const folderPattern = /^step-(\d{8,})$/;

function folderName(step: number): string {
  return `step-${String(step).padStart(8, "0")}`;
}

/** Returns the steps of the checkpoints in a folder, in order; none when the folder does not exist. */
export async function listCheckpoints(folder: string): Promise<readonly number[]> {
  const names = await readdir(folder).catch(() => []);
  const steps = names.flatMap((name) => folderPattern.exec(name)?.[1] ?? []);
  return steps.map(Number).sort((a, b) => a - b);
}

/** Returns the path of a checkpoint. */
export function checkpointPath(folder: string, step: number): string {
  return join(folder, folderName(step));
}

/** Writes a checkpoint into `folder` and then removes all but the last `keep`; one of the same step stays as it is. */
export async function writeCheckpoint(folder: string, contents: CheckpointContents, keep: number): Promise<string> {
  const path = checkpointPath(folder, contents.step);
  await mkdir(folder, { recursive: true });
  await withAtomicFolder(path, (inside) => writeContents(inside, contents), { ifExists: "keep" });
  await removeOld(folder, keep);
  return path;
}

async function writeContents(
  folder: string,
  { step, configuration, parameters, state }: CheckpointContents,
): Promise<void> {
  await writeSafetensors(join(folder, "parameters.safetensors"), parameters);
  await writeSafetensors(join(folder, "state.safetensors"), state);
  const description = { format, step, configuration };
  await writeFileAtomic(join(folder, "checkpoint.json"), `${JSON.stringify(description, undefined, 2)}\n`);
}

async function removeOld(folder: string, keep: number): Promise<void> {
  await cleanStaleTemporary(folder);
  const steps = await listCheckpoints(folder);
  for (const step of steps.slice(0, Math.max(0, steps.length - keep)))
    await rm(checkpointPath(folder, step), { recursive: true, force: true });
}

/** Reads `checkpoint.json`: step and configuration, without any tensor. */
export async function readDescription(path: string): Promise<Pick<CheckpointContents, "step" | "configuration">> {
  const file = join(path, "checkpoint.json");
  const { format: found, step, configuration } = await readJsonObject(file);
  if (found === format && typeof step === "number" && isJsonObject(configuration)) return { step, configuration };
  throw new FormatError({
    where: file,
    got: `format ${JSON.stringify(found) ?? "nothing"}`,
    expected: `"${format}" with step and configuration`,
    fix: "Check that this folder is a checkpoint of limpid's trainer.",
  });
}

/** Reads a whole checkpoint. */
export async function readCheckpoint(path: string): Promise<CheckpointContents> {
  return {
    ...(await readDescription(path)),
    parameters: await loadSafetensors(join(path, "parameters.safetensors")),
    state: await loadSafetensors(join(path, "state.safetensors")),
  };
}
