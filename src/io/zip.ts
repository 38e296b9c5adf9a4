/**
 * Zip archives: their directory, their members (stored or deflated, zip64 included), and a small writer.
 *
 * A stored member's bytes lie in the archive as they are, so a tensor in one can be mapped.
 * Format: PKWARE APPNOTE 6.3, sections 4.3.6 to 4.3.16.
 */
import { crc32, deflateRawSync, inflateRawSync } from "node:zlib";
import { FormatError, formatBytes, MemoryError, UnsupportedError } from "../core/index.js";
import type { AtomicFile } from "./atomic.js";
import type { ReadableFile } from "./files.js";

/** One file inside an archive. */
export interface ZipMember {
  readonly name: string;
  /** `"other"` members can be listed but not read. */
  readonly method: "stored" | "deflated" | "other";
  /** Bytes in the archive. */
  readonly compressedLength: number;
  /** Bytes of the content. */
  readonly length: number;
  readonly crc32: number;
  /** Where the member's local header starts, in bytes from the start of the archive. */
  readonly headerOffset: number;
}

const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const end64LocatorSignature = 0x07064b50;
const centralSignature = 0x02014b50;
const localSignature = 0x04034b50;
const endBytes = 22;
const centralBytes = 46;
const localBytes = 30;
const maxComment = 0xffff;
const limit32 = 0xffffffff;
/** A directory beyond this is refused: a million members take about 100 MB. */
const maxDirectoryBytes = 256_000_000;

/** Lists an archive's members by name, in the order of its directory. */
export async function readZipDirectory(file: ReadableFile): Promise<ReadonlyMap<string, ZipMember>> {
  const place = await findDirectory(file);
  if (place.offset + place.length > file.size || place.length > maxDirectoryBytes) {
    throw damaged(file.path, `a directory of ${place.length} bytes at offset ${place.offset} in ${file.size} bytes`);
  }
  const bytes = await file.read(place.offset, place.length);
  const members = new Map<string, ZipMember>();
  let at = 0;
  for (let i = 0; i < place.count; i++) {
    const { member, next } = readCentral(bytes, at, file.path);
    if (members.has(member.name)) throw damaged(file.path, `two members named ${JSON.stringify(member.name)}`);
    members.set(member.name, member);
    at = next;
  }
  return members;
}

/** Returns where a member's bytes start in the archive. */
export async function memberOffset(file: ReadableFile, member: ZipMember): Promise<number> {
  const where = `${file.path}: ${member.name}`;
  if (member.headerOffset + localBytes > file.size) throw damaged(where, "a member that starts past the end");
  const view = viewOf(await file.read(member.headerOffset, localBytes));
  if (view.getUint32(0, true) !== localSignature) throw damaged(where, "no local header where the directory says");
  const offset = member.headerOffset + localBytes + view.getUint16(26, true) + view.getUint16(28, true);
  if (offset + member.compressedLength > file.size) throw damaged(where, "a member that ends past the end of the file");
  return offset;
}

/** Reads and decompresses one member, and checks its CRC. */
export async function readMember(file: ReadableFile, member: ZipMember): Promise<Uint8Array> {
  const where = `${file.path}: ${member.name}`;
  const raw = await file.read(await memberOffset(file, member), member.compressedLength);
  const content = expand(raw, member, where);
  if (content.length !== member.length) throw damaged(where, `${content.length} bytes instead of ${member.length}`);
  if (crc32(content) !== member.crc32) throw damaged(where, "a checksum that does not match");
  return content;
}

/** Writes members one after the other, then {@link ZipWriter.end} writes the directory. */
export class ZipWriter {
  readonly #file: AtomicFile;
  readonly #path: string;
  readonly #directory: Uint8Array[] = [];

