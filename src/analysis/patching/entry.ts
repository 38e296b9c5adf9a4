/** Where a patch enters the model: at its own hook point, or later at the stream that its write is added to. */
import type { Model } from "../../model/index.js";
import type { PromptGroup } from "./group.js";
import type { RowEntry } from "./rows.js";
import { companionHooks, type PatchSite, siteHook, siteShape } from "./sites.js";
import type { PromptValues } from "./values.js";

/** One site in one layer. */
export interface SitePlace {
  readonly site: PatchSite;
  readonly layer: number;
}

/** Whether a patch can enter as the stream before the next layer: it is that stream, or is added to it last. */
function entersNext(model: Model, { site, layer }: SitePlace): boolean {
  if (layer + 1 >= model.config.nLayers || model.edits.length > 0) return false;
  return site === "resid_post" || (site === "mlp_out" && !model.config.parallelAttnMlp);
}

/** Hook points of the unpatched run that a patch of this site needs. */
export function baseHooks(model: Model, place: SitePlace): readonly string[] {
  const { site, layer } = place;
  if (site === "resid_pre") return [];
  if (!entersNext(model, place)) return [siteHook(site, layer), ...companionHooks(model, site, layer)];
  return site === "mlp_out" ? [siteHook("resid_mid", layer)] : [];
}

/** The first layer at which rows of this site start. */
export function firstLayer(model: Model, place: SitePlace): number {
  return entersNext(model, place) ? place.layer + 1 : place.layer;
}

/** The stream after a layer, were its MLP's write the donor's. */
function streamAfter(mid: PromptValues, write: PromptValues): PromptValues {
  const data = mid.data.slice();
  write.data.forEach((value, i) => {
    data[i] = (data[i] ?? 0) + value;
  });
  return { data, stride: mid.stride };
}

/**
 * The entry of patches of one site in one layer.
 *
 * @param donor - The values that patches copy, of each prompt of the group.
 */
export function siteEntry(model: Model, place: SitePlace, group: PromptGroup, donor: PromptValues): RowEntry {
  const { site, layer } = place;
  const values = (hook: string): PromptValues => group.run.values(hook);
  const shape = siteShape(model, siteHook(site, layer), group.pos);
  if (site === "resid_pre" || entersNext(model, place)) {
    const startAtLayer = firstLayer(model, place);
    const base = values(siteHook("resid_pre", startAtLayer));
    const written = site === "mlp_out" ? streamAfter(values(siteHook("resid_mid", layer)), donor) : donor;
    return { startAtLayer, shape, base, donor: written, beside: [] };
  }
  const beside = companionHooks(model, site, layer).map((hook) => ({
    hook,
    shape: siteShape(model, hook, group.pos),
    values: values(hook),
  }));
  return {
    startAtLayer: layer,
    hook: siteHook(site, layer),
    shape,
    base: values(siteHook(site, layer)),
    donor,
    beside,
  };
}
