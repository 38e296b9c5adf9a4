/** Progress where the code runs: a bar in a cell, a bar on a terminal, lines in a pipe. */
import { randomUUID } from "node:crypto";
import { type OnProgress, ProgressClock, type ProgressEvent, progressText, stderrProgress } from "../core/index.js";
import { viewBundle } from "./bundle.js";
import { type Display, type DisplayBundle, hostDisplay } from "./display.js";
import { LivePicture, viewOf } from "./live-picture.js";
import { waitingBundle } from "./waiting.js";

/** Least time between two states, ms: four a second, and two when they carry a picture. */
const intervalMs = 250;
const pictureIntervalMs = 500;

/**
 * Returns a reporter for the `onProgress` of any long call.
 *
 * In a notebook it is a bar that is updated in place, at most four times a second, and whose last state stays; work that
 * can be drawn before it is finished, such as the curve of a training run, is drawn under it. On a terminal it is a bar on
 * stderr, in a pipe lines. Each says how far the work is, how fast it goes and how long it will take.
 *
 * @param label - Put in front of what the work says of itself.
 */
export function progress(label?: string): OnProgress {
  const display = hostDisplay();
  return display === undefined ? stderrProgress(label) : cellProgress(display, label);
}

/** A bar in the cell that runs now. */
function cellProgress(display: Display, prefix: string | undefined): OnProgress {
  const id = randomUUID();
  const clock = new ProgressClock();
  const picture = new LivePicture();
  const start = performance.now();
  let lastTime = Number.NEGATIVE_INFINITY;
  let isShown = false;
  let sending: Promise<void> = Promise.resolve();
  return (given) => {
    const event = prefix === undefined ? given : { ...given, label: `${prefix}: ${given.label}` };
    const state = clock.read(event);
    const now = performance.now();
    const isFinished = event.total !== undefined && event.done >= event.total;
    if (!isFinished && now - lastTime < (picture.isDrawn ? pictureIntervalMs : intervalMs)) return;
    lastTime = now;
    const bundle = isFinished
      ? lastState(event, state)
      : waitingBundle({ event, state }, (now - start) / 1000, picture.read(event));
    const slot = { id, isUpdate: isShown };
    isShown = true;
    sending = sending.then(() => display(bundle, slot)).catch(() => undefined);
  };
}

/** The last state stays: a line, and the whole view where there is one. */
function lastState(event: ProgressEvent, state: ReturnType<ProgressClock["read"]>): DisplayBundle {
  const text = progressText(event, state);
  const line = `<div>${text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</div>`;
  const drawn = lastPicture(event);
  if (drawn === undefined) return { "text/html": line, "text/plain": text };
  return { "text/html": line + drawn["text/html"], "text/plain": `${text}\n${drawn["text/plain"]}` };
}

/** A reporter must not throw: of a view that is too large to be shown, the line is left. */
function lastPicture(event: ProgressEvent): DisplayBundle | undefined {
  try {
    const view = viewOf(event);
    return view === undefined ? undefined : viewBundle(view);
  } catch {
    return undefined;
  }
}
