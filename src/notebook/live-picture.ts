/** The picture of a result that is still in the making. */
import { Buffer } from "node:buffer";
import type { ProgressEvent } from "../core/index.js";
import type { View } from "../viz/index.js";
import { sessionTheme } from "./configure.js";

/** Least time between two drawings, ms. */
const intervalMs = 500;
/** Drawing takes at most this share of the time, so that large results do not slow the work down. */
const drawingShare = 0.1;

/**
 * Draws what a progress event offers: at most twice a second, in between it stays as it was.
 *
 * It is an `<img>` without scripts: each state replaces the one before, and browser code would be loaded each time.
 */
export class LivePicture {
  #tag = "";
  #due = Number.NEGATIVE_INFINITY;

  /** Whether anything was drawn. */
  get isDrawn(): boolean {
    return this.#tag !== "";
  }

  /** Returns the picture as HTML, empty when there is nothing to draw. */
  read(event: ProgressEvent | undefined): string {
    const start = performance.now();
    if (event?.soFar === undefined || start < this.#due) return this.#tag;
    const view = viewOf(event);
    if (view !== undefined) this.#tag = imageTag(view);
    const now = performance.now();
    this.#due = now + Math.max(intervalMs, (now - start) / drawingShare);
    return this.#tag;
  }
}

/** Returns the view of the result so far; none while it cannot be drawn yet. The end result will say what is wrong. */
export function viewOf({ soFar }: ProgressEvent): View | undefined {
  try {
    const view = soFar?.toView();
    return isView(view) ? view : undefined;
  } catch {
    return undefined;
  }
}

function isView(value: unknown): value is View {
  return typeof value === "object" && value !== null && "toSvg" in value && typeof value.toSvg === "function";
}

function imageTag(view: View): string {
  const theme = sessionTheme();
  const svg = view.toSvg(theme === "auto" ? {} : { theme });
  const alt = view.summary().replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
  return `<img alt="${alt}" src="data:image/svg+xml;base64,${Buffer.from(svg).toString("base64")}">`;
}
