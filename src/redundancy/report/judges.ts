/** The evaluators of a report: disjoint windows to search on and to judge on, and a file that remembers what was found. */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hashJson, type LongCallOptions } from "../../core/index.js";
import type { Model } from "../../model/index.js";
import { effectOf, type PartEffect, PartEvaluator, type SequenceNumbers } from "../evaluate/index.js";
import type { Part } from "../parts.js";
import type { ReportPlan } from "./plan.js";

/** Where evaluations are kept so that a report that was stopped goes on. */
export interface ReportMemory {
  readonly folder: string;
  /** Everything that decides the numbers. */
  readonly settings: unknown;
}

interface StoredLine {
  readonly rows: string;
  readonly key: string;
  readonly loss: readonly number[];
  readonly kl: readonly number[];
  readonly agreement: readonly number[];
}

function isLine(value: unknown): value is StoredLine {
  if (typeof value !== "object" || value === null) return false;
  const { rows, key, loss, kl, agreement } = value as Partial<StoredLine>;
  return typeof rows === "string" && typeof key === "string" && [loss, kl, agreement].every(Array.isArray);
}

/** A line that was not finished when the process ended is left out. */
function parseLine(text: string): readonly StoredLine[] {
  try {
    const value: unknown = JSON.parse(text);
    return isLine(value) ? [value] : [];
  } catch {
    return [];
  }
}

function numbersOf({ loss, kl, agreement }: StoredLine): SequenceNumbers {
  return {
    loss: Float64Array.from(loss),
    kl: Float64Array.from(kl),
    agreement: Float64Array.from(agreement),
  };
}

/** Evaluations in a file, one a line. */
class EvaluationFile {
  readonly #path: string;
  readonly #lines: readonly StoredLine[];

  constructor({ folder, settings }: ReportMemory) {
    mkdirSync(folder, { recursive: true });
    this.#path = join(folder, `evaluations-${hashJson(settings).slice(0, 12)}.jsonl`);
    const text = existsSync(this.#path) ? readFileSync(this.#path, "utf8") : "";
    this.#lines = text.split("\n").flatMap(parseLine);
    if (text !== "" && !text.endsWith("\n")) appendFileSync(this.#path, "\n");
  }

  known(rows: string): ReadonlyMap<string, SequenceNumbers> {
    const own = this.#lines.filter((line) => line.rows === rows);
    return new Map(own.map((line) => [line.key, numbersOf(line)]));
  }

  add(rows: string, key: string, { loss, kl, agreement }: SequenceNumbers): void {
    const line: StoredLine = { rows, key, loss: [...loss], kl: [...kl], agreement: [...agreement] };
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
  }
}

/** `count` places spread evenly over `size`. */
function spread(size: number, count: number): readonly number[] {
  return Array.from({ length: Math.min(count, size) }, (_, i) =>
    Math.floor(((i + 0.5) * size) / Math.min(count, size)),
  );
}

function joined(a: SequenceNumbers, b: SequenceNumbers): SequenceNumbers {
  return {
    loss: Float64Array.of(...a.loss, ...b.loss),
    kl: Float64Array.of(...a.kl, ...b.kl),
    agreement: Float64Array.of(...a.agreement, ...b.agreement),
  };
}

/** Which windows a number comes from. */
export type JudgeName = "search" | "frontier" | "held" | "all";

/** Evaluators on parts of the text. */
export class Judges {
  readonly model: Model;
  readonly searchRows: readonly Int32Array[];
  readonly frontierRows: readonly Int32Array[];
  /** Windows that no choice is made on; those of the frontier where there is only one window. */
  readonly heldRows: readonly Int32Array[];
  readonly allRows: readonly Int32Array[];
  readonly #evaluators: Readonly<Record<"search" | "frontier" | "held", PartEvaluator>>;
  readonly #onEvaluated: () => void;

  constructor(
    model: Model,
    rows: readonly Int32Array[],
    { plan, memory, onEvaluated }: { plan: ReportPlan; memory: ReportMemory | undefined; onEvaluated: () => void },
  ) {
    const window = rows[0]?.length ?? 1;
    const chosen = new Set(spread(rows.length, plan.frontierTokens / window));
    this.model = model;
    this.allRows = rows;
    this.frontierRows = rows.filter((_, i) => chosen.has(i));
    const rest = rows.filter((_, i) => !chosen.has(i));
    this.heldRows = rest.length === 0 ? this.frontierRows : rest;
    const places = new Set(spread(this.frontierRows.length, plan.searchTokens / window));
    this.searchRows = this.frontierRows.filter((_, i) => places.has(i));
    const file = memory === undefined ? undefined : new EvaluationFile(memory);
    const make = (name: string, own: readonly Int32Array[]): PartEvaluator =>
      new PartEvaluator(model, own, {
        ...(file === undefined ? {} : { known: file.known(name) }),
        onFound: (key, numbers) => file?.add(name, key, numbers),
      });
    this.#evaluators = {
      search: make("search", this.searchRows),
      frontier: make("frontier", this.frontierRows),
      held: make("held", this.heldRows),
    };
    this.#onEvaluated = onEvaluated;
  }

  /** Returns what is lost without parts. */
  async effect(name: JudgeName, parts: readonly Part[], options: LongCallOptions): Promise<PartEffect> {
    const [found, full] = [await this.#numbers(name, parts, options), await this.#numbers(name, [], options)];
    this.#onEvaluated();
    return effectOf(this.#about(name), parts, found, full);
  }

  /** Returns the divergence alone, without intervals: what a search compares. */
  async divergence(parts: readonly Part[], options: LongCallOptions): Promise<number> {
    const { kl } = await this.#evaluators.search.evaluate(parts, options);
    this.#onEvaluated();
    return kl.reduce((sum, one) => sum + one, 0) / kl.length;
  }

  async #numbers(name: JudgeName, parts: readonly Part[], options: LongCallOptions): Promise<SequenceNumbers> {
    const { frontier, held } = this.#evaluators;
    if (name !== "all") return this.#evaluators[name].evaluate(parts, options);
    const own = await held.evaluate(parts, options);
    return this.heldRows === this.frontierRows ? own : joined(await frontier.evaluate(parts, options), own);
  }

  #about(name: JudgeName): Pick<PartEvaluator, "weights" | "count"> {
    const { frontier, held } = this.#evaluators;
    if (name !== "all") return this.#evaluators[name];
    if (this.heldRows === this.frontierRows) return held;
    return { count: frontier.count + held.count, weights: Float64Array.of(...frontier.weights, ...held.weights) };
  }
}
