/** Runs a graph in the real runtime: encodes it, creates a session in memory, returns typed arrays and shapes. */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { encode, evalDim, type Graph, type GraphData, type GraphDType, type Value } from "../../src/graph/index.js";

/** One result. */
export interface RunResult {
  readonly dtype: GraphDType;
  readonly shape: readonly number[];
  readonly data: GraphData;
}

/** Feeds by input name: the data, and the shape where the input's own has symbols. */
export type Feeds = Readonly<Record<string, { readonly data: GraphData; readonly shape?: readonly number[] }>>;

/** Choices for {@link runGraph}. */
export interface RunGraphOptions {
  /** Folder of weight files. */
  readonly folder?: string;
  /** Numbers for symbolic sizes of inputs. */
  readonly bindings?: Readonly<Record<string, number>>;
}

function makeTensor(value: Value, data: GraphData, shape: readonly number[]): Tensor {
  return new Tensor(value.dtype, data, shape);
}

function isGraphData(data: unknown): data is GraphData {
  return (
    data instanceof Float32Array ||
    data instanceof Float64Array ||
    data instanceof Int32Array ||
    data instanceof BigInt64Array ||
    data instanceof Uint8Array
  );
}

function toResult(tensor: Tensor): RunResult {
  const { type, dims, data } = tensor;
  if (!isGraphData(data)) throw new Error(`unexpected data of type ${type}`);
  return { dtype: type as GraphDType, shape: [...dims], data };
}

/** Creates a session the way the runtime layer does: level "basic", no constant folding, weights mapped. */
export async function createSession(graph: Graph, options: RunGraphOptions = {}): Promise<InferenceSession> {
  const { folder } = options;
  return InferenceSession.create(encode(graph, folder === undefined ? {} : { folder }), {
    graphOptimizationLevel: "basic",
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: {
      session: {
        disable_prepacking: "1",
        ...(folder === undefined ? {} : { model_external_initializers_file_folder_path: folder }),
      },
      optimization: { disable_specified_optimizers: "ConstantFolding" },
    },
  });
}

/** Runs `graph` and returns its outputs by name. */
export async function runGraph(
  graph: Graph,
  feeds: Feeds = {},
  options: RunGraphOptions = {},
): Promise<Readonly<Record<string, RunResult>>> {
  const session = await createSession(graph, options);
  try {
    const tensors = graph.inputs.map((value) => {
      const feed = feeds[value.name];
      if (feed === undefined) throw new Error(`no feed for ${value.name}`);
      const shape = feed.shape ?? value.shape.map((dim) => evalDim(dim, options.bindings ?? {}));
      return [value.name, makeTensor(value, feed.data, shape)] as const;
    });
    const results = await session.run(Object.fromEntries(tensors));
    return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, toResult(tensor)]));
  } finally {
    await session.release();
  }
}
