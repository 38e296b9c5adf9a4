/** What attention takes and gives. */
import { GraphError } from "../../core/index.js";
import type { Dim, Value } from "../ir.js";

/** Inputs and choices of attention. */
export interface AttentionInputs {
  /** `[batch, head, pos, dHead]`, or `[batch, pos, head*dHead]` with `qHeads` and `kvHeads`. */
  readonly q: Value;
  /** `[batch, kvHead, keyPos, dHead]` or three axes as for `q`; `kvHead` divides `head`. */
  readonly k: Value;
  /** `[batch, kvHead, keyPos, dHeadV]` or three axes as for `q`. */
  readonly v: Value;
  /** bool (true is attended) or float (added to the scores); broadcasts to `[batch, head, pos, past+keyPos]`. */
  readonly mask?: Value;
  /** `[batch, kvHead, past, dHead]`; `past` may be 0. Goes with `pastValue`. */
  readonly pastKey?: Value;
  /** `[batch, kvHead, past, dHeadV]`. */
  readonly pastValue?: Value;
  /** Forbids looking ahead, counting past positions. */
  readonly isCausal?: boolean;
  /** Factor on `q k^T`; left out, `1 / sqrt(dHead)`. */
  readonly scale?: number;
  /** Limits scores to `softcap * tanh(score / softcap)`; left out or 0, no limit. */
  readonly softcap?: number;
  /** Asks for `qk`: 0 raw scores, 1 after the soft cap, 2 after the mask, 3 the pattern (after softmax). */
  readonly qkMatmulOutputMode?: 0 | 1 | 2 | 3;
  /** Number of query heads, for three axes. */
  readonly qHeads?: number;
  /** Number of key and value heads, for three axes. */
  readonly kvHeads?: number;
  /** Asks for `presentKey` and `presentValue` even without past ones. */
  readonly present?: boolean;
}

/** Results of attention. */
export interface AttentionOutputs {
  /** In the layout of `q`. */
  readonly output: Value;
  /** `[batch, kvHead, past+keyPos, dHead]`, past first; there with `pastKey` or `present`. */
  readonly presentKey?: Value;
  /** `[batch, kvHead, past+keyPos, dHeadV]`. */
  readonly presentValue?: Value;
  /** `[batch, head, pos, past+keyPos]`; there with `qkMatmulOutputMode`. */
  readonly qk?: Value;
}

function headWidth(inputs: AttentionInputs): Dim | undefined {
  const last = inputs.q.shape.at(-1);
  if (inputs.q.shape.length === 4) return last;
  return typeof last === "number" && inputs.qHeads !== undefined ? last / inputs.qHeads : undefined;
}

/**
 * Returns the factor on `q k^T` as a number.
 *
 * @throws GraphError when it is not given and the head width is not a number.
 */
export function attentionScale(inputs: AttentionInputs): number {
  if (inputs.scale !== undefined) return inputs.scale;
  const width = headWidth(inputs);
  if (typeof width === "number") return 1 / Math.sqrt(width);
  throw new GraphError({
    where: "ops.attention",
    got: `head width ${width ?? "unknown"} and no scale`,
    expected: "a number for one of them",
    fix: "Pass `scale`.",
  });
}
