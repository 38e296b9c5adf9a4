/** Opening sparse dictionaries (SAEs, transcoders). Declared; not built yet. */
import { type LongCallOptions, notBuilt } from "../core/index.js";

/** One feature of a dictionary: a direction at a hook point. */
export interface DictionaryFeature {
  /** The hook point that the dictionary writes to, such as `blocks.3.hook_resid_post`. */
  readonly hook: string;
  readonly index: number;
  /** The decoder row, `[dModel]`. */
  readonly direction: Float32Array;
  /** Mean activation where the feature is active, when the dictionary knows it. */
  readonly meanActivation?: number;
}

/** A sparse dictionary that knows where it reads and writes. */
export interface Dictionary {
  readonly name: string;
  readonly kind: "crosscoder" | "sae" | "transcoder";
  /** The hook point read. */
  readonly readHook: string;
  /** The hook point reconstructed. */
  readonly writeHook: string;
  readonly nFeatures: number;
  /** Returns one feature by index. */
  feature(index: number): DictionaryFeature;
}

/**
 * Opens a dictionary: an embedded name such as `tiny/resid_post.3`, or a folder.
 *
 * @throws NotBuiltError in this version.
 */
export function openDictionary(_name: string, _options: LongCallOptions = {}): Promise<Dictionary> {
  return Promise.reject(notBuilt("openDictionary", "the reader of sparse dictionaries"));
}
