/**
 * Control tasks: labels drawn at random, one for each type, that a probe can only learn by heart.
 *
 * @see Hewitt and Liang 2019, "Designing and Interpreting Probes with Control Tasks"
 */
import { createRandom } from "../../core/index.js";

/** Drawing again is cheap, and few types may all get one label. */
const attempts = 50;

/** What a control task is drawn for. */
export interface ControlInput {
  readonly values: Int32Array | Float64Array;
  /** Number of classes; 0 for numbers. */
  readonly classes: number;
  readonly types: readonly string[];
  readonly fold: Int32Array;
  readonly folds: number;
  readonly seed: number;
}

/** Every training part needs each class, or different numbers. */
function isUsable(drawn: Int32Array | Float64Array, { classes, fold, folds }: ControlInput): boolean {
  for (let left = 0; left < folds; left++) {
    const seen = new Set(drawn.filter((_, i) => fold[i] !== left));
    if (seen.size < Math.max(2, classes)) return false;
  }
  return true;
}

/**
 * Returns a label for each example, equal for equal types and distributed as the real ones are; `undefined` where types are
 * too few for every training part to have each class.
 */
export function controlTargets(input: ControlInput): Int32Array | Float64Array | undefined {
  const { values, types, seed } = input;
  const random = createRandom(seed);
  const names = [...new Set(types)];
  if (names.length < 2) return undefined;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const byType = new Map(names.map((name) => [name, values[random.int(0, values.length)] ?? 0]));
    const drawn = values.map((_, i) => byType.get(types[i] ?? "") ?? 0);
    if (isUsable(drawn, input)) return drawn;
  }
  return undefined;
}
