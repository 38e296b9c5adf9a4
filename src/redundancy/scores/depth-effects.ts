/**
 * What later layers do with what a layer writes: the interventions of "Do Language Models Use Their Depth Efficiently?".
 *
 * Layer s is skipped at some positions (what it adds there is zero), and each later layer's write `Δ_l = h_{l+1} − h_l` is compared:
 * `E[s, l] = max_t ‖Δ_l − Δ̄_l‖ / ‖Δ_l‖`. The first position is never skipped or measured: its norm is unlike all others.
 *
 * - `all`: skipped at every position from 1 on.
 * - `future`: skipped in front of a place, measured from it on: what is computed now and used by later tokens.
 * - `local`: later layers read `h_l − Δ_s`, with nothing in between recomputed.
 */
import {
  createRandom,
  InputError,
  interruptible,
  type LongCallOptions,
  printsItself,
  progressOf,
  throwIfAborted,
} from "../../core/index.js";
import { edit, type Model, type TokenRow } from "../../model/index.js";
import { Tensor } from "../../tensor/index.js";
import { heatmap, panels, type View } from "../../viz/index.js";
import { groupRows } from "../evaluate/rows.js";
import { checkWholeModel } from "../parts.js";

const where = "depthEffects";

/** Options of {@link depthEffects}. */
export interface DepthEffectOptions extends LongCallOptions {
  /** Places per row at which past and future are parted. Default 4. */
  readonly places?: number;
  /** Of the draw of places. Default 0. */
  readonly seed?: number;
}

/** Effects by skipped layer and later layer, `[layer][layer]`; NaN where the later one is not later. */
export type EffectMatrix = readonly (readonly number[])[];

/** What skipping each layer does to later ones, and to the output. Immutable. */
export class DepthEffects {
  static {
    printsItself(this.prototype);
  }

  readonly model: string;
  readonly all: EffectMatrix;
  readonly future: EffectMatrix;
  readonly local: EffectMatrix;
  /** Largest change of a token's distribution, `‖y − ȳ‖₂`, by skipped layer: at the same positions, and at later ones. */
  readonly output: { readonly all: readonly number[]; readonly future: readonly number[] };
  /** Rows that were run, and their tokens. */
  readonly rows: number;
  readonly tokens: number;

  /** @internal Use `depthEffects`. */
  constructor(parts: Readonly<Omit<DepthEffects, "depthScore" | "toString" | "toView">>) {
    this.model = parts.model;
    this.all = parts.all;
    this.future = parts.future;
    this.local = parts.local;
    this.output = parts.output;
    this.rows = parts.rows;
    this.tokens = parts.tokens;
  }

  /**
   * `Σ l e_l / Σ e_l`, with `e_l` the mean future effect of layer l on later ones: in which layer, on average, things are computed that
   * later tokens use. The last layer has no later one and counts as 0.
   */
  get depthScore(): number {
    const effects = this.future.map((row, layer) => mean(row.slice(layer + 1)));
    const total = effects.reduce((a, b) => a + b, 0);
    return effects.reduce((sum, effect, layer) => sum + layer * effect, 0) / total;
  }

  /** Draws the three matrices. */
  toView(): View {
    const draw = (title: string, values: EffectMatrix): View =>
      heatmap(values, { title, unit: "share", x: { name: "later layer" }, y: { name: "skipped layer" } });
    return panels(
      [draw("on all positions", this.all), draw("on later positions", this.future), draw("directly", this.local)],
      {
        title: `What later layers of ${this.model} lose without each layer`,
        note: `depth score ${this.depthScore.toFixed(2)}`,
      },
    );
  }

  /** Returns mean effects by skipped layer, and the depth score. */
  toString(): string {
    const lines = this.all.map((row, layer) => {
      const part = (values: readonly number[]): string => mean(values.slice(layer + 1)).toFixed(3);
      const [here, later] = [this.output.all[layer] ?? 0, this.output.future[layer] ?? 0];
      const shown =
        layer + 1 === this.all.length
          ? "no later layer"
          : `later layers ${part(row)}, for later tokens ${part(this.future[layer] ?? [])}, directly ${part(this.local[layer] ?? [])}`;
      return `  without layer ${layer}: ${shown}; output ${here.toFixed(3)}, later output ${later.toFixed(3)}`;
    });
    return [
      `DepthEffects of ${this.model} over ${this.tokens} tokens: depth score ${this.depthScore.toFixed(2)}`,
      ...lines,
    ].join("\n");
  }
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length;
}

