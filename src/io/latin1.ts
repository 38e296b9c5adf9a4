/** Text whose characters are bytes: ISO 8859-1, which is not the `latin1` of `TextDecoder`. */
import { Buffer } from "node:buffer";

/** Returns one character per byte. */
export function latin1Text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** Returns one byte per character, or undefined when a character is above 255. */
export function latin1Bytes(text: string): Uint8Array | undefined {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return undefined;
  return new Uint8Array(Buffer.from(text, "latin1"));
}
