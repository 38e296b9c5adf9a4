/** From a caller's words about gradients to a request: names become hook points and weights. */
import { HookNotFoundError, InputError, nearestNames, UnsupportedError } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import type { Edit } from "../edits/types.js";
import { type HookSpec, type HookSpecs, printSpec, resolveHooks } from "../hooks/index.js";
import { readOnlyPoints } from "../plan/full-graph.js";
import { resolveEdits } from "../plan/resolve.js";
import type { ModelView } from "../view.js";
import type { RunGradientOptions } from "./options.js";
import type { GradientRequest } from "./request.js";
import { type WeightTarget, weightNames, weightTargets } from "./weight-names.js";

/** The gradients of a run, with how the caller finds them. */
export interface ResolvedGradients {
  readonly request: GradientRequest;
  readonly weights: readonly WeightTarget[];
  /** The direction at each hook point, where products with the Hessian are asked for. */
  readonly along?: ReadonlyMap<string, Tensor>;
}

/** Points at which each head gets its own copy of the stream; following them gives each head a norm of its own. */
const perHeadInputs = /\.hook_(?:attn_in|[qkv]_input)$/;
/** Points that are only on the path when they are asked for. */
const besidePath = /\.(?:hook_attn_in|hook_[qkv]_input|attn\.hook_result)$/;

function listed(specs: HookSpecs): readonly HookSpec[] {
  return Array.isArray(specs) ? (specs as readonly HookSpec[]) : [specs as HookSpec];
}

/** A name inside a block means that point in every block. */
function inEveryBlock(spec: HookSpec, names: readonly string[]): HookSpec {
  if (typeof spec !== "string" || spec.includes("*") || names.includes(spec)) return spec;
  const isInBlocks = names.some((name) => name.startsWith("blocks.") && name.endsWith(`.${spec}`));
  return isInBlocks && spec.includes(".") ? `blocks.*.${spec}` : spec;
}

/** What one of the caller's words means: hook points, weights, or neither. */
function targetsOf(
  view: ModelView,
  spec: HookSpec,
  names: readonly string[],
): { readonly hooks?: readonly string[]; readonly weights?: readonly WeightTarget[] } {
  const where = "model.run: gradients.wrt";
  if (typeof spec !== "string") return { hooks: resolveHooks(spec, names, where) };
  if (spec === "embeddings") return { hooks: resolveHooks("hook_embed", names, where) };
  if (spec === "*" || spec === "**")
    return { hooks: names.filter((name) => !besidePath.test(name) && !readOnlyPoints.includes(name)) };
  const weights = spec.includes("*") && namesHooks(spec, names) ? [] : weightTargets(view, spec);
  if (weights.length > 0) return { weights };
  return { hooks: hooksOrWhy(view, spec, names, where) };
}

/** Whether a pattern means hook points; then it does not mean weights of similar names. */
function namesHooks(spec: string, names: readonly string[]): boolean {
  try {
    return resolveHooks(spec, names, "").length > 0;
  } catch (error) {
    if (error instanceof HookNotFoundError) return false;
    throw error;
  }
}

/** The hook points of a name; the error names the nearest weights as well. */
function hooksOrWhy(view: ModelView, spec: string, names: readonly string[], where: string): readonly string[] {
  try {
    return resolveHooks(inEveryBlock(spec, names), names, where);
  } catch (error) {
    if (!(error instanceof HookNotFoundError)) throw error;
    const weights = nearestNames(spec, weightNames(view)).slice(0, 3);
    if (weights.length === 0) throw error;
    throw new HookNotFoundError({
      where,
      got: error.got,
      expected: `${error.expected}; or a weight, such as ${weights.join(", ")}`,
      fix: "List names with model.hookNames() and model.weights.names().",
    });
  }
}

function checkReadable(hooks: readonly string[]): void {
  const bad = hooks.find((hook) => readOnlyPoints.includes(hook));
  if (bad === undefined) return;
  throw new UnsupportedError({
    where: `model.run: gradients.wrt "${bad}"`,
    got: "token ids, which have no gradient",
    expected: "a hook point with real numbers",
    fix: 'Ask for "embeddings".',
  });
}

