/**
 * One prompt with patterns and norm scales held: what a direction of its stream is made of, one step back.
 *
 * A direction travels as a vector that only weights decide, and a factor that the prompt decides (activations, patterns, one
 * over scales), so that every contribution is a product of the two. Everything is computed in float64.
 */
import { InternalError } from "../../core/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { ActiveFeature, FrozenPrompt, LoadedDictionary } from "../attribution/frozen.js";
import type { LinearBlock, LinearModel } from "../attribution/linear-model.js";
import { featureTarget } from "../attribution/targets.js";
import { numbersOf, rowDot } from "../attribution/vectors.js";
import { type WalkStart, walkInput } from "../attribution/walk.js";
import type { WalkTarget } from "../attribution/walker.js";
import { attentionBelow, normDirection, outputDirection, readDirection, throughHead } from "./directions.js";
import {
  along,
  type Contribution,
  type Descent,
  type HeadContribution,
  type HeadPart,
  type OpenDirection,
  type Parts,
  product,
  type Source,
  type StreamPlace,
} from "./stream-parts.js";

/** Hook points that paths need besides those of the walk. */
export function streamHooks({ blocks, isParallel, hasMlps }: LinearModel): readonly string[] {
  const parts = isParallel || !hasMlps ? ["pre"] : ["pre", "mid"];
  return [...blocks.keys()].flatMap((layer) => parts.map((part) => `blocks.${layer}.hook_resid_${part}`));
}

/** A prompt whose stream can be taken apart. */
export class FrozenStream {
  readonly linear: LinearModel;
  readonly frozen: FrozenPrompt;
  readonly #tokens: readonly number[];
  readonly #firstPosition: number;
  readonly #values = new Map<number, Float64Array>();

  constructor(linear: LinearModel, frozen: FrozenPrompt, where: { tokens: readonly number[]; firstPosition: number }) {
    this.linear = linear;
    this.frozen = frozen;
    this.#tokens = where.tokens;
    this.#firstPosition = where.firstPosition;
  }

  /** A target of the walk as a direction in the stream. */
  root({ start, pos, direction, constant }: WalkTarget): OpenDirection {
    const { linear } = this;
    const vector = Float64Array.from(direction);
    const { nLayers } = linear;
    if (start.kind === "dictionary") return this.#featureDirection(start.layer, pos, { vector, constant });
    if (start.kind === "stream") return { place: placeOf(start, pos), vector, constant, dependent: 1 };
    const place = { attention: nLayers, mlp: nLayers, pos };
    if (!linear.hasFinalNorm) return { place, vector, constant, dependent: 1 };
    const final = normDirection(vector, linear.lnFinal, linear.isFinalCentred);
    return { place, vector: final, constant, dependent: 1 / this.#number(walkInput.finalScale, pos) };
  }

  #featureDirection(
    layer: number,
    pos: number,
    { vector, constant }: { readonly vector: Float64Array; readonly constant: number },
  ): OpenDirection {
    const place = { attention: attentionBelow(this.linear, layer), mlp: layer, pos };
    const read = readDirection(this.linear, this.#dictionary(layer), layer, vector);
    return { place, vector: read, constant, dependent: 1 / this.#readScale(layer, pos) };
  }

  /** What a source is made of in turn, seen along the path to it: `undefined` for leaves. */
  behind(direction: OpenDirection, { source, invariant }: Contribution): OpenDirection | undefined {
    if (source.kind === "feature") return this.#behindFeature(direction, source, invariant);
    if (source.kind === "head") return this.#behindHead(direction, source);
    return source.kind === "skip" ? this.#behindSkip(direction, source) : undefined;
  }

  #behindFeature(
    direction: OpenDirection,
    source: Extract<Source, { kind: "feature" }>,
    invariant: number,
  ): OpenDirection {
    const { layer, pos, activation } = source;
    const target = featureTarget(this.linear, this.frozen, { ...source, preActivation: activation });
    const read = this.#featureDirection(layer, pos, { vector: Float64Array.from(target.direction), constant: 0 });
    return {
      place: read.place,
      vector: read.vector.map((x) => x * invariant),
      dependent: direction.dependent * read.dependent,
      constant: direction.dependent * invariant * target.constant,
    };
  }

  #behindHead(direction: OpenDirection, { layer, head, pos, to }: Extract<Source, { kind: "head" }>): OpenDirection {
    return {
      place: { attention: layer, mlp: layer, pos },
      vector: throughHead(this.linear, { layer, head }, direction.vector),
      dependent: (direction.dependent * this.#moved(layer, head, to, pos)) / this.#scale(layer, "ln1", pos),
      constant: 0,
    };
  }

  #behindSkip(direction: OpenDirection, { layer, pos }: Extract<Source, { kind: "skip" }>): OpenDirection {
    const { W_skip } = this.#dictionary(layer);
    const skipped =
      W_skip === undefined ? new Float64Array(direction.vector.length) : timesRows(direction.vector, W_skip);
    const read = this.#featureDirection(layer, pos, { vector: skipped, constant: 0 });
    return { ...read, dependent: direction.dependent * read.dependent };
  }

