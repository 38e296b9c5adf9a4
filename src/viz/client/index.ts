/**
 * The browser code of views, bundled to one string by `scripts/build.mjs`.
 *
 * Each output's own script puts `[hash, key]` into `__limpid.queue`, runs this code once, and calls `start(hash)`.
 */
import { hydrate } from "./hydrate.js";

/** The one global name: outputs of several versions of limpid share it, each under its own hash. */
interface Shared {
  queue?: (readonly [hash: string, key: string])[];
  start?: (hash: string) => void;
  [hash: string]: unknown;
}

const page = globalThis as { __limpid?: Shared };
page.__limpid ??= {};
const shared = page.__limpid;

/** Takes over the outputs of this version that wait, and those to come. */
shared.start = (hash) => {
  shared[hash] = { hydrate };
  const waiting = shared.queue ?? [];
  shared.queue = waiting.filter(([other]) => other !== hash);
  for (const [own, key] of waiting) if (own === hash) hydrate(key);
};
