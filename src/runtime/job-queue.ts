/** First in, first out: one job at a time, waiting ones can be aborted. */
import type { LimpidError } from "../core/index.js";
import { abortedError } from "./failures.js";

interface Waiting {
  start(): Promise<void>;
  reject(error: Error): void;
}

/** Runs tasks one after the other in the order in which they came. */
export class JobQueue {
  #waiting: Waiting[] = [];
  #isRunning = false;

  /** Number of tasks waiting or running. */
  get pending(): number {
    return this.#waiting.length + (this.#isRunning ? 1 : 0);
  }

  /**
   * Adds a task and resolves to its result.
   *
   * The signal removes the task at once while it waits; once it runs, the task itself has to watch the signal.
   */
  add<T>(where: string, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== job);
        reject(abortedError(where, signal));
      };
      const job: Waiting = {
        start: () => {
          signal?.removeEventListener("abort", onAbort);
          return task().then(resolve, reject);
        },
        reject: (error) => {
          signal?.removeEventListener("abort", onAbort);
          reject(error);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(job);
      this.#next();
    });
  }

  /** Rejects every waiting task; the running one goes on. */
  rejectWaiting(error: LimpidError): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const job of waiting) job.reject(error);
  }

  #next(): void {
    const job = this.#isRunning ? undefined : this.#waiting.shift();
    if (job === undefined) return;
    this.#isRunning = true;
    void job.start().finally(() => {
      this.#isRunning = false;
      this.#next();
    });
  }
}
