/**
 * Rows of a sweep: each row is one prompt with some values replaced, started where the first replaced value is read.
 *
 * Layers before the first replaced one, and positions before the first replaced one, are never computed: the stream that
 * enters the first layer and the keys and values of earlier positions come from a run of the prompt.
 */
import { InternalError, type LongCallOptions, NumericError } from "../../core/index.js";
import type { RawTensor } from "../../runtime/index.js";
import { Tensor } from "../../tensor/index.js";
import { edit } from "../edits/edit.js";
import type { BatchLayout } from "../edits/positions.js";
import type { Edit } from "../edits/types.js";
import { metricFeeds } from "../metric/feeds.js";
import type { Metric } from "../metric/metric.js";
import { metricOutput } from "../metric/trace.js";
import { type BuiltGraph, capturePrefix } from "../plan/build.js";
import { planSteps } from "../plan/plan.js";
import type { GraphRequest, ResolvedEdit } from "../plan/request.js";
import { describeHookPoints, emptyRequest, resolveEdits } from "../plan/resolve.js";
import type { HookPoints, ModelView } from "../view.js";
import { executeSteps } from "./execute.js";
import { editFeeds, labels, neededFeeds } from "./feeds.js";
import { checkFinite } from "./finite.js";

/** Numbers of one hook point or of the stream, row-major. */
export type FloatArray = Float32Array | Float64Array;

/** Keys and values of the positions before the window, one row for each prompt. */
export interface PastValues {
  /** `[prompts, past, kvHead, dHead]`. */
  readonly key: FloatArray;
  readonly value: FloatArray;
}

/** What a batch of rows is. */
export interface RowsInput {
  /** The first layer that runs. */
  readonly startAtLayer: number;
  /** Number of rows. */
  readonly batch: number;
  /** The window of positions that run: `[from, to)`. */
  readonly from: number;
  readonly to: number;
  /** The stream that enters the first layer, `[batch, to − from, dModel]`. */
  readonly residual: FloatArray;
  /** Per layer from the first that runs. */
  readonly past: readonly PastValues[];
  /** Which row of `past` each row continues. */
  readonly pastRows: readonly number[];
  /** Values of whole hook points by full name, `[batch, …]`; what is upstream of them alone is not computed. */
  readonly replace: ReadonlyMap<string, FloatArray>;
  /** Hook points of which only some heads are replaced. */
  readonly heads?: ReadonlyMap<string, readonly number[]>;
  /** Token ids `[batch, pos]` of a window that is the whole prompt, for metrics that read them. */
  readonly tokens?: Int32Array;
}

/** What is asked of a batch of rows. */
export interface RowsQuestion extends LongCallOptions {
  readonly metric?: Metric;
  /** Which of the metric's prompts each row is. */
  readonly metricRows?: readonly number[];
  /** Full hook names. */
  readonly capture?: readonly string[];
}

/** What a batch of rows gives. */
export interface RowsResult {
  /** `[batch]`; empty without a metric. */
  readonly metric: FloatArray;
  readonly captured: ReadonlyMap<string, Tensor>;
}

/** The word of edits whose numbers are fed with each batch. */
const slotName = "rows";

/**
 * Runs batches of rows of one view; graphs are built once for each layer and set of replaced hook points.
 *
 * @internal
 */
export class RowRunner {
  readonly #view: ModelView;
  readonly #points: HookPoints;
  readonly #slots = new Map<string, Edit>();

  constructor(view: ModelView) {
    this.#view = view;
    this.#points = describeHookPoints(view);
  }

