/** The calling thread's end of one worker: starts it, sends one job at a time, sees it end. */
import type { Worker } from "node:worker_threads";
import type { OnProgress, RunError } from "../core/index.js";
import { buffersOf } from "./buffers.js";
import { createControl, requestAbort, requestStop } from "./control.js";
import { guardExit, unguardExit } from "./exit-guard.js";
import { workerDied } from "./failures.js";
import type { DoneReply, FailedReply, Job, Order, Reply, WorkerSetup } from "./protocol.js";
import { startWorker } from "./worker-entry.js";

/** What the sender of a job wants to hear and say while it runs. */
export interface JobWatch {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

interface Running {
  readonly job: Job;
  readonly watch: JobWatch;
  readonly resolve: (reply: DoneReply | FailedReply) => void;
  readonly reject: (error: RunError) => void;
}

/** A started worker thread. It keeps the process alive only while a job runs. */
export class WorkerLink {
  readonly #control = createControl();
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #running: Running | undefined;
  #startMs = 0;
  #isClosing = false;

  constructor(setup: Omit<WorkerSetup, "control">, onEnd: () => void) {
    const begin = performance.now();
    this.#worker = startWorker({ ...setup, control: this.#control });
    guardExit(this.#control);
    this.#worker.unref();
    this.#worker.on("message", (reply: Reply) => {
      if (reply.type === "ready") this.#startMs = performance.now() - begin;
      else this.#receive(reply);
    });
    let failure: Error | undefined;
    this.#worker.on("error", (error: Error) => {
      failure = error;
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.on("exit", () => {
        unguardExit(this.#control);
        onEnd();
        this.#running?.reject(workerDied(`engine.${this.#running.job.type}`, failure));
        resolve();
      });
    });
  }

  /** Milliseconds from the start to a loaded onnxruntime; 0 until then. */
  get startMs(): number {
    return this.#startMs;
  }

  /** Sends a job and waits for its answer; rejects with a `RunError` when the thread ends instead. */
  async send(job: Job, watch: JobWatch = {}): Promise<DoneReply | FailedReply> {
    const abort = (): void => requestAbort(this.#control, job.id);
    if (watch.signal?.aborted === true) abort();
    watch.signal?.addEventListener("abort", abort, { once: true });
    this.#worker.ref();
    try {
      return await new Promise((resolve, reject) => {
        this.#running = { job, watch, resolve, reject };
        this.#worker.postMessage(job, transferOf(job));
      });
    } finally {
      this.#running = undefined;
      if (!this.#isClosing) this.#worker.unref();
      watch.signal?.removeEventListener("abort", abort);
    }
  }

  /** Frees sessions, before any job that is sent later. */
  release(sessions: readonly number[]): void {
    if (sessions.length > 0) this.#order({ type: "release", sessions });
  }

  /** Ends the worker once it is outside native calls; a running job fails as stopped. */
  async close(): Promise<void> {
    this.#isClosing = true;
    requestStop(this.#control);
    this.#worker.ref();
    this.#order({ type: "close" });
    await this.#ended;
  }

  #order(order: Order): void {
    this.#worker.postMessage(order);
  }

  #receive(reply: Exclude<Reply, { type: "ready" }>): void {
    const running = this.#running;
    if (running === undefined || running.job.id !== reply.id) return;
    if (reply.type !== "progress") {
      running.resolve(reply);
      return;
    }
    const total = running.job.type === "run" ? running.job.segments.length : reply.done;
    running.watch.onProgress?.({ done: reply.done, total, label: "run" });
  }
}

function transferOf(job: Job): ArrayBuffer[] {
  if (job.type === "put") return buffersOf([job.tensor]);
  if (job.type !== "run") return [];
  const models = job.segments.flatMap(({ source }) => (source === undefined ? [] : [source.model.buffer]));
  const owned = buffersOf([...job.feeds.values(), ...job.destinations.values()]);
  return [...owned, ...new Set(models.filter((buffer) => buffer instanceof ArrayBuffer))];
}
