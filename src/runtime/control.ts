/**
 * The few numbers that an engine's two threads share.
 *
 * onnxruntime's calls block their thread and cannot be cut short, and ending a thread inside one aborts the whole
 * process. So the calling thread only ever asks (stop, abort), and the worker says when it is inside a native call.
 */

import { AbortedError } from "../core/index.js";

/** The engine closes or the process exits: begin no native call any more. */
const stopCell = 0;
/** 1 while the worker is inside a native call. */
const busyCell = 1;
/** Id of the job to abort. */
const abortCell = 2;

/** Returns fresh shared cells: not stopped, not busy, nothing aborted. */
export function createControl(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
}

/** Asks the worker to begin no further native call. */
export function requestStop(control: Int32Array): void {
  Atomics.store(control, stopCell, 1);
}

/** Tells whether {@link requestStop} was called. */
export function isStopped(control: Int32Array): boolean {
  return Atomics.load(control, stopCell) === 1;
}

/** Asks the worker to end job `id` before its next segment. */
export function requestAbort(control: Int32Array, id: number): void {
  Atomics.store(control, abortCell, id);
}

/** Tells whether job `id` is to be aborted. */
export function isAborted(control: Int32Array, id: number): boolean {
  return Atomics.load(control, abortCell) === id;
}

/** Blocks this thread until the worker is outside native calls, at most `ms`; tells whether it is. */
export function waitUntilIdle(control: Int32Array, ms: number): boolean {
  const deadline = performance.now() + ms;
  while (Atomics.load(control, busyCell) === 1) {
    const left = deadline - performance.now();
    if (left <= 0) return false;
    Atomics.wait(control, busyCell, 1, left);
  }
  return true;
}

/**
 * Runs native work with the busy cell set.
 *
 * The cell is set before the stop cell is read, and the other side does the reverse, so either the work does not begin
 * or the other side waits for its end.
 *
 * @throws AbortedError when a stop was requested.
 */
export async function whileBusy<T>(control: Int32Array, work: () => Promise<T>): Promise<T> {
  Atomics.store(control, busyCell, 1);
  try {
    if (isStopped(control)) throw stopped();
    return await work();
  } finally {
    Atomics.store(control, busyCell, 0);
    Atomics.notify(control, busyCell);
  }
}

function stopped(): AbortedError {
  return new AbortedError({
    where: "engine",
    got: "a request to close while work was under way",
    expected: "the work to end first",
    fix: "Await your runs before you close the engine.",
  });
}
