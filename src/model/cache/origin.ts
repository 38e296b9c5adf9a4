/** Where a cache comes from: the model, its view, and the run that filled it. */
import { InputError } from "../../core/index.js";
import { Tensor } from "../../tensor/index.js";
import type { Precision } from "../components/context.js";
import type { BatchLayout } from "../edits/positions.js";
import type { Model } from "../model.js";
import type { EntryKind, GraphRequest } from "../plan/request.js";
import { describeHookPoints, resolveEdits } from "../plan/resolve.js";
import type { Processing } from "../processing.js";
import type { ModelView } from "../view.js";

/** The record that a cache keeps of its run. */
export interface CacheOrigin {
  /** The model's inside; absent in a loaded cache until `withModel`. */
  readonly view?: ModelView;
  /** The model as it was named when loaded. */
  readonly model: string;
  /** Identity of its weights. */
  readonly identity: string;
  readonly processing: Processing;
  readonly precision: Precision;
  /** Layer ids in the order they ran. */
  readonly layers: readonly number[];
  readonly entry: EntryKind;
  /** Edits with the hook points at which each acted. */
  readonly edits: readonly { readonly name: string; readonly hooks: readonly string[] }[];
  /** Token ids `[batch, pos]`, where the run had tokens. */
  readonly tokens?: Tensor;
  /** Per row, the slots of real tokens; absent when nothing was padded. */
  readonly realSlots?: readonly (readonly number[])[];
}

/** What a run decided before it ran. */
export interface RunRecord {
  readonly view: ModelView;
  readonly batch: { readonly batch: number; readonly pos: number; readonly tokens?: Int32Array };
  readonly layout: BatchLayout;
  readonly request: GraphRequest;
}

/** Returns the origin of a run's cache. */
export function runOrigin({ view, batch, layout, request }: RunRecord): CacheOrigin {
  const { tokens } = batch;
  return {
    ...viewOrigin(view),
    layers: request.layers,
    entry: request.entry,
    edits: request.edits.map(({ edit, hooks }) => ({ name: edit.name, hooks })),
    ...(tokens === undefined ? {} : { tokens: Tensor.of(tokens, [batch.batch, batch.pos], ["batch", "pos"]) }),
    ...(request.isPadded ? { realSlots: layout.realSlots } : {}),
  };
}

/** Slots that a generation ran: ids row by row, and which hold real tokens. */
export interface GeneratedSlots {
  readonly ids: readonly (readonly number[])[];
  readonly real: readonly (readonly number[])[];
}

/** Returns the origin of a generation's cache. */
export function generationOrigin(view: ModelView, { ids, real }: GeneratedSlots): CacheOrigin {
  const pos = ids[0]?.length ?? 0;
  const isPadded = real.some((row) => row.includes(0));
  const realSlots = real.map((row) => row.flatMap((isReal, slot) => (isReal === 1 ? [slot] : [])));
  const tokens = Tensor.of(Int32Array.from(ids.flat()), [ids.length, pos], ["batch", "pos"]);
  return { ...assumedOrigin(view), tokens, ...(isPadded ? { realSlots } : {}) };
}

function viewOrigin(view: ModelView): Omit<CacheOrigin, "layers" | "entry" | "edits"> {
  const { id, identity } = view.core.checkpoint;
  return { view, model: id, identity, processing: view.processing, precision: view.precision };
}

/** The origin of activations that were collected without one: a plain pass of the model through all its layers. */
function assumedOrigin(view: ModelView): CacheOrigin {
  const resolved = resolveEdits(view.edits, [...describeHookPoints(view).keys()]);
  const edits = resolved.map(({ edit, hooks }) => ({ name: edit.name, hooks }));
  return { ...viewOrigin(view), layers: view.layers, entry: "tokens", edits };
}

/**
 * Returns the origin with a model's weights behind it, in the processing and precision that the cache was made with.
 *
 * @throws InputError when the model has other weights than those that made the cache.
 */
export function attachModel(origin: CacheOrigin | undefined, { view }: Model): CacheOrigin {
  if (origin === undefined) return assumedOrigin(view);
  const { identity, id } = view.core.checkpoint;
  if (identity === origin.identity) {
    const { processing, precision, layers } = origin;
    return { ...origin, view: { ...view, processing, precision, layers } };
  }
  throw new InputError({
    where: "cache.withModel",
    got: `the model "${id}" with weights ${identity}`,
    expected: `the weights that made this cache: ${origin.identity} ("${origin.model}")`,
    fix: `Load "${origin.model}" and pass it.`,
  });
}
