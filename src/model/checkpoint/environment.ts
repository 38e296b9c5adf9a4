/** Folders and switches that come from the environment, read when asked and never at import. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { HubOptions } from "./types.js";

/** Hub options with every default filled in. */
export interface ResolvedHub {
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly cacheFolder: string;
  readonly offline: boolean;
  readonly retryDelayMs: number;
}

/** Fills in hub options from the variables that huggingface_hub reads. */
export function resolveHub(options: HubOptions = {}): ResolvedHub {
  return {
    endpoint: (options.endpoint ?? variable("HF_ENDPOINT") ?? "https://huggingface.co").replace(/\/+$/, ""),
    token: options.token ?? variable("HF_TOKEN"),
    cacheFolder: resolve(options.cacheFolder ?? hubCacheFolder()),
    offline: options.offline ?? /^(?:1|true|yes|on)$/i.test(variable("HF_HUB_OFFLINE") ?? ""),
    retryDelayMs: options.retryDelayMs ?? 500,
  };
}

/** Returns limpid's own cache folder: `LIMPID_CACHE`, else `limpid` in the user's cache folder. */
export function limpidCacheFolder(given?: string): string {
  return resolve(given ?? variable("LIMPID_CACHE") ?? join(userCacheFolder(), "limpid"));
}

function hubCacheFolder(): string {
  const home = variable("HF_HOME") ?? join(userCacheFolder(), "huggingface");
  return variable("HF_HUB_CACHE") ?? variable("HUGGINGFACE_HUB_CACHE") ?? join(home, "hub");
}

function userCacheFolder(): string {
  return variable("XDG_CACHE_HOME") ?? join(homedir(), ".cache");
}

function variable(name: string): string | undefined {
  const value = process.env[name]?.trim();
  return value === undefined || value === "" ? undefined : value;
}
