/** Progress of a run over data, with its speed. */
import { progressOf } from "../../core/index.js";
import type { OverProgress } from "./options.js";

/** Returns a function that reports totals after a batch; the speed is that of this call alone. */
export function progressMeter(
  given: ((event: OverProgress) => void) | undefined,
  total: number | undefined,
): (totals: { readonly tokens: number; readonly batches: number }) => void {
  const onProgress = given ?? progressOf({});
  let first: { readonly time: number; readonly tokens: number } | undefined;
  const began = performance.now();
  return ({ tokens, batches }) => {
    const now = performance.now();
    // Tokens of batches that an earlier call finished do not count as speed.
    const base = first ?? { time: began, tokens: 0 };
    first ??= { time: now, tokens };
    const seconds = (now - base.time) / 1000;
    const tokensPerSecond = seconds > 0 ? (tokens - base.tokens) / seconds : 0;
    onProgress?.({
      done: tokens,
      label: "model.over: tokens",
      batches,
      tokensPerSecond,
      ...(total === undefined ? {} : { total }),
    });
  };
}
