/** Deals examples to folds: class by class, or whole groups at a time; equal texts always stay together. */
import { createRandom, formatCount, InputError, type Random } from "../../core/index.js";

/** Examples as the dealing sees them. */
export interface Dealt {
  /** Class of each example; `undefined` for numbers. */
  readonly classes: Int32Array | undefined;
  readonly classNames: readonly string[];
  /** Examples with one name stay together. */
  readonly units: readonly string[];
  readonly isGrouped: boolean;
  readonly folds: number;
  readonly seed: number;
  readonly where: string;
}

interface Unit {
  readonly rows: number[];
  /** Rows of each class. */
  readonly counts: number[];
}

function refuse(where: string, got: string, expected: string, fix: string): InputError {
  return new InputError({ where, got, expected, fix });
}

function checkFolds({ folds, units, where }: Dealt, count: number, word: string): void {
  if (!Number.isSafeInteger(folds) || folds < 2)
    throw refuse(`${where}: folds`, String(folds), "a whole number from 2", "Leave it out for 5.");
  if (count >= folds) return;
  const got =
    count === units.length ? `${count} ${word}` : `${count} ${word} among ${formatCount(units.length)} examples`;
  throw refuse(where, `${got} for ${folds} folds`, `at least ${folds} ${word}`, "Give more, or ask for fewer folds.");
}

function gather({ classes, classNames, units }: Dealt): Unit[] {
  const known = new Map<string, Unit>();
  units.forEach((name, row) => {
    const unit = known.get(name) ?? { rows: [], counts: classNames.map(() => 0) };
    known.set(name, unit);
    unit.rows.push(row);
    const own = classes?.[row];
    if (own !== undefined) unit.counts[own] = (unit.counts[own] ?? 0) + 1;
  });
  return [...known.values()];
}

/** Larger units first, classes in turn, so that every fold gets its share of each; equal ones in random order. */
function ordered(units: readonly Unit[], random: Random): Unit[] {
  const mainClass = ({ counts }: Unit): number => counts.indexOf(Math.max(...counts));
  return random.shuffle(units).sort((a, b) => b.rows.length - a.rows.length || mainClass(a) - mainClass(b));
}

/** How uneven a fold would become by taking a unit: rows of the unit's classes there, then all rows. */
function load(fold: Unit, unit: Unit): number {
  const own = unit.counts.reduce((sum, count, c) => sum + count * (fold.counts[c] ?? 0), 0);
  return own * 1e6 + fold.rows.length;
}

function place(unit: Unit, folds: readonly Unit[]): void {
  let best = folds[0];
  for (const fold of folds) if (best === undefined || load(fold, unit) < load(best, unit)) best = fold;
  best?.rows.push(...unit.rows);
  unit.counts.forEach((count, c) => {
    if (best !== undefined) best.counts[c] = (best.counts[c] ?? 0) + count;
  });
}

/** A class that some training part lacks makes that part impossible to fit. */
function checkTraining(folds: readonly Unit[], { classNames, where, isGrouped }: Dealt): void {
  classNames.forEach((name, c) => {
    const total = folds.reduce((sum, { counts }) => sum + (counts[c] ?? 0), 0);
    if (folds.every(({ counts }) => (counts[c] ?? 0) < total)) return;
    throw refuse(
      where,
      `${total === 1 ? "one example" : `${formatCount(total)} examples`} of "${name}" in one fold only`,
      `every class in at least two ${isGrouped ? "groups" : "folds"}`,
      isGrouped ? "Give groups that hold both classes, or more groups." : "Give more examples of it.",
    );
  });
}

/**
 * Returns the fold of each example.
 *
 * @throws InputError for fewer examples or groups than folds, and for a class that one training part would lack.
 */
export function dealFolds(dealt: Dealt): Int32Array {
  const units = gather(dealt);
  checkFolds(dealt, units.length, dealt.isGrouped ? "groups" : "different examples");
  const folds = Array.from({ length: dealt.folds }, (): Unit => ({ rows: [], counts: dealt.classNames.map(() => 0) }));
  for (const unit of ordered(units, createRandom(dealt.seed))) place(unit, folds);
  checkTraining(folds, dealt);
  const fold = new Int32Array(dealt.units.length);
  folds.forEach(({ rows }, index) => {
    for (const row of rows) fold[row] = index;
  });
  return fold;
}
