/** Runs the graph of a lens over all rows and positions, in chunks of bounded memory. */
import { InternalError, type LongCallOptions, MemoryError, throwIfAborted } from "../../core/index.js";
import { GraphBuilder } from "../../graph/index.js";
import type { Model } from "../../model/index.js";
import type { RawTensor } from "../../runtime/index.js";
import { type LensQuestion, lensGraph } from "./graph.js";

type Floats = Float32Array | Float64Array;

/** Residual streams to be read: `places` positions, each `dModel` long. */
export interface LensStreams {
  readonly places: number;
  /** One for each row, `[place, dModel]`. */
  readonly rows: readonly Floats[];
  /** The stream that the final layer reads, `[place, dModel]`. */
  readonly final: Floats;
  /** Token ids to follow; -1 for what the final layer predicts. */
  readonly targets: Int32Array;
  /** Translators of each row, `[dModel, dModel]` for `x W`, and biases. */
  readonly translators?: { readonly weights: readonly Floats[]; readonly biases: readonly Floats[] };
}

/** Numbers of one row and place side by side: `[row, place]`, and `[row, place, k]` for the top tokens. */
export interface LensNumbers {
  readonly kl: Floats;
  readonly reverseKl: Floats;
  readonly entropy: Floats;
  readonly overlap: Floats;
  readonly rank: Floats;
  readonly targetLogProb: Floats;
  readonly topLogProbs: Floats;
  readonly topIds: Int32Array;
  /** `[place]`. */
  readonly target: Int32Array;
}

/** What {@link measureLens} needs to know. */
export interface LensJob extends LongCallOptions {
  readonly model: Model;
  readonly question: LensQuestion;
  readonly streams: LensStreams;
  readonly memoryLimit: number;
  readonly where: string;
}

/** Tensors of the size of all logits that are alive at a time: logits, log-probabilities, products, comparisons. */
const liveTensors = 6;

/** How many rows and places fit into the limit at a time; rows are split only when not even one place fits. */
export function chunkSizes(
  rows: number,
  vocabulary: number,
  { memoryLimit, bytesPerNumber, where }: { memoryLimit: number; bytesPerNumber: number; where: string },
): { readonly rows: number; readonly places: number } {
  const perRow = liveTensors * vocabulary * bytesPerNumber;
  const fits = Math.floor(memoryLimit / perRow);
  if (fits < 2)
    throw new MemoryError({
      where,
      got: `a memoryLimit of ${memoryLimit} bytes`,
      expected: `at least ${2 * perRow} bytes: one layer and the final one at one position`,
      fix: "Raise memoryLimit.",
    });
  if (fits < rows + 1) return { rows: fits - 1, places: 1 };
  return { rows, places: Math.floor(fits / (rows + 1)) };
}

/** A block of rows and places. */
interface Chunk {
  readonly firstRow: number;
  readonly rows: number;
  readonly firstPlace: number;
  readonly places: number;
}

function chunksOf(rows: number, places: number, size: { rows: number; places: number }): readonly Chunk[] {
  const starts = (count: number, step: number): readonly number[] =>
    Array.from({ length: Math.ceil(count / step) }, (_, i) => i * step);
  return starts(places, size.places).flatMap((firstPlace) =>
    starts(rows, size.rows).map((firstRow) => ({
      firstRow,
      rows: Math.min(size.rows, rows - firstRow),
      firstPlace,
      places: Math.min(size.places, places - firstPlace),
    })),
  );
}

type Outputs = Readonly<Record<string, RawTensor>>;

function numbersOf(outputs: Outputs, name: string): RawTensor["data"] {
  const found = outputs[name]?.data;
  if (found !== undefined) return found;
  throw new InternalError({
    where: "lens",
    got: `no output ${name}`,
    expected: "every statistic of the graph",
    fix: "Report this as a bug of limpid.",
  });
}

/** Copies one chunk `[row, place, width]` of an output to where it belongs. */
function copyChunk(into: Floats | Int32Array, from: RawTensor["data"], chunk: Chunk, places: number): void {
  const width = from.length / (chunk.rows * chunk.places);
  for (let row = 0; row < chunk.rows; row++) {
    const start = ((chunk.firstRow + row) * places + chunk.firstPlace) * width;
    for (let i = 0; i < chunk.places * width; i++) into[start + i] = Number(from[row * chunk.places * width + i]);
  }
}

