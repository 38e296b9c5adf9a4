import { readdirSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type Dictionary,
  type OpenDictionaryOptions,
  openDictionary,
  openDictionarySet,
} from "../../../src/dictionary/index.js";
import { refusal } from "../io/support.js";
import { commit, type ServedFile, startHub, type TestHub } from "../model-checkpoint/hub-server.js";
import { format, freshPath } from "./support.js";

let files: Map<string, ServedFile>;
let hub: TestHub;
let cacheFolder: string;

/** Serves every file below a format fixture under a folder of the repository. */
function serve(under: string, ...parts: readonly string[]): void {
  for (const name of readdirSync(format(...parts), { recursive: true, encoding: "utf8" })) {
    if (!/\.\w+$/.test(name)) continue;
    files.set(`${under}${name}`, {
      content: readFileSync(format(...parts, name)),
      isLarge: name.endsWith(".safetensors"),
    });
  }
}

beforeEach(async () => {
  files = new Map();
  hub = await startHub(files);
  cacheFolder = freshPath("hub");
});
afterEach(async () => hub.close());

const options = (more: OpenDictionaryOptions = {}): OpenDictionaryOptions => ({
  ...more,
  hub: { endpoint: hub.endpoint, cacheFolder, retryDelayMs: 1, offline: false, ...more.hub },
});
const open = (source: string, more?: OpenDictionaryOptions): Promise<Dictionary> =>
  openDictionary(source, options(more));
const snapshot = (): string => join(cacheFolder, "models--org--model", "snapshots", commit);

describe("dictionaries of a hub", () => {
  it("are fetched by a path inside the repository, with no file that is not needed", async () => {
    serve("v1/layer_3/", "saelens", "jumprelu");
    serve("v1/layer_4/", "saelens", "jumprelu");
    files.set("v1/layer_3/optimizer.safetensors", { content: new Uint8Array(8) });
    files.set("v1/layer_3/README.md", { content: new Uint8Array(8) });
    const dictionary = await open("org/model/v1/layer_3");
    expect(dictionary).toMatchObject({ name: "org/model/v1/layer_3", readHook: "blocks.3.hook_resid_post" });
    expect((await readdir(join(snapshot(), "v1/layer_3"))).sort()).toEqual(["cfg.json", "sae_weights.safetensors"]);
    expect(await readdir(join(snapshot(), "v1"))).toEqual(["layer_3"]);
    expect((await open("org/model", { path: "v1/layer_3" })).name).toBe("org/model/v1/layer_3");
  });

  it("are not asked for again", async () => {
    serve("", "sparsify", "layers.3");
    await open("org/model", { hook: "blocks.3.hook_resid_post" });
    hub.log.length = 0;
    const again = await open("org/model", { hook: "blocks.3.hook_resid_post", hub: { offline: true } });
    expect(again.nFeatures).toBe(11);
    expect(hub.log).toEqual([]);
  });

  it("tell their hook point by the repository's folders, and by configurations above the weights", async () => {
    serve("layers.3/", "sparsify", "layers.3");
    expect((await open("org/model/layers.3")).readHook).toBe("blocks.3.hook_resid_post");
    serve("trainer_0/", "dictionary_learning", "relu-checkpoint");
    const checkpoint = await open("org/model/trainer_0/checkpoints/ae_500.pt");
    expect(checkpoint.config).toMatchObject({ contextSize: 256, readHook: "blocks.2.hook_resid_post" });
    serve("llama/", "llama-scope", "plain-sparsity");
    expect((await open("org/model/llama")).readHook).toBe("blocks.8.hook_resid_post");
  });

  it("are refused with the folders that hold weights when the path is wrong", async () => {
    serve("v1/layer_3/", "saelens", "jumprelu");
    expect((await refusal(open("org/model/v2"), "INPUT")).message).toBe(
      'openDictionary: "org/model": got the path "v2", where the repository has no weights; ' +
        'expected one of "v1/layer_3". Pass the folder of the dictionary as path.',
    );
    files.clear();
    files.set("README.md", { content: new Uint8Array(1) });
    expect((await refusal(open("org/model"), "INPUT")).expected).toBe("a repository with weights");
  });

  it("are refused as the hub refuses them", async () => {
    await refusal(open("org/model", { revision: "v7" }), "CHECKPOINT");
    await refusal(open("org/gated/sae"), "CHECKPOINT");
    await refusal(open("org/model", { hub: { offline: true } }), "CHECKPOINT");
  });

  it("come as sets, whole, and again from the cache when offline", async () => {
    serve("", "circuit-tracer", "relu-skip");
    const set = await openDictionarySet("org/model", options());
    expect(set.layers).toEqual([0, 1]);
    const offline = await openDictionarySet("org/model", options({ hub: { offline: true } }));
    expect(offline.layer(1).readHook).toBe("blocks.1.mlp.hook_in");
  });

  it("come as sets whose config.yaml lists files elsewhere", async () => {
    serve("there/", "circuit-tracer", "jumprelu");
    const list = [0, 1].map((layer) => `  - hf://org/model/there/layer_${layer}.safetensors?revision=main\n`).join("");
    const yaml = `feature_input_hook: hook_resid_mid\nfeature_output_hook: hook_mlp_out\ntranscoders:\n${list}`;
    files.set("set/config.yaml", { content: new TextEncoder().encode(yaml) });
    const set = await openDictionarySet("org/model/set", options());
    expect(set.dictionaries.map(({ readHook }) => readHook)).toEqual([
      "blocks.0.hook_resid_mid",
      "blocks.1.hook_resid_mid",
    ]);
  });

  it("come as sets of folders", async () => {
    serve("layers.3/", "sparsify", "layers.3");
    serve("layers.1.mlp/", "sparsify", "layers.1.mlp");
    const set = await openDictionarySet("org/model", options());
    expect(set.layers).toEqual([1, 3]);
    expect(set.layer(1).kind).toBe("skip_transcoder");
  });
});
