/**
 * Memory that was used before and may be used again.
 *
 * A fresh buffer costs a page fault every 4 KiB when it is first written, which for large results takes as long as
 * computing them. The pool never holds more than the last two requests asked for together, and nothing when idle.
 */

/** Buffers below this size are not worth keeping. */
const smallest = 1 << 15;

/** Milliseconds after which unused memory goes back to the system. */
const idleMs = 10_000;

/** Keeps buffers by size; the oldest go first. */
export class BufferPool {
  readonly #buffers = new Set<ArrayBuffer>();
  #bytes = 0;
  #limit = 0;
  #lastRequest = 0;
  #expiry: NodeJS.Timeout | undefined;

  /** Bytes held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns a buffer of each size, used ones where there are any; what they hold is undefined. */
  take(sizes: readonly number[]): readonly ArrayBuffer[] {
    const request = sizes.reduce((sum, size) => sum + size, 0);
    this.#limit = request + this.#lastRequest;
    this.#lastRequest = request;
    const bySize = this.#bySize();
    const taken = sizes.map((size) => this.#claim(bySize.get(size)?.pop()) ?? new ArrayBuffer(size));
    this.#trim();
    return taken;
  }

  /** Takes a buffer back; nobody else may use it from now on. */
  give(buffer: ArrayBuffer): void {
    if (buffer.byteLength < smallest) return;
    this.#buffers.add(buffer);
    this.#bytes += buffer.byteLength;
    this.#trim();
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(() => this.clear(), idleMs).unref();
  }

  /** Forgets everything. */
  clear(): void {
    clearTimeout(this.#expiry);
    this.#buffers.clear();
    this.#bytes = 0;
  }

  #bySize(): Map<number, ArrayBuffer[]> {
    const sizes = new Map<number, ArrayBuffer[]>();
    for (const buffer of this.#buffers) {
      const same = sizes.get(buffer.byteLength);
      if (same === undefined) sizes.set(buffer.byteLength, [buffer]);
      else same.push(buffer);
    }
    return sizes;
  }

  #claim(buffer: ArrayBuffer | undefined): ArrayBuffer | undefined {
    if (buffer !== undefined && this.#buffers.delete(buffer)) this.#bytes -= buffer.byteLength;
    return buffer;
  }

  #trim(): void {
    for (const buffer of this.#buffers) {
      if (this.#bytes <= this.#limit) return;
      this.#claim(buffer);
    }
  }
}
