/** Thorough self-check of a model. */
export type { Bound, CheckStatus, VerificationCheck } from "./check.js";
export { Verification, type VerificationCoverage } from "./verification.js";
export { type VerifyOptions, verifyModel } from "./verify.js";
