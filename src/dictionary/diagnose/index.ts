/** Which convention a dictionary was made under, measured. */
export type { Convention, HookPair } from "./conventions.js";
export { type DiagnoseOptions, diagnose } from "./diagnose.js";
export type { Measured } from "./measure.js";
export { type BosFinding, Diagnosis, type DiagnosisProvenance, type Verdict } from "./result.js";