/** Refuses a layer's shared norm together with heads' own inputs: each head then has a norm of its own. */
function checkNorms(hooks: readonly string[]): void {
  const input = hooks.find((hook) => {
    const block = hook.replace(/\.hook_[a-z_]+$/, "");
    return perHeadInputs.test(hook) && hooks.some((other) => other.startsWith(`${block}.ln1.`));
  });
  if (input === undefined) return;
  throw new UnsupportedError({
    where: "model.run: gradients",
    got: `${input} together with ${input.replace(/hook_[a-z_]+$/, "ln1")}, which ${input} takes out of the path: each head then has a norm of its own`,
    expected: "one of the two in a layer",
    fix: "Ask for them in two runs.",
  });
}

function checkEdits(edits: readonly Edit[]): void {
  const opaque = edits.find(({ change }) => change.kind === "callback");
  if (opaque !== undefined) {
    throw new UnsupportedError({
      where: "model.run: gradients.edits",
      got: "edit.callback, which cuts the graph",
      expected: "edits that become part of the graph",
      fix: "Write it as a traced function with edit.map.",
    });
  }
  const stepped = edits.find(({ select }) => select.steps !== undefined);
  if (stepped === undefined) return;
  throw new InputError({
    where: `model.run: gradients.edits: edit.${stepped.name}`,
    got: "a selection by steps",
    expected: "a plain run, which has none",
    fix: "Leave steps out.",
  });
}

/** Refuses forward edits that no derivative passes. */
function checkForward(edits: readonly Edit[]): void {
  const opaque = edits.find(({ change }) => change.kind === "callback");
  if (opaque === undefined) return;
  const hook = listed(opaque.hook)
    .map((spec) => printSpec(spec))
    .join(", ");
  throw new UnsupportedError({
    where: "model.run: gradients",
    got: `a model with edit.callback at ${hook}, a function that cannot be differentiated`,
    expected: "edits that become part of the graph",
    fix: "Write it as a traced function with edit.map, or take gradients of the model without it.",
  });
}

function stops(specs: HookSpecs | undefined, names: readonly string[]): readonly string[] {
  if (specs === undefined || (Array.isArray(specs) && specs.length === 0)) return [];
  const all = listed(specs).map((spec) => inEveryBlock(spec, names));
  return resolveHooks(all, names, "model.run: gradients.stopAt");
}

/**
 * Resolves what a caller asks about gradients.
 *
 * @param names - Hook points that the run passes.
 * @throws HookNotFoundError for unknown names; UnsupportedError for points that cannot be asked for, or not together.
 */
export function resolveGradients(
  view: ModelView,
  options: RunGradientOptions,
  names: readonly string[],
): ResolvedGradients {
  const { wrt, edits = [], stopAt, along, reduce = "sum" } = options;
  checkForward(view.edits);
  checkEdits(edits);
  const found = listed(wrt).map((spec) => targetsOf(view, spec, names));
  const hooks = new Set(found.flatMap((one) => one.hooks ?? []));
  const weights = [...new Map(found.flatMap((one) => one.weights ?? []).map((one) => [one.name, one])).values()];
  checkAny(hooks.size + weights.length);
  checkReadable([...hooks]);
  const request: GradientRequest = {
    wrt: names.filter((name) => hooks.has(name)),
    weights: [...new Set(weights.map(({ stored }) => stored))].sort(),
    stopAt: stops(stopAt, names),
    edits: resolveEdits(edits, names),
    reduce,
    hessian: along !== undefined,
  };
  checkNorms([...request.wrt, ...request.edits.flatMap((edit) => edit.hooks)]);
  return { request, weights, ...directions(request, along) };
}

/** The direction at each hook point. */
function directions(
  { wrt, weights, edits }: GradientRequest,
  along: RunGradientOptions["along"],
): Pick<ResolvedGradients, "along"> {
  if (along === undefined) return {};
  const rest = [...weights, ...edits.map(({ edit }) => `edit.${edit.name}`)];
  if (rest.length === 0)
    return { along: new Map(wrt.map((hook) => [hook, along instanceof Tensor ? along : along.get(hook)])) };
  throw new UnsupportedError({
    where: "model.run: gradients.along",
    got: `a direction together with ${rest.slice(0, 3).join(", ")}`,
    expected: "hook points alone, and no edits of gradients",
    fix: "Ask for the rest in another run.",
  });
}

function checkAny(count: number): void {
  if (count > 0) return;
  throw new InputError({
    where: "model.run: gradients.wrt",
    got: "an empty list",
    expected: "at least one hook point or weight",
    fix: 'Name one, such as "resid_post", "embeddings" or "W_Q".',
  });
}
