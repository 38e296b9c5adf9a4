/** What ablations found. */
import { InputError, printsItself } from "../../core/index.js";
import { panels, table, type View } from "../../viz/index.js";
import type { PatchProvenance, SiteEffect } from "../patching/result.js";
import type { PatchSite } from "../patching/sites.js";
import type { AblationKind } from "./donors.js";

/** What an ablation was made from. */
export interface AblationProvenance extends PatchProvenance {
  readonly kind: AblationKind;
  readonly reference: number;
  readonly seed: number;
}

/** The effect of ablating one component at a time. */
export class AblationSweep {
  static {
    printsItself(this.prototype);
  }

  /** For each site the metric after each ablation (`raw`) and its change; negative where the component helped. */
  readonly sites: readonly SiteEffect[];
  /** The metric of the whole model, mean over prompts. */
  readonly metric: number;
  readonly provenance: AblationProvenance;

  /** @internal */
  constructor(fields: Readonly<Omit<AblationSweep, "get" | "toView" | "toString">>) {
    this.sites = fields.sites;
    this.metric = fields.metric;
    this.provenance = fields.provenance;
  }

  /**
   * Returns the effect at one kind of site.
   *
   * @throws InputError when it was not ablated.
   */
  get(site: PatchSite): SiteEffect {
    const found = this.sites.find((one) => one.site === site);
    if (found !== undefined) return found;
    throw new InputError({
      where: "ablation.get",
      got: `"${site}"`,
      expected: `one of ${this.sites.map((one) => one.site).join(", ")}`,
      fix: "Add it to sites.",
    });
  }

  /** Returns one heatmap of changes for each site. */
  toView(): View {
    const { kind, metric, prompts, unit } = this.provenance;
    return panels(
      this.sites.map((site) => site.toView()),
      {
        title: `Ablation (${kind}): change of ${metric}`,
        note: `${this.metric.toPrecision(4)} ${unit} without; mean over ${prompts} prompts`,
      },
    );
  }

  /** A few lines: what ran, and the components whose absence changes most. */
  toString(): string {
    const { kind, metric, unit, prompts, model } = this.provenance;
    return [
      `Ablation (${kind}) of "${model}", one component at a time, over ${prompts} prompts`,
      `  ${metric} of the whole model: ${this.metric.toPrecision(4)} ${unit}`,
      ...this.sites.map((site) => `  ${site.toString()}`),
    ].join("\n");
  }
}

/** The metric without one set of components. */
export interface AblatedSet {
  readonly name: string;
  /** Mean over prompts. */
  readonly metric: number;
  /** The same minus that of the whole model. */
  readonly change: number;
  /** Of each prompt. */
  readonly perPrompt: Float64Array;
}

/** The effect of ablating sets of components together. */
export class AblationSets {
  static {
    printsItself(this.prototype);
  }

  readonly sets: readonly AblatedSet[];
  /** The metric of the whole model, mean over prompts, and of each prompt. */
  readonly metric: number;
  readonly perPrompt: Float64Array;
  readonly provenance: AblationProvenance;

  /** @internal */
  constructor(fields: Readonly<Omit<AblationSets, "get" | "toView" | "toString">>) {
    this.sets = fields.sets;
    this.metric = fields.metric;
    this.perPrompt = fields.perPrompt;
    this.provenance = fields.provenance;
  }

  /**
   * Returns one set's numbers.
   *
   * @throws InputError when there is no set of that name.
   */
  get(name: string): AblatedSet {
    const found = this.sets.find((set) => set.name === name);
    if (found !== undefined) return found;
    throw new InputError({
      where: "ablation.get",
      got: `"${name}"`,
      expected: `one of ${this.sets.map((set) => set.name).join(", ")}`,
      fix: "Add it to sets.",
    });
  }

  /** Returns a table of the sets. */
  toView(): View {
    const { kind, metric, unit } = this.provenance;
    return table(
      [
        { name: "without", kind: "text" },
        { name: `${metric} (${unit})`, kind: "number" },
        { name: "change", kind: "number" },
      ],
      [["nothing", this.metric, 0], ...this.sets.map((set) => [set.name, set.metric, set.change])],
      { title: `Ablation (${kind}) of components together` },
    );
  }

  /** One line for each set. */
  toString(): string {
    const { kind, metric } = this.provenance;
    return [
      `Ablation (${kind}), ${metric} of the whole model ${this.metric.toPrecision(4)}`,
      ...this.sets.map((set) => `  without ${set.name}: ${set.metric.toPrecision(4)} (${set.change.toPrecision(3)})`),
    ].join("\n");
  }
}
