/** Runs every law on a model. */
import { isLimpidError, progressOf, throwIfAborted } from "../../core/index.js";
import type { Model } from "../model.js";
import { judge, type Law, type VerificationCheck } from "./check.js";
import { attentionLaw } from "./law-attention.js";
import { editsLaw } from "./law-edits.js";
import { generationLaw } from "./law-generation.js";
import { hooksLaw } from "./law-hooks.js";
import { knownLaw } from "./law-known.js";
import { precisionLaw } from "./law-precision.js";
import { batchLaw, causalityLaw, lossLaw, paddingLaw } from "./law-rows.js";
import { lensLaw, partsLaw } from "./law-stream.js";
import { weightsLaw } from "./law-weights.js";
import { makeSubject, type Subject, type VerifyOptions } from "./subject.js";
import { Verification } from "./verification.js";

export type { VerifyOptions } from "./subject.js";

const laws: readonly Law[] = [
  weightsLaw,
  hooksLaw,
  attentionLaw,
  partsLaw,
  lensLaw,
  causalityLaw,
  batchLaw,
  paddingLaw,
  lossLaw,
  editsLaw,
  precisionLaw,
  generationLaw,
  knownLaw,
];

/** Errors that end a verification instead of failing a law. */
const fatal = ["ABORTED", "DISPOSED", "INTERNAL"] as const;

async function measure(law: Law, subject: Subject): Promise<readonly VerificationCheck[]> {
  try {
    return (await law.measure(subject)).map((measurement) => judge(law.name, measurement));
  } catch (error) {
    const isFatal = isLimpidError(error, ...fatal);
    if (isFatal || !isLimpidError(error)) throw error;
    return [{ law: law.name, measured: "the law at all", status: "failed", detail: error.message }];
  }
}

/**
 * Checks a model against laws that every transformer obeys, and against recorded answers where the model has any.
 *
 * Works on any view: an edited model is verified with its edits. Progress counts laws.
 *
 * @returns what was measured, value by value; a broken model is a result, not an error.
 * @throws AbortedError.
 */
export async function verifyModel(model: Model, options: VerifyOptions = {}): Promise<Verification> {
  const subject = makeSubject(model, options);
  const checks: VerificationCheck[] = [];
  const onProgress = progressOf(options);
  for (const [done, law] of laws.entries()) {
    throwIfAborted(options.signal, "verify");
    onProgress?.({ done, total: laws.length, label: "verify laws" });
    checks.push(...(await measure(law, subject)));
  }
  onProgress?.({ done: laws.length, total: laws.length, label: "verify laws" });
  const { layers, nParameters, rows, inputs } = subject;
  const { architecture, nLayers } = model.config;
  return new Verification({
    model: model.id,
    identity: model.view.core.checkpoint.identity,
    architecture,
    coverage: { layers, nLayers, nParameters, tokens: rows[0].length, inputs },
    checks,
  });
}
