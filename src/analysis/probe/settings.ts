/** Options of a fit, checked and filled in. */
import { InputError } from "../../core/index.js";
import type { ProbeFitOptions, ProbeMethod } from "./types.js";

/** Everything that decides a fit. */
export interface Settings {
  readonly method: ProbeMethod;
  readonly folds: number;
  readonly seed: number;
  readonly penalty: number;
  readonly shrinkage: number;
  readonly whitened: boolean;
  readonly control: boolean;
  readonly resamples: number;
}

const methods: readonly ProbeMethod[] = ["difference-of-means", "lda", "logistic", "multinomial", "ridge"];

function refuse(where: string, got: unknown, expected: string, fix: string): InputError {
  return new InputError({ where, got: String(got), expected, fix });
}

function methodOf(method: ProbeMethod | undefined, classes: number, where: string): ProbeMethod {
  const usual = classes === 0 ? "ridge" : classes === 2 ? "logistic" : "multinomial";
  const chosen = method ?? usual;
  if (!methods.includes(chosen))
    throw refuse(`${where}: method`, `"${chosen}"`, `one of ${methods.join(", ")}`, "Choose one.");
  if (classes === 0 && chosen !== "ridge")
    throw refuse(`${where}: method`, `"${chosen}" for labels that are numbers`, '"ridge"', "Give texts for classes.");
  if (chosen === "logistic" && classes > 2)
    throw refuse(`${where}: method`, `"logistic" for ${classes} classes`, "two classes", 'Use "multinomial".');
  return chosen;
}

function checkStrengths({ penalty, shrinkage }: Pick<Settings, "penalty" | "shrinkage">, where: string): void {
  const fix = "Without a penalty, separable classes have no best fit.";
  if (!(penalty > 0 && penalty < Infinity)) throw refuse(`${where}: penalty`, penalty, "a number above 0", fix);
  if (shrinkage >= 0 && shrinkage <= 1) return;
  throw refuse(`${where}: shrinkage`, shrinkage, "a share from 0 to 1", "Leave it out for 0.1.");
}

const defaults = { penalty: 1, shrinkage: 0.1, folds: 5, seed: 0, whitened: false, control: true, resamples: 1000 };

/**
 * Returns the settings of a fit.
 *
 * @throws InputError for options out of range and methods that do not fit the labels.
 */
export function settingsOf(options: ProbeFitOptions, classes: number, where: string): Settings {
  const { penalty, shrinkage, folds, seed, whitened, control, resamples } = { ...defaults, ...given(options) };
  checkStrengths({ penalty, shrinkage }, where);
  const method = methodOf(options.method, classes, where);
  if (whitened && method !== "difference-of-means")
    throw refuse(`${where}: whitened`, `true for "${method}"`, '"difference-of-means"', "Leave it out.");
  return { method, folds, seed, penalty, shrinkage, whitened, control, resamples };
}

/** Options that are there: `undefined` means the default. */
function given(options: ProbeFitOptions): ProbeFitOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
