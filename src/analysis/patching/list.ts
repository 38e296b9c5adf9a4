/** Any list of patches, one metric each: TransformerLens's generic patching. */
import { InputError, printsItself } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { bars, type View } from "../../viz/index.js";
import { copiedFrom, type Patch, patchRows } from "./patches.js";
import { pairPrompts, promptTokens } from "./prompts.js";
import type { PatchProvenance } from "./result.js";
import { memoryOf, type PatchingOptions, provenanceOf } from "./sweep.js";

/** Options of `patching.patches`. */
export interface PatchListOptions extends PatchingOptions {
  readonly patches: readonly Patch[];
}

/** The metric after each patch of a list. */
export class PatchList {
  static {
    printsItself(this.prototype);
  }

  readonly patches: readonly Patch[];
  /** `[patch, prompt]`, NaN where a prompt has no such position. */
  readonly perPrompt: Tensor;
  /** The unpatched metric of each prompt that was copied from, `[prompt]`. */
  readonly fromMetric: Float64Array;
  /** The unpatched metric of each prompt that was written into, `[prompt]`. */
  readonly intoMetric: Float64Array;
  readonly provenance: PatchProvenance;

  /** @internal */
  constructor(fields: Readonly<Omit<PatchList, "change" | "toView" | "toString">>) {
    this.patches = fields.patches;
    this.perPrompt = fields.perPrompt;
    this.fromMetric = fields.fromMetric;
    this.intoMetric = fields.intoMetric;
    this.provenance = fields.provenance;
  }

  /** Patched minus unpatched metric, mean over the prompts that have the position, one number for each patch. */
  get change(): Float64Array {
    const count = this.intoMetric.length;
    return Float64Array.from(this.patches, (_, patch) => {
      const changes = Array.from(this.intoMetric, (base, p) => Number(this.perPrompt.data[patch * count + p]) - base);
      const own = changes.filter((x) => !Number.isNaN(x));
      return own.reduce((a, b) => a + b, 0) / own.length;
    });
  }

  /** Returns one bar for each patch. */
  toView(): View {
    const { metric, unit } = this.provenance;
    return bars(this.change, {
      axis: { labels: this.patches.map(patchName) },
      title: `Patches: change of ${metric}`,
      unit,
    });
  }

  /** One line for each patch. */
  toString(): string {
    const { change } = this;
    return this.patches.map((patch, i) => `${patchName(patch)}: ${(change[i] ?? 0).toPrecision(4)}`).join("\n");
  }
}

/** A patch in a few words, such as `z L3 head 1 pos 4`. */
export function patchName({ site, layer, ...axes }: Patch): string {
  const rest = Object.entries(axes).map(([axis, index]) => ` ${axis} ${String(index)}`);
  return `${site} L${layer}${rest.join("")}`;
}

/** Runs a list of patches. */
export async function patchList(model: Model, options: PatchListOptions): Promise<PatchList> {
  const where = "patching.patches";
  const { metric, patches, signal, onProgress } = options;
  if (patches.length === 0)
    throw new InputError({ where, got: "no patches", expected: "at least one", fix: "Name a site and a layer." });
  const pairs = pairPrompts(promptTokens(model, options.from, where), promptTokens(model, options.into, where), where);
  const fromMetric = new Float64Array(pairs.length);
  const long = { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) };
  const donor = copiedFrom(model, metric, fromMetric, long);
  const memoryLimit = memoryOf(model, options.memoryLimit);
  const { patched, unpatched } = await patchRows(model, { ...long, pairs, patches, metric, donor, memoryLimit, where });
  const counts = { prompts: pairs.length, patches: patched.length };
  return new PatchList({
    patches,
    perPrompt: Tensor.of(patched, [patches.length, pairs.length], ["patch", "prompt"]),
    fromMetric,
    intoMetric: unpatched,
    provenance: provenanceOf(model, metric, counts),
  });
}