  /** Runs one batch, in one piece: the caller bounds its work, and each size would make sessions of its own otherwise. */
  async run(input: RowsInput, question: RowsQuestion): Promise<RowsResult> {
    const { core } = this.#view;
    const request = this.#request(input, question);
    const built = core.graphs.get(request);
    const feeds = neededFeeds(built, {
      ...editFeeds(withoutSlots(built, input), rowLayout(input), request),
      ...this.#feeds(input, request),
      ...this.#metricFeeds(input, question),
    });
    const { batch, from, to } = input;
    const sizes = { batch, pos: to - from, past: from, "past+pos": to, count: 1, prompts: promptCount(input) };
    const values = await executeSteps(
      core.engine,
      planSteps(built, sizes, Number.POSITIVE_INFINITY),
      { feeds, calls: built.calls },
      { ...longOptions(question), prepack: core.prepack },
    );
    checkFinite(values, request);
    checkMetric(question, floats(values[metricOutput]));
    return { metric: floats(values[metricOutput]), captured: this.#captured(values, question) };
  }

  #request({ startAtLayer, replace, heads }: RowsInput, { metric, capture = [] }: RowsQuestion): GraphRequest {
    const base = emptyRequest(this.#view);
    return {
      ...base,
      captures: capture,
      edits: [
        ...this.#remaining(startAtLayer, [...replace.keys()], metric === undefined ? capture : undefined),
        ...this.#replacements(replace, heads),
      ],
      metric: metric === undefined ? undefined : { metric, logits: metric.logits === "all" ? "all" : "sole" },
      layers: base.layers.slice(startAtLayer),
      entry: "residual",
      hasPast: true,
      sharesPast: true,
      // A metric that is a number is checked itself; elsewhere each layer is.
      checks: metric === undefined,
    };
  }

  /** Edits of the view downstream of what is replaced in their layer; the others are in the replaced values already. */
  #remaining(
    startAtLayer: number,
    replaced: readonly string[],
    wanted: readonly string[] = [],
  ): readonly ResolvedEdit[] {
    const names = [...this.#points.keys()];
    const cuts = [`blocks.${startAtLayer}.hook_resid_pre`, ...replaced];
    const end = wanted.length === 0 ? names.length : Math.max(...wanted.map((name) => names.indexOf(name)));
    const isLeft = (hook: string): boolean => {
      const layer = layerOf(hook);
      const own = cuts.filter((name) => layerOf(name) === layer).map((name) => names.indexOf(name));
      const place = names.indexOf(hook);
      return layer >= startAtLayer && place > Math.max(-1, ...own) && place <= end;
    };
    return resolveEdits(this.#view.edits, names).flatMap(({ edit: own, hooks }) => {
      const left = hooks.filter(isLeft);
      return left.length === 0 ? [] : [{ edit: own, hooks: left }];
    });
  }

  #replacements(replace: RowsInput["replace"], heads: RowsInput["heads"]): readonly ResolvedEdit[] {
    return [...replace.keys()].map((hook) => ({ edit: this.#slot(hook, heads?.get(hook)), hooks: [hook] }));
  }

  /** An edit that stands for a hook point, or some of its heads; its numbers are fed under its graph input's name. */
  #slot(hook: string, heads: readonly number[] | undefined): Edit {
    const key = heads === undefined ? hook : `${hook} ${heads.join()}`;
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    const { axes, shape } = this.#shape(hook);
    const sizes = shape.map((dim) => (typeof dim === "number" ? dim : 2));
    const numbers = new Float32Array(sizes.reduce((a, b) => a * b, 1));
    const select = heads === undefined ? {} : { head: [...heads] };
    const slot = { ...edit.replace(hook, Tensor.of(numbers, sizes, axes), select), name: slotName };
    this.#slots.set(key, slot);
    return slot;
  }

  #shape(hook: string): { axes: readonly string[]; shape: readonly (number | string)[] } {
    return this.#points.get(hook) ?? { axes: [], shape: [] };
  }

  #feeds(input: RowsInput, request: GraphRequest): Record<string, RawTensor> {
    const { batch, from, to, residual, past, pastRows, replace } = input;
    const { nKeyValueHeads, dHead, dModel } = this.#view.core.config;
    const dtype = request.precision;
    const pos = to - from;
    const feeds: Record<string, RawTensor> = {
      residual: { dtype, shape: [batch, pos, dModel], data: residual },
      positions: int64(
        Array.from({ length: batch * pos }, (_, i) => from + (i % pos)),
        [batch, pos],
      ),
      past_rows: int64(pastRows, [batch]),
    };
    if (input.tokens !== undefined) feeds["labels"] = int64(labels(input.tokens, batch, pos), [batch, pos]);
    for (const [step, { key, value }] of past.entries()) {
      const shape = [promptCount(input), from, nKeyValueHeads, dHead];
      feeds[`past.${step}.key`] = { dtype, shape, data: key };
      feeds[`past.${step}.value`] = { dtype, shape, data: value };
    }
    request.edits.forEach(({ edit: own, hooks: [hook = ""] }, index) => {
      const data = own.name === slotName ? replace.get(hook) : undefined;
      if (data === undefined) return;
      feeds[`edit.${index}.${hook}.value`] = { dtype, shape: this.#sizes(hook, input), data };
    });
    return feeds;
  }

