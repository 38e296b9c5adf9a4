import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { openDictionary, openDictionarySet } from "../../../src/dictionary/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { fixture } from "../../helpers/fixtures.js";
import { refusal } from "../io/support.js";
import { copyOf, editJson, editTensors, format, freshPath } from "./support.js";

describe("a source that is no dictionary", () => {
  it("is refused with what was looked for when the folder's format is unknown", async () => {
    const { message } = await refusal(openDictionary(fixture("tiny")), "FORMAT");
    expect(message).toContain(`which holds "README.md", "config.json"`);
    for (const sign of [
      "dictionary.json and weights.safetensors (limpid)",
      "cfg.json and sae_weights.safetensors (SAELens)",
    ])
      expect(message).toContain(sign);
    expect(message).toContain("for several layers use openDictionarySet");
  });

  it("is refused when there is nothing of that name", async () => {
    expect(
      (await refusal(openDictionary("no/such/place", { hub: { offline: true } }), "CHECKPOINT")).message,
    ).toContain("hub repository no/such: got offline mode, and not all of the files in ");
    const { message } = await refusal(openDictionary("/no/such"), "INPUT");
    expect(message).toContain("got no file or folder /no/such, and no dictionary in the package");
    expect(message).toContain('an embedded name such as "tiny/resid_post.3"');
    await refusal(openDictionary(""), "INPUT");
  });

  it("is refused when the path would leave the source", async () => {
    const { message } = await refusal(openDictionary(format("saelens"), { path: "../gemma-scope" }), "INPUT");
    expect(message).toContain('got the path "../gemma-scope"; expected a path inside the source');
    await refusal(openDictionary("tiny/../../package"), "INPUT");
  });

  it("is refused when the path inside does not exist", async () => {
    await refusal(openDictionary(format("saelens"), { path: "nothing" }), "INPUT");
  });
});

describe("a dictionary inside the package", () => {
  it("is found by its name, before any folder", async () => {
    const dictionary = await openDictionary("formats/saelens/standard");
    expect(dictionary).toMatchObject({ name: "formats/saelens/standard", nFeatures: 11 });
    expect((await openDictionary("formats/saelens", { path: "gated" })).config.architecture).toBe("gated");
    expect((await openDictionarySet("formats/circuit-tracer/relu-skip")).layers).toEqual([0, 1]);
  });
});

describe("an OpenAI file", () => {
  it("is refused with another activation", async () => {
    const options = { hook: "blocks.0.hook_resid_post" };
    const tanh = await refusal(openDictionary(format("refused", "openai-tanh.pt"), options), "UNSUPPORTED");
    expect(tanh.message).toContain("activation: got Tanh; expected ReLU, or TopK with its k and then ReLU");
    const identity = await refusal(openDictionary(format("refused", "openai-identity.pt"), options), "UNSUPPORTED");
    expect(identity.got).toBe("TopK with k 3, then Identity");
  });
});