  constructor(file: AtomicFile, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /** Adds one member; deflated when `compress` is set. */
  async add(name: string, content: Uint8Array, compress: boolean): Promise<void> {
    const data = compress ? deflateRawSync(content) : content;
    const offset = this.#file.position;
    this.#refuseLarge(offset + data.length + content.length);
    const fields = { crc: crc32(content), method: compress ? 8 : 0, stored: data.length, length: content.length };
    const nameBytes = new TextEncoder().encode(name);
    await this.#file.write(localHeader(nameBytes, fields));
    await this.#file.write(data);
    this.#directory.push(centralHeader(nameBytes, fields, offset));
  }

  /** Writes the directory; nothing may be added afterwards. */
  async end(): Promise<void> {
    const offset = this.#file.position;
    for (const header of this.#directory) await this.#file.write(header);
    const bytes = new Uint8Array(endBytes);
    const view = viewOf(bytes);
    view.setUint32(0, endSignature, true);
    view.setUint16(8, this.#directory.length, true);
    view.setUint16(10, this.#directory.length, true);
    view.setUint32(12, this.#file.position - offset, true);
    view.setUint32(16, offset, true);
    await this.#file.write(bytes);
  }

  #refuseLarge(bytes: number): void {
    if (bytes < limit32 && this.#directory.length < 0xfffe) return;
    throw new UnsupportedError({
      where: `write ${this.#path}`,
      got: `${formatBytes(bytes)} in ${this.#directory.length + 1} members`,
      expected: "less than 4 GiB and 65,534 members",
      fix: "Write a .safetensors file instead.",
    });
  }
}

interface MemberFields {
  readonly crc: number;
  readonly method: number;
  readonly stored: number;
  readonly length: number;
}

async function findDirectory(file: ReadableFile): Promise<{ offset: number; length: number; count: number }> {
  const tailLength = Math.min(file.size, endBytes + maxComment);
  const tail = await file.read(file.size - tailLength, tailLength);
  const view = viewOf(tail);
  for (let at = tailLength - endBytes; at >= 0; at--) {
    if (view.getUint32(at, true) !== endSignature) continue;
    const found = {
      count: view.getUint16(at + 10, true),
      length: view.getUint32(at + 12, true),
      offset: view.getUint32(at + 16, true),
    };
    const needs64 = found.count === 0xffff || found.length === limit32 || found.offset === limit32;
    return needs64 ? findDirectory64(file, file.size - tailLength + at) : found;
  }
  throw damaged(file.path, "no zip directory at the end");
}

async function findDirectory64(
  file: ReadableFile,
  endAt: number,
): Promise<{ offset: number; length: number; count: number }> {
  const locatorAt = endAt - 20;
  if (locatorAt < 0) throw damaged(file.path, "a zip64 archive without a locator");
  const locator = viewOf(await file.read(locatorAt, 20));
  const at = toNumber(locator.getBigUint64(8, true), file.path);
  if (locator.getUint32(0, true) !== end64LocatorSignature || at + 56 > file.size) {
    throw damaged(file.path, "a zip64 archive without a locator");
  }
  const view = viewOf(await file.read(at, 56));
  if (view.getUint32(0, true) !== end64Signature) throw damaged(file.path, "a zip64 locator that points nowhere");
  return {
    count: toNumber(view.getBigUint64(32, true), file.path),
    length: toNumber(view.getBigUint64(40, true), file.path),
    offset: toNumber(view.getBigUint64(48, true), file.path),
  };
}

function readCentral(bytes: Uint8Array, at: number, path: string): { member: ZipMember; next: number } {
  const view = viewOf(bytes);
  if (at + centralBytes > bytes.length || view.getUint32(at, true) !== centralSignature) {
    throw damaged(path, `a broken directory entry at byte ${at} of the directory`);
  }
  const nameEnd = at + centralBytes + view.getUint16(at + 28, true);
  const extraEnd = nameEnd + view.getUint16(at + 30, true);
  const next = extraEnd + view.getUint16(at + 32, true);
  if (next > bytes.length) throw damaged(path, `a broken directory entry at byte ${at} of the directory`);
  const name = new TextDecoder().decode(bytes.subarray(at + centralBytes, nameEnd));
  if ((view.getUint16(at + 8, true) & 1) !== 0) throw encrypted(path, name);
  const sizes = {
    length: view.getUint32(at + 24, true),
    compressedLength: view.getUint32(at + 20, true),
    headerOffset: view.getUint32(at + 42, true),
  };
  const wide = widen(sizes, bytes.subarray(nameEnd, extraEnd), `${path}: ${name}`);
  return {
    member: { name, method: methodOf(view.getUint16(at + 10, true)), crc32: view.getUint32(at + 16, true), ...wide },
    next,
  };
}

interface MemberSizes {
  readonly length: number;
  readonly compressedLength: number;
  readonly headerOffset: number;
}

/** Replaces the sizes that read 0xFFFFFFFF by those of the zip64 extra field, in the order that the format fixes. */
function widen(sizes: MemberSizes, extra: Uint8Array, where: string): MemberSizes {
  const wide = zip64Values(extra, where);
  const pick = (value: number): number => {
    if (value !== limit32) return value;
    const next = wide.shift();
    if (next === undefined) throw damaged(where, "a zip64 member without its sizes");
    return next;
  };
  const length = pick(sizes.length);
  const compressedLength = pick(sizes.compressedLength);
  return { length, compressedLength, headerOffset: pick(sizes.headerOffset) };
}

function zip64Values(extra: Uint8Array, where: string): number[] {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    const count = Math.min(3, Math.floor(Math.min(view.getUint16(at + 2, true), extra.length - at - 4) / 8));
    return Array.from({ length: count }, (_, i) => toNumber(view.getBigUint64(at + 4 + 8 * i, true), where));
  }
  return [];
}

function methodOf(code: number): ZipMember["method"] {
  if (code === 0) return "stored";
  return code === 8 ? "deflated" : "other";
}

function expand(raw: Uint8Array, member: ZipMember, where: string): Uint8Array {
  if (member.method === "stored") return raw;
  if (member.method === "other") {
    const fix = "Write the archive again with one of these.";
    throw new UnsupportedError({ where, got: "another compression", expected: "a stored or deflated member", fix });
  }
  try {
    // The runtime returns a pooled buffer: copy, so that element types find their alignment.
    return new Uint8Array(inflateRawSync(raw, { maxOutputLength: Math.max(1, member.length) }));
  } catch (cause) {
    if (cause instanceof RangeError && member.length > 2 ** 32) throw tooLarge(where, member.length, cause);
    throw damaged(where, "compressed data that does not unpack to its stated length", cause);
  }
}

function localHeader(name: Uint8Array, fields: MemberFields): Uint8Array {
  const bytes = new Uint8Array(localBytes + name.length);
  const view = viewOf(bytes);
  view.setUint32(0, localSignature, true);
  writeFields(view, 4, fields);
  view.setUint16(26, name.length, true);
  bytes.set(name, localBytes);
  return bytes;
}

function centralHeader(name: Uint8Array, fields: MemberFields, offset: number): Uint8Array {
  const bytes = new Uint8Array(centralBytes + name.length);
  const view = viewOf(bytes);
  view.setUint32(0, centralSignature, true);
  view.setUint16(4, 20, true);
  writeFields(view, 6, fields);
  view.setUint16(28, name.length, true);
  view.setUint32(42, offset, true);
  bytes.set(name, centralBytes);
  return bytes;
}

/** Version, UTF-8 flag, method, the date 1980-01-01 (so equal content gives equal bytes), CRC and sizes. */
function writeFields(view: DataView, at: number, fields: MemberFields): void {
  view.setUint16(at, 20, true);
  view.setUint16(at + 2, 0x0800, true);
  view.setUint16(at + 4, fields.method, true);
  view.setUint16(at + 8, 0x0021, true);
  view.setUint32(at + 10, fields.crc, true);
  view.setUint32(at + 14, fields.stored, true);
  view.setUint32(at + 18, fields.length, true);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function toNumber(value: bigint, where: string): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw damaged(where, `a size of ${value} bytes`);
}

function damaged(where: string, got: string, cause?: unknown): FormatError {
  const fix = "The file is truncated or damaged; get it again.";
  return new FormatError({ where, got, expected: "a whole zip archive", fix }, { cause });
}

function encrypted(path: string, name: string): UnsupportedError {
  const fix = "Unpack it and make an archive without a password.";
  return new UnsupportedError({ where: `${path}: ${name}`, got: "an encrypted member", expected: "a plain one", fix });
}

function tooLarge(where: string, length: number, cause: unknown): MemoryError {
  const fix = "Unpack the archive on the disk first.";
  const parts = { where, got: `${formatBytes(length)} to unpack at once`, expected: "at most 4 GiB", fix };
  return new MemoryError(parts, { cause });
}