  /** Carries a target down its own position, past all attention. */
  descend(target: WalkTarget): Descent {
    const root = this.root(target);
    const { place, constant } = root;
    const { isParallel, nLayers } = this.linear;
    const isResolved = place.pos >= this.#firstPosition;
    const [atMlp, atAttention] = [new Map<number, Float64Array>(), new Map<number, Float64Array>()];
    let g = root.vector.map((x) => x * root.dependent);
    let bias = constant;
    for (let layer = nLayers - 1; layer >= 0; layer--) {
      const before = g;
      if (layer < place.mlp) {
        atMlp.set(layer, g);
        if (isResolved) bias += rowDot(this.frozen.rest[layer]?.bias ?? [], 0, g);
        if (isResolved && this.frozen.dictionaries.get(layer)?.W_skip !== undefined) {
          const direction = { place, vector: g, dependent: 1, constant: 0 };
          const { vector, dependent } = this.#behindSkip(direction, { kind: "skip", layer, pos: place.pos });
          g = before.map((x, i) => x + dependent * (vector[i] ?? 0));
        }
      }
      if (layer >= place.attention) continue;
      // In parallel blocks the MLP reads the stream before attention writes.
      const written = isParallel ? before : g;
      atAttention.set(layer, written);
      bias += this.#attentionBias(layer, place.pos, written);
    }
    return { pos: place.pos, atMlp, atAttention, end: g, bias };
  }

