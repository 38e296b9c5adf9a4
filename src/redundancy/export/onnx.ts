/** A pruned model as an ONNX file that any onnxruntime runs: `tokens` and `positions` in, `logits` out. */
import { mkdir, open, readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { throwIfAborted, UnsupportedError } from "../../core/index.js";
import { encode, type Graph, type Initializer } from "../../graph/index.js";
import { withAtomicFile, withAtomicFolder, writeFileAtomic } from "../../io/index.js";
import { type Model, resolveHooks } from "../../model/index.js";
import { type Part, withoutParts } from "../parts.js";
import type { ExportedModel, ExportOptions } from "./huggingface.js";

const dataName = "model.onnx.data";

type GraphRequest = Parameters<Model["view"]["core"]["graphs"]["get"]>[0];

/** The graph from tokens to all logits. */
function logitsGraph({ view, edits }: Model, names: readonly string[]): Graph {
  const request: GraphRequest = {
    captures: [],
    edits: edits.map((edit) => ({ edit, hooks: resolveHooks(edit.hook, names, `edit.${edit.name}`) })),
    logits: "all",
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
  const { graph, calls } = view.core.graphs.get(request);
  const extra = graph.inputs.map(({ name }) => name).filter((name) => name !== "tokens" && name !== "positions");
  if (calls.length === 0 && extra.length === 0) return graph;
  throw new UnsupportedError({
    where: "exportOnnx",
    got:
      calls.length > 0 ? "a model that calls JavaScript" : `a model whose edits are fed numbers (${extra.join(", ")})`,
    expected: "sublayers and blocks that are left out",
    fix: "Export the model without these edits; a share of heads or neurons cannot be exported.",
  });
}

/** Where the bytes of a weight lie, as text. */
function sourceKey({ source }: Initializer): string | undefined {
  return source.kind === "file" ? `${source.path}\n${source.offset}\n${source.length}` : undefined;
}

const pieceBytes = 2 ** 24;
/** Weights begin at multiples of this, as pages do. */
const alignment = 4096;

/** Copies the weights that a graph reads, each once, into one file; returns the same graph over that file. */
async function gatherWeights(graph: Graph, path: string, { signal, onProgress }: ExportOptions): Promise<Graph> {
  const offsets = new Map<string, number>();
  const files = new Map(
    graph.initializers.flatMap((one) => (sourceKey(one) === undefined ? [] : [[sourceKey(one) ?? "", one] as const])),
  );
  const total = [...files.values()].reduce((sum, { source }) => sum + (source.kind === "file" ? source.length : 0), 0);
  await withAtomicFile(path, async (file) => {
    for (const [key, { source }] of files) {
      if (source.kind !== "file") continue;
      const padding = (alignment - (file.position % alignment)) % alignment;
      if (padding > 0) await file.write(new Uint8Array(padding));
      offsets.set(key, file.position);
      const handle = await open(source.path, "r");
      try {
        for (let done = 0; done < source.length; done += pieceBytes) {
          throwIfAborted(signal, "exportOnnx");
          const bytes = new Uint8Array(Math.min(pieceBytes, source.length - done));
          await handle.read(bytes, 0, bytes.length, source.offset + done);
          await file.write(bytes);
          onProgress?.({ done: Math.min(total, file.position), total, label: `write ${path}` });
        }
      } finally {
        await handle.close();
      }
    }
  });
  const moved = (one: Initializer): Initializer => {
    const offset = offsets.get(sourceKey(one) ?? "");
    const { source } = one;
    if (offset === undefined || source.kind !== "file") return one;
    return { ...one, source: { kind: "file", path, offset, length: source.length } };
  };
  return { ...graph, initializers: graph.initializers.map(moved) };
}

/**
 * Writes a model without parts as `model.onnx` with its weights beside it in `model.onnx.data`.
 *
 * Inputs are `tokens` and `positions`, int64 `[batch, pos]` (positions count from 0); the output is `logits`
 * `[batch, pos, dVocabOut]`. Weights of parts that are left out are not in the file.
 *
 * @throws UnsupportedError for heads and neurons, and for edits that are fed numbers; InputError for unknown parts.
 */
export async function exportOnnx(
  model: Model,
  parts: readonly Part[],
  folder: string,
  options: ExportOptions = {},
): Promise<ExportedModel> {
  const pruned = withoutParts(model, parts);
  const graph = logitsGraph(pruned, pruned.hookNames());
  const target = resolve(folder);
  const fill = async (scratch: string): Promise<void> => {
    const own = await gatherWeights(graph, join(scratch, dataName), options);
    await writeFileAtomic(join(scratch, "model.onnx"), encode(own, { folder: scratch }));
  };
  await mkdir(dirname(target), { recursive: true });
  await withAtomicFolder(target, fill, { ifExists: options.ifExists ?? "error" });
  const files = (await readdir(target)).sort().map((name) => join(target, name));
  return { folder: target, files, layers: pruned.view.layers };
}
