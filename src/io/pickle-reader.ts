/** A cursor over the bytes of a pickle, and the errors of one. */
import { FormatError } from "../core/index.js";

/** The `cause` of the error of a pickle that ends before its STOP; see {@link isTruncatedPickle}. */
class EndOfPickle extends Error {}

/** Tells whether an error says that a pickle ends too soon; who holds only the start of a file can read more and retry. */
export function isTruncatedPickle(error: unknown): boolean {
  return error instanceof FormatError && error.cause instanceof EndOfPickle;
}

/** Reads a pickle's bytes in order; every read past the end is an error that {@link isTruncatedPickle} knows. */
export class PickleReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #where: string;
  #at: number;

  constructor(bytes: Uint8Array, where: string, start: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#where = where;
    this.#at = start;
  }

  /** Index of the next byte. */
  get position(): number {
    return this.#at;
  }

  /** One byte. */
  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  /** Two bytes, little-endian. */
  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  /** Four bytes, little-endian. */
  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** Four bytes, little-endian and signed. */
  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  /** A 64-bit length; anything beyond the file is truncation. */
  length64(): number {
    const length = this.#view.getBigUint64(this.#advance(8), true);
    return length > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(length);
  }

  /** A big-endian double. */
  float64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  /** The next `length` bytes, without copying. */
  take(length: number): Uint8Array {
    if (length < 0) throw damagedPickle(this.#where, `a length of ${length}`);
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** The bytes up to the next line feed, which is skipped. */
  line(): Uint8Array {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.#truncated();
    const line = this.#bytes.subarray(this.#at, end);
    this.#at = end + 1;
    return line;
  }

  #advance(count: number): number {
    const start = this.#at;
    if (start + count > this.#bytes.length) throw this.#truncated();
    this.#at += count;
    return start;
  }

  #truncated(): FormatError {
    const parts = {
      where: this.#where,
      got: `a pickle that ends at byte ${this.#bytes.length}, before its STOP`,
      expected: "a whole pickle",
      fix: "The file is truncated; get it again.",
    };
    return new FormatError(parts, { cause: new EndOfPickle() });
  }
}

/** A pickle that no Python would have written. */
export function damagedPickle(where: string, got: string): FormatError {
  return new FormatError({ where, got, expected: "a well-formed pickle", fix: "The file is damaged; get it again." });
}

/** A pickle that wants to call or build something that is not on the allow-list. */
export function forbiddenPickle(where: string, name: string): FormatError {
  return new FormatError({
    where,
    got: `a pickle that calls ${name}`,
    expected: "only tensors, arrays, numbers, strings, lists and dicts",
    fix: "Nothing was run. If you trust the file, save its weights as .safetensors in Python, or name plain classes in the option inert.",
  });
}
