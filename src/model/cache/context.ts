/** What the algebra reads from: a cache's activations, its origin, and the names it needs. */
import { HookNotFoundError, InputError, UnsupportedError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import { programSteps } from "../components/decoder.js";
import type { ModelView } from "../view.js";
import type { CacheOrigin } from "./origin.js";

/** One call of the algebra: whose activations, and how messages name the call. */
export interface CacheContext {
  /** The public call, such as `cache.decomposeResid`. */
  readonly where: string;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly origin: CacheOrigin;
  readonly view: ModelView;
}

/** Returns the context of a call; refuses a cache that does not know its model. */
export function cacheContext(
  where: string,
  tensors: ReadonlyMap<string, Tensor>,
  origin: CacheOrigin | undefined,
): CacheContext {
  if (origin?.view !== undefined) return { where, tensors, origin, view: origin.view };
  throw new InputError({
    where,
    got: "a cache that does not know its model",
    expected: "the cache of a run, or one with a model",
    fix: "Call cache.withModel(model) first, or pass the model to ActivationCache.load.",
  });
}

/** Whether an edit of the run acted at a hook point. */
export function isEdited({ origin }: CacheContext, name: string): boolean {
  return origin.edits.some(({ hooks }) => hooks.includes(name));
}

/** Another captured name that holds the same values: the stream between two layers has two names. */
function sameStream(ctx: CacheContext, name: string): string | undefined {
  const match = /^(blocks\.[^.]+)\.hook_resid_(pre|post)$/.exec(name);
  const names = programSteps(ctx.origin.layers).map((step) => step.name);
  const at = names.indexOf(match?.[1] ?? "");
  if (match === null || at < 0) return undefined;
  const [before, after] = match[2] === "pre" ? [names[at - 1], names[at]] : [names[at], names[at + 1]];
  if (before === undefined || after === undefined || isEdited(ctx, `${after}.hook_resid_pre`)) return undefined;
  return match[2] === "pre" ? `${before}.hook_resid_post` : `${after}.hook_resid_pre`;
}

function find(ctx: CacheContext, name: string): Tensor | undefined {
  const other = ctx.tensors.has(name) ? undefined : sameStream(ctx, name);
  return ctx.tensors.get(other ?? name);
}

/** `blocks.*.hook_z` for several layers of one point, else the names themselves. */
function captureSpecs(missing: readonly string[]): readonly string[] {
  const globs = missing.map((name) => name.replace(/^blocks\.[^.]+\./, "blocks.*."));
  const isRepeated = (glob: string): boolean => globs.filter((one) => one === glob).length > 1;
  return [...new Set(globs.map((glob, i) => (isRepeated(glob) ? glob : (missing[i] ?? glob))))];
}

/**
 * Returns a lookup of activations that are all there.
 *
 * @throws HookNotFoundError that lists every missing hook point and the capture option that gets them.
 */
export function need(ctx: CacheContext, names: readonly string[]): (name: string) => Tensor {
  const missing = [...new Set(names)].filter((name) => find(ctx, name) === undefined);
  if (missing.length > 0) {
    throw new HookNotFoundError({
      where: ctx.where,
      got: `a cache without ${missing.join(", ")}`,
      expected: "a run that captured them",
      fix: `Run with capture: [${captureSpecs(missing)
        .map((spec) => JSON.stringify(spec))
        .join(", ")}] in addition.`,
    });
  }
  return (name) => {
    const tensor = find(ctx, name);
    if (tensor === undefined) return need(ctx, [name])(name);
    return tensor;
  };
}

/** Why edits at some hook points make an answer wrong. */
export interface EditLimit {
  readonly hooks: readonly string[];
  /** What would no longer hold, such as `the parts sum to the stream`. */
  readonly law: string;
  readonly fix: string;
}

/** Refuses a cache whose run was edited where the answer would silently be wrong. */
export function refuseEdits(ctx: CacheContext, { hooks, law, fix }: EditLimit): void {
  const found = ctx.origin.edits.flatMap((edit) =>
    edit.hooks.filter((hook) => hooks.includes(hook)).map((hook) => `edit.${edit.name} at ${hook}`),
  );
  if (found.length === 0) return;
  throw new UnsupportedError({
    where: ctx.where,
    got: `a run with ${found.join(", ")}`,
    expected: `a run in which ${law}`,
    fix,
  });
}
