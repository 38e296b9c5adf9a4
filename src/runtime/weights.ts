/**
 * Weights stay in their files: finds the folder from which onnxruntime may map them.
 *
 * onnxruntime refuses an external file outside the folder it was given, symbolic links followed (a Hugging Face cache
 * is all links), so paths are resolved first and the folder is the closest one that holds all files.
 */
import { statSync } from "node:fs";
import { access, constants, realpath, stat } from "node:fs/promises";
import { dirname, parse, resolve, sep } from "node:path";
import { CheckpointError, formatBytes, formatShape, UnsupportedError } from "../core/index.js";
import { type Graph, graphDTypes, type Initializer, type WeightSource } from "../graph/index.js";

/** A graph whose weight paths are real ones inside `folder`; no folder when no weight lives in a file. */
export interface MappedGraph {
  readonly graph: Graph;
  readonly folder: string | undefined;
  /** Bytes of weights in files, counted once where several alias. */
  readonly fileBytes: number;
}

type FileSource = Extract<WeightSource, { kind: "file" }>;

/**
 * Resolves links and checks that every weight is there.
 *
 * @throws CheckpointError when a file is missing, unreadable or too short, or a length does not fit its shape.
 */
export async function mapWeights(graph: Graph): Promise<MappedGraph> {
  const paths = weightFiles(graph);
  if (paths.length === 0) return { graph, folder: undefined, fileBytes: 0 };
  const files = new Map<string, { real: string; size: number }>();
  for (const path of paths) files.set(path, await openFile(path));
  for (const weight of graph.initializers) checkRange(weight, files);
  const folder = commonFolder([...files.values()].map(({ real }) => real));
  const initializers = graph.initializers.map((weight) => withRealPath(weight, files));
  return { graph: { ...graph, initializers }, folder, fileBytes: distinctBytes(initializers) };
}

/** Returns the distinct files that a graph's weights are in. */
export function weightFiles(graph: Graph): readonly string[] {
  const paths = new Set<string>();
  for (const { source } of graph.initializers) if (source.kind === "file") paths.add(source.path);
  return [...paths];
}

/**
 * Returns a text that changes when one of these files is replaced or rewritten.
 *
 * @throws CheckpointError when a file is gone.
 */
export function fileStates(paths: readonly string[]): string {
  return paths
    .map((path) => {
      try {
        const { ino, size, mtimeMs } = statSync(path);
        return `${ino}:${size}:${mtimeMs}`;
      } catch (error) {
        throw unreadable(path, error);
      }
    })
    .join(";");
}

/** Returns the deepest folder that contains every one of these absolute paths. */
export function commonFolder(paths: readonly string[]): string {
  const [first = "", ...rest] = paths;
  let folder = dirname(first);
  for (const path of rest) while (!isInside(folder, path)) folder = parentOf(folder, path);
  return folder;
}

function isInside(folder: string, path: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function parentOf(folder: string, path: string): string {
  if (parse(folder).root !== folder) return dirname(folder);
  throw new UnsupportedError({
    where: "weights",
    got: `files on different drives (${folder} and ${parse(path).root})`,
    expected: "files below one folder",
    fix: "Move the checkpoint's files to one drive.",
  });
}

async function openFile(path: string): Promise<{ real: string; size: number }> {
  try {
    const real = await realpath(resolve(path));
    await access(real, constants.R_OK);
    const info = await stat(real);
    if (info.isFile()) return { real, size: info.size };
  } catch (error) {
    throw unreadable(path, error);
  }
  throw unreadable(path, new Error("it is not a file"));
}

function checkRange(weight: Initializer, files: ReadonlyMap<string, { size: number }>): void {
  const { source, value } = weight;
  if (source.kind !== "file") return;
  const size = files.get(source.path)?.size ?? 0;
  const needed = value.shape.reduce<number>((product, dim) => product * Number(dim), graphDTypes[value.dtype].bytes);
  if (needed !== source.length) throw wrongLength(weight, source, needed);
  if (source.offset < 0 || source.offset + source.length > size) throw truncated(weight, source, size);
}

function withRealPath(weight: Initializer, files: ReadonlyMap<string, { real: string }>): Initializer {
  const { source } = weight;
  const real = source.kind === "file" ? files.get(source.path)?.real : undefined;
  return source.kind === "file" && real !== undefined ? { ...weight, source: { ...source, path: real } } : weight;
}

function distinctBytes(weights: readonly Initializer[]): number {
  const ranges = new Map<string, number>();
  for (const { source } of weights) {
    if (source.kind === "file") ranges.set(`${source.path}:${source.offset}:${source.length}`, source.length);
  }
  return [...ranges.values()].reduce((sum, bytes) => sum + bytes, 0);
}

function unreadable(path: string, error: unknown): CheckpointError {
  const reason = error instanceof Error ? error.message : String(error);
  return new CheckpointError(
    {
      where: `weights: ${path}`,
      got: `a file that cannot be read (${reason})`,
      expected: "a readable file",
      fix: "Put the file back or load the model again from where it is now.",
    },
    { cause: error },
  );
}

function wrongLength(weight: Initializer, source: FileSource, needed: number): CheckpointError {
  const { name, dtype, shape } = weight.value;
  return new CheckpointError({
    where: `weights: "${name}" in ${source.path}`,
    got: `${source.length} bytes`,
    expected: `${needed} bytes for ${dtype} ${formatShape(shape)}`,
    fix: "Check the tensor's offsets in the file's header.",
  });
}

function truncated(weight: Initializer, source: FileSource, size: number): CheckpointError {
  return new CheckpointError({
    where: `weights: "${weight.value.name}" in ${source.path}`,
    got: `a file of ${size} bytes (${formatBytes(size)})`,
    expected: `bytes ${source.offset} to ${source.offset + source.length}`,
    fix: "The file is cut short or was replaced: download or copy it again, then load the model again.",
  });
}
