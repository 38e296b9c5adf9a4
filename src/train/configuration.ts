/** What a run is, in plain data, and how two runs differ. */
import { canonicalJson, InputError } from "../core/index.js";
import { fingerprint, type Graph } from "../graph/index.js";
import { isJsonObject } from "../io/index.js";
import type { ShapedDefinition } from "./definition.js";
import type { ResolvedGroup } from "./groups.js";

/** Plain data that decides the numbers of a run. */
export type Configuration = Readonly<Record<string, unknown>>;

function shapesOf(tensors: Readonly<Record<string, { readonly shape: readonly number[] }>>): Configuration {
  return Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, [...shape]]));
}

/**
 * Describes a definition by everything but the initial values.
 *
 * @param lossGraph - Stands for the loss function: equal functions make equal graphs.
 */
export function describeDefinition(
  definition: ShapedDefinition,
  groups: readonly ResolvedGroup[],
  lossGraph: Graph,
): Configuration {
  const { optimizer, schedule, scalars = {}, buffers = {}, clip = {}, accumulate = 1, average } = definition;
  const { name, learningRate, weightDecay, settings } = optimizer;
  return plain({
    parameters: shapesOf(definition.parameters),
    buffers: shapesOf(buffers),
    inputs: definition.inputs,
    loss: fingerprint(lossGraph),
    optimizer: { name, learningRate, weightDecay, ...settings },
    schedule: schedule?.description ?? null,
    scalars: Object.fromEntries(
      Object.entries(scalars).map(([key, value]) => [key, typeof value === "number" ? value : value.description]),
    ),
    groups,
    clip,
    accumulate,
    average: average ?? null,
    editGradient: definition.editGradient !== undefined,
    constrain: definition.constrain !== undefined,
  });
}

/** Returns a value as it looks after a trip through a file. */
export function plain(value: unknown): Configuration {
  const parsed: unknown = JSON.parse(canonicalJson(value));
  return isJsonObject(parsed) ? parsed : {};
}

function flatten(value: unknown, path: string, into: Map<string, string>): void {
  const isList = Array.isArray(value) && value.some((one) => typeof one === "object");
  if (!isJsonObject(value) && !isList) {
    into.set(path, JSON.stringify(value) ?? "nothing");
    return;
  }
  for (const [key, one] of Object.entries(value)) flatten(one, path === "" ? key : `${path}.${key}`, into);
}

/** Returns what differs, as `path: THEIRS in the checkpoint, OURS here`. */
export function differences(saved: Configuration, own: Configuration): readonly string[] {
  const [before, now] = [new Map<string, string>(), new Map<string, string>()];
  flatten(saved, "", before);
  flatten(own, "", now);
  const paths = [...new Set([...before.keys(), ...now.keys()])];
  return paths
    .filter((path) => before.get(path) !== now.get(path))
    .map((path) => `${path}: ${before.get(path) ?? "absent"} in the checkpoint, ${now.get(path) ?? "absent"} here`);
}

/** Differences listed in a message. */
const shown = 10;

/** Throws an InputError that lists what differs between a checkpoint and this run. */
export function checkSame(where: string, saved: Configuration, own: Configuration): void {
  const all = differences(saved, own);
  if (all.length === 0) return;
  const more = all.length > shown ? `; and ${all.length - shown} more` : "";
  throw new InputError({
    where,
    got: `another configuration: ${all.slice(0, shown).join("; ")}${more}`,
    expected: "the configuration that the checkpoint was made with",
    fix: "Restore it to continue that run, or choose another folder to begin a new one.",
  });
}
