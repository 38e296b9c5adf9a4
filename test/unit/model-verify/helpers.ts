/** Measures one law on a view of a fixture. */

import type { Model, VerifyOptions } from "../../../src/model/index.js";
import { judge, type Law, type VerificationCheck } from "../../../src/model/verify/check.js";
import { makeSubject } from "../../../src/model/verify/subject.js";

/** The judged measurements of one law. */
export async function measure(
  law: Law,
  model: Model,
  options: VerifyOptions = {},
): Promise<readonly VerificationCheck[]> {
  return (await law.measure(makeSubject(model, options))).map((one) => judge(law.name, one));
}

/** What was measured and missed its bound. */
export async function failuresOf(law: Law, model: Model, options: VerifyOptions = {}): Promise<readonly string[]> {
  return (await measure(law, model, options))
    .filter(({ status }) => status === "failed")
    .map(({ measured }) => measured);
}
