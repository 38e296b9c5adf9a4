/**
 * FinerCut: sublayers go one by one, each time the one without which the predictions stay nearest to the full model's.
 *
 * Two things make it fast and change no number: layers in front of a part that goes are not run again, and a part is given up
 * as soon as its distance over some rows exceeds the least one over all rows, because no row can take away from it.
 */
import {
  InputError,
  interruptible,
  type LongCallOptions,
  printsItself,
  progressOf,
  UnsupportedError,
} from "../../core/index.js";
import type { Model, TokenRow } from "../../model/index.js";
import { lines, type View } from "../../viz/index.js";
import { type Part, partName, sublayersOf } from "../parts.js";
import { CutJudge, type Judged } from "./cut-judge.js";
import { type CutDistance, cutDistances } from "./distance.js";

/** Options of {@link finerCut}. */
export interface FinerCutOptions extends LongCallOptions {
  /** Default `"kl"`; the paper's default is `"legacyJs"`. */
  readonly distance?: CutDistance;
  /** What may go. Default every attention sublayer and MLP. */
  readonly parts?: readonly Part[];
  /** Parts that go. Default all but one, since a model without any is none. */
  readonly most?: number;
  /** Scores once, on the full model, in place of after every removal. Default false. */
  readonly oneShot?: boolean;
  /**
   * The paper's share x: the first `int(L x) + 1` layers stay until `int(2 L x) + 1` parts are gone. Default 0: all may go from the
   * start.
   */
  readonly spare?: number;
}

/** One removal. */
export interface CutStep {
  readonly part: Part;
  /** To the full model, with this part and all earlier ones gone; one-shot: with this one alone gone. */
  readonly distance: number;
}

/** The order in which parts go. Immutable. */
export class FinerCut {
  static {
    printsItself(this.prototype);
  }

  readonly model: string;
  readonly distance: CutDistance;
  readonly oneShot: boolean;
  readonly steps: readonly CutStep[];
  /** Rows that were compared, and that a search without bounds would have compared. */
  readonly compared: { readonly rows: number; readonly of: number };

  /** @internal Use `finerCut`. */
  constructor(parts: Readonly<Omit<FinerCut, "parts" | "toString" | "toView">>) {
    this.model = parts.model;
    this.distance = parts.distance;
    this.oneShot = parts.oneShot;
    this.steps = parts.steps;
    this.compared = parts.compared;
  }

  /** Parts in the order in which they go. */
  get parts(): readonly Part[] {
    return this.steps.map(({ part }) => part);
  }

  /** Draws the distance against what is gone. */
  toView(): View {
    return lines(
      [{ name: this.distance, x: this.steps.map((_, i) => i + 1), y: this.steps.map((step) => step.distance) }],
      {
        title: `${this.model} without its least needed sublayers`,
        note: this.steps.map(({ part }) => partName(part)).join(", "),
        x: { name: this.oneShot ? "place" : "sublayers gone" },
        y: { name: `${this.distance} to the full model` },
      },
    );
  }

  /** Returns a line for each removal. */
  toString(): string {
    const rows = this.steps.map(({ part, distance }, i) => `  ${i + 1}. ${partName(part)}: ${distance.toPrecision(4)}`);
    const { rows: done, of } = this.compared;
    return [
      `FinerCut of ${this.model} by ${this.distance}${this.oneShot ? ", one-shot" : ""}: ${done} of ${of} comparisons of a row were needed`,
      ...rows,
    ].join("\n");
  }
}

const where = "finerCut";

function wrong(option: string, got: unknown, expected: string): InputError {
  return new InputError({ where: `${where}: ${option}`, got: String(got), expected, fix: "Correct the option." });
}

/** The paper's order of equal distances: module names as text, `layers.10` before `layers.2`, MLP before attention. */
function moduleName({ kind, layer }: Part): string {
  return `layers.${layer}.${kind === "mlp" ? "mlp" : "self_attn"}`;
}

function isBetter(one: Judged, other: Judged | undefined): boolean {
  if (other === undefined || one.distance !== other.distance) return one.distance < (other?.distance ?? Infinity);
  return moduleName(one.part) < moduleName(other.part);
}

function checkParts(parts: readonly Part[]): void {
  const stray = parts.find(({ kind }) => kind !== "attention" && kind !== "mlp");
  if (stray !== undefined) throw wrong("parts", partName(stray), "attention sublayers and MLPs");
  const different = new Set(parts.map(partName)).size;
  if (different !== parts.length || different < 2) throw wrong("parts", `${different} different parts`, "two or more");
}

function checkNumbers({ most, spare }: { most: number; spare: number }, limit: number): void {
  const isCount = Number.isInteger(most) && most >= 1 && most <= limit;
  if (!isCount) throw wrong("most", most, `a whole number from 1 to ${limit}`);
  if (!(spare >= 0 && spare < 1)) throw wrong("spare", spare, "a share from 0 to below 1");
}

