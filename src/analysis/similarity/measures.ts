/** The measures by name: what each is, and how many tokens it needs before its number means anything. */
import { InputError, nearestHint } from "../../core/index.js";
import { biasedCka, minibatchCka, minibatchRows, unbiasedCka } from "./cka.js";
import { cosineMeans } from "./cosine.js";
import { checkPair, type Features } from "./features.js";
import { rsa } from "./rsa.js";
import { keptDirections, procrustes, svcca } from "./subspace.js";

/** Names of measures. `cka` is the unbiased estimator. */
export type SimilarityMeasure =
  | "cka"
  | "ckaBiased"
  | "ckaMinibatch"
  | "cosine"
  | "angular"
  | "svcca"
  | "procrustes"
  | "rsa";

interface Measure {
  readonly title: string;
  /** Range of its values where that is fixed. */
  readonly range: readonly [number, number];
  readonly of: (x: Features, y: Features) => number;
  /** Least number of tokens, and why. */
  readonly needs: (x: Features, y: Features) => readonly [rows: number, reason: string];
}

/** Below this, means over tokens say little. */
const fewRows = 32;
const noisy = (): readonly [number, string] => [fewRows, "its error falls with the number of tokens"];

function widest(factor: number, reason: string): Measure["needs"] {
  return (x, y) => [Math.max(fewRows, factor * Math.max(x.width, y.width)), reason];
}

const measures: { readonly [M in SimilarityMeasure]: Measure } = {
  cka: { title: "CKA (unbiased)", range: [0, 1], of: unbiasedCka, needs: noisy },
  ckaBiased: {
    title: "CKA (biased)",
    range: [0, 1],
    of: biasedCka,
    needs: widest(1, 'with fewer tokens than features it is near 1 for any activations; "cka" is not'),
  },
  ckaMinibatch: {
    title: "CKA (minibatches)",
    range: [0, 1],
    of: minibatchCka,
    needs: () => [minibatchRows, `one batch has ${minibatchRows} tokens`],
  },
  cosine: { title: "cosine similarity", range: [-1, 1], of: (x, y) => cosineMeans(x, y).cosine, needs: noisy },
  angular: { title: "angular distance", range: [0, 1], of: (x, y) => cosineMeans(x, y).angular, needs: noisy },
  svcca: {
    title: "SVCCA",
    range: [0, 1],
    of: svcca,
    needs: (x, y) => [
      Math.max(fewRows, 2 * (keptDirections(x) + keptDirections(y))),
      "with as many directions as tokens any two activations correlate fully",
    ],
  },
  procrustes: {
    title: "Procrustes similarity",
    range: [0, 1],
    of: procrustes,
    needs: widest(1, "with fewer tokens than features a rotation fits anything"),
  },
  rsa: { title: "RSA", range: [-1, 1], of: rsa, needs: noisy },
};

/** Returns a measure by its name. */
export function findMeasure(name: string): Measure {
  const found = Object.entries(measures).find(([known]) => known === name)?.[1];
  if (found !== undefined) return found;
  throw new InputError({
    where: "similarity: measure",
    got: JSON.stringify(name),
    expected: Object.keys(measures).join(", "),
    fix: `Choose one.${nearestHint(name, Object.keys(measures))}`,
  });
}

/**
 * Returns how similar two activations over the same tokens are; NaN where a side does not vary.
 *
 * @throws InputError for too few tokens, which says how many are needed and why; NumericError for NaN.
 */
export function compareFeatures(x: Features, y: Features, name: SimilarityMeasure): number {
  const measure = findMeasure(name);
  checkPair(x, y, `similarity: ${name}`);
  const [needed, reason] = measure.needs(x, y);
  if (x.rows >= needed) return measure.of(x, y);
  throw new InputError({
    where: `similarity: ${name}`,
    got: `${x.rows} tokens`,
    expected: `at least ${needed}: ${reason}`,
    fix: "Pass more text.",
  });
}
