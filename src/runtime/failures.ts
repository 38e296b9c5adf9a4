/** Turns what the worker reports into errors that say what to do. */
import {
  AbortedError,
  CheckpointError,
  DisposedError,
  type ErrorParts,
  type LimpidError,
  MemoryError,
  RunError,
  UnsupportedError,
} from "../core/index.js";
import type { FailedReply } from "./protocol.js";
import type { Provider } from "./types.js";

/** The facts that a failure is explained with. */
export interface FailureContext {
  readonly where: string;
  readonly provider: Provider;
  readonly segments: number;
  readonly signal?: AbortSignal | undefined;
}

type Failure = Pick<FailedReply, "phase" | "segment" | "message">;

const memoryPattern = /bad_alloc|failed to allocate|out of memory|cannot allocate/i;
const weightPattern = /external (data|initializer)|GetExternalDataInfo|ReadExternal|mmap|map ?file/i;
const nodePattern = /while running (\S+) node\. Name:'([^']*)'\s*(?:Status Message: )?([\s\S]*)/;

/** Returns the error for a failed job. */
export function failureError(failure: Failure, context: FailureContext): LimpidError {
  if (failure.phase === "stopped") return closedDuring(context.where);
  if (failure.phase === "aborted") return abortedError(context.where, context.signal);
  if (failure.phase === "load") return notLoaded(failure, context.where);
  if (memoryPattern.test(failure.message)) return outOfMemory(failure, context);
  return failure.phase === "create" ? notCreated(failure, context) : notRun(failure, context);
}

/** Returns the error for any use of a closed engine. */
export function closedError(where: string): DisposedError {
  return new DisposedError({
    where,
    got: "an engine that was closed",
    expected: "an open one",
    fix: "Make a new one with Engine.create().",
  });
}

/** Returns the error for a run that was waiting or running when its engine was closed. */
export function closedDuring(where: string): AbortedError {
  return new AbortedError({
    where,
    got: "close() before the run had ended",
    expected: "an open engine until the end of the run",
    fix: "Await your runs before you close the engine.",
  });
}

/** Returns the error for a worker thread that ended by itself. */
export function workerDied(where: string, error: Error | undefined): RunError {
  return new RunError(
    {
      where,
      got: `the end of the worker thread (${error?.message ?? "no reason given"})`,
      expected: "an answer from it",
      fix: "Run it again: the engine starts a new thread. Resident tensors are lost.",
    },
    { cause: error },
  );
}

/** Returns the error for a run whose signal was aborted. */
export function abortedError(where: string, signal: AbortSignal | undefined): AbortedError {
  return new AbortedError(
    {
      where,
      got: "an aborted signal",
      expected: "to run to the end",
      fix: "Nothing was left half done; call again without aborting to get the result.",
    },
    { cause: signal?.reason },
  );
}

function notLoaded({ message }: Failure, where: string): UnsupportedError {
  return new UnsupportedError({
    where: `${where}: onnxruntime-node`,
    got: `a module that does not load (${firstLine(message)})`,
    expected: "onnxruntime-node 1.30.0 for this platform",
    fix: "Install it with `npm install onnxruntime-node@1.30.0`; it has binaries for Linux, macOS on ARM and Windows.",
  });
}

function outOfMemory(failure: Failure, context: FailureContext): MemoryError {
  return new MemoryError({
    where: place(failure, context),
    got: `a failed allocation (${firstLine(failure.message)})`,
    expected: "enough free memory",
    fix: "Ask for fewer captures, a smaller batch or fewer positions, or lower sessionCacheBytes.",
  });
}

function notCreated(failure: Failure, context: FailureContext): LimpidError {
  const { provider } = context;
  const parts = { where: place(failure, context), got: firstLine(failure.message) };
  if (provider !== "cpu") return noProvider(parts, provider);
  if (weightPattern.test(failure.message)) {
    return new CheckpointError({
      ...parts,
      expected: "weights that can be mapped from their file",
      fix: "Check that the checkpoint's files are complete and readable, then load the model again.",
    });
  }
  return new RunError({
    ...parts,
    expected: "a graph that onnxruntime can compile",
    fix: "Print the graph to find the node; if limpid built it, please report it.",
  });
}

function noProvider(parts: Pick<ErrorParts, "where" | "got">, provider: Provider): UnsupportedError {
  const fixes: Readonly<Record<Provider, string>> = {
    cpu: "Please report it.",
    webgpu:
      'Install a graphics driver with Vulkan (Linux), Metal (macOS) or Direct3D 12 (Windows), or use provider "cpu".',
    cuda:
      "Install CUDA 12 and cuDNN 9 and run onnxruntime-node's install script (`npm rebuild onnxruntime-node`, Linux x64), " +
      'or use provider "cpu".',
  };
  return new UnsupportedError({ ...parts, expected: `a working "${provider}" provider`, fix: fixes[provider] });
}

function notRun(failure: Failure, context: FailureContext): RunError {
  const node = nodePattern.exec(failure.message);
  const where = place(failure, context);
  const [, op, name, reason] = node ?? [];
  return new RunError({
    where: op === undefined ? where : `${where}: ${op} node "${name}"`,
    got: firstLine(reason ?? failure.message),
    expected: "inputs that the operation accepts",
    fix: "Check the shapes and ids that reach this operation; if limpid built the graph, please report it.",
  });
}

function place({ segment }: Failure, { where, segments }: FailureContext): string {
  return segments > 1 && segment >= 0 ? `${where}: segment ${segment + 1} of ${segments}` : where;
}

function firstLine(message: string): string {
  const line = message.trim().split("\n")[0] ?? "";
  return line.replace(/[.\s]+$/, "").slice(0, 400);
}
