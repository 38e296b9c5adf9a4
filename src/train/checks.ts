/** Checks of what a trainer is given. */
import { InputError } from "../core/index.js";
import { checkClip } from "./clip.js";
import type { TrainingDefinition } from "./definition.js";
import { checkFloat32 } from "./resident.js";

/** Throws unless a definition's tensors, names and numbers are right; the loss is looked at when graphs are built. */
export function checkDefinition(definition: TrainingDefinition): void {
  const { parameters, buffers = {}, inputs, accumulate = 1, average, clip = {} } = definition;
  checkClip(clip);
  for (const [name, tensor] of Object.entries(parameters)) checkFloat32(`trainer: parameter "${name}"`, tensor);
  for (const [name, tensor] of Object.entries(buffers)) checkFloat32(`trainer: buffer "${name}"`, tensor);
  const clash = Object.keys(inputs).find((name) => Object.hasOwn(parameters, name));
  if (clash !== undefined) throw clashing(clash);
  if (!Number.isSafeInteger(accumulate) || accumulate < 1)
    throw badNumber("accumulate", accumulate, "a whole number of batches, 1 or more");
  if (average !== undefined && !(average >= 0 && average < 1))
    throw badNumber("average", average, "a number from 0 to below 1, such as 0.999");
}

/** Throws unless a step got as many batches as it takes. */
export function checkBatchCount(got: number, expected: number): void {
  if (got === expected) return;
  throw new InputError({
    where: "trainer.step: batches",
    got: `${got}`,
    expected: expected === 1 ? "1 batch" : `${expected} batches in a list, as \`accumulate\` says`,
    fix: "Give as many batches as one update takes.",
  });
}

/** The error for averages of a run that keeps none. */
export function noAverage(): InputError {
  return new InputError({
    where: "trainer: averaged",
    got: "true for a run that keeps no averages",
    expected: "a trainer with `average`",
    fix: "Create it with average: 0.999, or leave `averaged` out.",
  });
}

function clashing(name: string): InputError {
  return new InputError({
    where: `trainer: inputs "${name}"`,
    got: "a name that a parameter has, too",
    expected: "different names for parameters and batch tensors",
    fix: "Rename one of them.",
  });
}

function badNumber(name: string, value: number, expected: string): InputError {
  return new InputError({ where: `trainer: ${name}`, got: String(value), expected, fix: "Leave it out for none." });
}
