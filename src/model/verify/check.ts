/** One line of a verification, and the laws that make such lines. */
import type { Subject } from "./subject.js";

/** What a value must satisfy. */
export interface Bound {
  readonly relation: "<=" | ">" | "==";
  readonly value: number;
}

/** `"not run"` where a law does not apply; the detail says why. */
export type CheckStatus = "ok" | "failed" | "not run";

/** One thing that was measured. */
export interface VerificationCheck {
  /** The law, such as `"causality"`. */
  readonly law: string;
  /** What was measured, as a noun phrase. */
  readonly measured: string;
  /** Absent when it was not run, or could not be. */
  readonly value?: number;
  readonly bound?: Bound;
  readonly status: CheckStatus;
  /** Where the value was reached, what was covered, why it failed or was not run. */
  readonly detail?: string;
  /** The value by layer, where it was measured by layer. */
  readonly perLayer?: Readonly<Record<string, number>>;
}

/** What a law reports before it is judged. */
export type Measurement =
  | (Required<Pick<VerificationCheck, "measured" | "value" | "bound">> & Pick<VerificationCheck, "detail" | "perLayer">)
  | { readonly measured: string; readonly skipped: string };

/** Something that holds for every model that it applies to. */
export interface Law {
  readonly name: string;
  /** Measures it; an error thrown counts as a failure of the law. */
  measure(subject: Subject): Promise<readonly Measurement[]>;
}

/** At most: for errors. */
export function atMost(value: number): Bound {
  return { relation: "<=", value };
}

/** More than: for effects. */
export function above(value: number): Bound {
  return { relation: ">", value };
}

/** Exactly: for counts. */
export function exactly(value: number): Bound {
  return { relation: "==", value };
}

function holds(value: number, { relation, value: limit }: Bound): boolean {
  if (relation === "<=") return value <= limit;
  return relation === ">" ? value > limit : value === limit;
}

/** Judges a measurement. NaN satisfies no bound. */
export function judge(law: string, measurement: Measurement): VerificationCheck {
  if ("skipped" in measurement) {
    const { measured, skipped } = measurement;
    return { law, measured, status: "not run", detail: skipped };
  }
  return { law, ...measurement, status: holds(measurement.value, measurement.bound) ? "ok" : "failed" };
}
