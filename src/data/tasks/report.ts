/** What a task could not use, in words: nothing is left out silently. */
import { formatList, InputError, type LimpidError, printsItself, TokenError } from "../../core/index.js";
import { plural } from "./options.js";
import type { SkippedItem, SkippedPair } from "./types.js";

/** Counts of one call of a task generator. */
export interface TaskCounts {
  readonly task: string;
  /** Pairs asked for. */
  readonly asked: number;
  readonly made: number;
  /** Items looked at, by kind. */
  readonly items: Readonly<Record<string, number>>;
  readonly skippedItems: readonly SkippedItem[];
  readonly skippedPairs: readonly SkippedPair[];
  /** Pairs that `filter` kept out. */
  readonly filtered: number;
}

/** What a task made, and which items and pairs this tokenizer ruled out. Prints itself. */
export class TaskReport implements TaskCounts {
  static {
    printsItself(this.prototype);
  }

  readonly task: string;
  readonly asked: number;
  readonly made: number;
  readonly items: Readonly<Record<string, number>>;
  readonly skippedItems: readonly SkippedItem[];
  readonly skippedPairs: readonly SkippedPair[];
  readonly filtered: number;

  constructor(counts: TaskCounts) {
    this.task = counts.task;
    this.asked = counts.asked;
    this.made = counts.made;
    this.items = counts.items;
    this.skippedItems = counts.skippedItems;
    this.skippedPairs = counts.skippedPairs;
    this.filtered = counts.filtered;
  }

  /** Returns the report of a part of the pairs, from which a filter took `count`. */
  without(count: number): TaskReport {
    const { task, asked, made, items, skippedItems, skippedPairs, filtered } = this;
    const counts = { task, asked, items, skippedItems, skippedPairs };
    return new TaskReport({ ...counts, made: made - count, filtered: filtered + count });
  }

  /** Returns one line for each kind of thing that was skipped; none when nothing was. */
  lines(): string[] {
    const kinds = Object.keys(this.items).flatMap((kind) => {
      const found = this.skippedItems.filter((item) => item.kind === kind);
      return found.length === 0 ? [] : [itemLine(kind, found, this.items[kind] ?? 0)];
    });
    return [...kinds, ...pairLines(this.skippedPairs), ...(this.filtered === 0 ? [] : [filterLine(this.filtered)])];
  }

  /** Returns a few lines: how many pairs, and what was skipped and why. */
  toString(): string {
    const { task, made, asked } = this;
    const lines = this.lines();
    const head = `tasks.${task}: ${made} of ${asked} pairs, ${lines.length === 0 ? "nothing" : "some things"} skipped`;
    return [head, ...lines.map((line) => `  ${line}`)].join("\n");
  }
}

/** Returns the error of a task that could make fewer pairs than were asked for. */
export function tooFewPairs(report: TaskReport): LimpidError {
  const { task, made, asked, skippedItems, skippedPairs } = report;
  const why = report.lines();
  const isTokens = skippedItems.length > 0 || skippedPairs.length > 0;
  const count = made === 0 ? "no pair" : made === 1 ? "1 different pair" : `${made} different pairs`;
  const fewer = made === 0 ? "" : `Ask for { n: ${made} }, or `;
  const more = `${fewer === "" ? "W" : "w"}iden the words, templates or filter that were given`;
  return new (isTokens ? TokenError : InputError)({
    where: `tasks.${task}`,
    got: `${count}${why.length === 0 ? "" : `; ${why.join("; ")}`}`,
    expected: `${asked} pairs whose words are single tokens of this tokenizer`,
    fix: `${fewer}${more}${isTokens ? ", with words that it keeps whole" : ""}.`,
  });
}

/** Returns the error of a list of items too few of which are usable. */
export function tooFewItems(task: string, found: FewItems): LimpidError {
  const { kind, usable, needed, looked, skipped } = found;
  const because = skipped.length === 0 ? "" : `; ${itemLine(kind, skipped, looked)}`;
  return new (skipped.length === 0 ? InputError : TokenError)({
    where: `tasks.${task}: ${plural(kind)}`,
    got: `${usable} usable of ${looked}${because}`,
    expected: `at least ${needed}, each a single token of this tokenizer in its place`,
    fix: `Pass ${plural(kind)} that it keeps whole, or use another model.`,
  });
}

/** What {@link tooFewItems} tells. */
export interface FewItems {
  readonly kind: string;
  readonly usable: number;
  readonly needed: number;
  readonly looked: number;
  readonly skipped: readonly SkippedItem[];
}

const shown = 3;

function itemLine(kind: string, skipped: readonly SkippedItem[], looked: number): string {
  const examples = skipped.slice(0, shown).map(({ item, reason }) => `${JSON.stringify(item)}: ${reason}`);
  return `skipped ${skipped.length} of ${looked} ${plural(kind)} (${withMore(examples, skipped.length)})`;
}

function pairLines(skipped: readonly SkippedPair[]): string[] {
  const byReason = new Map<string, SkippedPair[]>();
  for (const pair of skipped) byReason.set(pair.reason, [...(byReason.get(pair.reason) ?? []), pair]);
  const reasons = [...byReason].sort((a, b) => b[1].length - a[1].length);
  const examples = reasons
    .slice(0, shown)
    .map(([reason, pairs]) => `${pairs.length} of them: ${reason}, as in ${formatList([pairs[0]?.clean ?? ""])}`);
  if (skipped.length === 0) return [];
  return [`skipped ${skipped.length} misaligned pairs (${withMore(examples, reasons.length)})`];
}

function withMore(examples: readonly string[], count: number): string {
  const more = count - examples.length;
  return `${examples.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

function filterLine(count: number): string {
  return `the filter left out ${count} pairs`;
}
