/** From options of a run over data to those of each single run. */
import type { RunOptions } from "../run/options.js";
import type { OverOptions } from "./options.js";

/** The options of each run. */
export function runOptionsOf(options: OverOptions): RunOptions {
  const { capture, logits = false, loss, checks, memoryLimit, signal } = options;
  const { prependBos, padding, allowSpecial, startAtLayer, stopAtLayer, layers } = options;
  const given = {
    capture,
    loss,
    checks,
    memoryLimit,
    signal,
    prependBos,
    padding,
    allowSpecial,
    startAtLayer,
    stopAtLayer,
    layers,
  };
  const defined = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { ...defined, logits: logits ? "all" : "none" };
}
