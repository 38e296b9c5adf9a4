/** A layer as an ordered list of residual writes: what it reads, what it writes, in which order. */
import type { ModelConfig } from "../config.js";

/** Places in a block where the residual stream has a name. */
export type StreamSite = "resid_pre" | "resid_mid" | "resid_post";

/** One sublayer's write to the residual stream. */
export interface ResidualWrite {
  readonly name: "attn" | "mlp";
  /** The stream that the sublayer reads. */
  readonly readSite: StreamSite;
  /** The stream after its write is added. */
  readonly writeSite: StreamSite;
  /** The hook point that holds what is added. */
  readonly output: "hook_attn_out" | "hook_mlp_out";
}

/** The writes of every block: sequential, parallel, or attention only. */
export function residualWrites(config: Pick<ModelConfig, "attnOnly" | "parallelAttnMlp">): readonly ResidualWrite[] {
  const attn = { name: "attn", readSite: "resid_pre", output: "hook_attn_out" } as const;
  if (config.attnOnly) return [{ ...attn, writeSite: "resid_post" }];
  const mlp = { name: "mlp", output: "hook_mlp_out", writeSite: "resid_post" } as const;
  return [
    { ...attn, writeSite: "resid_mid" },
    { ...mlp, readSite: config.parallelAttnMlp ? "resid_pre" : "resid_mid" },
  ];
}
