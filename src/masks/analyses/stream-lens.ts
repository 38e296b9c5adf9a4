/**
 * What can be read from the stream of each layer by a linear map alone: the next token, and the token itself.
 *
 * Ridge maps (α = 1, with intercept) lead from the states of a layer to the final states, and to the embeddings. The first goes on
 * through the final norm and the unembedding: do its surprisals follow the model's? The second is compared with all embeddings: is
 * the token's own the nearest by dot product? Maps are fitted on the first half of the rows and judged on the second.
 */
import { InputError, type LongCallOptions, printsItself, throwIfAborted } from "../../core/index.js";
import { type Graph, GraphBuilder, Ops } from "../../graph/index.js";
import { type Ridge, ridge } from "../../linalg/index.js";
import { type Model, readout } from "../../model/index.js";
import type { RawTensor } from "../../runtime/index.js";
import { pearson } from "../../stats/index.js";
import type { Tensor } from "../../tensor/index.js";
import { lines, type View } from "../../viz/index.js";
import { type StreamStates, streamStates } from "./states.js";

const where = "streamLens";
/** How near the own embedding has to be, in places. */
const places = [1, 5, 10] as const;
/** Numbers of logits that are worked on at a time. */
const chunkNumbers = 2 ** 22;

/** Scores by state: 0 is the stream before layer 0, then that after each layer. Immutable. */
export class StreamLens {
  static {
    printsItself(this.prototype);
  }

  /** Pearson's r between the surprisals read from each state and the model's own. */
  readonly surprisalR: Float64Array;
  /** Share of places whose own token's embedding is among the 1, 5 and 10 best. */
  readonly recall: { readonly 1: Float64Array; readonly 5: Float64Array; readonly 10: Float64Array };
  /** Positions that maps were fitted on, and that they were judged on. */
  readonly fitted: number;
  readonly tokens: number;

  /** @internal Use `streamLens`. */
  constructor(parts: Readonly<Omit<StreamLens, "toString" | "toView">>) {
    this.surprisalR = parts.surprisalR;
    this.recall = parts.recall;
    this.fitted = parts.fitted;
    this.tokens = parts.tokens;
  }

  /** Draws all curves over the layers. */
  toView(): View {
    const x = Array.from(this.surprisalR, (_, state) => state);
    const series = [
      { name: "surprisal, r", x, y: Array.from(this.surprisalR) },
      ...places.map((k) => ({
        name: k === 1 ? "own token nearest" : `own token among ${String(k)}`,
        x,
        y: Array.from(this.recall[k]),
      })),
    ];
    return lines(series, {
      title: "What a linear map reads from the stream",
      x: { name: "layers passed" },
      y: { name: "r, or share" },
    });
  }

  /** Returns the rows of scores. */
  toString(): string {
    const row = (values: Float64Array): string => Array.from(values, (value) => value.toFixed(3)).join(" ");
    return [
      `StreamLens over ${this.tokens} tokens, maps from ${this.fitted} others:`,
      `  surprisal r   ${row(this.surprisalR)}`,
      ...places.map((k) => `  own token @${String(k).padEnd(2)} ${row(this.recall[k])}`),
    ].join("\n");
  }
}

type Floats = Float32Array | Float64Array;

/** `X W + c`, `[token, dModel]`. */
function mapped(x: Tensor<"float64">, { weights, intercept }: Ridge): Float64Array {
  return Float64Array.from(x.matmul(weights, "dModel").add(intercept).contiguous().data, Number);
}

function fit(x: Tensor<"float64">, y: Tensor<"float64">): Ridge {
  return ridge(x, y.rename({ dModel: "to" }), { penalty: 1 });
}

/** Surprisal of the next token, in nats: input `stream` `[1, place, dModel]`, `labels` `[1, place, 1]`. */
function surprisalGraph(model: Model): Graph {
  const ops = new Ops(new GraphBuilder());
  const stream = ops.builder.input("stream", model.view.precision, [1, "place", model.config.dModel]);
  const labels = ops.builder.input("labels", "int64", [1, "place", 1]);
  const chosen = ops.gatherElements(ops.logSoftmax(readout(ops, model, stream), 2), labels, 2);
  return ops.builder.build({ found: ops.neg(ops.squeeze(chosen, [2])) });
}

/** How many tokens' embeddings have a larger dot product than the own one. */
function rankGraph(model: Model): Graph {
  const ops = new Ops(new GraphBuilder());
  const { precision } = model.view;
  const { dModel, dVocab } = model.config;
  const stream = ops.builder.input("stream", precision, [1, "place", dModel]);
  const labels = ops.builder.input("labels", "int64", [1, "place", 1]);
  const table = ops.builder.input("table", precision, [1, dModel, dVocab]);
  const scores = ops.matmul(stream, table);
  const own = ops.gatherElements(scores, labels, 2);
  return ops.builder.build({ found: ops.reduceSum(ops.cast(ops.less(own, scores), precision), [2], false) });
}

/** Runs a graph over many places, some at a time. */
class Reader {
  readonly #model: Model;
  readonly #graph: Graph;
  readonly #shared: Readonly<Record<string, RawTensor>>;

  constructor(model: Model, graph: Graph, shared: Readonly<Record<string, RawTensor>> = {}) {
    this.#model = model;
    this.#graph = graph;
    this.#shared = shared;
  }

