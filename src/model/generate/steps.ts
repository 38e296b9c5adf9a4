/** One step of generation: a run with cached keys and values. */
import type { LongCallOptions } from "../../core/index.js";
import type { RawTensor } from "../../runtime/index.js";
import { type BatchLayout, selectedSlots } from "../edits/positions.js";
import type { AxisSelection, Edit, PositionSelection } from "../edits/types.js";
import { capturePrefix } from "../plan/build.js";
import { planSteps } from "../plan/plan.js";
import type { GraphRequest, ResolvedEdit } from "../plan/request.js";
import { emptyRequest } from "../plan/resolve.js";
import { executeSteps } from "../run/execute.js";
import { batchFeeds, editFeeds, neededFeeds } from "../run/feeds.js";
import { checkFinite } from "../run/finite.js";
import { countPositions } from "../run/input.js";
import { runSizes } from "../run/prepare.js";
import type { ModelView } from "../view.js";

/** Where a generation stands between steps. */
export interface GenerationState {
  readonly step: number;
  /** Ids that the next step runs, `[batch, pos]` row by row: the prompt, then one per row. */
  readonly next: readonly (readonly number[])[];
  /** Per row, 1 where a slot (cached and next) holds a real token. */
  readonly real: readonly (readonly number[])[];
  /** Cached keys and values, by input name. */
  readonly past: Readonly<Record<string, RawTensor>>;
  /** Slots in the cache. */
  readonly pastSlots: number;
  readonly generatedFrom: number;
}

/** What one step returns. */
export interface StepResult {
  /** Logits of each row's last slot, `[batch][dVocabOut]`. */
  readonly logits: readonly ArrayLike<number>[];
  readonly captured: ReadonlyMap<string, RawTensor>;
  readonly past: Readonly<Record<string, RawTensor>>;
  /** Edits that acted. */
  readonly acted: ReadonlySet<Edit>;
}

function layoutOf({ next, real, pastSlots, generatedFrom }: GenerationState): BatchLayout {
  const realSlots = real.map((row) => row.flatMap((isReal, slot) => (isReal === 1 ? [slot] : [])));
  return { batch: next.length, pos: next[0]?.length ?? 0, past: pastSlots, realSlots, generatedFrom };
}

/** Whether a position selection means any slot that this step runs. */
function touches(selection: PositionSelection | undefined, layout: BatchLayout, where: string): boolean {
  if (selection === undefined) return true;
  return layout.realSlots.some((_, row) =>
    selectedSlots(selection, layout, row, where).some((slot) => slot >= layout.past),
  );
}

/** Whether an edit acts in a step. */
function isStepSelected(steps: AxisSelection | undefined, step: number): boolean {
  if (steps === undefined) return true;
  if (typeof steps === "number") return steps === step;
  if (typeof steps === "function") return steps(step);
  if ("length" in steps) return steps.includes(step);
  return step >= (steps.from ?? 0) && step < (steps.to ?? Number.POSITIVE_INFINITY);
}

/** The edits that act in one step: by `steps`, and by the positions that the step runs. */
function activeEdits(edits: readonly ResolvedEdit[], layout: BatchLayout, step: number): readonly ResolvedEdit[] {
  return edits.filter(({ edit }) => {
    const { steps, pos } = edit.select;
    return isStepSelected(steps, step) && touches(pos, layout, `edit.${edit.name}: pos`);
  });
}

function stepRequest(
  view: ModelView,
  state: GenerationState,
  captures: readonly string[],
  edits: readonly ResolvedEdit[],
): GraphRequest {
  return {
    ...emptyRequest(view),
    captures,
    edits,
    logits: "slots",
    isPadded: state.real.some((row) => row.includes(0)),
    hasPast: state.pastSlots > 0,
    keepsCache: true,
    checks: true,
  };
}

/** Position ids of the slots that this step runs: real tokens counted from 0 over cached ones too. */
function stepPositions({ real, next, pastSlots }: GenerationState): Int32Array {
  const slots = real[0]?.length ?? 0;
  const all = countPositions(Uint8Array.from(real.flat()), real.length, slots);
  return Int32Array.from(
    next.flatMap((_, row) => Array.from(all.subarray(row * slots + pastSlots, (row + 1) * slots))),
  );
}

function stepFeeds(state: GenerationState, request: GraphRequest, layout: BatchLayout): Record<string, RawTensor> {
  const { batch, pos } = layout;
  const tokens = Int32Array.from(state.next.flat());
  const base = { entry: "tokens", batch, pos, tokens, positions: stepPositions(state), bos: "as given" } as const;
  const lastSlots = Int32Array.from({ length: batch }, () => pos - 1);
  const query = state.real.flatMap((row) => row.slice(state.pastSlots));
  return {
    ...batchFeeds(base, request, lastSlots),
    key_is_real: { dtype: "bool", shape: [batch, layout.past + pos], data: Uint8Array.from(state.real.flat()) },
    query_is_real: { dtype: "bool", shape: [batch, pos], data: Uint8Array.from(query) },
    ...state.past,
  };
}

function presentAsPast(values: Readonly<Record<string, RawTensor>>): Record<string, RawTensor> {
  const present = Object.entries(values).filter(([name]) => name.startsWith("present."));
  return Object.fromEntries(present.map(([name, value]) => [name.replace("present.", "past."), value]));
}

function rowsOf({ data, shape }: RawTensor): readonly ArrayLike<number>[] {
  const [batch = 0] = shape;
  const size = data.length / batch;
  return Array.from({ length: batch }, (_, row) => (data as Float32Array).subarray(row * size, (row + 1) * size));
}

/** Runs one step. */
export async function runStep(
  view: ModelView,
  state: GenerationState,
  what: { readonly captures: readonly string[]; readonly edits: readonly ResolvedEdit[] },
  options: LongCallOptions,
): Promise<StepResult> {
  const layout = layoutOf(state);
  const edits = activeEdits(what.edits, layout, state.step);
  const request = stepRequest(view, state, what.captures, edits);
  const built = view.core.graphs.get(request);
  const feeds = neededFeeds(built, { ...stepFeeds(state, request, layout), ...editFeeds(built, layout, request) });
  const steps = planSteps(built, runSizes(layout, new Int32Array(layout.batch)));
  const values = await executeSteps(
    view.core.engine,
    steps,
    { feeds, calls: built.calls },
    { ...options, prepack: view.core.prepack },
  );
  checkFinite(values, request);
  const { logits } = values;
  return {
    logits: logits === undefined ? [] : rowsOf(logits),
    captured: new Map(
      what.captures.flatMap((name) => {
        const value = values[`${capturePrefix}${name}`];
        return value === undefined ? [] : [[name, value] as const];
      }),
    ),
    past: presentAsPast(values),
    acted: new Set(edits.map(({ edit }) => edit)),
  };
}
