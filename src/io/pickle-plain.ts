/** Builders for the plain data that Python pickles through calls: `OrderedDict`, and bytes in protocols 0 to 2. */
import { latin1Bytes } from "./latin1.js";
import { damagedPickle } from "./pickle-reader.js";
import { isPickleList, type PickleGlobals, type PickleValue } from "./pickle-values.js";

/** Returns the allow-list that every pickle has. */
export function plainGlobals(where: string): PickleGlobals {
  const bytes = (args: readonly PickleValue[]): PickleValue => buildBytes(args, where);
  return new Map([
    ["collections.OrderedDict", (args: readonly PickleValue[]): PickleValue => orderedDict(args, where)],
    ["_codecs.encode", bytes],
    ["builtins.bytes", bytes],
    ["builtins.bytearray", bytes],
    ["__builtin__.bytes", bytes],
    ["__builtin__.bytearray", bytes],
  ]);
}

function orderedDict([pairs, ...more]: readonly PickleValue[], where: string): PickleValue {
  const dict = new Map<PickleValue, PickleValue>();
  if (pairs === undefined) return dict;
  if (!isPickleList(pairs) || more.length > 0)
    throw damagedPickle(where, "an OrderedDict made of something else than pairs");
  for (const pair of pairs) {
    const [key, value] = isPickleList(pair) ? pair : [];
    if (key === undefined || value === undefined) throw damagedPickle(where, "an OrderedDict with a broken pair");
    dict.set(key, value);
  }
  return dict;
}

function buildBytes([content, encoding]: readonly PickleValue[], where: string): PickleValue {
  if (content === undefined) return new Uint8Array();
  if (content instanceof Uint8Array && encoding === undefined) return content;
  const bytes = typeof content === "string" && isLatin1(encoding) ? latin1Bytes(content) : undefined;
  if (bytes !== undefined) return bytes;
  throw damagedPickle(where, "bytes that are not latin1 text");
}

function isLatin1(encoding: PickleValue | undefined): boolean {
  return encoding === "latin1" || encoding === "latin-1";
}