/** The stream of one row at every state, `[pos, dModel]`, and the distributions, `[pos, dVocabOut]`. */
interface Streams {
  readonly states: readonly Tensor[];
  readonly output: ArrayLike<number>;
}

function streamHooks({ config }: Model): readonly string[] {
  const after = Array.from({ length: config.nLayers }, (_, layer) => `blocks.${layer}.hook_resid_post`);
  return ["blocks.0.hook_resid_pre", ...after];
}

async function streamsOf(model: Model, row: TokenRow): Promise<Streams> {
  const hooks = streamHooks(model);
  const run = await model.run([row], { capture: hooks, logits: "all" });
  const output = run.logits.softmax("dVocabOut").contiguous().data as ArrayLike<number>;
  return { states: hooks.map((hook) => run.cache.get(hook)), output };
}

function numbersOf(tensor: Tensor | undefined): ArrayLike<number> {
  return (tensor?.contiguous().data ?? []) as ArrayLike<number>;
}

/** `max_t ‖Δ − Δ̄‖ / ‖Δ‖` over positions from `from` on; the denominator is at least 1e-6. */
function largestShare(
  [before, after]: readonly [ArrayLike<number>, ArrayLike<number>],
  [otherBefore, otherAfter]: readonly [ArrayLike<number>, ArrayLike<number>],
  { from, width }: { readonly from: number; readonly width: number },
): number {
  let most = 0;
  for (let pos = from; pos * width < after.length; pos++) {
    let [gap, own] = [0, 0];
    for (let i = pos * width; i < (pos + 1) * width; i++) {
      const delta = (after[i] ?? 0) - (before[i] ?? 0);
      gap += (delta - (otherAfter[i] ?? 0) + (otherBefore[i] ?? 0)) ** 2;
      own += delta ** 2;
    }
    most = Math.max(most, Math.sqrt(gap) / Math.max(1e-6, Math.sqrt(own)));
  }
  return most;
}

function largestDistance(a: ArrayLike<number>, b: ArrayLike<number>, from: number, width: number): number {
  let most = 0;
  for (let pos = from; pos * width < a.length; pos++) {
    let gap = 0;
    for (let i = pos * width; i < (pos + 1) * width; i++) gap += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
    most = Math.max(most, Math.sqrt(gap));
  }
  return most;
}

/** The model without what a layer adds at positions 1 to `to` (not included). */
function skipping(model: Model, layer: number, to: number): Model {
  const pos = Array.from({ length: to - 1 }, (_, i) => i + 1);
  const hooks = [`blocks.${layer}.hook_attn_out`, ...(model.config.attnOnly ? [] : [`blocks.${layer}.hook_mlp_out`])];
  return model.with(...hooks.map((hook) => edit.zero(hook, { pos })));
}

/** Collects maxima over rows. */
class Maxima {
  readonly all: number[][];
  readonly future: number[][];
  readonly local: number[][];
  readonly output: { readonly all: number[]; readonly future: number[] };
  readonly #model: Model;
  readonly #width: number;

  constructor(model: Model) {
    const { nLayers, dModel } = model.config;
    const empty = (): number[][] =>
      Array.from({ length: nLayers }, (_, s) =>
        Array.from({ length: nLayers }, (_unused, l) => (l > s ? 0 : Number.NaN)),
      );
    [this.all, this.future, this.local] = [empty(), empty(), empty()];
    this.output = { all: new Array<number>(nLayers).fill(0), future: new Array<number>(nLayers).fill(0) };
    this.#model = model;
    this.#width = dModel;
  }

