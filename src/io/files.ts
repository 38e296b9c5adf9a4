/** Positional reads from files, with errors that name the file. */
import { type FileHandle, open } from "node:fs/promises";
import { FormatError, formatBytes, InputError, isLimpidError, MemoryError } from "../core/index.js";

/** Most bytes asked of the system in one read or write; some systems refuse more than 2 GiB. */
const pieceBytes = 64 * 1024 * 1024;

/** A file open for reading. */
export interface ReadableFile {
  readonly path: string;
  /** Bytes in the file when it was opened. */
  readonly size: number;
  /** Reads exactly `length` bytes at `offset` into fresh memory. Throws a FormatError when the file ends before that. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Opens a file, hands it to `use`, and closes it whatever happens. */
export async function withFile<T>(path: string, use: (file: ReadableFile) => Promise<T>): Promise<T> {
  const handle = await open(path, "r").catch((error: unknown) => {
    throw fileError(error, path, "read");
  });
  try {
    const info = await handle.stat();
    if (info.isDirectory()) throw notAFile(path);
    return await use({
      path,
      size: info.size,
      read: (offset, length) => readExactly(handle, path, { offset, length }),
    });
  } catch (error) {
    throw isLimpidError(error) ? error : fileError(error, path, "read");
  } finally {
    await handle.close();
  }
}

/** Reads a whole file into memory. */
export async function readWholeFile(path: string): Promise<Uint8Array> {
  return withFile(path, (file) => file.read(0, file.size));
}

/** Allocates `length` zero bytes; a size that cannot be had is a MemoryError instead of a RangeError. */
export function allocateBytes(length: number, where: string): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new MemoryError(
      {
        where,
        got: `${formatBytes(length)} to hold at once`,
        expected: "a size that one typed array can have on this machine",
        fix: "Read it in parts with readStoredRows or streamAsFloat32.",
      },
      { cause },
    );
  }
}

/**
 * Turns an error of the file system into limpid's: a full disk is a MemoryError, anything else an InputError.
 *
 * Other errors come back as they are.
 */
export function fileError(error: unknown, path: string, action: "read" | "write"): unknown {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return error;
  if (isFull(error.code)) return diskFull(error, path);
  return new InputError(
    {
      where: `${action} ${path}`,
      got: `${error.code} from the file system`,
      expected: expectations[error.code] ?? `a file that this process can ${action}`,
      fix: "Check the path and its permissions.",
    },
    { cause: error },
  );
}

const expectations: Readonly<Record<string, string>> = {
  ENOENT: "an existing path",
  EACCES: "permission to use the path",
  EISDIR: "a file and not a folder",
  ENOTDIR: "a folder where the path names one",
};

function isFull(code: string): boolean {
  return code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
}

function diskFull(cause: Error, path: string): MemoryError {
  return new MemoryError(
    {
      where: `write ${path}`,
      got: "no space left on the disk",
      expected: "room for the whole file",
      fix: "Nothing was left behind; free some space or choose another folder.",
    },
    { cause },
  );
}

function notAFile(path: string): InputError {
  return new InputError({
    where: `read ${path}`,
    got: "a folder",
    expected: "a file",
    fix: "Give the path of a file inside it.",
  });
}

async function readExactly(
  handle: FileHandle,
  path: string,
  range: { readonly offset: number; readonly length: number },
): Promise<Uint8Array> {
  const { offset, length } = range;
  const bytes = allocateBytes(length, `read ${path}`);
  let done = 0;
  while (done < length) {
    const piece = Math.min(pieceBytes, length - done);
    const { bytesRead } = await handle.read(bytes, done, piece, offset + done);
    if (bytesRead === 0) throw endsEarly(path, { offset, length, done });
    done += bytesRead;
  }
  return bytes;
}

function endsEarly(path: string, range: { offset: number; length: number; done: number }): FormatError {
  return new FormatError({
    where: path,
    got: `${range.done} of ${range.length} bytes at offset ${range.offset}`,
    expected: "the file to be that long",
    fix: "The file is truncated or still being written; download or copy it again.",
  });
}
