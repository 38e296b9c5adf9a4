/** Progress where the code runs: a bar in a cell, a bar on a terminal, lines in a pipe. */
import { randomUUID } from "node:crypto";
import { type OnProgress, ProgressClock, type ProgressEvent, progressText, stderrProgress } from "../core/index.js";
import { type Display, hostDisplay } from "./display.js";
import { waitingBundle } from "./waiting.js";

/** Least time between two states of a bar, ms: four a second. */
const intervalMs = 250;

/**
 * Returns a reporter for the `onProgress` of any long call.
 *
 * In a notebook it is a bar that is updated in place, at most four times a second, and whose last state stays; on a
 * terminal a bar on stderr, in a pipe lines. Each says how far the work is, how fast it goes and how long it will take.
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
  const start = performance.now();
  let lastTime = Number.NEGATIVE_INFINITY;
  let isShown = false;
  let sending: Promise<void> = Promise.resolve();
  return (given) => {
    const event = prefix === undefined ? given : { ...given, label: `${prefix}: ${given.label}` };
    const state = clock.read(event);
    const now = performance.now();
    const isFinished = event.total !== undefined && event.done >= event.total;
    if (!isFinished && now - lastTime < intervalMs) return;
    lastTime = now;
    const bundle = isFinished ? lastState(event, state) : waitingBundle({ event, state }, (now - start) / 1000);
    const slot = { id, isUpdate: isShown };
    isShown = true;
    sending = sending.then(() => display(bundle, slot)).catch(() => undefined);
  };
}

function lastState(event: ProgressEvent, state: ReturnType<ProgressClock["read"]>): ReturnType<typeof waitingBundle> {
  const text = progressText(event, state);
  return { "text/html": `<div>${text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</div>`, "text/plain": text };
}