  /** Takes the effects of one layer skipped up to a position, measured from one on. */
  add(kind: "all" | "future", skipped: number, from: number, streams: readonly [Streams, Streams]): void {
    const [own, other] = streams;
    const pair = ({ states }: Streams, layer: number): readonly [ArrayLike<number>, ArrayLike<number>] => [
      numbersOf(states[layer]),
      numbersOf(states[layer + 1]),
    ];
    for (let layer = skipped + 1; layer < this.all.length; layer++) {
      const share = largestShare(pair(own, layer), pair(other, layer), { from, width: this.#width });
      this.#raise(this[kind], skipped, layer, share);
    }
    const distance = largestDistance(own.output, other.output, from, this.#model.config.dVocabOut);
    this.output[kind][skipped] = Math.max(this.output[kind][skipped] ?? 0, distance);
  }

  /** Takes what each later layer does when the write of an earlier one is taken from what it reads. */
  async addLocal(own: Streams, skipped: number): Promise<void> {
    const [before, after] = [numbersOf(own.states[skipped]), numbersOf(own.states[skipped + 1])];
    for (let layer = skipped + 1; layer < this.local.length; layer++) {
      const entry = own.states[layer];
      if (entry === undefined) continue;
      const numbers = numbersOf(entry);
      // The first position keeps what it is, as everywhere here.
      const data = Float32Array.from({ length: numbers.length }, (_, i) =>
        i < this.#width ? (numbers[i] ?? 0) : (numbers[i] ?? 0) - (after[i] ?? 0) + (before[i] ?? 0),
      );
      const residual = Tensor.of(data, [1, data.length / this.#width, this.#width], ["batch", "pos", "dModel"]);
      const hook = `blocks.${layer}.hook_resid_post`;
      const run = await this.#model.run(
        { residual: residual.cast(this.#model.view.precision) },
        { startAtLayer: layer, stopAtLayer: layer + 1, capture: hook },
      );
      const shares = largestShare([numbers, numbersOf(own.states[layer + 1])], [data, numbersOf(run.cache.get(hook))], {
        from: 1,
        width: this.#width,
      });
      this.#raise(this.local, skipped, layer, shares);
    }
  }

  #raise(matrix: number[][], skipped: number, layer: number, value: number): void {
    const row = matrix[skipped];
    if (row !== undefined) row[layer] = Math.max(row[layer] ?? 0, value);
  }
}

/** Places of a row at which past and future are parted: some of 8, 16, 24, … */
function partings(length: number, count: number, seed: number): readonly number[] {
  const all: number[] = [];
  for (let at = 8; at < length - 4; at += 8) all.push(at);
  return createRandom(seed).shuffle(all).slice(0, count);
}

/**
 * Measures what each layer's work does to later layers, to later tokens, and to the output.
 *
 * Costs a run for each layer, place and row, and one layer for each pair of layers and row.
 *
 * @param rows - Token ids of 13 tokens or more, so that a future is left.
 * @throws InputError for rows that are too short, or options out of range; UnsupportedError for a model with edits or without some
 *   of its layers; AbortedError.
 * @see Csordás et al. 2025, "Do Language Models Use Their Depth Efficiently?"
 */
export async function depthEffects(
  model: Model,
  rows: readonly TokenRow[],
  given: DepthEffectOptions = {},
): Promise<DepthEffects> {
  const options = interruptible(given);
  const { places = 4, seed = 0, signal } = options;
  checkInput(model, rows, places);
  const all = groupRows(model, rows, where).flatMap((group) => group.rows);
  const report = progressOf(options);
  const found = new Maxima(model);
  for (const [done, row] of all.entries()) {
    const own = await streamsOf(model, row);
    for (let layer = 0; layer < model.config.nLayers; layer++) {
      throwIfAborted(signal, where);
      report?.({ done, total: all.length, label: "effects of layers", note: `layer ${layer}` });
      found.add("all", layer, 1, [own, await streamsOf(skipping(model, layer, row.length), row)]);
      for (const at of partings(row.length, places, seed + done))
        found.add("future", layer, at, [own, await streamsOf(skipping(model, layer, at), row)]);
      await found.addLocal(own, layer);
    }
  }
  report?.({ done: all.length, total: all.length, label: "effects of layers" });
  const tokens = all.reduce((sum, { length }) => sum + length, 0);
  const { all: every, future, local, output } = found;
  return new DepthEffects({ model: model.id, all: every, future, local, output, rows: all.length, tokens });
}

function checkInput(model: Model, rows: readonly TokenRow[], places: number): void {
  checkWholeModel(model, where);
  const short = rows.find(({ length }) => length < 13);
  if (short === undefined && Number.isInteger(places) && places >= 1) return;
  throw new InputError({
    where,
    got: short === undefined ? `${places} places` : `a row of ${short.length} tokens`,
    expected: "rows of 13 tokens or more, and one place or more",
    fix: "Pass longer rows: the last place lies four tokens in front of the end.",
  });
}
