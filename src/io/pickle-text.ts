/** Text and integers as pickles write them. */
import { latin1Text } from "./latin1.js";
import type { PickleMachine } from "./pickle-machine.js";

/** Longer integers are refused: no tensor file holds one. */
const maxIntegerBytes = 1024;

/** Strict UTF-8; Python's lone surrogates are not text and are refused. */
export function utf8Text(bytes: Uint8Array, machine: PickleMachine): string {
  const text = tryUtf8(bytes);
  if (text === undefined) throw machine.damaged("a string that is not UTF-8");
  return text;
}

/** A Python 2 string: text where it is UTF-8, else its bytes. */
export function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  return tryUtf8(bytes) ?? bytes.slice();
}

/** A two's-complement little-endian integer of any length. */
export function parseLong(bytes: Uint8Array, machine: PickleMachine): number | bigint {
  if (bytes.length > maxIntegerBytes) throw machine.damaged(`an integer of ${bytes.length} bytes`);
  let value = 0n;
  for (const byte of bytes.toReversed()) value = (value << 8n) | BigInt(byte);
  return narrow(BigInt.asIntN(8 * bytes.length, value));
}

/** A decimal integer of any length. */
export function parseDecimal(text: string, machine: PickleMachine): number | bigint {
  if (text.length > 2 * maxIntegerBytes || !/^[+-]?\d+$/.test(text)) {
    throw machine.damaged(`the integer ${JSON.stringify(text.slice(0, 40))}`);
  }
  return narrow(BigInt(text.replace(/^\+/, "")));
}

/** The bytes of a Python string literal in quotes, with its escapes. */
export function quotedBytes(line: Uint8Array, machine: PickleMachine): Uint8Array {
  const match = /^(['"])(.*)\1$/s.exec(latin1Text(line));
  if (match === null) throw machine.damaged("a string without its quotes");
  const simple: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", v: "\v", a: "\x07" };
  const text = (match[2] ?? "").replace(/\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)/gs, (_, escape: string) => {
    if (escape.length === 3 && escape.startsWith("x")) return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    if (/^[0-7]/.test(escape)) return String.fromCharCode(Number.parseInt(escape, 8) & 0xff);
    return simple[escape] ?? escape;
  });
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Python's raw-unicode-escape: one character per byte, with `\uXXXX` and `\UXXXXXXXX`. */
export function rawUnicodeEscape(line: Uint8Array): string {
  return latin1Text(line).replace(
    /\\u([0-9a-fA-F]{4})|\\U(000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4})/g,
    (_, short: string | undefined, long: string | undefined) =>
      String.fromCodePoint(Number.parseInt(short ?? long ?? "", 16)),
  );
}

function tryUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
