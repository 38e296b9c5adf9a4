/** From run options to a request: names become hook points, the layer list is settled. */
import { InputError, UnsupportedError } from "../../core/index.js";
import { programSteps } from "../components/decoder.js";
import { weightsPoint } from "../edits/keep-weights.js";
import type { Edit } from "../edits/types.js";
import { type HookSpecs, resolveHooks } from "../hooks/index.js";
import type { HookPoints, ModelView } from "../view.js";
import type { EntryKind, GraphRequest, ResolvedEdit } from "./request.js";

/** A request that asks for nothing: the base that others change. */
export function emptyRequest(view: Pick<ModelView, "layers" | "precision" | "processing">): GraphRequest {
  return {
    captures: [],
    edits: [],
    logits: "none",
    loss: false,
    metric: undefined,
    gradients: undefined,
    layers: view.layers,
    entry: "tokens",
    isPadded: false,
    hasPast: false,
    keepsCache: false,
    stream: false,
    checks: false,
    describes: false,
    precision: view.precision,
    processing: view.processing,
  };
}

/** Every hook point of a view, in the order they are computed, with axes and symbolic shapes. */
export function describeHookPoints(view: ModelView): HookPoints {
  const request = { ...emptyRequest(view), describes: true, stream: true };
  const { points } = view.core.graphs.get(request);
  const modules = view.edits.filter(({ change }) => change.kind === "module");
  if (modules.length === 0) return points;
  return view.core.graphs.get({ ...request, edits: resolveEdits(modules, [...points.keys()]) }).points;
}

/** Which hook points a model's edits mean. */
export function resolveEdits(edits: readonly Edit[], names: readonly string[]): readonly ResolvedEdit[] {
  return edits.map((edit) => {
    if (edit.change.kind === "keepWeights") return { edit, hooks: [weightsPoint] };
    return { edit, hooks: resolveHooks(edit.hook, names, `edit.${edit.name}`) };
  });
}

/** Where a run starts and stops, and which layers it passes. */
export interface LayerOptions {
  /** The first layer that runs; it reads `residual` from the input. */
  readonly startAtLayer?: number;
  /** The layer before which the run stops; `-1` counts from the end, `nLayers` runs all. No logits then. */
  readonly stopAtLayer?: number;
  /** Layer ids in the order they run, such as `[0, 1, 1, 2]`; each repetition has hook names `blocks.1~2…`. */
  readonly layers?: readonly number[];
}

function checkLayer(where: string, layer: number, count: number, isEnd: boolean): number {
  const index = layer < 0 ? count + layer : layer;
  if (Number.isInteger(index) && index >= 0 && (isEnd ? index <= count : index < count)) return index;
  throw new InputError({
    where,
    got: String(layer),
    expected: `an integer from ${-count} to ${isEnd ? count : count - 1}`,
    fix: `This model has ${count} layers.`,
  });
}

/** The layer ids of a run, in order. */
export function runLayers(view: ModelView, { layers, startAtLayer, stopAtLayer }: LayerOptions): readonly number[] {
  const count = view.core.config.nLayers;
  const all = layers?.map((layer) => checkLayer("model.run: layers", layer, count, false)) ?? view.layers;
  const start = startAtLayer === undefined ? 0 : checkLayer("model.run: startAtLayer", startAtLayer, all.length, false);
  const stop =
    stopAtLayer === undefined ? all.length : checkLayer("model.run: stopAtLayer", stopAtLayer, all.length, true);
  if (start <= stop) return all.slice(start, stop);
  throw new InputError({
    where: "model.run: stopAtLayer",
    got: `${stop}, before startAtLayer ${start}`,
    expected: "a layer after the start",
    fix: "Exchange the two.",
  });
}

/** Refuses `startAtLayer` without a residual stream and the reverse. */
export function checkEntry(entry: EntryKind, { startAtLayer }: LayerOptions): void {
  const isInside = startAtLayer !== undefined && startAtLayer !== 0;
  if (isInside === (entry === "residual") || (entry === "residual" && startAtLayer === 0)) return;
  throw new UnsupportedError({
    where: "model.run",
    got: isInside ? `startAtLayer: ${startAtLayer} with ${entry}` : "a residual stream without startAtLayer",
    expected: "{ residual } together with startAtLayer",
    fix: "Pass model.run({ residual }, { startAtLayer: 3 }).",
  });
}

/** Names of the hook points that a run passes. */
export function passedNames(
  points: HookPoints,
  layers: readonly number[],
  entry: EntryKind,
  hasLogits: boolean,
): readonly string[] {
  const blocks = new Set(programSteps(layers).map(({ name }) => name));
  return [...points.keys()].filter((name) => {
    const block = /^blocks\.[^.]+/.exec(name)?.[0];
    if (block !== undefined) return blocks.has(block);
    const isEntry = name.startsWith("hook_");
    if (isEntry) return entry === "tokens" || (entry === "embeddings" && name !== "hook_tokens");
    return hasLogits;
  });
}

/** Resolves captured specs to names; none when nothing is captured. */
export function resolveCaptures(specs: HookSpecs | undefined, names: readonly string[]): readonly string[] {
  return specs === undefined || isEmptyList(specs) ? [] : resolveHooks(specs, names, "model.run: capture");
}

/** Whether specs are a list of none. */
export function isEmptyList(specs: HookSpecs): boolean {
  return Array.isArray(specs) && specs.length === 0;
}
