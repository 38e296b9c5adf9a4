/** Kinds of hook points that can be patched: how they are named, and what stands beside them in a layer. */
import { formatList, InputError, nearestHint, UnsupportedError } from "../../core/index.js";
import { getActName, type Model } from "../../model/index.js";

/** A kind of hook point to patch, by its short name. */
export type PatchSite =
  | "attn_in"
  | "attn_out"
  | "attn_scores"
  | "k"
  | "k_input"
  | "mlp_in"
  | "mlp_out"
  | "pattern"
  | "post"
  | "pre"
  | "pre_linear"
  | "q"
  | "q_input"
  | "resid_mid"
  | "resid_post"
  | "resid_pre"
  | "result"
  | "rot_k"
  | "rot_q"
  | "v"
  | "v_input"
  | "z";

/**
 * Sites of the same layer that feed what a site feeds: given with their own values, so that nothing upstream of the site
 * is computed again.
 */
const companions: Readonly<Record<PatchSite, readonly PatchSite[]>> = {
  attn_in: [],
  attn_out: [],
  attn_scores: ["v"],
  k: ["q", "v"],
  k_input: [],
  mlp_in: ["attn_out"],
  mlp_out: ["attn_out"],
  pattern: ["v"],
  post: ["attn_out"],
  pre: ["attn_out"],
  pre_linear: ["attn_out"],
  q: ["k", "v"],
  q_input: [],
  resid_mid: [],
  resid_post: [],
  resid_pre: [],
  result: [],
  rot_k: ["rot_q", "v"],
  rot_q: ["rot_k", "v"],
  v: ["q", "k"],
  v_input: [],
  z: [],
};

/** The full hook name of a site in a layer. */
export function siteHook(site: PatchSite, layer: number): string {
  return getActName(site, layer);
}

/** Full names of the hook points that are given beside a site. */
export function companionHooks(model: Model, site: PatchSite, layer: number): readonly string[] {
  const others = companions[site].map((other) => siteHook(other, layer));
  if (!model.config.gatedMlp) return others;
  if (site === "pre") return [...others, siteHook("pre_linear", layer)];
  return site === "pre_linear" ? [...others, siteHook("pre", layer)] : others;
}

/** An axis along which patches differ: position, head, key position of a pattern, or neuron. */
export type PatchAxis = "pos" | "head" | "keyPos" | "neuron";

/** The axis of patches that an axis of a hook point is. */
export function patchAxis(axis: string): PatchAxis | undefined {
  if (axis === "pos" || axis === "queryPos") return "pos";
  if (axis === "head" || axis === "keyPos") return axis;
  return axis === "dMlp" ? "neuron" : undefined;
}

/** A hook point without its batch axis: axis names, and sizes in a run of `pos` positions. */
export interface SiteShape {
  readonly axes: readonly string[];
  readonly sizes: readonly number[];
}

/** The shape of one row of a hook point. */
export function siteShape(model: Model, hook: string, pos: number): SiteShape {
  const point = model.hookPoints().get(hook);
  if (point === undefined) throw noSuchSite(model, hook);
  const axes = point.axes.slice(1);
  const sizes = point.shape.slice(1).map((size) => (typeof size === "number" ? size : pos));
  return { axes, sizes };
}

/** The kinds of hook points of a model that can be patched. */
function knownSites(model: Model): readonly string[] {
  const points = model.hookPoints();
  return Object.keys(companions).filter((site) => points.has(getActName(site, 0)));
}

/**
 * Refuses what is no kind of hook point, and kinds that the model lacks.
 *
 * @throws InputError, UnsupportedError
 */
export function checkSite(model: Model, site: string, where: string): void {
  const known = knownSites(model);
  if (known.includes(site)) return;
  if (Object.hasOwn(companions, site)) throw noSuchSite(model, getActName(site, 0), where);
  throw new InputError({
    where,
    got: JSON.stringify(site),
    expected: `one of ${formatList(known, known.length)}`,
    fix: `Name a kind of hook point; layers, positions and heads are options.${nearestHint(site, known)}`,
  });
}

function noSuchSite({ id, config }: Model, hook: string, where = "patching"): UnsupportedError {
  const kinds = [
    ...(config.parallelAttnMlp ? ["parallel attention and MLP (no resid_mid)"] : []),
    ...(config.attnOnly ? ["attention only (no MLP)"] : []),
    ...(config.gatedMlp ? [] : ["no gated MLP (no pre_linear)"]),
    ...(config.rotary === undefined ? ["no rotary positions (no rot_q, rot_k)"] : []),
    ...(config.nHeads === config.nKeyValueHeads ? [] : ["grouped keys and values (no attn_in)"]),
  ];
  return new UnsupportedError({
    where: `${where} at ${hook}`,
    got: `the model "${id}", which has no such hook point: ${formatList(kinds)}`,
    expected: "a hook point of this model",
    fix: "List them with model.hookNames().",
  });
}
