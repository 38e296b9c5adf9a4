/** Tries again after network failures and answers that ask for patience (429, 5xx). */
import { setTimeout as sleep } from "node:timers/promises";
import { throwIfAborted } from "../../core/index.js";

/** A failure that may pass: a broken connection, or a status that asks for patience. */
export class TransientFailure extends Error {
  /** Seconds that the hub asks to wait. */
  readonly retryAfter: number | undefined;
  /** Whether bytes arrived before the failure; the count of attempts then starts anew. */
  readonly madeProgress: boolean;

  constructor(
    message: string,
    options: ErrorOptions & { retryAfter?: number | undefined; madeProgress?: boolean } = {},
  ) {
    super(message, options);
    this.retryAfter = options.retryAfter;
    this.madeProgress = options.madeProgress ?? false;
  }
}

/** Attempts without progress before giving up. */
const maxAttempts = 5;
/** The longest wait between attempts, in ms. */
const maxDelayMs = 30_000;

/** How to retry. */
export interface RetryOptions {
  /** Wait before the first retry, in ms; doubles each time. */
  readonly delayMs: number;
  readonly signal?: AbortSignal | undefined;
  /** For the error of an abort. */
  readonly where: string;
}

/** Calls `attempt` until it succeeds, fails for good, or has failed {@link maxAttempts} times without progress. */
export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let failures = 0; ; ) {
    throwIfAborted(options.signal, options.where);
    try {
      return await attempt();
    } catch (error) {
      throwIfAborted(options.signal, options.where);
      if (!(error instanceof TransientFailure)) throw error;
      failures = error.madeProgress ? 1 : failures + 1;
      if (failures >= maxAttempts) throw error;
      const wanted = error.retryAfter === undefined ? options.delayMs * 2 ** (failures - 1) : error.retryAfter * 1000;
      await pause(Math.min(wanted, maxDelayMs), options);
    }
  }
}

async function pause(ms: number, { signal, where }: RetryOptions): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch {
    throwIfAborted(signal, where);
  }
}

/** Tells whether a status asks for patience. */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}