describe("a SAELens folder", () => {
  const config = (folder: string): string => join(folder, "cfg.json");

  it.each([
    [
      "of another architecture",
      { architecture: "temporal" },
      "got architecture temporal; expected one of standard, topk, gated",
    ],
    [
      "of one head",
      { metadata: { hook_head_index: 3 } },
      "got a dictionary of head 3 alone; expected one of whole hook points",
    ],
    [
      "with another activation",
      { metadata: undefined, activation_fn: "tanh-relu" },
      "got activation tanh-relu; expected",
    ],
  ])("%s is refused", async (_, change, message) => {
    const folder = copyOf("saelens", "standard");
    editJson(config(folder), (json) => ({ ...json, ...change }));
    expect((await refusal(openDictionary(folder), "UNSUPPORTED")).message).toContain(message);
  });

  it.each([
    [
      "an unknown normalisation",
      { normalize_activations: "l7" },
      'normalize_activations: got "l7"; expected one of "none"',
    ],
    [
      "TopK without k",
      { architecture: "topk" },
      "k: got nothing; expected the number of features that a TopK dictionary keeps",
    ],
    ["no hook name", { metadata: {} }, "got a dictionary whose files do not say which hook point it reads"],
  ])("with %s is refused", async (_, change, message) => {
    const folder = copyOf("saelens", "standard");
    editJson(config(folder), (json) => ({ ...json, ...change }));
    expect((await refusal(openDictionary(folder), "FORMAT")).message).toContain(message);
  });

  it("without a hook name opens where it is told to", async () => {
    const folder = copyOf("saelens", "standard");
    editJson(config(folder), (json) => ({ ...json, metadata: {} }));
    expect((await openDictionary(folder, { hook: "blocks.7.hook_resid_mid" })).writeHook).toBe(
      "blocks.7.hook_resid_mid",
    );
  });

  it("with a normalised transcoder is refused, because SAELens's means something else", async () => {
    const folder = copyOf("saelens", "transcoder");
    editJson(config(folder), (json) => ({ ...json, normalize_activations: "layer_norm" }));
    expect((await refusal(openDictionary(folder), "UNSUPPORTED")).message).toContain(
      "got a transcoder with normalize_activations layer_norm; expected one without",
    );
  });

  it("with a scaling factor that nothing explains is refused", async () => {
    const folder = copyOf("saelens", "v5-scaling");
    editJson(config(folder), (json) => ({ ...json, finetuning_scaling_factor: false }));
    expect((await refusal(openDictionary(folder), "FORMAT")).message).toContain(
      "scaling_factor: got factors other than 1, and finetuning_scaling_factor is not true",
    );
  });

  it("without its threshold is refused", async () => {
    const folder = copyOf("saelens", "jumprelu");
    await editTensors(join(folder, "sae_weights.safetensors"), ({ threshold: _, ...rest }) => rest);
    expect((await refusal(openDictionary(folder), "FORMAT")).got).toContain('no tensor "threshold" among');
  });

  it("with three axes is refused as what it is not", async () => {
    const folder = copyOf("saelens", "batchtopk");
    await editTensors(join(folder, "sae_weights.safetensors"), (tensors) => ({
      ...tensors,
      W_enc: Tensor.of(new Float32Array(110), [2, 5, 11]),
    }));
    expect((await refusal(openDictionary(folder), "FORMAT")).message).toContain(
      "W_enc: got shape [2, 5, 11]; expected a matrix. Check which kind of dictionary this is: crosscoders",
    );
  });

  it("whose weights do not fit each other is refused", async () => {
    const folder = copyOf("saelens", "standard");
    await editTensors(join(folder, "sae_weights.safetensors"), (tensors) => ({
      ...tensors,
      W_dec: Tensor.of(new Float32Array(50), [10, 5]),
    }));
    expect((await refusal(openDictionary(folder), "SHAPE")).message).toContain(
      "weight W_dec: got [10, 5]; expected [11, 5]",
    );
  });
});