  async read(stream: Float64Array, labels: ArrayLike<number>, { signal }: LongCallOptions): Promise<Float64Array> {
    const { dModel, dVocab } = this.#model.config;
    const step = Math.max(1, Math.floor(chunkNumbers / dVocab));
    const out = new Float64Array(labels.length);
    for (let from = 0; from < labels.length; from += step) {
      throwIfAborted(signal, where);
      const own = Array.from(labels).slice(from, from + step);
      const feeds = {
        ...this.#shared,
        stream: this.#feed(stream.slice(from * dModel, (from + own.length) * dModel), [1, own.length, dModel]),
        labels: { dtype: "int64", shape: [1, own.length, 1], data: BigInt64Array.from(own, BigInt) },
      } as const;
      const { engine } = this.#model.view.core;
      const { found } = await engine.run({ segments: [this.#graph], outputs: ["found"] }, feeds);
      out.set(Array.from(found?.data ?? [], Number), from);
    }
    return out;
  }

  #feed(data: Float64Array, shape: readonly number[]): RawTensor {
    return feedOf(this.#model, data, shape);
  }
}

function feedOf({ view }: Model, data: Floats, shape: readonly number[]): RawTensor {
  const { precision } = view;
  return { dtype: precision, shape, data: precision === "float64" ? Float64Array.from(data) : Float32Array.from(data) };
}

/** `[dModel, dVocab]`. */
async function embeddingTable(model: Model): Promise<RawTensor> {
  const { dModel, dVocab } = model.config;
  const table = (await model.weights.W_E()).contiguous().data as Float32Array;
  const turned = new Float32Array(table.length);
  for (let id = 0; id < dVocab; id++)
    for (let k = 0; k < dModel; k++) turned[k * dVocab + id] = table[id * dModel + k] ?? 0;
  return feedOf(model, turned, [1, dModel, dVocab]);
}

/** Places of a list of rows that have a next token, and that token. */
function predicting(rows: readonly ArrayLike<number>[]): { readonly at: readonly number[]; readonly next: number[] } {
  const [at, next]: [number[], number[]] = [[], []];
  let from = 0;
  for (const row of rows) {
    for (let i = 0; i + 1 < row.length; i++) {
      at.push(from + i);
      next.push(row[i + 1] ?? 0);
    }
    from += row.length;
  }
  return { at, next };
}

function rowsAt(data: Float64Array, width: number, at: readonly number[]): Float64Array {
  const out = new Float64Array(at.length * width);
  at.forEach((place, i) => {
    out.set(data.subarray(place * width, (place + 1) * width), i * width);
  });
  return out;
}

function checkModel({ edits }: Model): void {
  const other = edits.find(({ change }) => change.kind !== "keepWeights");
  if (other === undefined) return;
  throw new InputError({
    where: `${where}: model`,
    got: `a model with edit.${other.name}`,
    expected: "a model whose only edits are edit.keepWeights: the final norm and the unembedding are read as they are",
    fix: "Call it without that edit.",
  });
}

function checkRows(rows: readonly ArrayLike<number>[]): void {
  if (rows.length >= 2 && rows.every(({ length }) => length >= 3)) return;
  throw new InputError({
    where: `${where}: rows`,
    got: rows.length < 2 ? `${rows.length} rows` : "a row of fewer than 3 tokens",
    expected: "two rows or more, of three tokens or more: maps are fitted on one half and judged on the other",
    fix: "Cut the text into several rows.",
  });
}

function recallOf(ranks: readonly Float64Array[], k: number): Float64Array {
  return Float64Array.from(ranks, (own) => own.filter((rank) => rank < k).length / own.length);
}

/**
 * Scores what linear maps read from the stream in front of layer 0 and behind every layer.
 *
 * @param rows - Token ids: two rows or more, half of them with several times as many tokens as the stream is wide.
 * @throws InputError for fewer than two rows, too few tokens, and edits other than `edit.keepWeights`.
 */
export async function streamLens(
  model: Model,
  rows: readonly ArrayLike<number>[],
  options: LongCallOptions = {},
): Promise<StreamLens> {
  checkModel(model);
  checkRows(rows);
  const half = Math.ceil(rows.length / 2);
  const [first, second] = [rows.slice(0, half), rows.slice(half)];
  const width = model.config.dModel;
  const train = await streamStates(model, first, { ...options, where, least: width });
  const test = await streamStates(model, second, { ...options, where, least: 1 });
  const { at, next } = predicting(second);
  const surprisals = new Reader(model, surprisalGraph(model));
  const ranks = new Reader(model, rankGraph(model), { table: await embeddingTable(model) });
  const final = (states: StreamStates): Tensor<"float64"> => states.states.at(-1) ?? states.embedded;
  const own = await surprisals.read(rowsAt(final(test).data, width, at), next, options);
  const [r, nearer]: [number[], Float64Array[]] = [[], []];
  for (const [i, state] of train.states.entries()) {
    const judged = test.states[i] ?? test.embedded;
    const toFinal = mapped(judged, fit(state, final(train)));
    r.push(pearson(await surprisals.read(rowsAt(toFinal, width, at), next, options), own));
    nearer.push(await ranks.read(mapped(judged, fit(state, train.embedded)), test.ids, options));
  }
  return new StreamLens({
    surprisalR: Float64Array.from(r),
    recall: { 1: recallOf(nearer, 1), 5: recallOf(nearer, 5), 10: recallOf(nearer, 10) },
    fitted: train.ids.length,
    tokens: test.ids.length,
  });
}
