/** What all interactive views share: title and note, menus, the drawing, and every value as a table. */
import { type Selection, select } from "d3-selection";
import { summarize } from "../compose.js";
import { kindOf, type ViewSpec } from "../registry.js";
import type { Theme } from "../theme.js";
import { clientOf } from "./registry.js";
import { fillTable } from "./rows.js";
import { Scenes } from "./scenes.js";
import type { ElementView } from "./view.js";

/** A whole view on the page. */
export interface Frame {
  setTheme(theme: Theme): void;
}

/** What a frame is made from. */
export interface FrameOptions {
  /** The page's theme; a view's own wins. */
  readonly theme: Theme;
  /** The step to which numbers were rounded, 0 when they are exact. */
  readonly rounding: number;
}

/** Puts a whole view into `place`. */
export function createFrame(spec: ViewSpec, place: HTMLElement, options: FrameOptions): Frame {
  const theme = spec.theme ?? options.theme;
  const summary = summarize(spec);
  const root = select(place).append("div").attr("class", "view").attr("data-theme", theme);
  root.attr("role", "group").attr("aria-label", summary);
  if (spec.title !== "") root.append("h3").text(spec.title);
  if (spec.note !== "") root.append("p").text(spec.note);
  const client = clientOf(spec);
  const themed = { ...options, theme };
  const inner = "scene" in client ? [] : fill(spec, client, { root, themed });
  if ("scene" in client) {
    const [bar, content] = [child(root, "bar"), child(root, "content")];
    inner.push(new Scenes(spec, client, { ...themed, summary, bar, content, desk: child(root, "desk") }));
    addTable(spec, bar, child(root, "rows"));
  }
  return {
    setTheme(next) {
      if (spec.theme !== undefined) return;
      root.attr("data-theme", next);
      for (const part of inner) part.setTheme(next);
    },
  };
}

type Root = Selection<HTMLDivElement, unknown, null, undefined>;

function child(root: Root, name: string): HTMLElement {
  return root.append("div").attr("class", name).node() as HTMLElement;
}

/** Lets a view fill its place itself; returns the views that it puts inside. */
function fill(
  spec: ViewSpec,
  client: ElementView<ViewSpec>,
  { root, themed }: { root: Root; themed: FrameOptions },
): Frame[] {
  const inner: Frame[] = [];
  client.fill(spec, child(root, "content"), {
    theme: themed.theme,
    show: (part, at) => void inner.push(createFrame(part, at, themed)),
  });
  return inner;
}

/** The button that shows every value as a row. */
function addTable(spec: ViewSpec, bar: HTMLElement, place: HTMLElement): void {
  place.hidden = true;
  const button = select(bar).append("button").attr("type", "button").attr("aria-expanded", "false");
  button.text("Show as table").on("click", () => {
    if (place.childElementCount === 0) fillTable(kindOf(spec).table(spec), place);
    place.hidden = !place.hidden;
    button.attr("aria-expanded", String(!place.hidden)).text(place.hidden ? "Show as table" : "Hide table");
  });
}
