/** Turns what a user names (reference, full or short name, glob, RegExp) into hook points of a model. */
import { HookNotFoundError, nearestNames } from "../../core/index.js";
import type { HookRef } from "./at.js";
import { blockPoints, outerPoints } from "./axes.js";
import { getActName } from "./names.js";

/** Anything that names hook points. Strings may be full names, short names (`"pattern5"`) or globs with `*`. */
export type HookSpec = string | RegExp | HookRef;

/** One or more of them. */
export type HookSpecs = HookSpec | readonly HookSpec[];

function escaped(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\~]/g, "\\$&");
}

/** `*` matches within one dotted part, except a lone `*`, which means every hook point. */
function globToRegExp(glob: string): RegExp {
  if (glob === "*" || glob === "**") return /^.*$/;
  const source = escaped(glob).replace(/\*\*/g, "\u0000").replace(/\*/g, "[^.]*").replaceAll("\u0000", ".*");
  return new RegExp(`^${source}$`);
}

/** The full names that a reference means. */
function refNames({ point, layers }: HookRef, names: readonly string[]): readonly string[] {
  if (layers === undefined) return [point];
  if (layers === "all")
    return names.filter((name) => /^blocks\.\d+(~\d+)?\./.test(name) && withoutBlock(name) === point);
  return (typeof layers === "number" ? [layers] : layers).map((layer) => `blocks.${layer}.${point}`);
}

function withoutBlock(name: string): string {
  return name.replace(/^blocks\.\d+(~\d+)?\./, "");
}

/** Prints a spec as the user would write it. */
export function printSpec(spec: HookSpec): string {
  if (typeof spec === "string") return `"${spec}"`;
  if (spec instanceof RegExp) return String(spec);
  const layers = spec.layers === undefined ? "" : `blocks.${String(spec.layers)}.`;
  return `"${layers}${spec.point}"`;
}

/** A string is a full name, else a short name in all layers where no layer is given, else unknown. */
function stringNames(spec: string, names: readonly string[]): readonly string[] {
  if (names.includes(spec)) return [spec];
  if (spec.includes("*")) {
    const pattern = globToRegExp(spec);
    return names.filter((name) => pattern.test(name));
  }
  if (spec in blockPoints) {
    const { place } = blockPoints[spec as keyof typeof blockPoints];
    return names.filter((name) => withoutBlock(name) === `${place}hook_${spec}` && name.startsWith("blocks."));
  }
  if (spec in outerPoints || /^[a-z_]+\d/.test(spec)) return [shortOrSelf(spec)];
  return [spec];
}

function shortOrSelf(spec: string): string {
  try {
    return getActName(spec);
  } catch {
    return spec;
  }
}

/** The blocks that run, as a reader counts them: `0–4`, or every name when a program repeats or reorders layers. */
function printBlocks(names: readonly string[]): string {
  const blocks = [...new Set(names.flatMap((name) => /^blocks\.([^.]+)\./.exec(name)?.[1] ?? []))];
  const isRange = blocks.every((block, i) => Number(block) === Number(blocks[0]) + i);
  return isRange && blocks.length > 1 ? `${blocks[0] ?? ""}–${blocks.at(-1) ?? ""}` : blocks.join(", ") || "none";
}

/** What to say about a name whose block does not run, or `undefined` when the block is not what is wrong. */
function missingBlock(name: string, names: readonly string[]): string | undefined {
  const [, block, point] = /^blocks\.([^.*]+)\.(.+)$/.exec(name) ?? [];
  if (block === undefined || names.some((one) => one.startsWith(`blocks.${block}.`))) return undefined;
  const same = names.findLast((one) => one.startsWith("blocks.") && withoutBlock(one) === point);
  return `a layer that runs: ${printBlocks(names)}${same === undefined ? "" : `; the last is ${same}`}`;
}

function notFound(where: string, spec: HookSpec, unmatched: string, names: readonly string[]): HookNotFoundError {
  const name = unmatched.replace(/^"|"$/g, "");
  const near = nearestNames(name, names);
  const isWhole = unmatched === printSpec(spec) || `"${unmatched}"` === printSpec(spec);
  const nearest = near.length === 0 ? "" : `; nearest: ${near.join(", ")}`;
  return new HookNotFoundError({
    where,
    got: isWhole ? `${printSpec(spec)}, which matches nothing` : `${printSpec(spec)}: no "${unmatched}"`,
    expected: missingBlock(name, names) ?? `a hook point that this run passes${nearest}`,
    fix: "List them with model.hookNames().",
  });
}

function resolveOne(spec: HookSpec, names: readonly string[], where: string): readonly string[] {
  if (spec instanceof RegExp) {
    const stateless = new RegExp(spec.source, spec.flags.replace(/[gy]/g, ""));
    const found = names.filter((name) => stateless.test(name));
    if (found.length === 0) throw notFound(where, spec, printSpec(spec), names);
    return found;
  }
  const wanted = typeof spec === "string" ? stringNames(spec, names) : refNames(spec, names);
  if (wanted.length === 0) throw notFound(where, spec, printSpec(spec), names);
  const known = new Set(names);
  const missing = wanted.find((name) => !known.has(name));
  if (missing !== undefined) throw notFound(where, spec, missing, names);
  return wanted;
}

/**
 * Resolves specs to full hook names in the model's order, each once.
 *
 * @throws HookNotFoundError when any one of the specs matches nothing; the message lists the nearest names.
 */
export function resolveHooks(specs: HookSpecs, names: readonly string[], where: string): readonly string[] {
  const list = Array.isArray(specs) ? (specs as readonly HookSpec[]) : [specs as HookSpec];
  if (list.length === 0)
    throw new HookNotFoundError({
      where,
      got: "an empty list",
      expected: "at least one hook point",
      fix: "Name one, or leave this out.",
    });
  const wanted = new Set(list.flatMap((spec) => resolveOne(spec, names, where)));
  return names.filter((name) => wanted.has(name));
}
