/** The box beside a chosen target. It repeats the status line, so screen readers skip it. */
import { select } from "d3-selection";
import type { Box } from "../marks.js";
import { formatNumber } from "../numbers.js";
import type { Tip } from "./targets.js";

/** Drawings narrower than this let the tooltip hang over their right edge, px. */
const leastWidth = 420;

/** A tooltip on the page. */
export interface Tooltip {
  show(tip: Tip, box: Box): void;
  hide(): void;
}

/** Puts a hidden tooltip into `plot`; `rounding` is the step to which numbers were rounded, 0 for exact ones. */
export function createTooltip(plot: HTMLElement, rounding: number): Tooltip {
  const element = select(plot).append("div").attr("class", "tip").attr("aria-hidden", "true");
  const node = element.node() as HTMLElement;
  node.hidden = true;
  return {
    hide() {
      node.hidden = true;
    },
    show(tip, box) {
      element.selectChildren().remove();
      element.append("b").text(tip.title);
      for (const [name, value] of tip.rows) {
        const row = element.append("div");
        row.append("span").text(name);
        row.append("span").text(value);
      }
      if (rounding > 0) element.append("i").text(`rounded to ${formatNumber(rounding)}`);
      node.hidden = false;
      const { left, top } = besides(box, node.offsetWidth, Math.max(plot.clientWidth, leastWidth));
      element.style("left", `${left}px`).style("top", `${top}px`);
    },
  };
}

/** Right of the target, or left of it where there is more room. */
function besides(box: Box, width: number, limit: number): { left: number; top: number } {
  const right = box.x + box.width + 8;
  const isTooWide = right + width > limit && box.x > width + 8;
  return { left: isTooWide ? box.x - 8 - width : right, top: box.y + box.height + 6 };
}
