/** Judges which part can go next: distances to the full model, row by row, given up as soon as they cannot be the least. */
import { InternalError, type LongCallOptions, throwIfAborted } from "../../core/index.js";
import type { Graph } from "../../graph/index.js";
import type { Model, TokenRow } from "../../model/index.js";
import type { RawTensor } from "../../runtime/index.js";
import type { Tensor } from "../../tensor/index.js";
import { groupRows } from "../evaluate/rows.js";
import type { Part } from "../parts.js";
import { type CutDistance, distanceGraph, ofSequence, referenceGraph } from "./distance.js";
import { type Prefix, runWhole, runWithout } from "./prefix.js";

/** Tokens of one run: enough for matrix products to be fast, few enough to give a part up early. */
const runTokens = 512;
/** References that are kept; what is more is computed again. */
const keptNumbers = 2 ** 28;

/** Rows that run at once. */
interface Chunk {
  readonly rows: readonly Int32Array[];
  prefix: Prefix;
  readonly full: Tensor;
  reference: RawTensor | undefined;
}

/** What is known of a part: its distance, or a number that it is not below. */
export interface Judged {
  readonly part: Part;
  /** Mean over rows. */
  readonly distance: number;
  /** Whether every row was compared; else `distance` is a lower bound. */
  readonly isExact: boolean;
  /** Rows that were compared. */
  readonly rows: number;
}

/** Compares models without parts, rows of one text. */
export class CutJudge {
  readonly #model: Model;
  readonly #distance: CutDistance;
  readonly #chunks: readonly Chunk[];
  readonly #count: number;
  readonly #reference: Graph;
  readonly #compare: Graph;
  readonly #keeps: boolean;

  private constructor(model: Model, distance: CutDistance, chunks: readonly Chunk[]) {
    this.#model = model;
    this.#distance = distance;
    this.#chunks = chunks;
    this.#count = chunks.reduce((sum, { rows }) => sum + rows.length, 0);
    this.#reference = referenceGraph(model, distance);
    this.#compare = distanceGraph(model, distance);
    const tokens = chunks.reduce((sum, { rows }) => sum + rows.reduce((all, { length }) => all + length, 0), 0);
    this.#keeps = tokens * model.config.dVocabOut <= keptNumbers;
  }

  /** Runs the whole model once. */
  static async open(
    model: Model,
    rows: readonly TokenRow[],
    distance: CutDistance,
    options: LongCallOptions,
  ): Promise<CutJudge> {
    const chunks: Chunk[] = [];
    for (const { rows: all, length } of groupRows(model, rows, "finerCut")) {
      const size = Math.max(1, Math.floor(runTokens / length));
      for (let from = 0; from < all.length; from += size) {
        throwIfAborted(options.signal, "finerCut");
        const own = all.slice(from, from + size);
        const prefix = await runWhole(model, own, [], options);
        chunks.push({ rows: own, prefix, full: prefix.final, reference: undefined });
      }
    }
    return new CutJudge(model, distance, chunks);
  }

  /** Returns how far the model is from the full one without one more part; a lower bound as soon as that exceeds `most`. */
  async judge(part: Part, most: number, options: LongCallOptions): Promise<Judged> {
    let [total, done] = [0, 0];
    for (const chunk of this.#chunks) {
      throwIfAborted(options.signal, "finerCut");
      const { final } = await runWithout(this.#model, chunk.prefix, part, { ...options, keeps: false });
      total += await this.#distanceOf(chunk, final, options);
      done += chunk.rows.length;
      // Distances are never below 0: the rows that are left can only add to it.
      if (total / this.#count > most && done < this.#count)
        return { part, distance: total / this.#count, isExact: false, rows: done };
    }
    return { part, distance: total / this.#count, isExact: true, rows: done };
  }

  /** Takes a part away for good. */
  async remove(part: Part, options: LongCallOptions): Promise<void> {
    for (const chunk of this.#chunks) {
      throwIfAborted(options.signal, "finerCut");
      chunk.prefix = await runWithout(this.#model, chunk.prefix, part, { ...options, keeps: true });
    }
  }

  /** Sum over rows. */
  async #distanceOf(chunk: Chunk, own: Tensor, { signal }: LongCallOptions): Promise<number> {
    const { engine } = this.#model.view.core;
    const calls = signal === undefined ? {} : { signal };
    const reference = await this.#referenceOf(chunk, calls);
    const program = { segments: [this.#compare], outputs: ["found"] };
    const { found } = await engine.run(program, { reference, stream: this.#feed(own) }, calls);
    const numbers = Array.from(found?.data ?? [], Number);
    const length = chunk.rows[0]?.length ?? 1;
    return chunk.rows.reduce(
      (sum, _, row) => sum + ofSequence(this.#distance, numbers.slice(row * length, (row + 1) * length)),
      0,
    );
  }

  async #referenceOf(chunk: Chunk, calls: LongCallOptions): Promise<RawTensor> {
    if (chunk.reference !== undefined) return chunk.reference;
    const { engine } = this.#model.view.core;
    const program = { segments: [this.#reference], outputs: ["reference"] };
    const { reference } = await engine.run(program, { stream: this.#feed(chunk.full) }, calls);
    if (reference === undefined) throw noReference();
    if (this.#keeps) chunk.reference = reference;
    return reference;
  }

  #feed(stream: Tensor): RawTensor {
    const { dModel } = this.#model.config;
    const data = stream.contiguous().data as Float32Array | Float64Array;
    return { dtype: this.#model.view.precision, shape: [1, data.length / dModel, dModel], data };
  }
}

function noReference(): InternalError {
  return new InternalError({
    where: "finerCut",
    got: "no reference",
    expected: "what the full model predicts",
    fix: "Report this as a bug of limpid.",
  });
}