describe("dictionary_learning files", () => {
  it("of an unknown class, or of a crosscoder, are refused by name", async () => {
    const folder = copyOf("dictionary_learning", "relu");
    const named = (className: string): void => {
      editJson(join(folder, "config.json"), (json) => ({
        ...json,
        trainer: { ...(json["trainer"] as object), dict_class: className },
      }));
    };
    named("IdentityDict");
    expect((await refusal(openDictionary(folder), "UNSUPPORTED")).got).toBe("a IdentityDict");
    named("BatchTopKCrossCoder");
    expect((await refusal(openDictionary(folder), "UNSUPPORTED")).got).toBe(
      "BatchTopKCrossCoder, a crosscoder: one dictionary of several hook points",
    );
  });

  it("without a configuration are refused where the tensors fit several classes", async () => {
    const folder = copyOf("dictionary_learning", "batch-topk");
    rmSync(join(folder, "config.json"));
    expect((await refusal(openDictionary(folder), "FORMAT")).message).toContain(
      "and no config.json beside or above them; expected a config.json whose trainer.dict_class says which kind",
    );
  });

  it("of TopK without k are refused", async () => {
    const folder = copyOf("dictionary_learning", "gated");
    editJson(join(folder, "config.json"), (json) => ({
      ...json,
      trainer: { dict_class: "AutoEncoderTopK", layer: 1 },
    }));
    expect((await refusal(openDictionary(folder), "FORMAT")).message).toContain(
      "k: got nothing; expected the number of features",
    );
  });

  it("of a place that nobody can map ask for the hook point", async () => {
    const folder = copyOf("dictionary_learning", "relu");
    editJson(join(folder, "config.json"), () => ({
      trainer: { dict_class: "AutoEncoder", submodule_name: "model.layers.3.post_attention_layernorm" },
    }));
    const { fix } = await refusal(openDictionary(folder), "FORMAT");
    expect(fix).toBe(
      'Pass hook (and writeHook for a transcoder): openDictionary(source, { hook: "blocks.3.hook_resid_post" }).',
    );
    expect((await openDictionary(folder, { hook: "blocks.3.hook_attn_out" })).readHook).toBe("blocks.3.hook_attn_out");
  });
});

describe("other formats", () => {
  it("refuse what sparsify can train and limpid cannot use", async () => {
    const folder = copyOf("sparsify", "layers.3");
    editJson(join(folder, "cfg.json"), (json) => ({ ...json, activation: "groupmax" }));
    expect((await refusal(openDictionary(folder), "UNSUPPORTED")).got).toBe("activation groupmax");
    editJson(join(folder, "cfg.json"), (json) => ({ ...json, activation: "topk", signed: true }));
    expect((await refusal(openDictionary(folder), "UNSUPPORTED")).got).toContain("signed TopK");
  });

  it("ask for both hook points of a sparsify transcoder in a folder that says neither", async () => {
    const folder = copyOf("sparsify", "layers.1.mlp");
    const moved = freshPath("my-transcoder");
    renameSync(folder, moved);
    await refusal(openDictionary(moved), "FORMAT");
    expect((await refusal(openDictionary(moved, { hook: "blocks.1.mlp.hook_in" }), "INPUT")).message).toContain(
      "got a transcoder whose two hook points are not both known; expected the one that it reads and the one that it writes. " +
        'Pass hook and writeHook; its folder is called "my-transcoder".',
    );
    const opened = await openDictionary(moved, { hook: "blocks.1.mlp.hook_in", writeHook: "blocks.1.hook_mlp_out" });
    expect(opened.kind).toBe("skip_transcoder");
  });

  it("refuse Gemma Scope's dictionaries of several layers", async () => {
    const folder = copyOf("gemma-scope-2", "resid_post_all", "layer_10_width_262k_l0_small");
    editJson(join(folder, "config.json"), (json) => ({ ...json, type: "clt" }));
    expect((await refusal(openDictionary(folder), "UNSUPPORTED")).got).toBe("type clt");
    await editTensors(join(folder, "params.safetensors"), (tensors) => ({
      ...tensors,
      w_dec: Tensor.of(new Float32Array(110), [11, 2, 5]),
    }));
    expect((await refusal(openDictionary(folder), "UNSUPPORTED")).got).toContain("a cross-layer transcoder");
  });

  it("refuse other kinds of Llama Scope's library", async () => {
    const folder = copyOf("llama-scope", "plain-sparsity");
    editJson(join(folder, "hyperparams.json"), (json) => ({ ...json, act_fn: "topk" }));
    expect((await refusal(openDictionary(folder), "UNSUPPORTED")).got).toBe("act_fn topk");
    editJson(join(folder, "hyperparams.json"), (json) => ({
      ...json,
      act_fn: "jumprelu",
      norm_activation: "token-wise",
    }));
    await refusal(openDictionary(folder), "FORMAT");
  });

  it("refuse crosscoders and cross-layer transcoders by name", async () => {
    const folder = freshPath("cc");
    mkdirSync(folder);
    writeFileSync(join(folder, "cfg.json"), "{}");
    writeFileSync(join(folder, "cc_weights.pt"), "");
    const { message } = await refusal(openDictionary(folder), "UNSUPPORTED");
    expect(message).toContain("got a crosscoder (cc_weights.pt): one dictionary of several models or layers; expected");
    const cross = freshPath("clt");
    mkdirSync(cross);
    writeFileSync(join(cross, "W_enc_0.safetensors"), "");
    expect((await refusal(openDictionary(cross), "UNSUPPORTED")).got).toContain("a cross-layer transcoder");
    rmSync(join(cross, "W_enc_0.safetensors"));
    writeFileSync(join(cross, "cfg.json"), JSON.stringify({ num_features: 3, num_layers: 2, tl_input_template: "x" }));
    expect((await refusal(openDictionary(cross), "UNSUPPORTED")).got).toContain("a cross-layer transcoder");
  });

  it("ask of bare tensors what they cannot say", async () => {
    const path = format("state-dict", "turned.pt");
    await refusal(openDictionary(path), "FORMAT");
    expect((await refusal(openDictionary(path, { hook: "blocks.0.hook_resid_post" }), "INPUT")).message).toContain(
      "expected to be told whether b_dec is taken from the input before encoding. " +
        "Pass subtractsDecoderBias: true or false; diagnose(dictionary, model, texts) measures which is right.",
    );
  });

  it("refuse bare tensors whose sizes do not tell rows from columns", async () => {
    const path = freshPath("square.safetensors");
    cpSync(format("state-dict", "straight.safetensors"), path);
    const square = Tensor.of(new Float32Array(25), [5, 5]);
    const five = Tensor.of(new Float32Array(5), [5]);
    await editTensors(path, () => ({ W_enc: square, W_dec: square, b_enc: five, b_dec: five }));
    const opening = openDictionary(path, { hook: "blocks.0.hook_resid_post", subtractsDecoderBias: true });
    expect((await refusal(opening, "FORMAT")).message).toContain(
      "W_enc: got shape [5, 5] beside 5 features and width 5; expected sizes that tell rows from columns",
    );
  });
});

