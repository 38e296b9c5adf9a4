/** The types of the runtime's door; nothing of onnxruntime shows here. */

import type { OnProgress } from "../core/index.js";
import type { Graph, GraphData, GraphDType } from "../graph/index.js";

/** A tensor as the runtime takes and gives it: row-major numbers with a dtype and a shape. */
export interface RawTensor {
  readonly dtype: GraphDType;
  readonly shape: readonly number[];
  /** Exactly as many elements as the shape says; `BigInt64Array` for int64, `Uint8Array` for bool. */
  readonly data: GraphData;
}

/** Values of a program's inputs by name; exactly the inputs that no earlier segment makes and none that is resident. */
export type Feeds = Readonly<Record<string, RawTensor>>;

/** Where a program finds and leaves tensors that live in the engine (see {@link Program.resident}). */
export interface ResidentBinding {
  /** Input name to the name of a resident tensor; such an input is not fed. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Output name to the name of the resident tensor that it replaces when the whole run has succeeded. */
  readonly outputs?: Readonly<Record<string, string>>;
}

/** Graphs that run one after the other; a segment's inputs come from feeds or from earlier segments' outputs. */
export interface Program {
  readonly segments: readonly Graph[];
  /** Names of the outputs to send back, of any segment. */
  readonly outputs: readonly string[];
  /** Lets the runtime copy weights into its own layout: faster at 2–32 rows, costs their size in memory. */
  readonly prepack?: boolean;
  /** A name that stands for the segments' content. Equal keys promise equal graphs; saves fingerprinting them. */
  readonly key?: string;
  /** Inputs and outputs that stay in the engine between runs, such as parameters in training. */
  readonly resident?: ResidentBinding;
}

/** Where graphs run: `webgpu` is bundled and needs a Vulkan, Metal or Direct3D 12 device, `cuda` needs extra files. */
export type Provider = "cpu" | "webgpu" | "cuda";

/** Options of {@link Engine.create}. */
export interface EngineOptions {
  /** Threads that one operation may use. Default: the number of physical cores. */
  readonly threads?: number;
  /** Default `"cpu"`. */
  readonly provider?: Provider;
  /** Bytes that idle compiled sessions may hold, estimated. Default 1 GiB. The sessions of one run may exceed it. */
  readonly sessionCacheBytes?: number;
}

/** Options of {@link Engine.run} and {@link Engine.prepare}. */
export interface RunOptions {
  /** Aborts within one segment; a queued run is removed at once. Has no effect once the last segment has ended. */
  readonly signal?: AbortSignal;
  /** Called after each segment with `{ done, total, label }`. */
  readonly onProgress?: OnProgress;
  /** Gives the feeds' buffers away instead of copying them; arrays that fill a buffer of their own are empty afterwards. */
  readonly transfer?: boolean;
}

/** What {@link Engine.prepare} did. */
export interface ProgramInfo {
  /** Sessions that the program uses. */
  readonly sessions: number;
  /** Sessions that had to be compiled now. */
  readonly created: number;
  /** Milliseconds spent on turning graphs into ONNX bytes, on the calling thread. */
  readonly encodeMs: number;
  /** Milliseconds that onnxruntime spent on making sessions, in the worker. */
  readonly createMs: number;
}

/** Counters of an engine since it was created. */
export interface EngineStats {
  /** Sessions alive. */
  readonly sessions: number;
  /** Segments found compiled. */
  readonly hits: number;
  /** Segments that had to be compiled. */
  readonly misses: number;
  /** Sessions released to stay within `sessionCacheBytes`. */
  readonly evictions: number;
  /** Estimated bytes held by the sessions alive: graphs, prepacked weights, working memory. */
  readonly bytes: number;
  /** Bytes of resident tensors. */
  readonly residentBytes: number;
  readonly encodeMs: number;
  readonly createMs: number;
  /** Milliseconds inside onnxruntime's `run`. */
  readonly runMs: number;
  /** Runs finished, failed and aborted ones included. */
  readonly runs: number;
  /** Runs waiting or running now. */
  readonly pending: number;
  /** Milliseconds from the first use to a worker with onnxruntime loaded; 0 before. */
  readonly startMs: number;
}