  #sizes(hook: string, { batch, from, to }: RowsInput): readonly number[] {
    const sizes: Readonly<Record<string, number>> = { batch, pos: to - from, queryPos: to - from, keyPos: to };
    const { axes, shape } = this.#shape(hook);
    return axes.map((axis, i) => sizes[axis] ?? Number(shape[i]));
  }

  #metricFeeds(input: RowsInput, { metric, metricRows }: RowsQuestion): Record<string, RawTensor> {
    if (metric === undefined || metricRows === undefined) return {};
    const { precision, core } = this.#view;
    const vocabulary = core.config.dVocabOut;
    return metricFeeds({ metric, rows: metricRows, layout: windowLayout(input), precision, vocabulary });
  }

  #captured(values: Readonly<Record<string, RawTensor>>, { capture = [] }: RowsQuestion): ReadonlyMap<string, Tensor> {
    return new Map(
      capture.flatMap((name) => {
        const raw = values[`${capturePrefix}${name}`];
        return raw === undefined ? [] : [[name, Tensor.of(floats(raw), raw.shape, this.#shape(name).axes)] as const];
      }),
    );
  }
}

/** The layer of a hook point in a block; what comes after the blocks counts as behind every layer. */
function layerOf(name: string): number {
  const block = /^blocks\.(\d+)\./.exec(name)?.[1];
  if (block !== undefined) return Number(block);
  return name.startsWith("hook_") ? -1 : Number.POSITIVE_INFINITY;
}

/** A built graph with the inputs of the view's own edits only. */
function withoutSlots(built: BuiltGraph, { replace }: RowsInput): BuiltGraph {
  const isSlot = (name: string): boolean =>
    [...replace.keys()].some((hook) => name.startsWith("edit.") && name.endsWith(`.${hook}.value`));
  return { ...built, editInputs: built.editInputs.filter(({ name, kind }) => kind !== "value" || !isSlot(name)) };
}

/** Which slots the rows hold, those before the window counted as cached. */
function rowLayout({ batch, from, to }: RowsInput): BatchLayout {
  const slots = Array.from({ length: to }, (_, slot) => slot);
  return { batch, pos: to - from, past: from, realSlots: Array.from({ length: batch }, () => slots) };
}

/** The same with slots counted from the window, as logits are. */
function windowLayout({ batch, from, to }: RowsInput): BatchLayout {
  const slots = Array.from({ length: to - from }, (_, slot) => slot);
  return { batch, pos: to - from, past: 0, realSlots: Array.from({ length: batch }, () => slots) };
}

/** Refuses metrics that are no numbers: the stream, or the metric's own formula, has left them. */
function checkMetric({ metric, metricRows = [] }: RowsQuestion, values: FloatArray): void {
  const row = values.findIndex((value) => !Number.isFinite(value));
  if (row < 0) return;
  throw new NumericError({
    where: `patched run: metric "${metric?.name ?? ""}"`,
    got: `${values[row] ?? Number.NaN} for prompt ${metricRows[row] ?? 0}`,
    expected: "finite numbers",
    fix: "Check the metric's formula on patched logits, and the values that are written.",
  });
}

function promptCount({ pastRows }: RowsInput): number {
  return pastRows.reduce((most, row) => Math.max(most, row + 1), 1);
}

function int64(values: Iterable<number>, shape: readonly number[]): RawTensor {
  return { dtype: "int64", shape, data: BigInt64Array.from(Array.from(values, BigInt)) };
}

function longOptions({ signal, onProgress }: LongCallOptions): LongCallOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) };
}

function floats(raw: RawTensor | undefined): FloatArray {
  if (raw === undefined) return new Float32Array(0);
  const { data } = raw;
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  throw new InternalError({
    where: "model rows",
    got: `values of type ${raw.dtype}`,
    expected: "floating-point numbers",
    fix: "Report this as a bug of limpid.",
  });
}
