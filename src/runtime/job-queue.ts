/** First in, first out: one job at a time, waiting ones can be aborted. */
import type { LimpidError } from "../core/index.js";
import { abortedError } from "./failures.js";

interface Waiting {
  readonly where: string;
  readonly signal: AbortSignal | undefined;
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
      this.#waiting.push({ where, signal, start: () => task().then(resolve, reject), reject });
      // The same function is added once per signal, however many tasks share it.
      signal?.addEventListener("abort", this.#rejectAborted);
      this.#next();
    });
  }

  /** Rejects every waiting task; the running one goes on. */
  rejectWaiting(error: LimpidError): void {
    for (const job of this.#take(() => true)) job.reject(error);
  }

  readonly #rejectAborted = (): void => {
    for (const job of this.#take(({ signal }) => signal?.aborted === true)) {
      job.reject(abortedError(job.where, job.signal));
    }
  };

  #take(isTaken: (job: Waiting) => boolean): readonly Waiting[] {
    const taken = this.#waiting.filter(isTaken);
    this.#waiting = this.#waiting.filter((job) => !isTaken(job));
    for (const { signal } of taken) this.#unwatch(signal);
    return taken;
  }

  #unwatch(signal: AbortSignal | undefined): void {
    if (this.#waiting.some((job) => job.signal === signal)) return;
    signal?.removeEventListener("abort", this.#rejectAborted);
  }

  #next(): void {
    const job = this.#isRunning ? undefined : this.#waiting.shift();
    if (job === undefined) return;
    this.#unwatch(job.signal);
    this.#isRunning = true;
    void job.start().finally(() => {
      this.#isRunning = false;
      this.#next();
    });
  }
}
