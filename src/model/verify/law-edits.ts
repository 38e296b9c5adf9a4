/**
 * Every hook point is live: a small edit there moves the logits, and only where it may.
 *
 * 1. The hook points of a layer are edited together: hook point `i` in batch row `i`, all rows the same tokens.
 * 2. Three runs of the same graph: every edit zero; only even rows edited; only odd rows edited. Their values are inputs,
 *    so the same kernels run on the same shapes, and what an edit cannot reach must keep its bits.
 * 3. An edited row must differ from its zero run, at no position before the edit, and be finite; a row whose edit is zero
 *    must not differ at all, whatever its neighbours do.
 */
import { createRandom } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import { edit } from "../edits/edit.js";
import type { Edit, EditValue, Selection } from "../edits/types.js";
import type { Run } from "../run/result.js";
import { above, atMost, exactly, type Law, type Measurement } from "./check.js";
import { countNonFinite, distance, numbers, worst } from "./compare.js";
import { hookGroups } from "./law-hooks.js";
import { type Subject, tooShort } from "./subject.js";

/** One way to edit a hook point. */
interface Attempt {
  /** Size of the edit in units of the hook point's root mean square. */
  readonly scale: number;
  /** One head and one position, or all heads from the position on. */
  readonly isWide: boolean;
}

/** A saturated head may ignore one key altogether; a hook point is dead only when nothing moves it. */
const attempts: readonly Attempt[] = [
  { scale: 0.1, isWide: false },
  { scale: 1, isWide: true },
  { scale: 10, isWide: true },
];

/** Tokens of an edited row; few, since every hook point of a layer takes a row. */
const editedTokens = 6;

/** Bytes of logits that one run may return. */
const logitBytes = 128e6;

/** A hook point, the batch row in which it is edited, and what is added. */
interface Probe {
  readonly name: string;
  readonly row: number;
  readonly select: Selection;
  readonly value: EditValue;
}

/** What the edits of one group did. */
interface Effect {
  readonly name: string;
  /** `max|Δ| / max(1, max|logit|)` in its own row. */
  readonly moved: number;
  /** `max|Δ|` before its position. */
  readonly earlier: number;
  readonly nonFinite: number;
  /** `max|Δ|` of its row when only other rows are edited. */
  readonly leaked: number;
}

function tokensOf({ rows }: Subject): readonly number[] {
  return rows[0].slice(0, editedTokens);
}

/** The position that is edited: not the first, where a pattern has one key and cannot change. */
function editedPos(subject: Subject): number {
  return Math.floor(tokensOf(subject).length / 2);
}

/** Root mean square over the finite elements. */
function sizeOf(value: Tensor): number {
  const data = Array.from(numbers(value)).filter((x) => Number.isFinite(x));
  const mean = data.reduce((sum, x) => sum + x * x, 0) / Math.max(1, data.length);
  return Math.sqrt(mean) || 1;
}

/** A random vector of that size along the last axis, or one number where that axis has one element or is a key's position. */
function editValue(value: Tensor, size: number, seed: number): EditValue {
  const axis = value.axes.at(-1) ?? "";
  const length = value.shape.at(-1) ?? 1;
  if (length === 1 || axis === "keyPos") return size;
  const random = createRandom(seed);
  const data = Float32Array.from({ length }, () => size * random.normal());
  return Tensor.of(data, [length], [axis]);
}

/** One head where there are heads, and of a pattern the key at the query itself, which no mask hides. */
function selection({ axes }: Tensor, row: number, pos: number, isWide: boolean): Selection {
  const head = axes.includes("head") && !isWide ? { head: 0 } : {};
  return { row, pos: isWide ? { from: pos } : pos, ...head, ...(axes.includes("keyPos") ? { keyPos: pos } : {}) };
}

/** A probe for each hook point of a group that can be edited. */
async function makeProbes(
  subject: Subject,
  names: readonly string[],
  { scale, isWide }: Attempt,
): Promise<readonly Probe[]> {
  const { cache } = await subject.run(tokensOf(subject), { capture: names, logits: "none", checks: false });
  return names.map((name, row) => {
    const value = cache.get(name);
    const select = selection(value, row, editedPos(subject), isWide);
    return { name, row, select, value: editValue(value, scale * sizeOf(value), row) };
  });
}

function scaled(value: EditValue, factor: number): EditValue {
  if (typeof value === "number") return value * factor;
  return value instanceof Tensor ? value.mul(factor) : value;
}

/** Runs a group with the edits that `isOn` allows at their size and the others at zero. */
async function runEdited(subject: Subject, probes: readonly Probe[], isOn: (row: number) => boolean): Promise<Run> {
  const edits = probes.map(
    ({ name, row, select, value }): Edit => edit.add(name, scaled(value, isOn(row) ? 1 : 0), select),
  );
  const batch = probes.map(() => tokensOf(subject));
  return subject.run(batch, { checks: false }, subject.model.with(...edits));
}