function emptyNumbers(rows: number, places: number, topK: number, precision: "float32" | "float64"): LensNumbers {
  const floats = (width = 1): Floats =>
    precision === "float64" ? new Float64Array(rows * places * width) : new Float32Array(rows * places * width);
  return {
    kl: floats(),
    reverseKl: floats(),
    entropy: floats(),
    overlap: floats(),
    rank: floats(),
    targetLogProb: floats(),
    topLogProbs: floats(topK),
    topIds: new Int32Array(rows * places * topK),
    target: new Int32Array(places),
  };
}

function addChunk(numbers: LensNumbers, outputs: Outputs, chunk: Chunk, places: number): void {
  const { target, ...perRow } = numbers;
  for (const [name, into] of Object.entries(perRow)) copyChunk(into, numbersOf(outputs, name), chunk, places);
  copyChunk(target, numbersOf(outputs, "target"), { ...chunk, firstRow: 0, rows: 1 }, places);
}

/** Joins the same part of several arrays, as a feed. */
function joined(
  arrays: readonly Floats[],
  shape: readonly [number, ...number[]],
  part: { readonly from: number; readonly to: number },
  precision: "float32" | "float64",
): RawTensor {
  const size = part.to - part.from;
  const data =
    precision === "float64" ? new Float64Array(arrays.length * size) : new Float32Array(arrays.length * size);
  for (const [i, array] of arrays.entries()) data.set(array.subarray(part.from, part.to), i * size);
  return { dtype: precision, shape: [arrays.length, ...shape], data };
}

function feedsOf({ model, streams }: LensJob, chunk: Chunk): Record<string, RawTensor> {
  const { dModel } = model.config;
  const { precision } = model.view;
  const { firstRow, rows, firstPlace, places } = chunk;
  const part = { from: firstPlace * dModel, to: (firstPlace + places) * dModel };
  const take = <T>(list: readonly T[]): readonly T[] => list.slice(firstRow, firstRow + rows);
  const targets = BigInt64Array.from(streams.targets.subarray(firstPlace, firstPlace + places), BigInt);
  const { translators } = streams;
  const square = dModel * dModel;
  return {
    streams: joined(take(streams.rows), [places, dModel], part, precision),
    final: joined([streams.final], [places, dModel], part, precision),
    targets: { dtype: "int64", shape: [1, places, 1], data: targets },
    ...(translators === undefined
      ? {}
      : {
          weight: joined(take(translators.weights), [dModel, dModel], { from: 0, to: square }, precision),
          bias: joined(take(translators.biases), [1, dModel], { from: 0, to: dModel }, precision),
        }),
  };
}

/**
 * Returns what a lens measures, row by row and place by place.
 *
 * @throws MemoryError when the logits of one place exceed the limit; AbortedError.
 */
export async function measureLens(job: LensJob): Promise<LensNumbers> {
  const { model, question, streams, memoryLimit, where, signal, onProgress } = job;
  const { precision, core } = model.view;
  const bytesPerNumber = precision === "float64" ? 8 : 4;
  const rows = streams.rows.length;
  const size = chunkSizes(rows, model.config.dVocabOut, { memoryLimit, bytesPerNumber, where });
  const graph = lensGraph(new GraphBuilder(), model, question);
  const outputs = graph.outputs.map(({ name }) => name);
  const numbers = emptyNumbers(rows, streams.places, question.topK, precision);
  const chunks = chunksOf(rows, streams.places, size);
  for (const [done, chunk] of chunks.entries()) {
    throwIfAborted(signal, where);
    const options = signal === undefined ? {} : { signal };
    const found = await core.engine.run({ segments: [graph], outputs }, feedsOf(job, chunk), options);
    addChunk(numbers, found, chunk, streams.places);
    onProgress?.({ done: done + 1, total: chunks.length, label: "lens: chunks" });
  }
  return numbers;
}
