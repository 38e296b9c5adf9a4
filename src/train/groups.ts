/** Which group each parameter belongs to. */
import { InputError, nearestHint } from "../core/index.js";
import type { ParameterGroup, ShapedDefinition } from "./definition.js";
import { matchNames } from "./glob.js";

/** A group with its members; the last one holds the parameters that no group names. */
export interface ResolvedGroup {
  readonly names: readonly string[];
  readonly learningRateScale: number;
  readonly weightDecay: number;
  readonly isFrozen: boolean;
}

function matchGroup({ match }: ParameterGroup, index: number, names: readonly string[]): readonly string[] {
  const globs = typeof match === "string" ? [match] : match;
  const found = new Set<string>();
  for (const glob of globs) {
    const matched = matchNames(glob, names);
    if (matched.length === 0) throw nothingMatched(glob, index, names);
    for (const name of matched) found.add(name);
  }
  return names.filter((name) => found.has(name));
}

/**
 * Returns the groups of a definition, each parameter in exactly one.
 *
 * @throws InputError when a glob matches nothing, a number is out of range, or nothing is left to train.
 */
export function resolveGroups(definition: ShapedDefinition): readonly ResolvedGroup[] {
  const { optimizer, groups = [] } = definition;
  const names = Object.keys(definition.parameters);
  const free = new Set(names);
  const resolved = groups.map((group, index): ResolvedGroup => {
    checkGroup(group, index);
    const own = matchGroup(group, index, names).filter((name) => free.delete(name));
    return {
      names: own,
      learningRateScale: group.learningRateScale ?? 1,
      weightDecay: group.weightDecay ?? optimizer.weightDecay,
      isFrozen: group.isFrozen ?? false,
    };
  });
  const rest = names.filter((name) => free.has(name));
  const all = [...resolved, { names: rest, learningRateScale: 1, weightDecay: optimizer.weightDecay, isFrozen: false }];
  if (all.some((group) => !group.isFrozen && group.names.length > 0)) return all;
  throw nothingToTrain(names.length);
}

function checkGroup(group: ParameterGroup, index: number): void {
  for (const key of ["learningRateScale", "weightDecay"] as const) {
    const value = group[key];
    if (value === undefined || (Number.isFinite(value) && value >= 0)) continue;
    throw new InputError({
      where: `trainer: groups[${index}].${key}`,
      got: String(value),
      expected: "a number of 0 or more",
      fix: "Leave it out for the optimiser's own.",
    });
  }
}

function nothingMatched(glob: string, index: number, names: readonly string[]): InputError {
  return new InputError({
    where: `trainer: groups[${index}].match`,
    got: `"${glob}", which matches no parameter`,
    expected: "names or globs of parameters (* within one dotted part, ** across parts)",
    fix: `Correct the pattern.${nearestHint(glob, names)}`,
  });
}

function nothingToTrain(count: number): InputError {
  return new InputError({
    where: "trainer: parameters",
    got: count === 0 ? "none" : `${count} parameters, all of them frozen`,
    expected: "at least one to train",
    fix: "Give parameters, or freeze fewer groups.",
  });
}
