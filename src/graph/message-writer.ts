/** Writes protobuf fields one by one, without building message objects first. */
import { BinaryWriter, WireType } from "./proto.js";

/** What a field is known by: its number in the message. */
interface Field {
  readonly number: number;
}

/** Writes the fields of one message after another; nested messages are written in place. */
export class MessageWriter {
  readonly #writer = new BinaryWriter();

  /** Writes a 64-bit integer or an enumeration. */
  int({ number }: Field, value: number): void {
    this.#writer.tag(number, WireType.Varint);
    if ((value | 0) === value) this.#writer.int32(value);
    else this.#writer.int64(value);
  }

  /** Writes a float32. */
  float({ number }: Field, value: number): void {
    this.#writer.tag(number, WireType.Bit32).float(value);
  }

  /** Writes text as UTF-8; also right for a field of bytes. */
  text({ number }: Field, value: string): void {
    this.#writer.tag(number, WireType.LengthDelimited).string(value);
  }

  /** Writes bytes. */
  bytes({ number }: Field, value: Uint8Array): void {
    this.#writer.tag(number, WireType.LengthDelimited).bytes(value);
  }

  /** Writes a nested message, whose fields `write` writes. */
  message({ number }: Field, write: () => void): void {
    this.#writer.tag(number, WireType.LengthDelimited).fork();
    write();
    this.#writer.join();
  }

  /** Returns everything that was written. */
  finish(): Uint8Array {
    return this.#writer.finish();
  }
}
