/** Attention as the runtime's fused kernel in float32, in elementary ops in float64. */
import type { OpAttributes } from "../builder.js";
import { decomposeAttention } from "./attention-decomposed.js";
import { type AttentionInputs, type AttentionOutputs, attentionScale } from "./attention-inputs.js";
import type { ReductionOps } from "./reduction.js";

function attributesOf(inputs: AttentionInputs): OpAttributes {
  const { isCausal, softcap = 0, qkMatmulOutputMode, qHeads, kvHeads } = inputs;
  return {
    scale: attentionScale(inputs),
    ...(isCausal === true ? { is_causal: 1 } : {}),
    ...(softcap > 0 ? { softcap } : {}),
    ...(qkMatmulOutputMode === undefined ? {} : { qk_matmul_output_mode: qkMatmulOutputMode }),
    ...(qHeads === undefined ? {} : { q_num_heads: qHeads }),
    ...(kvHeads === undefined ? {} : { kv_num_heads: kvHeads }),
  };
}

/** The kernel in float32. Past keys need outputs for the present ones; the scores get a `Reshape` that states a shape. */
function fusedAttention(ops: ReductionOps, inputs: AttentionInputs): AttentionOutputs {
  const { q, k, v, mask, pastKey, pastValue, present = false } = inputs;
  const wantsPresent = present || pastKey !== undefined;
  const count = inputs.qkMatmulOutputMode === undefined ? (wantsPresent ? 3 : 1) : 4;
  const all = ops.builder.ops("Attention", [q, k, v, mask, pastKey, pastValue], attributesOf(inputs), count);
  const [output = q, presentKey, presentValue, qk] = all;
  return {
    output,
    ...(wantsPresent && presentKey !== undefined ? { presentKey } : {}),
    ...(wantsPresent && presentValue !== undefined ? { presentValue } : {}),
    ...(qk === undefined ? {} : { qk: ops.builder.op("Reshape", [qk, ops.ints([0, 0, 0, 0])]) }),
  };
}

/** Adds attention in the form that is right for the element type of `q`. */
export function buildAttention(ops: ReductionOps, inputs: AttentionInputs): AttentionOutputs {
  if (inputs.q.dtype !== "float64") return fusedAttention(ops, inputs);
  const { scores, capped, masked, pattern, output, presentKey, presentValue } = decomposeAttention(ops, inputs);
  const mode = inputs.qkMatmulOutputMode;
  const qk = mode === undefined ? undefined : [scores, capped, masked, pattern][mode];
  const wantsPresent = inputs.present === true || inputs.pastKey !== undefined;
  return { output, ...(wantsPresent ? { presentKey, presentValue } : {}), ...(qk === undefined ? {} : { qk }) };
}