describe("circuit-tracer sets", () => {
  it("open whole, and each layer by its path", async () => {
    const set = await openDictionarySet(format("circuit-tracer", "relu-skip"));
    expect(set.layers).toEqual([0, 1]);
    expect(set.layer(1)).toMatchObject({ kind: "skip_transcoder", readHook: "blocks.1.mlp.hook_in" });
    const one = await openDictionary(format("circuit-tracer", "topk"), { path: "layer_1.safetensors" });
    expect(one.config.activation).toEqual({ kind: "topk", k: 3, scalesByDecoderNorm: false });
  });

  it("are not one dictionary", async () => {
    const { message } = await refusal(openDictionary(format("circuit-tracer", "topk")), "INPUT");
    expect(message).toContain(
      'got a set of transcoders; expected one of "layer_0.safetensors", "layer_1.safetensors" as path. ' +
        "Open all of them with openDictionarySet.",
    );
  });

  it("may list their files, in other formats too", async () => {
    const folder = copyOf("circuit-tracer", "topk");
    const npz = join(folder, "gemma.npz");
    cpSync(format("gemma-scope", "unnamed", "params.npz"), npz);
    const yaml = join(folder, "config.yaml");
    writeFileSync(yaml, `${readFileSync(yaml, "utf8")}transcoders:\n  - gemma.npz\n  - layer_1.safetensors\n`);
    const set = await openDictionarySet(folder);
    expect(set.dictionaries.map(({ config }) => [config.architecture, config.readHook])).toEqual([
      ["jumprelu", "blocks.0.hook_resid_mid"],
      ["topk", "blocks.1.hook_resid_mid"],
    ]);
  });

  it.each([
    ["model_kind: cross_layer_transcoder\n", "UNSUPPORTED", "a cross-layer transcoder"],
    ["a: [1\n", "FORMAT", "expected YAML"],
    ["transcoders: 3\n", "FORMAT", "expected a list of paths or hf:// addresses, one for each layer"],
    ["transcoders: ['hf://org']\n", "FORMAT", 'got "hf://org"; expected hf://ORG/REPO/PATH'],
    ["activation: gelu\n", "FORMAT", "got activation gelu; expected relu, topk with its k, or thresholds in the file"],
  ] as const)("are refused with %j", async (text, code, message) => {
    const folder = copyOf("circuit-tracer", "relu-skip");
    const hooks = "feature_input_hook: mlp.hook_in\nfeature_output_hook: hook_mlp_out\n";
    writeFileSync(join(folder, "config.yaml"), `${hooks}${text}`);
    expect((await refusal(openDictionarySet(folder), code)).message).toContain(message);
  });

  it("are refused when a layer is missing", async () => {
    const folder = copyOf("circuit-tracer", "relu-skip");
    rmSync(join(folder, "layer_0.safetensors"));
    expect((await refusal(openDictionarySet(folder), "INPUT")).message).toContain(
      `${folder}: got no layer_0.safetensors among 1 layers; expected a file for each layer, counted from 0`,
    );
    rmSync(join(folder, "layer_1.safetensors"));
    expect((await refusal(openDictionarySet(folder), "INPUT")).got).toBe("no layer_N.safetensors");
  });

  it("need both hook points where there is no config.yaml", async () => {
    const folder = copyOf("circuit-tracer", "relu-skip");
    rmSync(join(folder, "config.yaml"));
    await refusal(openDictionary(join(folder, "layer_1.safetensors")), "FORMAT");
    const path = join(folder, "layer_1.safetensors");
    const one = await openDictionary(path, { hook: "blocks.1.mlp.hook_in", writeHook: "blocks.1.hook_mlp_out" });
    expect(one.kind).toBe("skip_transcoder");
  });
});

