/** The rows of a lens: which hook points are read, in the order in which the model computes them. */
import { UnsupportedError } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import type { LensSite } from "./types.js";

/** One row of a lens. */
export interface LensRow {
  /** `"embed"`, or a layer and site such as `"3_post"`, `"3_attn_out"`. */
  readonly label: string;
  /** `i` reads at or in block `i`, -1 the embeddings. */
  readonly layer: number;
  readonly hook: string;
}

/** The rows of a question, and the stream that the final layer reads. */
export interface LensRows {
  readonly rows: readonly LensRow[];
  readonly final: string;
}

interface Place {
  /** `"3"`, or `"3~2"` for the second time that layer 3 runs. */
  readonly step: string;
  readonly site: LensSite;
  readonly hook: string;
}

const pattern = /^blocks\.([^.]+)\.hook_(resid_pre|attn_out|resid_mid|mlp_out|resid_post)$/;

function isSite(name: string | undefined): name is LensSite {
  return name !== undefined && pattern.test(`blocks.0.hook_${name}`);
}

function placesOf(model: Model): readonly Place[] {
  return model.hookNames().flatMap((hook) => {
    const [, step = "", site] = pattern.exec(hook) ?? [];
    return isSite(site) ? [{ step, site, hook }] : [];
  });
}

/** Sites in the order in which a block makes them, whatever order they were asked in. */
const siteOrder: readonly LensSite[] = ["resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post"];

function rowOf({ step, site, hook }: Place): LensRow {
  return { label: `${step}_${site.replace("resid_", "")}`, layer: Number.parseInt(step, 10), hook };
}

function checkSites(places: readonly Place[], sites: readonly LensSite[], where: string): void {
  const known = siteOrder.filter((site) => places.some((place) => place.site === site));
  const missing = sites.filter((site) => !known.includes(site));
  if (missing.length === 0 && sites.length > 0) return;
  throw new UnsupportedError({
    where: `${where}: sites`,
    got: sites.length === 0 ? "none" : missing.join(", "),
    expected: `sites of this model: ${known.join(", ")}`,
    fix: "Models whose sublayers read the same stream have no resid_mid, models of attention alone no mlp_out.",
  });
}

/**
 * Returns the rows that a model has for some sites.
 *
 * @throws UnsupportedError for a site that the architecture lacks.
 */
export function lensRows(model: Model, given: LensSite | readonly LensSite[], where: string): LensRows {
  const sites = typeof given === "string" ? [given] : given;
  const places = placesOf(model);
  checkSites(places, sites, where);
  const steps = [...new Set(places.map(({ step }) => step))];
  const inOrder = steps.flatMap((step) =>
    siteOrder.flatMap((site) =>
      sites.includes(site) ? places.filter((place) => place.step === step && place.site === site) : [],
    ),
  );
  const hookOf = (step: string | undefined, site: LensSite): string =>
    places.find((place) => place.step === step && place.site === site)?.hook ?? "";
  const embed: LensRow = { label: "embed", layer: -1, hook: hookOf(steps[0], "resid_pre") };
  const hasEmbed = sites.includes("resid_post") && !sites.includes("resid_pre");
  return {
    rows: [...(hasEmbed ? [embed] : []), ...inOrder.map(rowOf)],
    final: hookOf(steps.at(-1), "resid_post"),
  };
}
