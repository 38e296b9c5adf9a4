/** Warnings: one logger, once per cause, into an injectable sink. */

/** Receives one finished warning text, without a newline. */
export type WarningSink = (text: string) => unknown;

/** Passes on each cause's first warning only. */
export interface Logger {
  /**
   * Writes `message` unless `cause` was warned about before.
   *
   * @param cause - Stable key of the reason, such as `"doubled-bos"`.
   */
  warnOnce(cause: string, message: string): void;
  /** Returns every warning written so far, in order; receipts quote them. */
  warnings(): readonly string[];
}

/** Returns a logger of its own memory; by default it writes lines to `process.stderr`. */
export function createLogger(sink: WarningSink = (text) => process.stderr.write(`${text}\n`)): Logger {
  const seen = new Set<string>();
  const written: string[] = [];
  return {
    warnOnce(cause, message) {
      if (seen.has(cause)) return;
      seen.add(cause);
      written.push(message);
      sink(`limpid: ${message}`);
    },
    warnings: () => [...written],
  };
}
