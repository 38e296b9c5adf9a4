/** Runs the command inside the test's own process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { main } from "../../../src/cli/index.js";

/** What one call of the command did. */
export interface CliEnd {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Options of {@link limpid}. */
export interface CliSetting {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
}

/** Calls `main` and collects what it writes. */
export async function limpid(args: readonly string[], { env = {}, signal }: CliSetting = {}): Promise<CliEnd> {
  let [out, err] = ["", ""];
  const code = await main(args, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: { PATH: process.env["PATH"], ...env },
    ...(signal === undefined ? {} : { signal }),
  });
  return { code, out, err };
}

/** A folder that is removed after the file's tests; converted weights go there too, not into the user's cache. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "limpid-cli-"));
  process.env["LIMPID_CACHE"] = join(folder, "cache");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Parses what `--json` printed. */
export function json(end: CliEnd): Record<string, unknown> {
  return JSON.parse(end.out) as Record<string, unknown>;
}
