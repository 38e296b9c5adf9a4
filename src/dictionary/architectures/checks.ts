/** Checks of configurations, and defaults that several share. */
import { InputError } from "../../core/index.js";
import type { DecoderNorm, TrainingShape } from "./architecture.js";

/** Throws unless k is a number of features. */
export function checkK(where: string, k: number): void {
  if (Number.isSafeInteger(k) && k >= 1) return;
  throw new InputError({
    where: `${where}: k`,
    got: String(k),
    expected: "a whole number of features, 1 or more",
    fix: "Say how many features a token may have, such as k: 32.",
  });
}

/** Decoder rows of an SAE are held at norm 1; those of a transcoder begin at 0 and are free. */
export function familyDecoderNorm({ isTranscoder }: TrainingShape, given: DecoderNorm | undefined): DecoderNorm {
  return given ?? (isTranscoder ? "free" : "unit");
}