describe("hostile and damaged pickles", () => {
  /** A protocol-2 pickle of `{"state_dict": os.system("true")}`. */
  const evil = Buffer.concat([
    Buffer.from([0x80, 2, 0x7d]),
    Buffer.from("X\x0a\0\0\0state_dictcposix\nsystem\nX\x04\0\0\0true", "latin1"),
    Buffer.from([0x85, 0x52, 0x73, 0x2e]),
  ]);

  it.each(["ae.pt", "sae.pt"])("in %s end the reading before anything is called", async (name) => {
    const folder = freshPath("evil");
    mkdirSync(folder);
    writeFileSync(join(folder, name), evil);
    const { message } = await refusal(openDictionary(join(folder, name)), "FORMAT");
    expect(message).toContain("posix.system");
  });

  it("of an unknown class of configuration are refused by its name", async () => {
    const { message } = await refusal(openDictionary(format("refused", "other-config.pt")), "FORMAT");
    expect(message).toContain("my_training.OtherConfig");
    expect((await refusal(openDictionary(format("refused", "calls-system.pt")), "FORMAT")).message).toContain(
      "posix.system",
    );
  });

  it.each([
    ["dictionary_learning/relu", "ae.pt"],
    ["transcoder_circuits", "sae.pt"],
    ["gemma-scope/unnamed", "params.npz"],
    ["llama-scope/plain-sparsity", "checkpoints/final.safetensors"],
  ])("that are truncated name the file: %s", async (from, name) => {
    const folder = copyOf(...from.split("/"));
    const path = join(folder, name);
    const bytes = readFileSync(path);
    for (const part of [0.3, 0.9]) {
      writeFileSync(path, bytes.subarray(0, Math.floor(bytes.length * part)));
      const { message } = await refusal(
        openDictionary(name.startsWith("checkpoints") ? folder : path, { hook: "blocks.0.hook_resid_post" }),
        "FORMAT",
      );
      expect(message).toContain(dirname(path));
    }
  });
});