function checkModel({ edits }: Model): void {
  if (edits.length === 0) return;
  throw new UnsupportedError({
    where,
    got: `a model with edit.${edits[0]?.name ?? ""}`,
    expected: "a model without edits: runs begin inside it",
    fix: "Use evaluateParts for edited models.",
  });
}

type Checked = Required<Pick<FinerCutOptions, "distance" | "most" | "parts" | "spare">>;

function checkOptions(model: Model, options: FinerCutOptions): Checked {
  const all = sublayersOf(model).filter(({ layer }) => model.view.layers.includes(layer));
  const { parts = all, distance = "kl", spare = 0 } = options;
  if (!cutDistances.includes(distance)) throw wrong("distance", distance, cutDistances.join(", "));
  checkParts(parts);
  const limit = parts.length === all.length ? parts.length - 1 : parts.length;
  const { most = limit } = options;
  checkNumbers({ most, spare }, limit);
  checkModel(model);
  return { distance, parts, most, spare };
}

/** Parts of the first layers, which stay for a while. */
function isSpared({ layer }: Part, gone: number, { layers, spare }: { layers: number; spare: number }): boolean {
  if (spare === 0 || gone > Math.trunc(2 * layers * spare)) return false;
  return layer <= Math.trunc(layers * spare);
}

/** One search: what is left, what is known of it, and what went. */
class Search {
  readonly steps: CutStep[] = [];
  rows = 0;
  of = 0;
  readonly #judge: CutJudge;
  readonly #rows: number;
  #left: readonly Judged[];

  constructor(judge: CutJudge, parts: readonly Part[], rows: number) {
    this.#judge = judge;
    this.#rows = rows;
    this.#left = parts.map((part) => ({ part, distance: 0, isExact: false, rows: 0 }));
  }

  /** The part that goes next; those that looked best before are tried first. */
  async next(isOut: (part: Part) => boolean, options: LongCallOptions): Promise<Judged | undefined> {
    const order = this.#left.filter(({ part }) => !isOut(part)).toSorted((a, b) => a.distance - b.distance);
    const found: Judged[] = [];
    let best: Judged | undefined;
    for (const { part } of order) {
      const own = await this.#judge.judge(part, best?.distance ?? Number.POSITIVE_INFINITY, options);
      found.push(own);
      this.of += this.#rows;
      this.rows += own.rows;
      if (own.isExact && isBetter(own, best)) best = own;
    }
    const known = new Map(found.map((one) => [one.part, one]));
    this.#left = this.#left.map((one) => known.get(one.part) ?? one).filter(({ part }) => part !== best?.part);
    return best;
  }

  /** All parts, by the distance without each alone. */
  async once(most: number, options: LongCallOptions, onDone: () => void): Promise<void> {
    const found: Judged[] = [];
    for (const { part } of this.#left) {
      found.push(await this.#judge.judge(part, Number.POSITIVE_INFINITY, options));
      this.of += this.#rows;
      this.rows += this.#rows;
      onDone();
    }
    const sorted = found.toSorted((a, b) => (isBetter(a, b) ? -1 : 1));
    this.steps.push(...sorted.slice(0, most).map(({ part, distance }) => ({ part, distance })));
  }
}

/**
 * Ranks sublayers by what the predictions lose without them, greedily: each removal is judged with all earlier ones made.
 *
 * Distances are means over rows of token ids; ties go as in the paper's code. Memory: the stream in front of every layer, and the
 * full model's predictions, both for all rows (predictions above 1 GiB are computed again).
 *
 * @throws InputError for options out of range, and rows that do not fit; UnsupportedError for edited models; AbortedError.
 * @see Zhang et al. 2024, "FinerCut: Finer-grained Interpretable Layer Pruning for Large Language Models"
 */
export async function finerCut(
  model: Model,
  rows: readonly TokenRow[],
  given: FinerCutOptions = {},
): Promise<FinerCut> {
  const options = interruptible(given);
  const { oneShot = false, signal } = options;
  const { distance, parts, most, spare } = checkOptions(model, options);
  const calls = signal === undefined ? {} : { signal };
  const judge = await CutJudge.open(model, rows, distance, calls);
  const search = new Search(judge, parts, rows.length);
  const report = progressOf(options);
  const tell = (done: number, total: number): void => report?.({ done, total, label: "sublayers ranked" });
  let done = 0;
  if (oneShot) await search.once(most, calls, () => tell(++done, parts.length));
  const layers = model.config.nLayers;
  while (!oneShot && search.steps.length < most) {
    const gone = search.steps.length;
    const isOut = (part: Part): boolean => isSpared(part, gone, { layers, spare });
    const all = parts.filter((part) => !search.steps.some((step) => step.part === part));
    const best = await search.next(all.every(isOut) ? () => false : isOut, calls);
    if (best === undefined) break;
    search.steps.push({ part: best.part, distance: best.distance });
    if (search.steps.length < most) await judge.remove(best.part, calls);
    tell(search.steps.length, most);
  }
  return new FinerCut({
    ...{ model: model.id, distance, oneShot, steps: search.steps },
    compared: { rows: search.rows, of: search.of },
  });
}
