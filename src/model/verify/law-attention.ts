/** Attention patterns are distributions over the keys that a query may see. */
import type { Tensor } from "../../tensor/index.js";
import { at } from "../hooks/index.js";
import { atMost, type Law } from "./check.js";
import { numbers, worst } from "./compare.js";
import { type Subject, tooShort } from "./subject.js";

/** Sums of float32 softmax rows over a dozen keys. */
const sumTolerance = 1e-5;
/** Slots of padding in front of the second row. */
const padding = 2;

/** Worst faults of one layer's pattern. */
interface Faults {
  /** `|Σ − 1|` over real queries. */
  readonly sum: number;
  /** Weight on keys that must not be seen, and negative weight. */
  readonly outside: number;
}

/** Which keys a query sees. */
interface Visibility {
  readonly isCausal: boolean;
  readonly window: number | undefined;
  /** First real slot of each row. */
  readonly starts: readonly number[];
}

function isVisible({ isCausal, window, starts }: Visibility, row: number, query: number, key: number): boolean {
  if (key < (starts[row] ?? 0)) return false;
  if (isCausal && key > query) return false;
  return window === undefined || query - key < window;
}

function rowFaults(weights: readonly number[], sees: (key: number) => boolean): Faults {
  const wrong = weights.map((weight, key) => (sees(key) ? -weight : Math.abs(weight)));
  return { sum: Math.abs(weights.reduce((a, b) => a + b, 0) - 1), outside: Math.max(0, ...wrong) };
}

/** The larger of each fault; NaN is the largest. */
function larger(a: Faults, b: Faults): Faults {
  return { sum: Math.max(a.sum, b.sum), outside: Math.max(a.outside, b.outside) };
}

/** Measures a pattern `[batch, head, queryPos, keyPos]`. */
function faultsOf(pattern: Tensor, seen: Visibility): Faults {
  const [batch = 0, heads = 0, queries = 0, keys = 0] = pattern.shape;
  const data = numbers(pattern);
  let faults: Faults = { sum: 0, outside: 0 };
  for (let at = 0; at < batch * heads * queries; at++) {
    const [row, query] = [Math.floor(at / (heads * queries)), at % queries];
    if (query < (seen.starts[row] ?? 0)) continue;
    const weights = Array.from({ length: keys }, (_, key) => data[at * keys + key] ?? Number.NaN);
    faults = larger(
      faults,
      rowFaults(weights, (key) => isVisible(seen, row, query, key)),
    );
  }
  return faults;
}

function windowNote({ model, layers, rows }: Subject): string | undefined {
  const windows = layers.flatMap((layer) => model.config.windows[layer] ?? []);
  if (windows.length === 0 || Math.min(...windows) < rows[0].length) return undefined;
  return `the sliding window of ${Math.min(...windows)} is longer than the input, so its edge was not reached`;
}

/** Patterns of a batch whose second row is padded on the left. */
export const attentionLaw: Law = {
  name: "attention",
  measure: async (subject) => {
    const { model, layers, rows, isCausal } = subject;
    const short = tooShort(subject);
    if (short !== undefined) return [{ measured: "attention patterns", skipped: short }];
    const input = [rows[0], rows[1].slice(padding)];
    const run = await subject.run(input, {
      capture: at.pattern(layers),
      logits: "none",
      padding: "left",
      checks: false,
    });
    const faults = layers.map((layer) => {
      const seen = { isCausal, window: model.config.windows[layer], starts: [0, padding] };
      return [`layer ${layer}`, faultsOf(run.cache.get("pattern", layer), seen)] as const;
    });
    const sum = worst(faults.map(([name, fault]) => [name, fault.sum]));
    const outside = worst(faults.map(([name, fault]) => [name, fault.outside]));
    const note = [outside.name, windowNote(subject)].filter((text) => text !== undefined && text !== "").join("; ");
    return [
      { measured: "pattern rows, largest |sum − 1|", value: sum.value, bound: atMost(sumTolerance), detail: sum.name },
      {
        measured: "largest weight that the mask forbids",
        value: outside.value,
        bound: atMost(0),
        ...(note === "" ? {} : { detail: note }),
      },
    ];
  },
};
