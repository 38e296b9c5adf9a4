/** Which sessions are alive in the worker, and which to release when they hold too much. */

/** What the engine knows of one session. */
export interface SessionEntry {
  /** Its number in the worker. */
  readonly id: number;
  readonly key: string;
  /** Estimated bytes of the compiled graph. */
  readonly baseBytes: number;
  /** Estimated bytes of working memory, the most of any run so far. */
  workingBytes: number;
  /** The sizes of the last run, so that equal runs are measured once. */
  measured: string;
}

/** Least-recently-used book-keeping, bounded by estimated bytes. */
export class SessionCache {
  readonly #limit: number;
  /** Oldest use first. */
  readonly #entries = new Map<string, SessionEntry>();

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  /** Most bytes that sessions may hold between runs. */
  get limit(): number {
    return this.#limit;
  }

  /** Number of sessions alive. */
  get size(): number {
    return this.#entries.size;
  }

  /** Estimated bytes of all sessions alive. */
  get bytes(): number {
    let sum = 0;
    for (const { baseBytes, workingBytes } of this.#entries.values()) sum += baseBytes + workingBytes;
    return sum;
  }

  /** Returns the session of `key` and marks it as used now. */
  use(key: string): SessionEntry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  /** Adds a session, as used now. */
  add(entry: SessionEntry): void {
    this.#entries.set(entry.key, entry);
  }

  /** Forgets a session. */
  delete(entry: SessionEntry): void {
    this.#entries.delete(entry.key);
  }

  /**
   * Forgets the least recently used sessions until the rest and `extraBytes` fit, but none that is in use.
   *
   * @returns Numbers of the sessions to be released.
   */
  makeRoom(extraBytes = 0, inUse: ReadonlySet<SessionEntry> = new Set()): readonly number[] {
    const released: number[] = [];
    let bytes = this.bytes + extraBytes;
    for (const entry of [...this.#entries.values()]) {
      if (bytes <= this.#limit) break;
      if (inUse.has(entry)) continue;
      this.#entries.delete(entry.key);
      bytes -= entry.baseBytes + entry.workingBytes;
      released.push(entry.id);
    }
    return released;
  }

  /** Forgets everything: the worker is gone. */
  clear(): void {
    this.#entries.clear();
  }
}
