/** The messages between an engine and its worker thread. */
import type { Provider, RawTensor } from "./types.js";

/** What a worker is born with. */
export interface WorkerSetup {
  readonly control: Int32Array;
  readonly threads: number;
  readonly provider: Provider;
}

/** A graph to compile: ONNX bytes and the folder that its external weights are relative to. */
export interface SessionSource {
  readonly model: Uint8Array;
  readonly folder?: string;
  readonly prepack: boolean;
}

/** One step of a job. */
export interface SegmentJob {
  /** Names the session for the life of the worker. */
  readonly session: number;
  /** Given when the worker does not have the session yet. */
  readonly source?: SessionSource;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Values that no later segment needs. */
  readonly drop: readonly string[];
  /** Release the session as soon as it has run: all sessions of the job together would hold too much. */
  readonly isOnce: boolean;
}

/** Resident tensors of a job: value name to resident name. */
export interface ResidentJob {
  readonly inputs: ReadonlyMap<string, string>;
  readonly outputs: ReadonlyMap<string, string>;
}

/** Compiles what is missing, then runs every segment unless `compileOnly`. */
export interface RunJob {
  readonly type: "run";
  readonly id: number;
  readonly segments: readonly SegmentJob[];
  readonly feeds: ReadonlyMap<string, RawTensor>;
  readonly outputs: readonly string[];
  /** Where to write outputs whose size is known beforehand. */
  readonly destinations: ReadonlyMap<string, RawTensor>;
  readonly resident: ResidentJob;
  readonly compileOnly: boolean;
}

/** Stores a resident tensor. */
export interface PutJob {
  readonly type: "put";
  readonly id: number;
  readonly name: string;
  readonly tensor: RawTensor;
}

/** Sends back a copy of a resident tensor. */
export interface GetJob {
  readonly type: "get";
  readonly id: number;
  readonly name: string;
}

/** Forgets a resident tensor. */
export interface DropJob {
  readonly type: "drop";
  readonly id: number;
  readonly name: string;
}

/** Work that is answered by exactly one {@link DoneReply} or {@link FailedReply}. */
export type Job = RunJob | PutJob | GetJob | DropJob;

/** Frees sessions; not answered. */
export interface ReleaseOrder {
  readonly type: "release";
  readonly sessions: readonly number[];
}

/** Ends the thread after what was sent before; not answered but by the thread's end. */
export interface CloseOrder {
  readonly type: "close";
}

/** Everything that a worker is sent. */
export type Order = Job | ReleaseOrder | CloseOrder;

/** What a job cost inside the worker. */
export interface JobCost {
  /** Sessions that now exist in the worker though the job had to send their source. */
  readonly created: readonly number[];
  readonly createMs: number;
  readonly runMs: number;
}

/** onnxruntime is loaded. */
export interface ReadyReply {
  readonly type: "ready";
  readonly ms: number;
}

/** `done` of a job's segments are finished. */
export interface ProgressReply {
  readonly type: "progress";
  readonly id: number;
  readonly done: number;
}

/** A job succeeded. */
export interface DoneReply {
  readonly type: "done";
  readonly id: number;
  readonly outputs: ReadonlyMap<string, RawTensor>;
  /** Resident tensors that the job wrote. */
  readonly resident: ReadonlyMap<string, ResidentShape>;
  readonly cost: JobCost;
}

/** What the engine knows of a resident tensor. */
export type ResidentShape = Pick<RawTensor, "dtype" | "shape"> & { readonly bytes: number };

/** Where a job failed: loading onnxruntime, making a session, running one, or because it was told to end. */
export type FailurePhase = "load" | "create" | "run" | "aborted" | "stopped";

/** A job failed; the worker stays usable. */
export interface FailedReply {
  readonly type: "failed";
  readonly id: number;
  readonly phase: FailurePhase;
  /** Index of the segment; -1 when none was reached. */
  readonly segment: number;
  readonly message: string;
  readonly cost: JobCost;
}

/** Everything that a worker sends. */
export type Reply = ReadyReply | ProgressReply | DoneReply | FailedReply;
