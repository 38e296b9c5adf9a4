/** Everything that touches onnxruntime-node; loaded in the worker only. */
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { InternalError } from "../core/index.js";
import type { GraphData, GraphDType } from "../graph/index.js";
import type { SessionSource, WorkerSetup } from "./protocol.js";
import type { RawTensor } from "./types.js";

/** The module, loaded on first use. */
export type Ort = typeof import("onnxruntime-node");

/** onnxruntime prints what it also throws unless told to stay silent below "fatal". */
const logSeverityFatal = 4;

/** Loads onnxruntime-node. */
export async function loadOrt(): Promise<Ort> {
  const ort = await import("onnxruntime-node");
  ort.env.logLevel = "fatal";
  return ort;
}

/**
 * Makes a session.
 *
 * The optimisation level is the same for every graph, so that equal subgraphs give equal bits; constant folding is off
 * because it copies mapped weights. Threads sleep between runs instead of spinning: runs take as long, and a session is
 * made in half the time. Memory is not planned ahead as one block per shape of the inputs: a training step takes a quarter
 * less of it, and no longer.
 */
export function createSession(ort: Ort, source: SessionSource, setup: WorkerSetup): Promise<InferenceSession> {
  const folder = source.folder;
  return ort.InferenceSession.create(source.model, {
    executionProviders: [setup.provider],
    graphOptimizationLevel: "basic",
    executionMode: "sequential",
    intraOpNumThreads: setup.threads,
    interOpNumThreads: 1,
    enableMemPattern: false,
    logSeverityLevel: logSeverityFatal,
    extra: {
      session: {
        "intra_op.allow_spinning": "0",
        disable_prepacking: source.prepack ? "0" : "1",
        ...(folder === undefined ? {} : { model_external_initializers_file_folder_path: folder }),
      },
      optimization: { disable_specified_optimizers: "ConstantFolding" },
    },
  });
}

/**
 * Tells whether a session lets an output be written to a tensor of these sizes.
 *
 * onnxruntime goes by the sizes that it inferred itself, which are wrong for the fourth output of `Attention`.
 */
export function takesDestination(session: InferenceSession, output: string, dims: readonly number[]): boolean {
  const declared = session.outputMetadata[session.outputNames.indexOf(output)];
  if (declared === undefined || !declared.isTensor || declared.shape.length !== dims.length) return false;
  return declared.shape.every((size, axis) => typeof size === "string" || size === dims[axis]);
}

/** Wraps a tensor without copying its data. */
export function toOrt(ort: Ort, tensor: RawTensor): Tensor {
  const { dtype, data, shape } = tensor;
  return new ort.Tensor(dtype, data as Float32Array, shape);
}

/** Unwraps a tensor without copying its data. */
export function fromOrt(tensor: Tensor): RawTensor {
  const { type, data } = tensor;
  if (!isGraphDType(type) || !isGraphData(data)) {
    throw new InternalError({
      where: "engine: output",
      got: `element type ${type}`,
      expected: "float32, float64, int32, int64 or bool",
      fix: "Please report it together with the graph.",
    });
  }
  return { dtype: type, shape: [...tensor.dims], data };
}

function isGraphDType(type: string): type is GraphDType {
  return type === "float32" || type === "float64" || type === "int32" || type === "int64" || type === "bool";
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
