/** Components as patches of hook points, and as edits. */
import { type Edit, edit, type Model, type Selection } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { type Donor, type Patch } from "../patching/patches.js";
import type { TokenPair } from "../patching/prompts.js";
import { siteHook, siteShape } from "../patching/sites.js";

/** What of its hook point a component is. */
export function selectionOf({ pos, head, keyPos, neuron }: Patch): Selection {
  return {
    ...(pos === undefined ? {} : { pos }),
    ...(head === undefined ? {} : { head }),
    ...(keyPos === undefined ? {} : { keyPos }),
    ...(neuron === undefined ? {} : { neuron }),
  };
}

/** Edits that write a donor's values over components of a group's prompts. */
export function ablatingEdits(
  model: Model,
  components: readonly Patch[],
  donor: Donor,
  pairs: readonly TokenPair[],
): readonly Edit[] {
  const pos = pairs[0]?.into.length ?? 1;
  return components.map((component) => {
    const hook = siteHook(component.site, component.layer);
    const { axes, sizes } = siteShape(model, hook, pos);
    const { data } = donor(hook);
    const values = Tensor.of(data, [pairs.length, ...sizes], ["batch", ...axes]);
    return { ...edit.replace(hook, values, selectionOf(component)), name: "ablate" };
  });
}
