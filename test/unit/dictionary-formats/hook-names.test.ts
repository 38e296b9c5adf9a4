import { describe, expect, it } from "vitest";
import { gemmaScopeHooks } from "../../../src/dictionary/formats/gemma-scope-1.js";
import { hookInBlock, hookInPath, hookNamed } from "../../../src/dictionary/formats/hook-names.js";

describe("names of places in a model", () => {
  it.each([
    ["blocks.3.hook_resid_post", "blocks.3.hook_resid_post"],
    ["blocks.3.attn.hook_z", "blocks.3.attn.hook_z"],
    ["blocks.3.mlp.hook_out", "blocks.3.hook_mlp_out"],
    ["blocks.3.ln2.hook_normalized", "blocks.3.ln2.hook_normalized"],
    ["hook_embed", "hook_embed"],
    ["ln_final.hook_normalized", "ln_final.hook_normalized"],
    ["layers.10", "blocks.10.hook_resid_post"],
    ["model.layers.10", "blocks.10.hook_resid_post"],
    ["model.layers.10.output", "blocks.10.hook_resid_post"],
    ["model.language_model.layers.10.input", "blocks.10.hook_resid_pre"],
    ["gpt_neox.layers.2.attention", "blocks.2.hook_attn_out"],
    ["transformer.h.5.mlp", "blocks.5.hook_mlp_out"],
    ["h.5.mlp.input", "blocks.5.mlp.hook_in"],
    ["layers.5.self_attn.o_proj.input", "blocks.5.attn.hook_z"],
    ["layers.5.mlp.down_proj.input", "blocks.5.mlp.hook_post"],
    ["layers.5.mlp.act_fn", "blocks.5.mlp.hook_post"],
    ["layers.5.pre_feedforward_layernorm.output", "blocks.5.mlp.hook_in"],
    ["layers.5.post_feedforward_layernorm.output", "blocks.5.hook_mlp_out"],
    ["h.5.ln_2.input", "blocks.5.hook_resid_mid"],
    ["model.embed_tokens", "hook_embed"],
    ["transformer.wte", "hook_embed"],
    ["resid_post_layer_8", "blocks.8.hook_resid_post"],
    ["attention_out_layer4", "blocks.4.hook_attn_out"],
    ["mlp_out_layer_0", "blocks.0.hook_mlp_out"],
  ])("%s is %s", (name, hook) => {
    expect(hookNamed(name)).toBe(hook);
  });

  it.each([
    "layers.3.post_attention_layernorm.output",
    "layers.3.input_layernorm.output",
    "mlp",
    "something",
    "",
    "layer_3",
  ])("%s says nothing certain", (name) => {
    expect(hookNamed(name)).toBeUndefined();
  });

  it("are completed by a layer in a circuit-tracer set", () => {
    expect(hookInBlock(2, "mlp.hook_in")).toBe("blocks.2.mlp.hook_in");
    expect(hookInBlock(2, "mlp.hook_out")).toBe("blocks.2.hook_mlp_out");
    expect(hookInBlock(2, "hook_resid_mid")).toBe("blocks.2.hook_resid_mid");
    expect(hookInBlock(2, "blocks.5.hook_mlp_out")).toBe("blocks.5.hook_mlp_out");
  });

  it("are read from OpenAI's paths", () => {
    expect(hookInPath("gpt2-small/resid_post_attn_v5_128k/autoencoders/11.pt")).toBe("blocks.11.hook_resid_mid");
    expect(hookInPath("v5_32k_location_resid_delta_mlp_layer_3.pt")).toBe("blocks.3.hook_mlp_out");
    expect(hookInPath("mlp_post_act_v4/autoencoders/0.pt")).toBe("blocks.0.mlp.hook_post");
    expect(hookInPath("autoencoders/0.pt")).toBeUndefined();
  });

  it("are read from Gemma Scope's repositories", () => {
    expect(gemmaScopeHooks("google/gemma-scope-27b-pt-res/layer_10/width_131k/average_l0_21")).toEqual({
      readHook: "blocks.10.hook_resid_post",
    });
    expect(
      gemmaScopeHooks("models--google--gemma-scope-2b-pt-mlp/snapshots/abc/layer_0/width_16k/average_l0_7"),
    ).toEqual({
      readHook: "blocks.0.hook_mlp_out",
    });
    expect(gemmaScopeHooks("somewhere/layer_0/width_16k")).toEqual({ readHook: undefined });
  });
});
