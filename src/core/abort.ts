/** Abort signals, checked between pieces of work. */
import { AbortedError } from "./errors.js";

/** Throws an {@link AbortedError} when `signal` has been aborted; its `cause` is the signal's reason. */
export function throwIfAborted(signal: AbortSignal | undefined, where: string): void {
  if (signal?.aborted !== true) return;
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
