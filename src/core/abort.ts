/** Abort signals, checked between pieces of work: the caller's, and that of a notebook cell that is interrupted. */
import { AbortedError } from "./errors.js";

/** Under this key, limpid's notebook kernel keeps a function that returns the running cell's signal. */
const cellSignalKey = Symbol.for("limpid.cellSignal");

function cellSignal(): AbortSignal | undefined {
  const ask: unknown = Reflect.get(globalThis, cellSignalKey);
  const signal: unknown = typeof ask === "function" ? Reflect.apply(ask, undefined, []) : undefined;
  return signal instanceof AbortSignal ? signal : undefined;
}

/** Returns `options` with a signal that also aborts when the notebook cell that makes the call is interrupted. */
export function interruptible<T extends { readonly signal?: AbortSignal }>(options: T): T {
  const cell = cellSignal();
  if (cell === undefined) return options;
  return { ...options, signal: options.signal === undefined ? cell : AbortSignal.any([options.signal, cell]) };
}

/**
 * Throws an {@link AbortedError} when `given` has been aborted, or the notebook cell that makes the call was interrupted.
 *
 * The error's `cause` is the signal's reason.
 */
export function throwIfAborted(given: AbortSignal | undefined, where: string): void {
  const signal = [given, cellSignal()].find((one) => one?.aborted === true);
  if (signal === undefined) return;
  throw new AbortedError(
    {
      where,
      got: "an aborted signal",
      expected: "to run to the end",
      fix: "Nothing was left half done; call again without aborting to get the result.",
    },
    { cause: signal.reason },
  );
}