  /** Every head of a layer, and position that it reads, behind a descent. */
  headsOf({ pos: to, atAttention }: Descent, layer: number): readonly HeadPart[] {
    const vector = atAttention.get(layer);
    const block = this.linear.blocks[layer];
    if (vector === undefined || block === undefined) return [];
    const direction = { place: { attention: layer + 1, mlp: layer, pos: to }, vector, dependent: 1, constant: 0 };
    return this.#headsIn(direction, layer, block).map(({ source, contribution }) => {
      return { source, contribution, direction: this.#behindHead(direction, source) };
    });
  }

  /** What the embedding at a position, or the position itself, is worth along a direction. */
  embedded(vector: Float64Array, pos: number, kind: "position" | "token"): number {
    return rowDot(this.#feed(kind === "token" ? walkInput.embed : walkInput.position), pos, vector);
  }

  /** Takes a direction apart. */
  parts(direction: OpenDirection): Parts {
    const sources = [
      ...this.#features(direction),
      ...this.#skips(direction),
      ...this.#heads(direction),
      ...this.#leaves(direction),
    ];
    return { sources, error: this.#error(direction), bias: this.#bias(direction) };
  }

  #features({ place, vector, dependent }: OpenDirection): readonly Contribution[] {
    return this.frozen.features
      .filter(({ layer, pos }) => layer < place.mlp && pos === place.pos)
      .map((active: ActiveFeature) => {
        const { layer, pos, feature, activation } = active;
        const rows = numbersOf(this.#dictionary(layer).W_dec);
        const source: Source = { kind: "feature", layer, pos, feature, activation };
        return product(source, rowDot(rows, feature, vector), dependent * activation);
      });
  }

  #skips(direction: OpenDirection): readonly Contribution[] {
    const { mlp, pos } = direction.place;
    if (pos < this.#firstPosition) return [];
    const layers = [...this.frozen.dictionaries].filter(([layer, { W_skip }]) => layer < mlp && W_skip !== undefined);
    return layers.map(([layer]) => {
      const source = { kind: "skip", layer, pos } as const;
      const behind = this.#behindSkip(direction, source);
      const part = this.linear.isParallel ? "pre" : "mid";
      const stream = numbersOf(this.frozen.run.cache.get(`blocks.${layer}.hook_resid_${part}`));
      return along(source, behind.vector, behind.dependent * rowDot(stream, pos, behind.vector));
    });
  }

  #heads(direction: OpenDirection): readonly Contribution[] {
    const below = this.linear.blocks.slice(0, direction.place.attention);
    return below.flatMap((block, layer) => this.#headsIn(direction, layer, block));
  }

  #headsIn(
    { place, vector, dependent }: OpenDirection,
    layer: number,
    block: LinearBlock,
  ): readonly HeadContribution[] {
    const { linear } = this;
    const found: HeadContribution[] = [];
    for (let head = 0; head < linear.nHeads; head++) {
      const inner = outputDirection(linear, block, head, vector);
      const read = throughHead(linear, { layer, head }, vector);
      for (let pos = 0; pos < this.frozen.positions; pos++) {
        const moved = this.#moved(layer, head, place.pos, pos);
        if (moved === 0) continue;
        const worth = rowDot(this.valuesOf(layer), head * this.frozen.positions + pos, inner);
        const source = { kind: "head", layer, head, pos, to: place.pos } as const;
        found.push({ ...along(source, read, dependent * moved * worth), source });
      }
    }
    return found;
  }

  #leaves({ place: { pos }, vector, dependent }: OpenDirection): readonly Contribution[] {
    const embed = this.#feed(walkInput.embed);
    const token = product(
      { kind: "token", pos, token: this.#tokens[pos] ?? -1 },
      rowDot(embed, pos, vector),
      dependent,
    );
    if (!this.linear.hasPositions) return [token];
    const invariant = rowDot(this.#feed(walkInput.position), pos, vector);
    return [token, product({ kind: "position", pos }, invariant, dependent)];
  }

  #error({ place: { mlp, pos }, vector, dependent }: OpenDirection): number {
    let sum = 0;
    for (let layer = 0; layer < mlp; layer++) sum += rowDot(this.frozen.rest[layer]?.error ?? [], pos, vector);
    return dependent * sum;
  }

  #bias({ place, vector, dependent, constant }: OpenDirection): number {
    const { frozen } = this;
    let sum = 0;
    for (let layer = 0; layer < place.attention; layer++) sum += this.#attentionBias(layer, place.pos, vector);
    if (place.pos < this.#firstPosition) return dependent * sum + constant;
    for (const layer of frozen.dictionaries.keys())
      if (layer < place.mlp) sum += rowDot(this.frozen.rest[layer]?.bias ?? [], 0, vector);
    return dependent * sum + constant;
  }

  #attentionBias(layer: number, pos: number, vector: Float64Array): number {
    const post = this.linear.blocks[layer]?.ln1Post;
    const own = post === undefined ? vector : normDirection(vector, post, this.linear.isCentred);
    return rowDot(this.#feed(walkInput.attentionBias(layer)), 0, own) / this.#postScale(layer, pos);
  }

  /** The pattern, over the scale of the norm that some models have after attention. */
  #moved(layer: number, head: number, to: number, from: number): number {
    const { positions } = this.frozen;
    const pattern = this.#number(walkInput.pattern(layer), (head * positions + from) * positions + to);
    return pattern / this.#postScale(layer, to);
  }

  #postScale(layer: number, pos: number): number {
    return this.linear.blocks[layer]?.ln1Post === undefined ? 1 : this.#number(walkInput.scale(layer, "ln1_post"), pos);
  }

  #scale(layer: number, norm: string, pos: number): number {
    return this.linear.hasNorm ? this.#number(walkInput.scale(layer, norm), pos) : 1;
  }

  #readScale(layer: number, pos: number): number {
    return this.frozen.layers[layer]?.reads === "stream" ? 1 : this.#scale(layer, "ln2", pos);
  }

  /** Values of every head of a layer without biases, `[head, pos, dHead]`. */
  valuesOf(layer: number): Float64Array {
    const known = this.#values.get(layer) ?? this.#computeValues(layer);
    this.#values.set(layer, known);
    return known;
  }

  #computeValues(layer: number): Float64Array {
    const { linear, frozen } = this;
    const { nHeads, dHead, dModel } = linear;
    const block = linear.blocks[layer];
    const out = new Float64Array(nHeads * frozen.positions * dHead);
    if (block === undefined) return out;
    const matrix = numbersOf(block.W_V);
    const stream = numbersOf(frozen.run.cache.get(`blocks.${layer}.hook_resid_pre`));
    for (let pos = 0; pos < frozen.positions; pos++) {
      const read = this.#normalized(layer, pos, stream);
      for (let head = 0; head < nHeads; head++) {
        const start = (head * frozen.positions + pos) * dHead;
        for (let i = 0; i < dModel; i++)
          for (let k = 0; k < dHead; k++)
            out[start + k] = (out[start + k] ?? 0) + (read[i] ?? 0) * (matrix[(head * dModel + i) * dHead + k] ?? 0);
      }
    }
    return out;
  }

  /** What attention reads, without the norm's bias. */
  #normalized(layer: number, pos: number, stream: ArrayLike<number>): Float64Array {
    const { dModel, hasNorm, isCentred, blocks } = this.linear;
    const own = Float64Array.from({ length: dModel }, (_, i) => stream[pos * dModel + i] ?? 0);
    if (!hasNorm) return own;
    const mean = isCentred ? own.reduce((a, b) => a + b, 0) / dModel : 0;
    const scale = this.#scale(layer, "ln1", pos);
    const gain = blocks[layer]?.ln1.gain;
    return own.map((x, i) => ((x - mean) / scale) * (gain === undefined ? 1 : Number(gain.data[i])));
  }

  #dictionary(layer: number): LoadedDictionary {
    const loaded = this.frozen.dictionaries.get(layer);
    if (loaded !== undefined) return loaded;
    throw missing(`the dictionary of layer ${layer}`);
  }

  #feed(name: string): ArrayLike<number> {
    const feed = this.frozen.feeds.get(name);
    if (feed !== undefined) return feed.data as ArrayLike<number>;
    throw missing(name);
  }

  #number(name: string, index: number): number {
    return this.#feed(name)[index] ?? Number.NaN;
  }
}

function missing(what: string): InternalError {
  return new InternalError({
    where: "transcoderPaths",
    got: "a prompt that was not recorded whole",
    expected: what,
    fix: "Report this as a bug of limpid.",
  });
}

function placeOf(start: Extract<WalkStart, { kind: "stream" }>, pos: number): StreamPlace {
  return { attention: start.isMid ? start.layer + 1 : start.layer, mlp: start.layer, pos };
}

/** `v M` for a matrix `[v.length, columns]`. */
function timesRows(v: Float64Array, matrix: Tensor): Float64Array {
  const columns = matrix.shape[1] ?? 0;
  const data = numbersOf(matrix);
  const out = new Float64Array(columns);
  for (let i = 0; i < v.length; i++)
    for (let k = 0; k < columns; k++) out[k] = (out[k] ?? 0) + (v[i] ?? 0) * (data[i * columns + k] ?? 0);
  return out;
}
