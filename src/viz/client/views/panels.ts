/** Sheets: each panel is a whole view of its own. */
import type { PanelsSpec } from "../../views/panels.js";
import type { ElementView } from "../view.js";

/** The interactive sheet. */
export const panelsClient: ElementView<PanelsSpec> = {
  fill(spec, place, page) {
    place.classList.add("panels");
    for (const panel of spec.panels) {
      const child = document.createElement("div");
      place.append(child);
      page.show(panel, child);
    }
  },
};
