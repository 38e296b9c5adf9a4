/** What a checkpoint is once opened, and what opening it may need. */
import type { Logger, LongCallOptions } from "../../core/index.js";
import type { StoredTensor } from "../../io/index.js";

/** Words that a folder's `config.json` speaks. */
export type CheckpointFormat = "huggingface" | "transformer-lens";

/** The weights and configuration of a model, opened but not loaded: every tensor is a place in a file. */
export interface Checkpoint {
  /** The source as the user named it: `"tiny"`, a folder, a hub id. */
  readonly id: string;
  /** The folder that holds `config.json`. */
  readonly folder: string;
  readonly format: CheckpointFormat;
  /** `config.json`, as it is. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Weights by name: float32, contiguous, aligned; files are real paths without symbolic links. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Tensors that are no weights by their element type (boolean masks, integer ids); never mapped. */
  readonly buffers: ReadonlyMap<string, StoredTensor>;
  /** The folder of `tokenizer.json`, when there is one. */
  readonly tokenizerFolder?: string;
  /**
   * Sixteen hexadecimal digits that tell these weights from others.
   *
   * Files up to 16 MB count by all their bytes, files of the Hugging Face cache by their blob's name (a hash of the
   * content), others by size, modification time, header and sixteen samples of 4 KiB.
   */
  readonly identity: string;
  /** The hub commit, when the source was a hub id. */
  readonly revision?: string;
  /** Where the float32 copy lies, when the source could not be mapped as it is. */
  readonly prepared?: PreparedWeights;
}

/** A float32 copy of weights in limpid's cache. */
export interface PreparedWeights {
  /** The `.safetensors` file. */
  readonly path: string;
  /** Its size in bytes. */
  readonly bytes: number;
}

/** Options of the hub; each defaults to the environment variable that huggingface_hub reads. */
export interface HubOptions {
  /** Address of the hub. Default `HF_ENDPOINT`, else `https://huggingface.co`. */
  readonly endpoint?: string;
  /** Bearer token, sent to the endpoint's host only. Default `HF_TOKEN`. */
  readonly token?: string;
  /** Folder of the Hugging Face cache. Default `HF_HUB_CACHE`, `HF_HOME/hub`, else `~/.cache/huggingface/hub`. */
  readonly cacheFolder?: string;
  /** Never uses the network. Default `HF_HUB_OFFLINE`. */
  readonly offline?: boolean;
  /** Wait before the first retry, in ms; doubles with each retry. Default 500. */
  readonly retryDelayMs?: number;
}

/** Options of `openCheckpoint`. */
export interface CheckpointOptions extends LongCallOptions {
  /** Branch, tag or commit of a hub id. Default `"main"`. */
  readonly revision?: string;
  readonly hub?: HubOptions;
  /** Folder for prepared checkpoints. Default `LIMPID_CACHE`, else `limpid` in the user's cache folder. */
  readonly cacheFolder?: string;
  /** Is told how many GB a conversion takes and where. Default: one warning on the console. */
  readonly logger?: Logger;
}