/** Elements of one batch row of logits, before a position and from it on. */
function rowParts({ logits }: Run, row: number, pos: number): readonly [ArrayLike<number>, ArrayLike<number>] {
  const before = logits.at({ batch: row, pos: { from: 0, to: pos } });
  const after = logits.at({ batch: row, pos: { from: pos } });
  return [numbers(before), numbers(after)];
}

/** Compares the three runs of a group, row by row. */
async function measureGroup(subject: Subject, probes: readonly Probe[]): Promise<readonly Effect[]> {
  const isEven = (row: number): boolean => row % 2 === 0;
  const none = await runEdited(subject, probes, () => false);
  const even = await runEdited(subject, probes, isEven);
  const odd = await runEdited(subject, probes, (row) => !isEven(row));
  const pos = editedPos(subject);
  return probes.map(({ name, row }) => {
    const [own, others] = isEven(row) ? [even, odd] : [odd, even];
    const [before, after] = rowParts(none, row, pos);
    const [ownBefore, ownAfter] = rowParts(own, row, pos);
    const [otherBefore, otherAfter] = rowParts(others, row, pos);
    const earlier = distance(ownBefore, before);
    const isFree = !subject.isCausal;
    return {
      name,
      moved: Math.max(distance(ownAfter, after).relative, isFree ? earlier.relative : 0),
      earlier: isFree ? 0 : earlier.largest,
      nonFinite: countNonFinite(ownBefore) + countNonFinite(ownAfter),
      leaked: Math.max(distance(otherBefore, before).largest, distance(otherAfter, after).largest),
    };
  });
}

const isDead = ({ moved }: Effect): boolean => !(moved > 0);

/** Edits the hook points of a group, those that nothing moved again and more strongly. */
async function tryGroup(subject: Subject, names: readonly string[]): Promise<readonly Effect[]> {
  const effects = new Map<string, Effect>();
  let left = names;
  for (const attempt of attempts) {
    if (left.length === 0) break;
    const measured = await measureGroup(subject, await makeProbes(subject, left, attempt));
    for (const effect of measured) effects.set(effect.name, effect);
    left = measured.filter(isDead).map(({ name }) => name);
  }
  return [...effects.values()];
}

/** Inputs of single heads: an edit there gives each head its own norm, which excludes edits of the shared one. */
const isHeadInput = (name: string): boolean => /hook_([qkv]_input|attn_in)$/.test(name);

/** Hook points that can be edited in the same run. */
function compatible(names: readonly string[]): readonly (readonly string[])[] {
  return [names.filter((name) => !isHeadInput(name)), names.filter(isHeadInput)];
}

/** Groups small enough for the logits of all their rows. */
function chunks(subject: Subject, names: readonly string[]): readonly (readonly string[])[] {
  const rowBytes = 4 * tokensOf(subject).length * subject.model.config.dVocabOut;
  const size = Math.max(2, Math.floor(logitBytes / rowBytes));
  return Array.from({ length: Math.ceil(names.length / size) }, (_, i) => names.slice(i * size, (i + 1) * size));
}

/** The measurement of the worst effect, with its hook point. */
function worstOf(measured: string, effects: readonly Effect[], pick: (effect: Effect) => number): Measurement {
  const { name, value } = worst(effects.map((effect) => [effect.name, pick(effect)]));
  return { measured, value, bound: atMost(0), ...(name === "" ? {} : { detail: name }) };
}

/** Edits every hook point of the covered layers. */
export const editsLaw: Law = {
  name: "edits",
  measure: async (subject): Promise<readonly Measurement[]> => {
    const short = tooShort(subject);
    if (short !== undefined) return [{ measured: "an edit at every hook point", skipped: short }];
    const effects: Effect[] = [];
    let expected = 0;
    const points = subject.model.hookPoints();
    for (const names of hookGroups(subject).flatMap(compatible)) {
      const editable = names.filter((name) => points.get(name)?.isEditable === true);
      expected += editable.length;
      for (const chunk of chunks(subject, editable)) effects.push(...(await tryGroup(subject, chunk)));
    }
    const weakest = effects.reduce((a, b) => (b.moved < a.moved ? b : a), effects[0] ?? { name: "", moved: 0 });
    const dead = effects.filter(isDead).map(({ name }) => name);
    const earlier = subject.isCausal
      ? worstOf("largest change before the edited position", effects, ({ earlier: change }) => change)
      : { measured: "largest change before the edited position", skipped: "attention looks both ways" };
    return [
      { measured: "hook points edited", value: effects.length, bound: exactly(expected) },
      {
        measured: "smallest effect of an edit on the logits",
        value: weakest.moved,
        bound: above(0),
        detail: dead.length === 0 ? weakest.name : `nothing happens at ${dead.join(", ")}`,
      },
      worstOf("logits that became NaN or infinite", effects, ({ nonFinite }) => nonFinite),
      worstOf("largest change in another row", effects, ({ leaked }) => leaked),
      earlier,
    ];
  },
};
